"""Records as text: TXT splitting, zone-file syntax, tag lists, and what is safe to show.

Whatever comes from DNS or the spec is data: nothing here lets a value end a string, a line or a comment.
TXT octets are text as UTF-8 with surrogate escapes, which loses no octet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from mailkeel.dns.records import DnsRecord, domain_of, heads
from mailkeel.errors import MailkeelError, Problem

STRING_OCTETS = 255
RDATA_OCTETS = 65_535

# Letters, digits, hyphen, and the underscore of service labels (RFC 8552); A-labels are among them.
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_PLAIN_RDATA = re.compile(r"[A-Za-z0-9 ._:/+=-]+", re.ASCII)
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


class RecordTooLong(MailkeelError):
    """A TXT value does not fit into one resource record."""


class RecordInvalid(MailkeelError):
    """A record's name or value cannot be written to a zone."""


def bind(records: Iterable[DnsRecord]) -> str:
    """Write a zone file (RFC 1035 5.1): absolute names, grouped by domain, the reason above each record.

    A pending record is written as a comment. Raises RecordTooLong and RecordInvalid.
    """
    all_records = tuple(records)
    domains = heads(all_records)
    groups: dict[str, list[DnsRecord]] = {}
    for record in all_records:
        groups.setdefault(domain_of(record, domains), []).append(record)
    return "\n".join(_group(domain, members) for domain, members in groups.items())


def character_strings(value: str) -> tuple[str, ...]:
    """Split a TXT value into character-strings of at most 255 octets (RFC 1035 3.3.14; joined without
    spaces, RFC 7208 3.3), never inside a character. Raises RecordTooLong above 65,535 octets of rdata,
    RecordInvalid for text that no octets can stand for."""
    strings: list[str] = []
    start, used = 0, 0
    for position, character in enumerate(value):
        octets = _octet_count(character)
        if used + octets > STRING_OCTETS:
            strings.append(value[start:position])
            start, used = position, 0
        used += octets
    strings.append(value[start:])
    _refuse_too_long(strings)
    return tuple(strings)


def parse_tags(value: str) -> dict[str, str]:
    """Read a tag list, `v=DKIM1; p=...` (RFC 6376 3.2), as the receivers do: tolerantly.

    White space around names and values is dropped, what is no tag is left out, and of a name that is
    given twice (which makes the list invalid) the first counts. Names keep their case. Never raises.
    """
    tags: dict[str, str] = {}
    for part in value.split(";"):
        name, equals, text = part.partition("=")
        name = name.strip()
        if equals and _TAG.fullmatch(name):
            tags.setdefault(name, text.strip())
    return tags


def printable(text: str) -> str:
    """Escape every character that could steer a terminal: controls, bidi marks, stray octets."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def is_dns_name(name: str) -> bool:
    """Tell whether the text is ASCII, with labels of 1-63 and a length of at most 253 (RFC 1035 2.3.4)."""
    plain = name.removesuffix(".")
    return plain.isascii() and len(plain) <= 253 and all(0 < len(label) < 64 for label in plain.split("."))


def is_host_name(name: str) -> bool:
    """Tell whether the text is a DNS name of letters, digits, hyphens and underscores only."""
    return is_dns_name(name) and all(_LABEL.fullmatch(label) for label in name.removesuffix(".").split("."))


def _group(domain: str, records: Iterable[DnsRecord]) -> str:
    lines = [f"; {printable(domain)}"]
    for record in records:
        lines.append(f"; {printable(record.why)}")
        written = _line(record)
        lines.append("; pending: " + written.replace("\n", "\n; ") if record.pending else written)
    return "\n".join(lines) + "\n"


def _line(record: DnsRecord) -> str:
    if not is_host_name(record.name):
        raise RecordInvalid(_problem(record, "the name is not a DNS name"))
    if not 0 <= record.ttl_seconds < 2**31:
        raise RecordInvalid(_problem(record, f"{record.ttl_seconds} is not a TTL (RFC 2181 8)"))
    return f"{record.name.removesuffix('.')}. {record.ttl_seconds} IN {_type(record)} {_rdata(record)}"


def _type(record: DnsRecord) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9]*", record.type, re.ASCII):
        raise RecordInvalid(_problem(record, "the type is not one that DNS has"))
    return record.type


def _rdata(record: DnsRecord) -> str:
    """Write the rdata; a value that could be anything but that rdata is refused."""
    match record.type:
        case "TXT":
            return _txt(record.value)
        case "A" | "AAAA":
            return _address(record)
        case "MX" | "CNAME" | "NS" | "PTR" | "SRV":
            return _ending_in_name(record)
    if not _PLAIN_RDATA.fullmatch(record.value):
        raise RecordInvalid(_problem(record, "the value holds characters that would need quoting"))
    return record.value


def _txt(value: str) -> str:
    quoted = [f'"{_escape(text)}"' for text in character_strings(value)]
    return quoted[0] if len(quoted) == 1 else "( " + "\n    ".join(quoted) + " )"


def _escape(text: str) -> str:
    """Escape for a quoted string (RFC 1035 5.1): `\\DDD` for what is not printable ASCII."""
    written = []
    for octet in text.encode("utf-8", "surrogateescape"):
        character = chr(octet)
        if character in '"\\':
            written.append("\\" + character)
        else:
            written.append(character if 0x20 <= octet < 0x7F else f"\\{octet:03d}")
    return "".join(written)


def _address(record: DnsRecord) -> str:
    version = 4 if record.type == "A" else 6
    try:
        address = ipaddress.ip_address(record.value)
    except ValueError as error:
        raise RecordInvalid(_problem(record, "the value is not an IP address")) from error
    if address.version != version or "%" in record.value:
        raise RecordInvalid(_problem(record, f"the value is not an IPv{version} address"))
    return str(address)


def _ending_in_name(record: DnsRecord) -> str:
    """Write numbers (none for CNAME, one for MX, three for SRV), then a name made absolute."""
    *numbers, name = record.value.split(" ")
    expected = {"MX": 1, "SRV": 3}.get(record.type, 0)
    good = len(numbers) == expected and all(
        number.isascii() and number.isdecimal() and len(number) < 6 and int(number) < 2**16
        for number in numbers
    )
    # A lone dot is the null MX (RFC 7505) and SRV's "no such service" (RFC 2782).
    if not good or not (name == "." or is_host_name(name)):
        raise RecordInvalid(_problem(record, f"the value is not the data of a {record.type} record"))
    return " ".join([*numbers, name.removesuffix(".") + "."])


def _is_16_bit(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < 2**16


def _octet_count(character: str) -> int:
    try:
        return len(character.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as error:
        problem = Problem(
            "TXT record", "the value holds half a character", "write the value again as plain text"
        )
        raise RecordInvalid(problem) from error


def _refuse_too_long(strings: Iterable[str]) -> None:
    # Each string is preceded by an octet that holds its length (RFC 1035 3.3).
    octets = sum(1 + len(text.encode("utf-8", "surrogateescape")) for text in strings)
    if octets > RDATA_OCTETS:
        raise RecordTooLong(
            Problem(
                "TXT record", f"{octets} octets are above the {RDATA_OCTETS} of a record", "shorten the value"
            )
        )


def _problem(record: DnsRecord, what: str) -> Problem:
    return Problem(
        where=f"DNS record {printable(record.name)} {printable(record.type)}",
        what=f"{what}: {printable(record.value)[:200]}",
        remedy="correct the name or value that the specification gives for it",
    )
