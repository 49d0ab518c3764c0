"""A specification as far as it could be read: each wrong or absent value is simply not there.

Between the keys' own checks and the rules between keys, so that both kinds of error are told at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from mailkeel.spec.model import Limits, Mode, RelayTls, Tls

Overrides = Mapping[str, object]  # attributes of a model that a table sets
_NOTHING: Overrides = {}


@attrs.frozen
class DomainDraft:
    """A `[[domain]]` as far as it could be read."""

    name: str | None = None
    spf: Overrides = _NOTHING
    dkim: Overrides = _NOTHING
    dmarc: Overrides = _NOTHING


@attrs.frozen
class RelayDraft:
    """A `[relay]` as far as it could be read."""

    host: str | None = None
    port: int | None = None
    tls: RelayTls | None = None
    credentials: str | None = None


@attrs.frozen
class Draft:
    """A specification as far as it could be read."""

    mode: Mode | None = None
    hostname: str | None = None
    admin: str | None = None
    addresses: tuple[str, ...] = ()
    spf: Overrides = _NOTHING
    dkim: Overrides = _NOTHING
    dmarc: Overrides = _NOTHING
    domain: tuple[DomainDraft | None, ...] = ()
    aliases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tls: Tls = attrs.field(factory=Tls)
    relay: RelayDraft | None = None
    limits: Limits = attrs.field(factory=Limits)
