"""The DNS records that a specification asks for, each with a one-sentence reason (A1-A4).

Names, and names inside values, are written without the final dot; `dns.text.bind` adds it.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from mailkeel.errors import MailkeelError, Problem
from mailkeel.spec.model import Dmarc, Domain, Mode, Spec

# An hour: a change is seen everywhere within that time, and resolvers still spare our servers.
TTL_SECONDS = 3600
MX_PRIORITY = 10
PENDING_KEY = "(made by apply)"


@attrs.frozen
class DnsRecord:
    """One resource record that should be in DNS.

    `name` is an A-label FQDN without a final dot. `value` of a TXT record is the plain joined text,
    neither quoted nor split; of any other type it is the rdata text (`10 mail.example.com`).
    `pending` marks a value that is not known before `apply` has run: such a record is never published.
    """

    name: str
    type: str
    value: str
    ttl_seconds: int
    why: str
    pending: bool = False


def wanted(
    spec: Spec, addresses: Sequence[str], dkim_public: Mapping[tuple[str, str], str]
) -> tuple[DnsRecord, ...]:
    """List the records of the host, then those of each domain, without duplicates.

    `addresses` are the host's public IP addresses; with none known the address records are left out.
    `dkim_public` maps (domain, selector) to the base64 of the DER SubjectPublicKeyInfo (RFC 6376
    3.6.1); a key that is not there yet gives a pending record. Raises MailkeelError for text that is
    no IP address.
    """
    public = tuple(_address(text) for text in addresses)
    records = [*_of_host(spec, public)]
    for domain in spec.domains:
        records += _of_domain(spec, domain, public, dkim_public.get((domain.name, domain.dkim.selector)))
    unique: dict[tuple[str, str, str], DnsRecord] = {}
    for record in records:
        unique.setdefault((record.name, record.type, record.value), record)
    return tuple(unique.values())


def heads(records: Iterable[DnsRecord]) -> frozenset[str]:
    """Return the mail domains among the records: owners of an MX, DMARC or DKIM record."""
    found = set()
    for record in records:
        if record.type == "MX":
            found.add(record.name)
        for marker in ("_dmarc.", "._domainkey."):
            before, marked, domain = record.name.partition(marker)
            if marked and (marker != "_dmarc." or not before):
                found.add(domain)
    return frozenset(found)


def domain_of(record: DnsRecord, domains: Iterable[str]) -> str:
    """Return the longest of the domains that holds the record's name, else that name itself."""
    holding = [domain for domain in domains if f".{record.name}".endswith(f".{domain}")]
    return max(holding, key=len, default=record.name)


def _of_host(spec: Spec, public: Sequence[str]) -> Iterator[DnsRecord]:
    yield from _addresses(
        spec.hostname, public, "The name this server says in HELO must lead to it, or receivers distrust it."
    )
    if spec.hostname not in {domain.name for domain in spec.domains}:
        yield DnsRecord(
            spec.hostname,
            "TXT",
            "v=spf1 a -all",
            TTL_SECONDS,
            "Bounces have no sender address, so receivers check the HELO name instead (RFC 7208 2.3).",
        )


def _of_domain(spec: Spec, domain: Domain, public: Sequence[str], key: str | None) -> Iterator[DnsRecord]:
    if spec.mode is not Mode.RELAY:
        yield from _inbound(spec, domain, public)
    yield DnsRecord(
        domain.name,
        "TXT",
        domain.spf.policy,
        TTL_SECONDS,
        "Says which servers may send mail with this domain as envelope sender (SPF, RFC 7208).",
    )
    yield _dkim(domain, key)
    yield DnsRecord(
        f"_dmarc.{domain.name}",
        "TXT",
        _dmarc_value(domain.dmarc),
        TTL_SECONDS,
        "Says what receivers should do with mail that only pretends to be from this domain (DMARC).",
    )


def _inbound(spec: Spec, domain: Domain, public: Sequence[str]) -> Iterator[DnsRecord]:
    """A relay host accepts no mail, so an MX that leads to it would lose the domain's mail (M1)."""
    yield DnsRecord(
        domain.name,
        "MX",
        f"{MX_PRIORITY} {spec.hostname}",
        TTL_SECONDS,
        "Tells other servers to deliver this domain's mail here.",
    )
    submission = f"smtp.{domain.name}"
    why = "The name that people enter in a mail program as the outgoing server."
    if public:
        # Addresses rather than an alias: they can stand beside any other record of that name.
        yield from _addresses(submission, public, why)
    elif submission != spec.hostname:
        # Without known addresses an alias follows the host; nothing of ours makes it an MX target,
        # where RFC 2181 10.3 forbids one.
        yield DnsRecord(submission, "CNAME", spec.hostname, TTL_SECONDS, why)


def _addresses(name: str, public: Sequence[str], why: str) -> Iterator[DnsRecord]:
    for address in public:
        yield DnsRecord(name, "AAAA" if ":" in address else "A", address, TTL_SECONDS, why)


def _dkim(domain: Domain, key: str | None) -> DnsRecord:
    # h=sha256 keeps anyone from verifying a SHA-1 signature with this key (RFC 8301 3.1).
    return DnsRecord(
        f"{domain.dkim.selector}._domainkey.{domain.name}",
        "TXT",
        f"v=DKIM1; h=sha256; k=rsa; p={PENDING_KEY if key is None else key}",
        TTL_SECONDS,
        "The public key with which receivers verify our DKIM signatures (RFC 6376 3.6.1).",
        pending=key is None,
    )


def _dmarc_value(dmarc: Dmarc) -> str:
    """Write the policy; pct, rf and ri are gone since RFC 9989, so they are never written."""
    tags = ["v=DMARC1", f"p={dmarc.policy.value}"]
    if dmarc.subdomain_policy is not None:
        tags.append(f"sp={dmarc.subdomain_policy.value}")
    if dmarc.rua:
        tags.append(f"rua={_mailto(dmarc.rua)}")
    if dmarc.ruf:
        tags.append(f"ruf={_mailto(dmarc.ruf)}")
    return "; ".join(tags)


def _mailto(addresses: Sequence[str]) -> str:
    """Write report addresses as URIs; comma, semicolon and `!` have a meaning here and are escaped."""
    return ",".join("mailto:" + urllib.parse.quote(address, safe="@+=") for address in addresses)


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise MailkeelError(_no_address(text)) from error
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise MailkeelError(_no_address(text))
    return str(address)


def _no_address(text: str) -> Problem:
    return Problem(
        where="addresses",
        what=f"{text!r} is not an IP address that DNS can hold",
        remedy="write it as 192.0.2.1 or 2001:db8::1, without a zone or a prefix length",
    )
