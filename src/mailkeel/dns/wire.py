"""One question to one name server: the only place that speaks the DNS protocol.

dnspython takes 85 ms to import, so every function imports the parts that it needs.
"""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING

import attrs

from mailkeel.dns.text import is_dns_name, printable

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.rdata

# What fits into every path's packets unfragmented (DNS flag day 2020); above it the server truncates.
UDP_PAYLOAD_OCTETS = 1232


class Status(enum.StrEnum):
    """What came of a lookup. `NO_DOMAIN` is NXDOMAIN; `NO_DATA` a name without records of that type."""

    FOUND = "found"
    NO_DATA = "no_data"
    NO_DOMAIN = "no_domain"
    NO_ANSWER = "no_answer"


@attrs.frozen
class Answer:
    """The outcome of looking a name up.

    `values` are as in `DnsRecord.value`: TXT joined, names in lower case without a final dot; sorted.
    They come from anyone: pass them through `text.printable` before showing them. `server` is who
    answered (`192.0.2.53`, with `#port` where that is not 53), empty if nobody did. `authentic` is the
    server's word that DNSSEC validated (the AD bit): worth as much as the path to that server.
    `alias` is the name that CNAMEs led to. `detail` says why there is no answer.
    """

    name: str
    type: str
    values: tuple[str, ...] = ()
    status: Status = Status.NO_ANSWER
    server: str = ""
    ttl_seconds: int = 0
    authentic: bool = False
    detail: str = ""
    alias: str = ""


@attrs.frozen
class Server:
    """An authoritative name server: its name, one of its addresses, and the port (53 outside tests)."""

    name: str
    address: str
    port: int = 53

    def __str__(self) -> str:
        return self.address if self.port == 53 else f"{self.address}#{self.port}"


def ask(server: Server, name: str, rdtype: str, lifetime_seconds: float, *, recursive: bool) -> Answer:
    """Ask one server, by TCP where UDP is truncated, within the lifetime. Never raises for what the
    network or the server does: that is `no_answer` with a detail."""
    if not is_dns_name(name):
        return Answer(name, rdtype, detail="that is not a DNS name (RFC 1035 2.3.4)")
    import dns.exception

    try:
        response = _exchange(server, _query(name, rdtype, recursive), time.monotonic() + lifetime_seconds)
        return _answer(server, name, rdtype, response, recursive)
    except dns.exception.Timeout:
        detail = f"no answer within {lifetime_seconds:.1f} s"
    except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
        detail = f"{type(error).__name__}: {error}"
    return Answer(name, rdtype, server=str(server), detail=printable(detail))


def _query(name: str, rdtype: str, recursive: bool) -> dns.message.Message:
    import dns.flags
    import dns.message

    query = dns.message.make_query(name, rdtype, use_edns=0, payload=UDP_PAYLOAD_OCTETS)
    # AD in a query asks for the AD bit in the answer (RFC 6840 5.7).
    query.flags = dns.flags.AD | (dns.flags.RD if recursive else 0)
    return query


def _exchange(server: Server, query: dns.message.Message, deadline: float) -> dns.message.Message:
    """Send the query; once more without EDNS to a server too old for it (RFC 6891 7)."""
    import dns.rcode

    response = _send(server, query, deadline)
    if response.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS):
        query.use_edns(False)
        response = _send(server, query, deadline)
    return response


def _send(server: Server, query: dns.message.Message, deadline: float) -> dns.message.Message:
    import dns.message
    import dns.query

    try:
        return dns.query.udp(
            query,
            server.address,
            timeout=_left(deadline),
            port=server.port,
            ignore_unexpected=True,
            raise_on_truncation=True,
        )
    except dns.message.Truncated:
        return dns.query.tcp(query, server.address, timeout=_left(deadline), port=server.port)


def _left(deadline: float) -> float:
    import dns.exception

    left = deadline - time.monotonic()
    if left <= 0:
        raise dns.exception.Timeout
    return left


def _answer(server: Server, name: str, rdtype: str, response: dns.message.Message, recursive: bool) -> Answer:
    import dns.flags
    import dns.message

    if not isinstance(response, dns.message.QueryMessage):
        return Answer(name, rdtype, server=str(server), detail="the server sent something that is no answer")
    refusal = _refusal(response, recursive)
    if refusal:
        return Answer(name, rdtype, server=str(server), detail=refusal)
    chain = response.resolve_chaining()
    values = tuple(sorted({_value(rdata) for rdata in chain.answer or ()}))
    return Answer(
        name,
        rdtype,
        values,
        _status(response, values),
        str(server),
        # Without an SOA a negative answer has no TTL, and dnspython gives the largest there is.
        chain.minimum_ttl if chain.minimum_ttl < 2**31 else 0,
        bool(response.flags & dns.flags.AD),
        alias=_plain(chain.canonical_name) if chain.cnames else "",
    )


def _refusal(response: dns.message.Message, recursive: bool) -> str:
    """Say why the response answers nothing, or return "" if it does."""
    import dns.flags
    import dns.rcode

    rcode = response.rcode()
    # Without recursion a server of the zone answers with authority; a lame one does not (RFC 1912 2.8).
    if not recursive and not response.flags & dns.flags.AA:
        return f"{dns.rcode.to_text(rcode)}, without authority: not a server of this zone"
    return "" if rcode in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) else dns.rcode.to_text(rcode)


def _status(response: dns.message.Message, values: tuple[str, ...]) -> Status:
    import dns.rcode

    if values:
        return Status.FOUND
    return Status.NO_DOMAIN if response.rcode() == dns.rcode.NXDOMAIN else Status.NO_DATA


def _value(rdata: dns.rdata.Rdata) -> str:
    """Write one rdata the way `DnsRecord.value` is written."""
    import dns.rdtypes.ANY.MX
    import dns.rdtypes.ANY.TXT
    import dns.rdtypes.nsbase

    match rdata:
        case dns.rdtypes.ANY.TXT.TXT():
            return b"".join(rdata.strings).decode("utf-8", "surrogateescape")
        case dns.rdtypes.ANY.MX.MX():
            return f"{rdata.preference} {_plain(rdata.exchange)}"
        case dns.rdtypes.nsbase.NSBase():
            return _plain(rdata.target)
    return str(rdata.to_text())


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
