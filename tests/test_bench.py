"""The benchmark's arithmetic and tables; nothing is timed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import figures, on_host
from bench.apply import slowest
from bench.contenders import ALL, check_signed
from bench.mail import in_turn
from bench.plan import specification
from bench.tables import Table, render

from mailkeel.errors import HostError
from mailkeel.spec.reader import read

SIGNED = "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=default\n\nbody\n"


def test_median_and_percentile_take_values_that_were_measured() -> None:
    assert figures.median([3.0, 1.0, 2.0]) == 2.0
    assert figures.percentile([float(n) for n in range(1, 101)], 99) == 99.0
    assert figures.percentile([5.0], 99) == 5.0


@pytest.mark.parametrize("take", [figures.median, lambda values: figures.percentile(values, 50)])
def test_no_measurement_is_an_error(take: object) -> None:
    with pytest.raises(ValueError, match="no value"):
        take([])  # type: ignore[operator]


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which the whole machine was slow does not count against one contender."""
    assert figures.paired_ratio([90.0, 9.0, 80.0], [100.0, 10.0, 100.0]) == 0.9


def test_goals_are_limits_from_above_or_from_below() -> None:
    assert figures.Goal(0.25).verdict(0.25) == "<= 0.25: met"
    assert figures.Goal(0.9, at_least=True).verdict(0.89) == ">= 0.9: **missed**"


def test_a_table_is_aligned() -> None:
    table = Table("Title", "Note.", ("a", "long head"), (("value", "1"), ("v", "22")))
    assert render(table) == (
        "## Title\n\nNote.\n\n"
        "| a     | long head |\n"
        "|-------|-----------|\n"
        "| value | 1         |\n"
        "| v     | 22        |\n"
    )


def test_each_contender_begins_a_round() -> None:
    assert {in_turn(number)[0] for number in range(3)} == set(ALL)
    assert all(set(in_turn(number)) == set(ALL) for number in range(3))


def test_samples_must_be_signed_by_all_but_bare() -> None:
    check_signed("mailkeel", [SIGNED, SIGNED.replace("\n", "\r\n")])
    check_signed("bare", ["Subject: x\n\nDKIM-Signature: d=example.com;\n"])
    for name, messages in (("mailkeel", [SIGNED, "Subject: x\n\n"]), ("bare", [SIGNED]), ("rspamd", [])):
        with pytest.raises(HostError):
            check_signed(name, messages)


def test_the_sinks_last_whole_count_is_read() -> None:
    assert on_host.messages(b"sess=1 quit=0 mesg=7\rsess=2 quit=1 mesg=12\r") == 12
    assert on_host.messages(b"sess=2 mesg=12\rsess=2 mesg=13") == 12
    assert on_host.messages(b"") == 0


def test_the_slowest_criterion_is_told_by_the_times_between() -> None:
    criteria = [
        {"id": name, "evidence": {"at": at}} for name, at in (("V1", 10.0), ("S1", 12.5), ("S2", 12.6))
    ]
    assert slowest(criteria) == ("S1", 2.5)


def test_the_specification_of_many_domains_is_valid() -> None:
    assert len(read(specification(["example.com", "d0001.example.com"])).domains) == 2
