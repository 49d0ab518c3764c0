"""What daemons must know about the host before they can say what they want.

Only things that the specification cannot say and that do not change by applying it. Read by
`engine.observe`, pure from here on.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class HostFacts:
    """The host as far as rendering depends on it.

    `debian` is the release's number, the key of every daemon's dialect table. `nameservers` are those
    of /etc/resolv.conf, in order. `has_trusted_resolver`: its answers cannot be forged on the way
    (it runs on this host, or resolv.conf says `trust-ad`), so DNSSEC's verdicts count. `addresses` are
    the host's own global addresses. `lets_encrypt` are the folders under /etc/letsencrypt/live.
    """

    debian: int
    has_systemd: bool = True
    has_ipv6: bool = True
    nameservers: tuple[str, ...] = ("127.0.0.1",)
    has_trusted_resolver: bool = False
    addresses: tuple[str, ...] = ()
    lets_encrypt: tuple[str, ...] = ()
