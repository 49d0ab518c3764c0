"""Every DNS lookup that an SPF record can cost a receiver, as a tree with the running count.

The verdict is pyspf's; this shows where the ten lookups of RFC 7208 4.6.4 go, whatever matches first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import attrs

from mailkeel.dns.lookup import Answer, Resolver, Status
from mailkeel.dns.spf_terms import LOOKUP_TERMS, Term, effective, is_spf, parse_terms

MAX_LOOKUPS = 10
# Far enough to show what has to go; a hostile record could lead on for ever.
SHOWN_LOOKUPS = 40


@attrs.frozen
class SpfLookup:
    """One term that makes a receiver look something up.

    `count` is the number of lookups up to and with this one, `found` what DNS holds at `target` (empty
    for a void lookup), `note` what is wrong with it. Text may come from anyone: escape it before showing.
    """

    term: str
    target: str
    count: int
    status: Status
    found: tuple[str, ...] = ()
    note: str = ""
    children: tuple[SpfLookup, ...] = ()

    @property
    def cost(self) -> int:
        """The lookups of this term and of all that it leads to."""
        return 1 + sum(child.cost for child in self.children)


def flatten(lookups: Iterable[SpfLookup], depth: int = 0) -> Iterator[tuple[int, SpfLookup]]:
    """Yield each lookup with its depth, in the order of evaluation."""
    for lookup in lookups:
        yield depth, lookup
        yield from flatten(lookup.children, depth + 1)


@attrs.define
class Walk:
    """Walks a record, depth first. `expand` turns a domain-spec into the name that it means within a
    domain, or None where its macros are wrong; `address_type` is A or AAAA, as the sender's address."""

    resolver: Resolver
    expand: Callable[[str, str], str | None]
    address_type: Literal["A", "AAAA"]
    count: int = 0

    def record(self, text: str, domain: str, path: tuple[str, ...] = ()) -> tuple[SpfLookup, ...]:
        """Walk the terms that can be evaluated; `path` holds the domains that led here."""
        directives, modifiers = effective(parse_terms(text))
        costly = [term for term in (*directives, *modifiers) if term.name in LOOKUP_TERMS]
        here = (*path, domain.lower())
        return tuple(self._term(term, domain, here) for term in costly if self.count < SHOWN_LOOKUPS)

    def _term(self, term: Term, domain: str, path: tuple[str, ...]) -> SpfLookup:
        self.count += 1
        count = self.count
        target = self.expand(term.domain_spec, domain) if term.domain_spec else domain
        if target is None:
            return SpfLookup(
                str(term), term.domain_spec, count, Status.NO_ANSWER, note="its macros are wrong"
            )
        if term.name in ("include", "redirect"):
            return self._policy(term, target, count, path)
        return self._hosts(term, target, count)

    def _policy(self, term: Term, target: str, count: int, path: tuple[str, ...]) -> SpfLookup:
        if target.lower() in path:
            return SpfLookup(str(term), target, count, Status.FOUND, note="leads back to itself")
        answer = self.resolver.lookup(target, "TXT")
        records = tuple(value for value in answer.values if is_spf(value))
        children = self.record(records[0], target, path) if len(records) == 1 else ()
        return SpfLookup(
            str(term), target, count, answer.status, records, _policy_note(answer, len(records)), children
        )

    def _hosts(self, term: Term, target: str, count: int) -> SpfLookup:
        if term.name == "ptr":
            note = "slow and unreliable: do not use it (RFC 7208 5.5)"
            return SpfLookup(str(term), target, count, Status.FOUND, note=note)
        # `exists` asks for A even where the sender has an IPv6 address (RFC 7208 5.7).
        rdtype = {"mx": "MX", "exists": "A"}.get(term.name, self.address_type)
        answer = self.resolver.lookup(target, rdtype)
        return SpfLookup(str(term), target, count, answer.status, answer.values, _void_note(answer, rdtype))


def _policy_note(answer: Answer, records: int) -> str:
    if answer.status is Status.NO_ANSWER:
        return f"no answer: {answer.detail}"
    return {0: "has no SPF record", 1: ""}.get(records, f"has {records} SPF records")


def _void_note(answer: Answer, rdtype: str) -> str:
    match answer.status:
        case Status.NO_ANSWER:
            return f"no answer: {answer.detail}"
        case Status.NO_DOMAIN:
            return "void: the name does not exist"
        case Status.NO_DATA:
            return f"void: no {rdtype} record"
    return ""
