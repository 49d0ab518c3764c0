"""`mail-spf-check`: what a receiver makes of a domain's SPF record for one sender and address (V3, V9)."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence

import attrs

from mailkeel.dns.lookup import Answer, Resolver, Status, SystemResolver
from mailkeel.dns.spf_identity import Identity, outgoing_address, read_identity
from mailkeel.dns.spf_terms import effective, is_spf, merge, parse_terms
from mailkeel.dns.spf_verdict import MAX_VOID_LOOKUPS, Bounded, CheckHost, Verdict
from mailkeel.dns.spf_walk import MAX_LOOKUPS, SpfLookup, Walk
from mailkeel.dns.text import printable

__all__ = ["SpfLookup", "SpfReport", "check", "merge"]


@attrs.frozen
class SpfReport:
    """The outcome of one check, with what led to it.

    `result` is one of RFC 7208 2.6, or `unknown` where no sending address is known. `records` are all
    SPF records at the domain (more than one is a permerror), `lookups` all that the record can cost.
    Everything from DNS is raw: escape it before showing.
    """

    identity: Identity
    result: str
    explanation: str
    mechanism: str | None
    records: tuple[str, ...]
    lookups: tuple[SpfLookup, ...]
    void_lookups: int
    notes: tuple[str, ...]
    remedy: str

    @property
    def is_pass(self) -> bool:
        """Whether the record authorises the address."""
        return self.result == "pass"

    @property
    def lookup_count(self) -> int:
        """The lookups that evaluating the whole record takes; at most 10 are allowed."""
        return sum(lookup.cost for lookup in self.lookups)


def check(
    domain: str,
    ip: str | None = None,
    sender: str | None = None,
    helo: str | None = None,
    resolver: Resolver | None = None,
    clock: Callable[[], float] = time.monotonic,
    own_address: Callable[[], str | None] = outgoing_address,
) -> SpfReport:
    """Check the domain's record for an address; without one, for the address this host sends from.

    `sender` defaults to postmaster of the domain; empty or `<>` is the null sender, for which the HELO
    name is checked (RFC 7208 2.4). `helo` defaults to the domain. Raises MailkeelError for arguments that
    are no name or address; never for what DNS holds.
    """
    identity = read_identity(domain, ip, sender, helo, own_address)
    lookups = Bounded(resolver or SystemResolver(), clock)
    answer = lookups.lookup(identity.domain, "TXT")
    # Without an address the macros still need one; the result is not shown then.
    check_host = CheckHost(attrs.evolve(identity, ip=identity.ip or "192.0.2.1"), lookups)
    verdict = check_host.run() if identity.ip else _UNKNOWN
    walked = _walk(identity, answer, lookups, check_host)
    records = tuple(value for value in answer.values if is_spf(value))
    notes = (
        *_record_notes(answer, records),
        *_limit_notes(walked, verdict),
        *_address_notes(identity, verdict),
    )
    return SpfReport(
        identity,
        verdict.result,
        verdict.explanation,
        verdict.mechanism,
        records,
        walked,
        verdict.void_lookups,
        notes,
        _remedy(identity, verdict, records, walked),
    )


# The results that rest on the address; the others rest on the record.
_NOT_AUTHORISED = frozenset({"fail", "softfail", "neutral"})
_UNKNOWN = Verdict("unknown", "the address that this host sends from is not known", None, 0)


def _walk(
    identity: Identity, answer: Answer, lookups: Resolver, check_host: CheckHost
) -> tuple[SpfLookup, ...]:
    records = [value for value in answer.values if is_spf(value)]
    if len(records) != 1:
        return ()
    is_ipv6 = identity.ip is not None and ipaddress.ip_address(identity.ip).version == 6
    walk = Walk(lookups, check_host.expand, "AAAA" if is_ipv6 else "A")
    return walk.record(records[0], identity.domain)


def _record_notes(answer: Answer, records: Sequence[str]) -> Iterator[str]:
    if answer.status is Status.NO_ANSWER:
        yield f"no server answered: {answer.detail}"
    elif not records:
        yield from _absence_notes(answer)
    elif len(records) > 1:
        yield f"{len(records)} SPF records at one name, where one is allowed (RFC 7208 4.5)"
    else:
        yield from _ending_notes(records[0])


def _absence_notes(answer: Answer) -> Iterator[str]:
    yield "the name does not exist" if answer.status is Status.NO_DOMAIN else "there is no SPF record"
    for value in answer.values:
        if "spf1" in value.lower():
            yield f"this looks like one but does not begin with `v=spf1 `: {printable(value)}"


def _ending_notes(record: str) -> Iterator[str]:
    directives, modifiers = effective(parse_terms(record))
    last = directives[-1] if directives else None
    if last is not None and last.name == "all":
        if last.qualifier == "+":
            yield "`all` lets anyone send as this domain"
    elif not any(term.name == "redirect" for term in modifiers):
        yield "the record does not end in `all`: what matches nothing is neutral (RFC 7208 4.7)"


def _limit_notes(lookups: Sequence[SpfLookup], verdict: Verdict) -> Iterator[str]:
    total = sum(lookup.cost for lookup in lookups)
    if total > MAX_LOOKUPS:
        yield f"{total} lookups are above the limit of {MAX_LOOKUPS} (RFC 7208 4.6.4)"
        for lookup in sorted(lookups, key=lambda one: one.cost, reverse=True):
            yield f"{printable(lookup.term)} costs {lookup.cost}"
    if verdict.void_lookups > MAX_VOID_LOOKUPS:
        yield f"more than {MAX_VOID_LOOKUPS} lookups found nothing (RFC 7208 4.6.4)"


def _address_notes(identity: Identity, verdict: Verdict) -> Iterator[str]:
    if identity.ip is None or not identity.ip_is_own:
        return
    yield f"checked for {identity.ip}, from which this host sends; --ip checks another address"
    if verdict.result in _NOT_AUTHORISED and ipaddress.ip_address(identity.ip).is_private:
        yield "that address is private: behind address translation, receivers see another one"


def _remedy(
    identity: Identity, verdict: Verdict, records: Sequence[str], lookups: Sequence[SpfLookup]
) -> str:
    domain = identity.domain
    match verdict.result:
        case "pass":
            return ""
        case "unknown":
            return "give the address that receivers see: --ip ADDRESS"
        case "none":
            return f'publish at {domain}: TXT "v=spf1 a mx -all", with the terms that your senders need'
        case "temperror":
            return f"run it again; if it stays, ask the name servers of {domain} directly: dig {domain} TXT"
        case "permerror":
            return _permerror_remedy(domain, records, lookups)
    version = ipaddress.ip_address(identity.ip or "").version
    return (
        f"if {identity.ip} may send for {domain}, add ip{version}:{identity.ip} to the record, before `all`"
    )


def _permerror_remedy(domain: str, records: Sequence[str], lookups: Sequence[SpfLookup]) -> str:
    if len(records) > 1:
        return f"keep one SPF record at {domain} that holds the terms of all: {printable(_merged(records))}"
    if sum(lookup.cost for lookup in lookups) > MAX_LOOKUPS:
        dearest = max(lookups, key=lambda one: one.cost)
        return (
            f"remove senders that are not used, or list their networks: {printable(dearest.term)} costs most"
        )
    return f"correct the record of {domain} as the explanation says"


def _merged(records: Sequence[str]) -> str:
    """Join the records into one; terms that are not valid are left out."""
    merged = records[0]
    for record in records[1:]:
        merged = merge(merged, " ".join(["v=spf1", *map(str, parse_terms(record))]))
    return merged
