"""What /var/log/mail.log says about deliveries: counted since a moment, the problems recognised (K2, L2)."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime

import attrs

from mailkeel.operate.catalogue import MAX_LINE_CHARACTERS, KnownError, Level, recognise

SHOWN_PROBLEMS = 20


@attrs.frozen
class LogProblem:
    """A line of the log that is no good news. `at` is in seconds since the epoch; None where the line's time
    could not be read. `error` is what the catalogue knows about it."""

    at: float | None
    level: Level
    line: str
    error: KnownError | None


@attrs.frozen
class DeliverySummary:
    """What happened since a moment. Deliveries count recipients, not messages: a message to three counts
    three times; `deferred` counts tries. `rejected` is what this host refused from others; `auth_failures`
    holds failed logins here and at the relay. `levels` counts every line of note once, by its level (L2)."""

    since: float
    sent: int = 0
    deferred: int = 0
    bounced: int = 0
    rejected: int = 0
    auth_failures: int = 0
    milter_errors: int = 0
    dns_timeouts: int = 0
    starts: int = 0
    failures: int = 0
    problems: tuple[LogProblem, ...] = ()
    levels: tuple[tuple[Level, int], ...] = ()

    def count(self, level: Level) -> int:
        """How many lines of this level there were."""
        return dict(self.levels).get(level, 0)


def summarise(
    text: str, since: float = 0.0, now: float | None = None, shown: int = SHOWN_PROBLEMS
) -> DeliverySummary:
    """Count what the log says since a moment (seconds since the epoch) and keep the last `shown` problems.

    Times are RFC 3339, as rsyslog writes them on Debian 12 and 13. The older form (`Nov  2 10:00:00`) has
    no year: it is the last such moment before `now`. A line whose time cannot be read counts as recent.
    """
    kinds: Counter[_Kind] = Counter()
    problems: deque[tuple[float | None, _Kind, str]] = deque(maxlen=max(0, shown))
    # Not splitlines(): a log line may hold U+2028 and its like, put there by a sender.
    for line in text.split("\n"):
        seen = _look(line[:MAX_LINE_CHARACTERS], now)
        if seen is None or (seen.at is not None and seen.at < since):
            continue
        kinds[seen.kind] += 1
        if seen.kind.level > Level.INFO:
            problems.append((seen.at, seen.kind, line[:MAX_LINE_CHARACTERS]))
    shown_problems = tuple(LogProblem(at, kind.level, said, recognise(said)) for at, kind, said in problems)
    return _summary(since, kinds, shown_problems)


@attrs.frozen
class _Kind:
    name: str
    level: Level


@attrs.frozen
class _Seen:
    at: float | None
    kind: _Kind


_SENT, _START = _Kind("sent", Level.INFO), _Kind("starts", Level.INFO)
_DEFERRED, _AUTH = _Kind("deferred", Level.WARNING), _Kind("auth_failures", Level.WARNING)
_RELAY_AUTH = _Kind("relay_auth_failures", Level.WARNING)
_REJECTED, _DNS = _Kind("rejected", Level.INFO), _Kind("dns_timeouts", Level.WARNING)
_MILTER, _OTHER = _Kind("milter_errors", Level.ERROR), _Kind("warnings", Level.WARNING)
_BOUNCED, _FAILURE = _Kind("bounced", Level.ERROR), _Kind("failures", Level.ERROR)
_STATUS = {"sent": _SENT, "deferred": _DEFERRED, "bounced": _BOUNCED, "expired": _BOUNCED}


def _summary(since: float, kinds: Counter[_Kind], problems: tuple[LogProblem, ...]) -> DeliverySummary:
    levels: Counter[Level] = Counter()
    for kind, count in kinds.items():
        levels[kind.level] += count
    return DeliverySummary(
        since,
        sent=kinds[_SENT],
        deferred=kinds[_DEFERRED] + kinds[_DNS] + kinds[_RELAY_AUTH],
        bounced=kinds[_BOUNCED],
        rejected=kinds[_REJECTED],
        auth_failures=kinds[_AUTH] + kinds[_RELAY_AUTH],
        milter_errors=kinds[_MILTER],
        dns_timeouts=kinds[_DNS],
        starts=kinds[_START],
        failures=kinds[_FAILURE],
        problems=problems,
        levels=tuple(sorted(levels.items())),
    )


#: Time (either form), host, program with its process id, and what it said.
_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\S{8,32}|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S{1,255} "
    r"(?P<program>[\w./-]{1,80})(?:\[\d{1,10}\])?: (?P<said>.*)",
    re.ASCII,
)

#: An address in angle brackets; a quoted local part may hold anything (RFC 5321 4.1.2), also what looks like
#: the end of the address and a status after it.
_ADDRESS = r'<(?:"(?:[^"\\]|\\.)*+"|[^">])*+>'
_DELIVERY = re.compile(
    rf"[0-9A-Za-z]{{5,40}}: to={_ADDRESS}, (?:orig_to={_ADDRESS}, )?relay=[^ ]{{1,300}}, "
    r"(?:conn_use=\d+, )?delay=[\d.]+, delays=[\d./]+, dsn=[\d.]+, status=(?P<status>\w+)(?P<why> .*)?",
    re.ASCII,
)
_EXPIRED = re.compile(rf"[0-9A-Za-z]{{5,40}}: from={_ADDRESS}, status=(?P<status>expired|force-expired)")
_REFUSED = re.compile(r"(?:NOQUEUE|[0-9A-Za-z]{5,40}): (?:milter-)?reject: ")
_MILTER_SAID = re.compile(
    r"warning: (?:connect to Milter service|milter \S)|(?:\S+ )?(?:error loading key|can't load key)"
    r"|\S+: key data is not secure|\S+ dkim_\w+\(\)"
)
_LOGIN_FAILED = re.compile(r"warning: \S+: SASL \S+ authentication failed|.{0,200}\(auth failed, ")
_STARTED = re.compile(
    r"daemon started|OpenD(?:KIM|MARC) Filter v\S+ starting|master: (?:Info: )?Dovecot v\S+ .{0,40}starting"
)


def _look(line: str, now: float | None) -> _Seen | None:
    """What a line is about; None where it is of no note."""
    read = _LINE.match(line)
    kind = _kind(read["program"], read["said"]) if read else None
    return _Seen(_time(read["time"], now), kind) if read and kind else None


def _kind(program: str, said: str) -> _Kind | None:
    if program.startswith("postfix") and (delivery := _DELIVERY.match(said) or _EXPIRED.match(said)):
        return _delivery_kind(delivery)
    # Where in the line a word stands matters: replies and addresses of strangers come later in it.
    tests = (
        (_LOGIN_FAILED, _AUTH),
        (_MILTER_SAID, _MILTER),
        (_REFUSED, _REJECTED),
        (_STARTED, _START),
        (_GRAVE, _FAILURE),
        (_WARNING, _OTHER),
    )
    return next((kind for pattern, kind in tests if pattern.match(said)), None)


_GRAVE = re.compile(r"(?:fatal|panic|error): |(?:\S+ )?(?:Fatal|Panic|Error): ")
_WARNING = re.compile(r"warning: |(?:\S+ )?Warning: ")


def _delivery_kind(delivery: re.Match[str]) -> _Kind | None:
    kind = _STATUS.get(delivery["status"].removeprefix("force-"))
    why = delivery.groupdict().get("why") or ""
    if kind is _DEFERRED and why.startswith(" (Host or domain name not found.") and "try again" in why:
        return _DNS
    if kind is _DEFERRED and why.startswith(" (SASL authentication failed"):
        return _RELAY_AUTH
    return kind


def _time(text: str, now: float | None) -> float | None:
    """Seconds since the epoch; None where that cannot be told."""
    try:
        if text[0].isdigit():
            return datetime.fromisoformat(text).astimezone(UTC).timestamp()
        return next(_moments(text, now), None) if now is not None else None
    except (ValueError, OverflowError):
        return None


def _moments(text: str, now: float) -> Iterator[float]:
    """The moments that a time without a year may mean, the latest first, none after `now` plus a day. In
    local time, as syslog writes it."""
    year = datetime.fromtimestamp(now, UTC).year
    # Eight years hold a 29 February, even around 2100.
    for candidate in range(year + 1, year - 8, -1):
        with contextlib.suppress(ValueError):
            moment = datetime.strptime(f"{candidate} {text}", "%Y %b %d %H:%M:%S").astimezone().timestamp()
            if moment <= now + 86400:
                yield moment
