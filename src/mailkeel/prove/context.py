"""What the criteria look at, gathered once."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from mailkeel import daemons
from mailkeel.daemons.opendkim import key_path
from mailkeel.dns.lookup import Answer, Resolver, Status
from mailkeel.dns.records import DnsRecord, wanted
from mailkeel.engine.journal import Journal, Outcome, read_all
from mailkeel.errors import HostError
from mailkeel.facts import HostFacts
from mailkeel.host.interface import Host
from mailkeel.host.keys import public_half
from mailkeel.prove.message import Delivered
from mailkeel.resources import Desired
from mailkeel.spec.model import Spec


@attrs.frozen
class Context:
    """The host, what it should be, and the records that should be in DNS.

    `public_halves` maps (domain, selector) to the `p=` of the key that is on this host; a key that is
    missing or damaged has none, and `key_problems` says why. `last` is the newest transaction,
    `start_seconds` how long Postfix took when a transaction last started it, and `message` the test message
    that was sent.
    """

    host: Host
    spec: Spec
    facts: HostFacts
    desired: Desired
    resolver: Resolver
    public_halves: Mapping[tuple[str, str], str]
    key_problems: Mapping[tuple[str, str], str]
    records: tuple[DnsRecord, ...]
    last: Journal | None
    start_seconds: float | None
    message: Delivered = attrs.field(factory=lambda: Delivered("", "no message was sent"))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses the world sees this host at, as far as known."""
        return self.spec.addresses or self.facts.addresses


def gather(host: Host, spec: Spec, facts: HostFacts, resolver: Resolver) -> Context:
    """Read keys and journal; looks nothing up in DNS yet. Raises Refused for an unknown mode or release."""
    halves, problems = dkim_keys(host, spec)
    applied = [record for record in read_all(host) if record.outcome is Outcome.COMMITTED]
    return Context(
        host,
        spec,
        facts,
        daemons.desired(spec, facts),
        Patience(resolver),
        halves,
        problems,
        wanted(spec, spec.addresses or facts.addresses, halves),
        applied[-1] if applied else None,
        _start_seconds(applied),
    )


def _start_seconds(applied: list[Journal]) -> float | None:
    events = (event for record in reversed(applied) for event in record.events)
    starts = (e["seconds"] for e in events if e["event"] == "started" and e["service"] == "postfix")
    return next(starts, None)


def dkim_keys(host: Host, spec: Spec) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """The public halves of the keys on this host, and what is wrong with those that cannot be read."""
    halves: dict[tuple[str, str], str] = {}
    problems: dict[tuple[str, str], str] = {}
    for domain in spec.domains:
        name = (domain.name, domain.dkim.selector)
        path = key_path(*name)
        entry = host.entry(path)
        try:
            if entry is None:
                problems[name] = f"{path} is missing"
            else:
                halves[name] = public_half(entry.content)
        except HostError as error:
            problems[name] = f"{path}: {error.problems[0].what}"
    return halves, problems


@attrs.define
class Patience:
    """A resolver that is not asked again once it has been silent: ten time-outs would take a minute."""

    resolver: Resolver
    _silence: Answer | None = attrs.field(default=None, init=False)

    def lookup(self, name: str, rdtype: str) -> Answer:
        """As the resolver answers; after its first silence, that silence at once."""
        if self._silence is not None:
            return attrs.evolve(self._silence, name=name, type=rdtype)
        answer = self.resolver.lookup(name, rdtype)
        if answer.status is Status.NO_ANSWER and "SERVFAIL" not in answer.detail:
            self._silence = answer
        return answer
