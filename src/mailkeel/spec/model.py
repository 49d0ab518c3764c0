"""The specification as values: what the person wrote, checked and with defaults filled in.

Names are A-labels in lower case without a final dot (RFC 5890). Everything here is frozen; the reader
in `spec.reader` is the only place that makes these from text.
"""

from __future__ import annotations

import enum

import attrs


class Mode(enum.Enum):
    """M1-M3: what the host is."""

    RELAY = "relay"
    LOCAL = "local"
    FULL = "full"


class DmarcPolicy(enum.Enum):
    """What the owner of a domain asks receivers to do with mail that fails DMARC."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class RelayTls(enum.Enum):
    """How the connection to an upstream relay is encrypted; always verified."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@attrs.frozen
class Spf:
    """The SPF policy of a domain, as published (RFC 7208)."""

    policy: str = "v=spf1 a mx -all"


@attrs.frozen
class Dkim:
    """The signing key of a domain (RFC 6376, RFC 8301). `bits` is the RSA modulus length."""

    selector: str = "default"
    bits: int = 2048


@attrs.frozen
class Dmarc:
    """The DMARC policy of a domain. `rua` and `ruf` are addresses without `mailto:`."""

    policy: DmarcPolicy = DmarcPolicy.NONE
    subdomain_policy: DmarcPolicy | None = None
    rua: tuple[str, ...] = ()
    ruf: tuple[str, ...] = ()


@attrs.frozen
class Domain:
    """A domain whose mail this host sends and receives."""

    name: str
    spf: Spf = Spf()
    dkim: Dkim = Dkim()
    dmarc: Dmarc = Dmarc()


@attrs.frozen
class Tls:
    """The host's certificate. Both paths or neither; with neither, Let's Encrypt's live directory is
    looked at, then a self-signed certificate is made (I3)."""

    certificate: str | None = None
    key: str | None = None


@attrs.frozen
class Relay:
    """An upstream that takes all our mail (M1). `credentials` is the path of a root-only file that
    holds `user:password` on one line, or the name of a systemd credential."""

    host: str
    port: int = 587
    tls: RelayTls = RelayTls.STARTTLS
    credentials: str | None = None


@attrs.frozen
class Limits:
    """`message_size_bytes`: the largest message taken. `queue_lifetime_seconds`: how long mail is
    tried before it bounces. `auth_attempts_per_minute`: per client address, on submission."""

    message_size_bytes: int = 50 * 1024 * 1024
    queue_lifetime_seconds: int = 5 * 24 * 3600
    auth_attempts_per_minute: int = 20


@attrs.frozen
class Spec:
    """The whole specification.

    `hostname` is the fully qualified name the host uses in HELO, MX and certificate. `admin` is the
    local account or outside address that gets mail for root, postmaster, abuse and the like;
    None leaves it to root's own mailbox. `aliases` maps a local part, valid in every domain, to its
    recipients. `addresses` are the public IP addresses to publish; empty means: those of the host.
    """

    mode: Mode
    hostname: str
    domains: tuple[Domain, ...]
    admin: str | None = None
    addresses: tuple[str, ...] = ()
    aliases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tls: Tls = Tls()
    relay: Relay | None = None
    limits: Limits = Limits()

    @property
    def primary(self) -> Domain:
        """The first domain: unqualified local addresses belong to it."""
        return self.domains[0]
