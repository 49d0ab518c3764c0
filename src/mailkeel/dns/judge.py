"""Whether the values at a name say what a wanted record says: by meaning, not letter by letter.

All pure. The values come from anyone; what is said about them is escaped.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Sequence

import attrs

from mailkeel.dns.records import DnsRecord
from mailkeel.dns.spf_terms import is_spf, means_same, merge, parse_term, parse_terms
from mailkeel.dns.text import parse_tags, printable

_DMARC = re.compile(r"\s*v\s*=\s*DMARC1\s*(;|$)")


class Standing(enum.StrEnum):
    """How a wanted record stands in DNS."""

    PRESENT = "present"
    MISSING = "missing"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@attrs.frozen
class Judgement:
    """A verdict on the values found, those of them that it rests on, and what is to be said about it."""

    verdict: Standing
    seen: tuple[str, ...] = ()
    what: str = ""


def judge(record: DnsRecord, values: Sequence[str]) -> Judgement:
    """Compare a record with the values that its name has for its type; with none, it is missing."""
    if not values:
        return Judgement(Standing.MISSING, what="there is no such record")
    if record.pending:
        return Judgement(Standing.DIFFERS, tuple(values), "there is a record, though ours is not made yet")
    match record.type:
        case "A" | "AAAA":
            return _addresses(record, values)
        case "MX":
            return _mail_servers(record, values)
        case "TXT":
            return _text(record, values)
    if record.value.lower() in {value.lower() for value in values}:
        return Judgement(Standing.PRESENT, tuple(values))
    return _differs(values, "the value is another one")


def _text(record: DnsRecord, values: Sequence[str]) -> Judgement:
    if is_spf(record.value):
        return _spf(record.value, [value for value in values if is_spf(value)])
    if "._domainkey." in record.name:
        return _dkim(record.value, values)
    if _DMARC.match(record.value):
        return _dmarc(record.value, values)
    if record.value in values:
        return Judgement(Standing.PRESENT, (record.value,))
    return Judgement(Standing.MISSING, tuple(values), "no text at that name is this one")


def _spf(wanted: str, records: Sequence[str]) -> Judgement:
    """Exactly one record (RFC 7208 4.5), to which merging ours would add nothing."""
    if not records:
        return Judgement(Standing.MISSING, what="no text at that name is an SPF record")
    if len(records) > 1:
        return _differs(records, f"{len(records)} SPF records, where one is allowed: receivers use none")
    record = records[0]
    wrong = [text for text in record.split(" ")[1:] if text and parse_term(text) is None]
    if wrong:
        return _differs(records, f"{printable(wrong[0])!r} is no SPF term: receivers ignore the record")
    if not means_same(merge(record, wanted), record):
        return _differs(records, f"it does not say {printable(wanted)!r}")
    ours = {str(term) for term in parse_terms(wanted)}
    others = [str(term) for term in parse_terms(record) if str(term) not in ours]
    return Judgement(Standing.PRESENT, (record,), _also(others))


def _dkim(wanted: str, values: Sequence[str]) -> Judgement:
    """The same public key, neither revoked nor kept from our use by another tag (RFC 6376 3.6.1)."""
    keys = [value for value in values if "p" in parse_tags(value)]
    if not keys:
        return _differs(values, "no text at that name is a DKIM key")
    if len(keys) > 1:
        return _differs(keys, f"{len(keys)} keys at one name: which one receivers take is left to chance")
    tags, ours = parse_tags(keys[0]), parse_tags(wanted)
    if not _bare(tags["p"]):
        return _differs(keys, "the key is revoked: its p= is empty")
    if _bare(tags["p"]) != _bare(ours.get("p", "")):
        return _differs(keys, "it is another key than the one that this host signs with")
    hindrance = _dkim_hindrance(tags, ours)
    if hindrance:
        return _differs(keys, hindrance)
    testing = "t=y tells receivers that it is only a test" if "y" in _listed(tags.get("t", "")) else ""
    return Judgement(Standing.PRESENT, tuple(keys), testing)


def _dkim_hindrance(tags: dict[str, str], ours: dict[str, str]) -> str:
    if tags.get("v", "DKIM1") != "DKIM1":
        return "its version is not DKIM1"
    if tags.get("k", "rsa") != ours.get("k", "rsa"):
        return f"k={printable(tags.get('k', 'rsa'))} is not the kind of our key"
    if "h" in tags and "sha256" not in _listed(tags["h"]):
        return "h= does not allow sha256, with which this host signs"
    if not {"*", "email"} & _listed(tags.get("s", "*")):
        return "s= does not allow the key for e-mail"
    return ""


def _dmarc(wanted: str, values: Sequence[str]) -> Judgement:
    """Exactly one record with our policy, which may send reports to more than us."""
    records = [value for value in values if _DMARC.match(value)]
    if not records:
        return _differs(values, "no text at that name begins with v=DMARC1")
    if len(records) > 1:
        return _differs(records, f"{len(records)} DMARC records, where one is allowed: receivers use none")
    seen, ours = parse_tags(records[0]), parse_tags(wanted)
    for tag in ("p", "sp"):
        if _policy(seen, tag) != _policy(ours, tag):
            return _differs(records, f"{tag} is {printable(_policy(seen, tag)) or 'not given'}")
    for tag in ("rua", "ruf"):
        lacking = _listed(ours.get(tag, ""), ",") - _listed(seen.get(tag, ""), ",")
        if lacking:
            return _differs(records, f"{tag} lacks {', '.join(sorted(map(printable, lacking)))}")
    return Judgement(Standing.PRESENT, tuple(records))


def _mail_servers(record: DnsRecord, values: Sequence[str]) -> Judgement:
    host = record.value.partition(" ")[2].lower()
    servers = {value.partition(" ")[2].lower() for value in values}
    if host not in servers:
        return _differs(values, f"mail goes elsewhere: to {', '.join(sorted(map(printable, servers)))}")
    return Judgement(Standing.PRESENT, tuple(values), _also(sorted(servers - {host})))


def _addresses(record: DnsRecord, values: Sequence[str]) -> Judgement:
    wanted, seen = _plain_address(record.value), {_plain_address(value) for value in values}
    if wanted not in seen:
        return _differs(values, f"it leads to {', '.join(sorted(map(printable, seen)))}")
    return Judgement(Standing.PRESENT, tuple(values), _also(sorted(seen - {wanted})))


def _differs(values: Sequence[str], what: str) -> Judgement:
    return Judgement(Standing.DIFFERS, tuple(values), what)


def _also(others: Sequence[str]) -> str:
    return f"also there: {', '.join(map(printable, others))}" if others else ""


def _policy(tags: dict[str, str], tag: str) -> str:
    """Read p or sp; without sp, subdomains have the policy of the domain."""
    return tags.get(tag, tags.get("p", "")).lower()


def _listed(text: str, separator: str = ":") -> set[str]:
    return {item.strip().lower() for item in text.split(separator) if item.strip()}


def _bare(text: str) -> str:
    """Remove folding white space, which may stand anywhere within a key (RFC 6376 3.2)."""
    return "".join(text.split())


def _plain_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
