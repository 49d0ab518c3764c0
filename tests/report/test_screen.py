"""What reaches a terminal, a pipe and a program."""

from __future__ import annotations

import json

import pytest

from mailkeel.host.interface import ServiceState
from mailkeel.operate.status import Status
from mailkeel.prove.evidence import Evidence, Proof, Verdict, as_json
from mailkeel.report import proof as proof_report
from mailkeel.report import status as status_report
from mailkeel.report.screen import paint, table, visible

_EVIL = "evil\x1b]0;title\x07\x1b[31m\r\u202e"


def _proof(*verdicts: Verdict) -> Proof:
    return Proof(
        tuple(
            Evidence(
                f"V{number}",
                "title",
                verdict,
                "expected",
                _EVIL,
                {"raw": 1},
                "cause",
                "solution",
                "prevention",
            )
            for number, verdict in enumerate(verdicts)
        )
    )


def test_nothing_from_outside_steers_the_terminal() -> None:
    """Escape sequences, carriage returns and bidirectional marks become visible."""
    assert visible(_EVIL) == r"evil\x1b]0;title\x07\x1b[31m\r\u202e"
    assert "\x1b" not in proof_report.render(_proof(Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS))


def test_a_pipe_gets_no_colour() -> None:
    """pytest's standard output is no terminal."""
    assert paint("text", "fail") == "text"
    assert table([("a", "b")], ("X", "LONGER")) == "X  LONGER\na  b\n"


def test_a_proof_holds_unless_a_criterion_failed() -> None:
    """What cannot be seen is no failure."""
    assert _proof(Verdict.PASS, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE).holds
    assert not _proof(Verdict.PASS, Verdict.FAIL).holds


def test_a_proof_as_json_has_the_documented_keys() -> None:
    """cause, solution and prevention only where it is no pass."""
    document = json.loads(json.dumps(as_json(_proof(Verdict.PASS, Verdict.FAIL))))
    good, bad = document["criteria"]
    assert document["verdict"] == "fail"
    assert set(good) == {"id", "title", "verdict", "expected", "observed", "evidence"}
    assert set(bad) - set(good) == {"cause", "solution", "prevention"}


@pytest.mark.parametrize("is_active", [True, False])
def test_metrics_tell_what_runs(is_active: bool) -> None:
    """In Prometheus' text format."""
    status = Status(
        "local",
        "mail.example.com",
        ("example.com",),
        {"postfix": ServiceState(is_active, True, 1)},
        3,
        {"sent": 5, "deferred": 0},
        {"default._domainkey.example.com": True},
        {**as_json(_proof(Verdict.PASS)), "at": 5.0},
        (),
        "t",
        0.0,
    )
    text = status_report.metrics(status)
    assert f'mailkeel_daemon_up{{daemon="postfix"}} {float(is_active)}' in text
    assert "mailkeel_queue_messages 3.0" in text
    assert 'mailkeel_deliveries_last_day{outcome="sent"} 5.0' in text
    assert status.is_well is is_active
    assert json.loads(json.dumps(status_report.as_json(status)))["well"] is is_active
