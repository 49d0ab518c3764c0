"""Signed mail through Postfix: how many messages a second, and how long one waits for its 250."""

from __future__ import annotations

from bench import contenders, roots
from bench.contenders import ALL, BARE, MAILKEEL, SINK_PORT, Contender
from bench.driver import drive
from bench.figures import Goal, median, paired_ratio, percentile, spread
from bench.tables import Table
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.lab import Lab

#: Octets of a message, messages in a run, and mailkeel's goal as a ratio to bare.
SIZES = ((2_048, 1000, Goal(0.90, at_least=True)), (102_400, 300, Goal(0.75, at_least=True)))
_SESSIONS = 20
_LATENCY_MESSAGES = 200
_LATENCY_OCTETS = 2_048
_SAMPLE = 5

_THROUGHPUT_NOTE = f"""\
Messages a second from smtp-source ({_SESSIONS} sessions, a connection for each message) through Postfix until
smtp-sink has counted them all. All on one host, whose file system ignores fsync: the processor is what is
measured. `ratio` is the median of the rounds' ratios to bare Postfix: Debian's stock configuration without
a filter. `mailkeel` is its configuration as applied, port 25 from the loopback; `rspamd` is stock Postfix
with rspamd that does nothing but sign. Samples at the sink were signed (RSA-2048) by both, not by bare."""
_LATENCY_NOTE = f"""\
Milliseconds from the end of DATA to the 250, {_LATENCY_MESSAGES} messages of {_LATENCY_OCTETS} octets a
round, one after the other over one connection."""


def measure(release: str, rounds: int, wanted: frozenset[str]) -> list[Table]:
    """`throughput` and `latency`, whichever is wanted, on one host with all contenders."""
    with Lab() as lab:
        host = lab.host("mail", roots.rspamd_root(release), hostname=roots.HOSTNAME)
        roots.copy_checkout(host)
        contenders.set_up(host)
        for contender in ALL:
            contenders.check_signed(contender.name, drive(host, "sample", contender.port, SINK_PORT, _SAMPLE))
        tables = [_throughput(host, rounds)] if "throughput" in wanted else []
        return tables + ([_latency(host, rounds)] if "latency" in wanted else [])


def _throughput(host: LabHost, rounds: int) -> Table:
    rows = []
    for octets, count, goal in SIZES:
        rates: dict[str, list[float]] = {contender.name: [] for contender in ALL}
        for number in range(rounds):
            for contender in in_turn(number):
                seconds = drive(host, "deliver", contender.port, SINK_PORT, count, octets, _SESSIONS)
                rates[contender.name].append(count / seconds)
        rows += [_rate_row(octets, contender, rates, goal) for contender in ALL]
    head = ("octets", "signed by", "messages/s", "range", "ratio", "goal")
    return Table("Signed throughput", _THROUGHPUT_NOTE, head, tuple(rows))


def in_turn(number: int) -> tuple[Contender, ...]:
    """The order of a round: each begins once, so that none always follows the same one."""
    shift = number % len(ALL)
    return ALL[shift:] + ALL[:shift]


def _rate_row(
    octets: int, contender: Contender, rates: dict[str, list[float]], goal: Goal
) -> tuple[str, ...]:
    own = rates[contender.name]
    ratio = paired_ratio(own, rates[BARE.name])
    verdict = goal.verdict(ratio) if contender == MAILKEEL else ""
    return f"{octets:,}", contender.name, f"{median(own):.0f}", spread(own, 0), f"{ratio:.2f}", verdict


def _latency(host: LabHost, rounds: int) -> Table:
    waits: dict[str, list[float]] = {contender.name: [] for contender in ALL}
    for number in range(rounds):
        for contender in in_turn(number):
            arguments = (contender.port, SINK_PORT, _LATENCY_MESSAGES, _LATENCY_OCTETS)
            waits[contender.name] += [seconds * 1000 for seconds in drive(host, "latency", *arguments)]
    bare = median(waits[BARE.name])
    rows = tuple(
        (name, f"{median(ms):.1f}", f"{percentile(ms, 99):.1f}", f"{median(ms) - bare:+.1f}")
        for name, ms in waits.items()
    )
    return Table("Latency of signing", _LATENCY_NOTE, ("signed by", "p50", "p99", "p50 added"), rows)
