"""What must hold between keys, and the specification that results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import attrs

from mailkeel.errors import Problem
from mailkeel.spec.draft import Draft, Overrides, RelayDraft
from mailkeel.spec.model import Dkim, Dmarc, Domain, Mode, Relay, RelayTls, Spec, Spf
from mailkeel.spec.names import MAX_NAME_OCTETS
from mailkeel.spec.tables import MISSING

# Mailboxes that RFC 2142 and Debian's /etc/aliases know: unless aliased, the admin gets their mail.
ROLES = ("root", "postmaster", "abuse", "hostmaster", "webmaster", "mailer-daemon", "noc", "security")

Part = TypeVar("Part", Spf, Dkim, Dmarc)


def specification(draft: Draft, mode: Mode, domains: tuple[Domain, ...]) -> Spec:
    """Fill the defaults in. Only for a draft that was read without a problem and that breaks no rule."""
    return Spec(
        mode=mode,
        hostname=draft.hostname or f"mail.{domains[0].name}",
        domains=domains,
        admin=draft.admin,
        addresses=draft.addresses,
        aliases=draft.aliases,
        tls=draft.tls,
        relay=_relay(draft.relay),
        limits=draft.limits,
    )


def broken_rules(draft: Draft, domains: tuple[Domain | None, ...]) -> Iterator[Problem]:
    """Everything that is wrong between keys, as far as it can be told from what could be read."""
    yield from _domain_problems(domains)
    yield from _relay_problems(draft.mode, draft.relay)
    yield from _alias_loops(draft)


def effective_domains(draft: Draft) -> tuple[Domain | None, ...]:
    """Each domain with the file's defaults and its own overrides; None where the name could not be read."""
    spf, dkim, dmarc = _over(Spf(), draft.spf), _over(Dkim(), draft.dkim), _over(Dmarc(), draft.dmarc)
    return tuple(
        Domain(domain.name, _over(spf, domain.spf), _over(dkim, domain.dkim), _over(dmarc, domain.dmarc))
        if domain and domain.name
        else None
        for domain in draft.domain
    )


def _over(base: Part, overrides: Overrides) -> Part:
    """Change what a table sets; the tables' keys are the parts' attributes (a test holds them together)."""
    change: Callable[..., Part] = attrs.evolve
    return change(base, **overrides) if overrides else base


def _relay(draft: RelayDraft | None) -> Relay | None:
    """Port and TLS follow from each other (RFC 8314 3.3: 465 is TLS from the start)."""
    if draft is None or draft.host is None:
        return None
    port = draft.port or (465 if draft.tls is RelayTls.IMPLICIT else 587)
    tls = draft.tls or (RelayTls.IMPLICIT if port == 465 else RelayTls.STARTTLS)
    return Relay(draft.host, port, tls, draft.credentials)


def _domain_problems(domains: tuple[Domain | None, ...]) -> Iterator[Problem]:
    first_place: dict[str, int] = {}
    for index, domain in enumerate(domains):
        if domain is None:
            continue
        if (first := first_place.setdefault(domain.name, index)) != index:
            what = f"{domain.name} is already domain[{first}]"
            yield Problem(f"domain[{index}].name", what, "remove one of the two")
        key_name = f"{domain.dkim.selector}._domainkey.{domain.name}"
        if len(key_name) > MAX_NAME_OCTETS:
            what = f"its DKIM record's name has {len(key_name)} octets, above the 253 of RFC 1035 2.3.4"
            yield Problem(f"domain[{index}]", what, "use a shorter selector or domain")


def _relay_problems(mode: Mode | None, relay: RelayDraft | None) -> Iterator[Problem]:
    if mode is Mode.RELAY and relay is None:
        yield Problem("relay.host", MISSING, 'write [relay] and below it host = "smtp.example.net"')
    if mode and mode is not Mode.RELAY and relay is not None:
        what = f"is for mode relay only, and mode is {mode.value}"
        yield Problem("relay", what, 'remove [relay], or write mode = "relay"')


def _alias_loops(draft: Draft) -> Iterator[Problem]:
    """Aliases that lead back to themselves: Postfix would bounce their mail. Each way back is told once."""
    ours = {domain.name for domain in draft.domain if domain and domain.name}
    aliases = {name: tuple(_alias_name(to, ours) for to in recipients) for name, recipients in draft.aliases}
    graph = dict(aliases)
    if draft.admin:
        graph = {role: (_alias_name(draft.admin, ours),) for role in ROLES} | aliases
    for circle in _circles(graph):
        written = next((name for name in circle if name in aliases), None)
        path = " -> ".join((*circle[:5], *(("...",) if len(circle) > 5 else ()), circle[0]))
        if written:
            yield Problem(
                f"aliases.{written}", f"leads back to itself: {path}", "take one of them out of the circle"
            )
        else:
            what = f"gets the mail of {circle[0]}, which leads back to it: {path}"
            yield Problem("admin", what, "name a person's account or an address elsewhere")


def _alias_name(recipient: str, ours: set[str]) -> str:
    """The alias that a recipient would be looked up as: here, and without its `+extension`."""
    local, _, domain = recipient.partition("@")
    return local.lower().partition("+")[0] if not domain or domain in ours else recipient


def _circles(graph: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Circles of a directed graph, found by depth-first search; iterative, since a chain may be long."""
    done: set[str] = set()
    for start in graph:
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(graph[start])}
        while path:
            name = next(reversed(path))
            following = next(path[name], None)
            if following is None:
                path.popitem()
                done.add(name)
            elif following in path:
                names = list(path)
                yield tuple(names[names.index(following) :])
            elif following in graph and following not in done:
                path[following] = iter(graph[following])
