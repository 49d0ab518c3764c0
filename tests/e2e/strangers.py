"""The domains of other people, honest and not, and the name server that knows them all."""

from __future__ import annotations

import base64
import functools

import attrs
import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailkeel.lab.hosts import LabHost
from mailkeel.lab.machine import wait_until

#: Where honest people's mail comes from, and where everybody else's does: two addresses of one host.
HONEST = ("10.99.0.20", "fd99::20")
ATTACKER = ("10.99.0.66", "fd99::66")
#: More of the latter, one for each test that would annoy the server: it remembers failures by address.
SPARE = tuple(f"10.99.0.{number}" for number in range(100, 200))
SELECTOR = "key1"

_FROM_HONEST = f"v=spf1 ip4:{HONEST[0]} ip6:{HONEST[1]} -all"
_FROM_ATTACKER = f"v=spf1 ip4:{ATTACKER[0]} ip6:{ATTACKER[1]} -all"


@attrs.frozen
class Stranger:
    """A domain: its SPF and DMARC records ("" for none). Each has a DKIM key, and the sink as its MX."""

    name: str
    spf: str
    dmarc: str


#: DMARC as strict, as cautious, and as watchful as it gets; only HONEST may send.
STRICT = Stranger("strict.org", _FROM_HONEST, "v=DMARC1; p=reject")
CAUTIOUS = Stranger("cautious.org", _FROM_HONEST, "v=DMARC1; p=quarantine")
WATCHING = Stranger("watching.org", _FROM_HONEST, "v=DMARC1; p=none")
#: Says that it never sends.
SILENT = Stranger("silent.org", "v=spf1 -all", "")
#: No records at all but an MX; its mail server is the sink.
FARAWAY = Stranger("faraway.net", "", "")
#: The attacker's own, in good order.
ATTACK = Stranger("attack.net", _FROM_ATTACKER, "")
#: Every name below ATTACK exists, whatever its characters, and is as much in order.
_BELOW_ATTACK = '* MX 10 mx.attack.net.\n* TXT "@SPF@"\n* TXT @DKIM@\n'
STRANGERS = (STRICT, CAUTIOUS, WATCHING, SILENT, FARAWAY, ATTACK)


def sign(raw: bytes, domain: Stranger) -> bytes:
    """The message with the domain's DKIM signature in front."""
    return sign_as(raw, domain.name.encode())


def sign_as(raw: bytes, domain: bytes, selector: bytes = SELECTOR.encode(), *, identity: str = "") -> bytes:
    """The same, with names of any octets. `identity` is the local part of the i= tag (RFC 6376 3.5)."""
    names = [b"from", b"to", b"subject", b"date", b"message-id"]
    encoded = "".join(f"={octet:02X}" for octet in identity.encode()).encode()
    signature: bytes = dkim.sign(
        raw, selector, domain, _private_key(), identity=encoded + b"@" + domain, include_headers=names
    )
    return signature + raw


def serve_names(host: LabHost, own_records: str, own_domain: str) -> None:
    """Let BIND on `host` answer for all strangers, our own domain, and the root: nothing else exists."""
    zones = {stranger.name: _records(stranger, host.ipv4) for stranger in STRANGERS}
    zones |= {own_domain: own_records, ".": f"ns.outside. A {host.ipv4}\n"}
    for name, records in zones.items():
        host.write(f"/etc/bind/{_file(name)}", _HEAD + records)
    configuration = [_OPTIONS]
    configuration += [f'zone "{name}" {{ type master; file "/etc/bind/{_file(name)}"; }};' for name in zones]
    host.write("/etc/bind/named.conf", "\n".join(configuration))
    host.run(["named-checkconf", "-z"])
    host.run(["systemctl", "restart", "named"])
    wait_for_names(host)


def wait_for_names(host: LabHost) -> None:
    """Wait until BIND answers."""

    def answers() -> bool:
        try:
            host.connect(host.ipv4, 53).close()
        except OSError:
            return False
        return True

    assert wait_until(answers, 20), "named does not answer"


def _records(stranger: Stranger, mx: str) -> str:
    text = f"@ MX 10 mx.{stranger.name}.\nmx A {mx}\nsub A {mx}\n"
    key = _quoted(f"v=DKIM1; k=rsa; p={_public_key()}")
    text += f"{SELECTOR}._domainkey TXT {key}\n"
    if stranger is ATTACK:
        text += _BELOW_ATTACK.replace("@SPF@", stranger.spf).replace("@DKIM@", key)
    text += f'@ TXT "{stranger.spf}"\n' if stranger.spf else ""
    return text + (f'_dmarc TXT "{stranger.dmarc}"\n' if stranger.dmarc else "")


def _quoted(text: str) -> str:
    return " ".join(f'"{text[start : start + 250]}"' for start in range(0, len(text), 250))


def _file(zone: str) -> str:
    return f"zone-{zone}"


_OPTIONS = """\
options {
    directory "/var/cache/bind"; listen-on { any; }; listen-on-v6 { any; };
    allow-query { any; }; recursion yes; allow-recursion { any; };
    dnssec-validation no; empty-zones-enable no;
};"""

# A second: what a test changes is seen by the next one.
_HEAD = """\
$TTL 1
@ SOA ns.outside. root.outside. 1 3600 600 86400 1
@ NS ns.outside.
"""


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _private_key() -> bytes:
    return _key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _public_key() -> str:
    der = (
        _key()
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(der).decode()
