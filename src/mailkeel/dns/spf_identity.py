"""Who is checked: the domain, the sender, the HELO name and the address, read from what a person typed."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import attrs

from mailkeel.dns.text import is_host_name, printable
from mailkeel.errors import MailkeelError, Problem

# Documentation addresses (RFC 5737, RFC 3849): connecting a UDP socket sends nothing, it only makes the
# kernel choose the address that mail would leave from.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


@attrs.frozen
class Identity:
    """What a receiver sees of a sender. `sender` is empty for the null sender of a bounce, of which the
    HELO name is checked instead (RFC 7208 2.4). `ip` is None where it is not known."""

    domain: str
    sender: str
    helo: str
    ip: str | None
    ip_is_own: bool

    @property
    def kind(self) -> str:
        """`helo` or `mailfrom`, as Received-SPF names it (RFC 7208 9.1)."""
        return "mailfrom" if self.sender else "helo"


def read_identity(
    domain: str,
    ip: str | None,
    sender: str | None,
    helo: str | None,
    own_address: Callable[[], str | None],
) -> Identity:
    """Read the arguments; what is left out is postmaster of the domain, from the address of this host.

    Raises MailkeelError with every argument that is wrong.
    """
    problems: list[Problem] = []
    name = _name("DOMAIN", domain, problems)
    helo_name = name if helo is None else _name("--helo", helo, problems)
    address = own_address() if ip is None else _address(ip, problems)
    envelope_from = f"postmaster@{name}" if sender is None else _sender(sender, name, problems)
    if problems:
        raise MailkeelError.of(problems)
    checked = name if envelope_from else helo_name
    return Identity(checked, envelope_from, helo_name, address, ip_is_own=ip is None)


def outgoing_address() -> str | None:
    """Return the address that this host's packets to the internet carry, IPv4 first; None without one.

    Behind address translation it is a private one, which receivers never see.
    """
    for family, elsewhere in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 53))
                return str(ipaddress.ip_address(probe.getsockname()[0]))
        except (OSError, ValueError):
            continue
    return None


def _name(where: str, text: str, problems: list[Problem]) -> str:
    name = _a_labels(text.strip()).lower().removesuffix(".")
    if not is_host_name(name):
        what = f"{printable(text)!r} is not a domain name"
        problems.append(Problem(where, what, "write a name as it stands in DNS, such as example.com"))
    return name


def _a_labels(text: str) -> str:
    """Convert to A-labels (RFC 5891); what cannot be converted is returned as it is."""
    if text.isascii():
        return text
    import idna

    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return text


def _address(text: str, problems: list[Problem]) -> str:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        address = None
    if address is None or "%" in text:
        what = f"{printable(text)!r} is not an IP address"
        problems.append(Problem("--ip", what, "write one address, such as 192.0.2.1 or 2001:db8::1"))
    return str(address)


def _sender(text: str, domain: str, problems: list[Problem]) -> str:
    """Read an address of the domain, with or without `<>`; empty is the null sender."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    if not bare:
        return ""
    local_part, at, of_domain = bare.rpartition("@")
    if not (at and local_part and bare.isprintable() and len(bare) <= 320):
        what = f"{printable(text)!r} is not an e-mail address"
        problems.append(Problem("--sender", what, f"write it as someone@{printable(domain)}"))
    elif _a_labels(of_domain).lower().removesuffix(".") != domain:
        what = f"{printable(text)!r} is not an address of {printable(domain)}"
        remedy = f"check the domain of that address: mail-spf-check {printable(of_domain)}"
        problems.append(Problem("--sender", what, remedy))
    return f"{local_part}@{domain}"
