"""The records wanted, compared with what the world answers (A4, V2-V4, K3)."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from mailkeel.dns.judge import Judgement, Standing, judge
from mailkeel.dns.lookup import Answer, EveryServer, Resolver, Status, ancestors
from mailkeel.dns.records import DnsRecord, domain_of, heads
from mailkeel.dns.text import printable

__all__ = ["Finding", "Standing", "compare"]

# What is wrong somewhere outweighs what is right elsewhere; silence says nothing against an answer.
_WEIGHT = (Standing.DIFFERS, Standing.MISSING, Standing.PRESENT, Standing.UNKNOWN)


@attrs.frozen
class Finding:
    """How one record stands.

    `seen` are the raw values that the verdict rests on, `where` is the server that gave them. `what` is
    empty for a record that is there as wanted, and else says what is wrong or worth knowing; `remedy` is
    what to do, or for `unknown` how to find out.
    """

    record: DnsRecord
    verdict: Standing
    seen: tuple[str, ...] = ()
    where: str = ""
    what: str = ""
    remedy: str = ""


def compare(wanted: Iterable[DnsRecord], resolver: Resolver) -> tuple[Finding, ...]:
    """Look every record up and compare it by meaning; the order is kept.

    With a resolver that tells each server's answer (`EveryServer`) a record is present only where no
    answering server says otherwise, and `where` is the first that does. Never raises for what DNS holds;
    raises MailkeelError for a wanted SPF record that is not valid.
    """
    records = tuple(wanted)
    world = _World(resolver, heads(records))
    return tuple(_finding(record, world) for record in records)


@attrs.define
class _World:
    """What has been looked up so far, so that no question is asked twice."""

    resolver: Resolver
    domains: frozenset[str]
    _known: dict[tuple[str, str], tuple[Answer, ...]] = attrs.field(factory=dict, init=False)

    def answers(self, name: str, rdtype: str) -> tuple[Answer, ...]:
        """Return the answer, or one of each server."""
        if (name, rdtype) not in self._known:
            self._known[name, rdtype] = self._ask(name, rdtype)
        return self._known[name, rdtype]

    def _ask(self, name: str, rdtype: str) -> tuple[Answer, ...]:
        if isinstance(self.resolver, EveryServer):
            return self.resolver.lookup_each(name, rdtype)
        return (self.resolver.lookup(name, rdtype),)


def _finding(record: DnsRecord, world: _World) -> Finding:
    findings = [_at(record, answer, world) for answer in world.answers(record.name, record.type)]
    finding = min(findings, key=lambda one: _WEIGHT.index(one.verdict))
    silent = [one.where for one in findings if one.verdict is Standing.UNKNOWN and one.where]
    if finding.verdict is not Standing.UNKNOWN and silent:
        what = "; ".join(filter(None, [finding.what, f"no answer from {', '.join(silent)}"]))
        return attrs.evolve(finding, what=what)
    return finding


def _at(record: DnsRecord, answer: Answer, world: _World) -> Finding:
    """Judge what one server says."""
    if answer.status is Status.NO_ANSWER:
        return _unknown(record, answer, f"no answer: {printable(answer.detail)}")
    judgement = judge(record, answer.values)
    if judgement.verdict is Standing.MISSING:
        return _absent(record, answer, judgement, world)
    remedy = _change(record, answer) if judgement.verdict is Standing.DIFFERS else ""
    return Finding(record, judgement.verdict, judgement.seen, answer.server, judgement.what, remedy)


def _absent(record: DnsRecord, answer: Answer, judgement: Judgement, world: _World) -> Finding:
    if record.type == "CNAME" and _leads_to_same(record, world):
        what = "addresses instead of an alias, the same ones"
        return Finding(record, Standing.PRESENT, judgement.seen, answer.server, what)
    if answer.status is Status.NO_DOMAIN and not answer.alias:
        lost = _lost_zone(domain_of(record, world.domains), world)
        if lost:
            return _unknown(record, answer, lost)
    misplaced = _misplaced(record, world)
    what = misplaced or judgement.what
    remedy = _rename(record, world) if misplaced else _publish(record)
    return Finding(record, Standing.MISSING, judgement.seen, answer.server, what, remedy)


def _lost_zone(domain: str, world: _World) -> str:
    """Say why nothing can be known of the domain's zone, or return "" if there is one.

    A zone is there if the domain or a name above it exists; a top-level domain does not count.
    """
    for name in ancestors(domain):
        answers = world.answers(name, "SOA") if "." in name else ()
        if any(answer.status in (Status.FOUND, Status.NO_DATA) for answer in answers):
            return ""
        if answers and all(answer.status is Status.NO_ANSWER for answer in answers):
            return f"no answer about the zone of {printable(domain)}: {printable(answers[0].detail)}"
    return f"the whole domain {printable(domain)} does not exist in DNS"


def _misplaced(record: DnsRecord, world: _World) -> str:
    """Find a record entered with its full name where the panel appends the domain by itself."""
    doubled = _doubled(record, world)
    for answer in world.answers(doubled, record.type):
        if answer.values and judge(record, answer.values).verdict is Standing.PRESENT:
            return f"it is at {printable(doubled)}: the domain was appended once more"
    return ""


def _doubled(record: DnsRecord, world: _World) -> str:
    return f"{record.name}.{domain_of(record, world.domains)}"


def _leads_to_same(record: DnsRecord, world: _World) -> bool:
    return any(
        _values(record.name, rdtype, world) & _values(record.value, rdtype, world) for rdtype in ("A", "AAAA")
    )


def _values(name: str, rdtype: str, world: _World) -> set[str]:
    return {value for answer in world.answers(name, rdtype) for value in answer.values}


def _unknown(record: DnsRecord, answer: Answer, what: str) -> Finding:
    question = f"{printable(record.name)} {record.type}"
    remedy = f"see that the domain is registered and delegated, then ask its servers: dig +trace {question}"
    if answer.status is Status.NO_ANSWER and "SERVFAIL" not in answer.detail:
        remedy = f"see that a name server in /etc/resolv.conf answers, or ask from elsewhere: dig {question}"
    return Finding(record, Standing.UNKNOWN, (), answer.server, what, remedy)


def _publish(record: DnsRecord) -> str:
    if record.pending:
        return "run `mailkeel apply`, which makes the key and then shows the record"
    return "enter it where the domain's DNS is kept; `mailkeel dns records` shows it ready to paste"


def _change(record: DnsRecord, answer: Answer) -> str:
    if record.pending:
        return "run `mailkeel apply`, then replace the record by the one that it shows"
    return (
        "replace it, where the domain's DNS is kept, by what `mailkeel dns records` shows; "
        f"resolvers may hold what they have for {answer.ttl_seconds} s"
    )


def _rename(record: DnsRecord, world: _World) -> str:
    domain = domain_of(record, world.domains)
    short = record.name.removesuffix(domain).removesuffix(".") or "@"
    return f"enter its name as {printable(short)}, or as {printable(record.name)}. with the final dot"
