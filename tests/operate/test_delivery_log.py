"""Counting what mail.log says: real lines of both releases, old time stamps, and forged lines."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeel.operate.catalogue import Level
from mailkeel.operate.delivery_log import DeliverySummary, summarise

NOON = 1795348800.0  # 2026-11-22T12:00:00Z


def logged(said: str, *, minute: int = 0, program: str = "postfix/smtp[7]") -> str:
    """A line as Debian's rsyslog writes it, so many minutes after noon."""
    return f"2026-11-22T12:{minute:02}:00.000000+00:00 mail {program}: {said}\n"


def delivery(status: str, why: str = "250 2.0.0 Ok", to: str = "<bob@example.org>") -> str:
    """What Postfix says of one recipient."""
    return (
        f"4083D1948B2: to={to}, relay=mx.example.org[192.0.2.1]:25, delay=0.4, delays=0.02/0/0.1/0.28, "
        f"dsn=2.0.0, status={status} ({why})"
    )


DNS = "Host or domain name not found. Name service error for name=x.org type=MX: Host not found, try again"

# What is said, by whom, and what it counts as.
KINDS = [
    (delivery("sent"), "postfix/smtp[7]", {"sent": 1}),
    (delivery("sent", to='<a@b>, orig_to=<"x y"@c>'), "postfix/local[7]", {"sent": 1}),
    (
        delivery("deferred", "connect to mx[192.0.2.1]:25: Connection timed out"),
        "postfix/smtp[7]",
        {"deferred": 1},
    ),
    (delivery("deferred", DNS), "postfix/smtp[7]", {"deferred": 1, "dns_timeouts": 1}),
    (
        delivery("deferred", "SASL authentication failed; server mx[192.0.2.1] said: 535 5.7.8 Error"),
        "postfix/smtp[7]",
        {"deferred": 1, "auth_failures": 1},
    ),
    (delivery("bounced", "host mx[192.0.2.1] said: 550 5.1.1 unknown"), "postfix/smtp[7]", {"bounced": 1}),
    ("4083D1948B2: from=<a@b>, status=expired, returned to sender", "postfix/qmgr[7]", {"bounced": 1}),
    (
        "warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: (reason unavailable)",
        "postfix/submission/smtpd[7]",
        {"auth_failures": 1},
    ),
    (
        "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<x>",
        "dovecot",
        {"auth_failures": 1},
    ),
    (
        "warning: connect to Milter service unix:opendkim/opendkim.sock: No such file or directory",
        "postfix/smtpd[7]",
        {"milter_errors": 1},
    ),
    ("4083D1948B2: error loading key 'example.com'", "opendkim[7]", {"milter_errors": 1}),
    (
        "NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 <x@y.org>: Relay access denied; from=<a@b>",
        "postfix/smtpd[7]",
        {"rejected": 1},
    ),
    ("daemon started -- version 3.7.11, configuration /etc/postfix", "postfix/master[7]", {"starts": 1}),
    ("OpenDKIM Filter v2.11.0 starting", "opendkim[7]", {"starts": 1}),
    ("fatal: bind 0.0.0.0 port 25: Address already in use", "postfix/master[7]", {"failures": 1}),
    ("connect from unknown[192.0.2.1]", "postfix/smtpd[7]", {}),
    ("4083D1948B2: removed", "postfix/qmgr[7]", {}),
]

COUNTED = (
    "sent",
    "deferred",
    "bounced",
    "rejected",
    "auth_failures",
    "milter_errors",
    "dns_timeouts",
    "starts",
    "failures",
)


def counts(summary: DeliverySummary) -> dict[str, int]:
    """Every count that is not 0."""
    return {name: getattr(summary, name) for name in COUNTED if getattr(summary, name)}


@pytest.mark.parametrize(("said", "program", "wanted"), KINDS, ids=[kind[0][:40] for kind in KINDS])
def test_each_kind_of_line_is_counted(said: str, program: str, wanted: dict[str, int]) -> None:
    """As what it is, once, between lines of no note."""
    text = logged("connect from x[192.0.2.1]") + logged(said, program=program) + logged("removed")
    assert counts(summarise(text)) == wanted


def test_levels_are_those_of_the_requirement() -> None:
    """L2: delivery and start INFO; delay, DNS time-out and failed login WARNING; bounce and fatal ERROR."""
    text = "".join(logged(said, program=program) for said, program, _ in KINDS)
    summary = summarise(text)
    assert summary.count(Level.INFO) == 5
    assert summary.count(Level.WARNING) == 5
    assert summary.count(Level.ERROR) == 5


