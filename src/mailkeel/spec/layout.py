"""The layout of `mail.toml`: every key, what it may hold, and why one would set it.

The one source of the reader, of the JSON Schema and of the comments in the sample file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from mailkeel.spec import names, values
from mailkeel.spec.draft import DomainDraft, Draft, RelayDraft
from mailkeel.spec.kinds import Choice, Number, Several, Text, TextOrNumber
from mailkeel.spec.model import Dkim, Dmarc, DmarcPolicy, Limits, Mode, RelayTls, Spf, Tls
from mailkeel.spec.spf_policy import spf_policy
from mailkeel.spec.tables import FreeTable, Key, Table, Tables

T = TypeVar("T")

# Editors check these; the reader checks more. Names may be written in any script.
_DOMAIN_PATTERN = r"^[^\s@/:;$\\\"']+$"
_LOCAL_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$"
_ADDRESS_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*@\S+$"
_RECIPIENT_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(@\S+)?$"
_PATH_PATTERN = r"^(/[A-Za-z0-9._@+-]+)+$"

_DOMAIN = Text(names.domain_name, '"example.com"', _DOMAIN_PATTERN)
_HOSTNAME = Text(names.hostname, '"mail.example.com"', _DOMAIN_PATTERN)
_RECIPIENT = Text(names.recipient, '"alice"', _RECIPIENT_PATTERN)
_IP_ADDRESS = Text(values.public_address, '"192.0.2.1"', r"^[0-9A-Fa-f.:]+$")
_REPORT_ADDRESS = Text(
    names.report_address, '"dmarc@example.com"', rf"^([Mm][Aa][Ii][Ll][Tt][Oo]:)?{_ADDRESS_PATTERN[1:]}"
)
_PATH = Text(values.absolute_path, '"/etc/ssl/mail.pem"', _PATH_PATTERN)
_KEY_PATH = Text(values.absolute_path, '"/etc/ssl/private/mail.key"', _PATH_PATTERN)
_POLICY = Choice(DmarcPolicy, '"none"')

TOP_KEYS = ("mode", "hostname", "admin", "addresses")


def _table(keys: tuple[Key, ...], build: Callable[..., T], example: str) -> Table[T]:
    return Table(keys, build, example, above=TOP_KEYS)


SPF = _table(
    (
        Key(
            "policy",
            Text(spf_policy, '"v=spf1 a mx -all"', r"^ *[Vv]=[Ss][Pp][Ff]1 [A-Za-z0-9 ._:/=+?~%{},-]+$"),
            "who may send mail as the domain (RFC 7208)",
            default=Spf().policy,
        ),
    ),
    dict[str, object],
    "[spf]",
)

DKIM = _table(
    (
        Key(
            "selector",
            Text(names.selector, '"default"', r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"),
            "the key's name in DNS: SELECTOR._domainkey.DOMAIN (RFC 6376 3.1)",
            default=Dkim().selector,
        ),
        Key(
            "bits",
            Number(values.dkim_bits, "2048", {"enum": list(values.DKIM_BITS)}),
            "length of the RSA key; RFC 8301 3.2 wants 2048, not less than 1024",
            default=Dkim().bits,
        ),
    ),
    dict[str, object],
    "[dkim]",
)

DMARC = _table(
    (
        Key(
            "policy",
            _POLICY,
            "what receivers do with mail that fails (RFC 7489 6.3): watch with none, then tighten",
            default=Dmarc().policy.value,
        ),
        Key("subdomain_policy", _POLICY, "the same for subdomains; without it, policy holds for them too"),
        Key("rua", Several(_REPORT_ADDRESS, or_one=True), "who gets the daily reports"),
        Key(
            "ruf",
            Several(_REPORT_ADDRESS, or_one=True),
            "who gets reports of single failures; few receivers send them",
        ),
    ),
    dict[str, object],
    "[dmarc]",
)

DOMAIN = _table(
    (
        Key("name", _DOMAIN, "the domain, in any script", required=True),
        Key("spf", SPF, "what differs from [spf] for this domain"),
        Key("dkim", DKIM, "what differs from [dkim] for this domain"),
        Key("dmarc", DMARC, "what differs from [dmarc] for this domain"),
    ),
    DomainDraft,
    "[[domain]]",
)

ALIASES = FreeTable(
    names.local_part,
    _LOCAL_PATTERN,
    Several(_RECIPIENT, or_one=True, at_least=1),
    "[aliases]",
)

TLS = Table(
    (
        Key("certificate", _PATH, "PEM file with the certificate and its chain"),
        Key("key", _KEY_PATH, "PEM file with its private key"),
    ),
    Tls,
    "[tls]",
    above=TOP_KEYS,
    together=("certificate", "key"),
)

RELAY = _table(
    (
        Key(
            "host",
            Text(names.relay_host, '"smtp.example.net"', _DOMAIN_PATTERN),
            "the server that takes all our mail",
            required=True,
        ),
        Key(
            "port",
            Number(
                functools.partial(values.whole_number, least=1, most=65535),
                "587",
                {"minimum": 1, "maximum": 65535},
            ),
            "587 submits with STARTTLS, 465 with TLS from the start (RFC 8314 3.3)",
            default=587,
        ),
        Key(
            "tls",
            Choice(RelayTls, '"starttls"'),
            "follows from the port where absent; the certificate is always checked",
        ),
        Key(
            "credentials",
            Text(values.credentials, '"/etc/mailkeel/relay.secret"', rf"{_PATH_PATTERN}|^[A-Za-z0-9._-]+$"),
            "root-only file with user:password on one line, or the name of a systemd credential",
        ),
    ),
    RelayDraft,
    "[relay]",
)

LIMITS = _table(
    (
        Key(
            "message_size",
            TextOrNumber(
                values.message_size,
                '"50M"',
                r"^[0-9]+[KMG]?$",
                values.MIN_MESSAGE_BYTES,
                values.MAX_MESSAGE_BYTES,
            ),
            "the largest message taken; K, M, G count in 1024",
            default="50M",
            attribute="message_size_bytes",
        ),
        Key(
            "queue_lifetime",
            Text(values.queue_lifetime, '"5d"', r"^[0-9]+[smhdw]$"),
            "how long mail is tried before it bounces (RFC 5321 4.5.4.1: at least 4-5 days)",
            default="5d",
            attribute="queue_lifetime_seconds",
        ),
        Key(
            "auth_attempts_per_minute",
            Number(
                functools.partial(values.whole_number, least=1, most=10000),
                "20",
                {"minimum": 1, "maximum": 10000},
            ),
            "log-in attempts that one client address has on submission",
            default=Limits().auth_attempts_per_minute,
        ),
    ),
    Limits,
    "[limits]",
)

FILE = Table(
    (
        Key(
            "mode",
            Choice(Mode, '"local"'),
            "relay: all mail goes upstream; local: mailboxes under /var/mail; full: IMAP too",
            required=True,
        ),
        Key(
            "hostname",
            _HOSTNAME,
            "this host's full name in HELO, MX and certificate; mail.<first domain> where absent",
        ),
        Key("admin", _RECIPIENT, "account or address that gets mail for root, postmaster and abuse"),
        Key("addresses", Several(_IP_ADDRESS), "public addresses to publish; those of the host where absent"),
        Key("spf", SPF, "SPF of every domain that does not say otherwise"),
        Key("dkim", DKIM, "DKIM of every domain that does not say otherwise"),
        Key("dmarc", DMARC, "DMARC of every domain that does not say otherwise"),
        Key(
            "domain",
            Tables(DOMAIN, '[[domain]] and below it name = "example.com"'),
            "a domain whose mail this host sends and receives",
            required=True,
        ),
        Key("aliases", ALIASES, "more names, valid in every domain, and who gets their mail"),
        Key("tls", TLS, "the certificate, where it is not Let's Encrypt's"),
        Key("relay", RELAY, "the upstream server; for mode relay only"),
        Key("limits", LIMITS, "sizes, times and rates"),
    ),
    Draft,
    "mail.toml",
)
