"""A specification as text again: what unattended first boot wrote down, environment included."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mailkeel.spec.model import Dkim, Dmarc, Domain, Spec, Spf

_HEAD = "# Written by mailkeel from the environment of the first boot; yours from now on.\n"


def dump(spec: Spec) -> str:
    """Write a specification so that `reader.read` gives the same again."""
    return _HEAD + "\n".join(_lines(spec)) + "\n"


def _lines(spec: Spec) -> Iterator[str]:
    yield f"mode = {_quoted(spec.mode.value)}"
    yield f"hostname = {_quoted(spec.hostname)}"
    if spec.admin:
        yield f"admin = {_quoted(spec.admin)}"
    if spec.addresses:
        yield f"addresses = {_list(spec.addresses)}"
    for domain in spec.domains:
        yield from _domain(domain)
    if spec.aliases:
        yield "\n[aliases]"
        yield from (f"{_quoted(name)} = {_list(targets)}" for name, targets in spec.aliases)
    if spec.tls.certificate and spec.tls.key:
        yield f"\n[tls]\ncertificate = {_quoted(spec.tls.certificate)}\nkey = {_quoted(spec.tls.key)}"
    if spec.relay:
        relay = spec.relay
        yield f"\n[relay]\nhost = {_quoted(relay.host)}\nport = {relay.port}"
        yield f"tls = {_quoted(relay.tls.value)}"
        yield from [f"credentials = {_quoted(relay.credentials)}"] if relay.credentials else []
    limits = spec.limits
    yield f"\n[limits]\nmessage_size = {limits.message_size_bytes}"
    yield f'queue_lifetime = "{limits.queue_lifetime_seconds}s"'
    yield f"auth_attempts_per_minute = {limits.auth_attempts_per_minute}"


def _domain(domain: Domain) -> Iterator[str]:
    yield f"\n[[domain]]\nname = {_quoted(domain.name)}"
    if domain.spf != Spf():
        yield f"[domain.spf]\npolicy = {_quoted(domain.spf.policy)}"
    if domain.dkim != Dkim():
        yield f"[domain.dkim]\nselector = {_quoted(domain.dkim.selector)}\nbits = {domain.dkim.bits}"
    if domain.dmarc != Dmarc():
        yield f"[domain.dmarc]\npolicy = {_quoted(domain.dmarc.policy.value)}"
        if domain.dmarc.subdomain_policy:
            yield f"subdomain_policy = {_quoted(domain.dmarc.subdomain_policy.value)}"
        yield from (f"{name} = {_list(value)}" for name, value in _reports(domain.dmarc) if value)


def _reports(dmarc: Dmarc) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("rua", dmarc.rua), ("ruf", dmarc.ruf)


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, values))}]"


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's escapes are a part of its own."""
    return json.dumps(text, ensure_ascii=False)