def test_only_what_happened_since_then_counts() -> None:
    """The moment itself included."""
    text = (
        logged(delivery("sent"), minute=1)
        + logged(delivery("sent"), minute=2)
        + logged(delivery("sent"), minute=3)
    )
    assert summarise(text, since=NOON + 120).sent == 2


def test_times_with_another_offset_are_the_same_moment() -> None:
    """RFC 3339: 14:00 at +02:00 is noon."""
    text = f"2026-11-22T14:00:00+02:00 mail postfix/smtp[7]: {delivery('sent')}\n"
    assert summarise(text, since=NOON).sent == 1
    assert summarise(text, since=NOON + 1).sent == 0


def test_the_old_form_without_a_year_is_the_last_such_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """In January a line of December is of last year; in local time, as syslog writes it."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    line = f"Dec 31 23:59:00 mail postfix/smtp[7]: {delivery('bounced')}\n"
    new_year = 1798761600.0  # 2027-01-01T00:00:00Z
    (problem,) = summarise(line, since=new_year - 120, now=new_year + 60).problems
    assert problem.at == new_year - 60
    assert summarise(line, since=new_year, now=new_year + 60).bounced == 0
    leap = f"Feb 29 00:00:00 mail postfix/smtp[7]: {delivery('bounced')}\n"
    assert summarise(leap, since=0, now=new_year).problems[0].at == 1709164800.0  # 2024


def test_a_line_whose_time_cannot_be_read_counts_as_recent() -> None:
    """Better one too many than an error unseen."""
    text = f"2026-99-99T99:99:99 mail postfix/smtp[7]: {delivery('bounced')}\n"
    (problem,) = summarise(text, since=NOON).problems
    assert problem.at is None


def test_the_last_problems_are_kept_and_recognised() -> None:
    """In the order of the log, with what the catalogue knows."""
    text = "".join(
        logged(delivery("deferred", f"connect to mx{n}[192.0.2.1]:25: Connection timed out"), minute=n)
        for n in range(5)
    ) + logged("fatal: bind 0.0.0.0 port 25: Address already in use", minute=9, program="postfix/master[7]")
    problems = summarise(text, shown=3).problems
    assert [problem.error.id for problem in problems if problem.error] == [
        "port-25-timeout",
        "port-25-timeout",
        "postfix-port-taken",
    ]
    assert [problem.at for problem in problems] == [NOON + 180, NOON + 240, NOON + 540]


@pytest.mark.parametrize(
    "to",
    [
        '<"x>, relay=a, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (ok)"@example.org>',
        '<"a\\"b, status=sent ("@example.org>',
        "<status=sent@example.org>",
    ],
)
def test_a_recipient_cannot_forge_a_delivery(to: str) -> None:
    """A quoted local part may look like the end of the line; it still bounced."""
    assert counts(summarise(logged(delivery("bounced", "no", to=to)))) == {"bounced": 1}


def test_a_reply_cannot_forge_a_delivery() -> None:
    """What the other server said comes after the status."""
    said = f"host mx[192.0.2.1] said: 550 no {delivery('sent')}"
    assert counts(summarise(logged(delivery("bounced", said)))) == {"bounced": 1}


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x0c", "\r"])
def test_only_a_line_feed_ends_a_line(separator: str) -> None:
    """A sender's U+2028 in a logged header does not begin a line of the sender's own."""
    forged = logged(delivery("sent")).strip()
    text = logged(f"4083D1948B2: replace: header X: {separator}{forged}", program="postfix/cleanup[7]")
    assert counts(summarise(text)) == {}


def test_another_program_cannot_report_a_delivery() -> None:
    """Only Postfix does."""
    assert counts(summarise(logged(delivery("sent"), program="app[7]"))) == {}


@given(st.text())
def test_any_text_is_summarised(text: str) -> None:
    """No input raises."""
    summarise(text, since=NOON, now=NOON)


@given(st.text(alphabet='<>"\\, =()status:@relaydelaydsn0123456789./'))
def test_any_recipient_is_survived(text: str) -> None:
    """A delivery whose address cannot be read counts as nothing or as what it is, never as sent."""
    summary = summarise(logged(delivery("bounced", "no", to=f'<"{text}"@example.org>'.replace("\n", ""))))
    assert summary.sent == 0 or '"' in text


def test_a_large_log_is_summarised_in_reasonable_time() -> None:
    """20,000 lines, with one of a megabyte, in less than 5 s on a slow machine."""
    lines = [logged(delivery("sent")), logged(delivery("deferred", DNS)), logged("connect from x[192.0.2.1]")]
    text = "".join(lines) * 7000 + logged(delivery("bounced", "x" * 1_000_000))
    began = time.monotonic()
    summary = summarise(text)
    assert time.monotonic() - began < 5
    assert (summary.sent, summary.deferred, summary.bounced) == (7000, 7000, 1)
