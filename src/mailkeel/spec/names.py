"""Checks of names: domains, hosts, local parts, addresses, selectors.

Each takes what a person wrote and returns it in the one form used everywhere else (A-labels, lower
case, no final dot), or raises `Invalid`. What they let through holds only letters, digits and `.`, `-`,
`_`, `+`, `@`: nothing that means something to Postfix, a regular expression, Lua, SQL, a zone file, a
path or a shell.
"""

from __future__ import annotations

import re

MAX_NAME_OCTETS = 253  # RFC 1035 2.3.4: 255 in wire form
MAX_LABEL_OCTETS = 63
MAX_LOCAL_PART_OCTETS = 64  # RFC 5321 4.5.3.1.1
MAX_ADDRESS_OCTETS = 254  # RFC 5321 4.5.3.1.3: 256 with the angle brackets

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label starts with a letter (RFC 1123 2.1), so that nothing that reads as an IPv4 address passes.
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LOCAL_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+-]*(?:\.[A-Za-z0-9_+-]+)*")
_IPV4_LIKE = re.compile(r"[0-9.]+")


class Invalid(ValueError):
    """A value that cannot be used. Its place is not known here: the reader makes a `Problem` of it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


def domain_name(text: str) -> str:
    """Return a domain as A-labels (RFC 5890; UTS #46 mapping, non-transitional). Raises Invalid."""
    name = text.lower() if text.isascii() else _a_labels(text)
    name = name.removesuffix(".")
    if len(name) > MAX_NAME_OCTETS or not _DOMAIN.fullmatch(name):
        raise _not_a_domain(text, name)
    if "xn--" in name:
        _check_a_labels(name)
    return name


def hostname(text: str) -> str:
    """Return a fully qualified host name. Raises Invalid."""
    try:
        return domain_name(text)
    except Invalid as error:
        raise Invalid(error.what, error.remedy.replace("example.com", "mail.example.com")) from error


def relay_host(text: str) -> str:
    """Return the name of an upstream relay. Raises Invalid, which never repeats what looks like a URL:
    `user:password@host` would put a secret in the message."""
    if any(sign in text for sign in "@/:[]"):
        raise Invalid(
            "is more than a host name",
            'write the name alone, such as "smtp.example.net"; port and credentials have their own keys',
        )
    return hostname(text)


def local_part(text: str) -> str:
    """Return the part before the `@`, of an account or alias here: lower case. Raises Invalid."""
    return _dot_atom(text).lower()


def address(text: str) -> str:
    """Return `local@domain`; the local part keeps its case (RFC 5321 2.4). Raises Invalid."""
    before, at, after = text.rpartition("@")
    if not at:
        raise Invalid(f"{shown(text)} is not an address", "write it as name@example.com")
    result = f"{_dot_atom(before)}@{domain_name(after)}"
    if len(result) > MAX_ADDRESS_OCTETS:
        raise Invalid(
            f"an address of {len(result)} octets is above the {MAX_ADDRESS_OCTETS} of RFC 5321 4.5.3.1.3",
            "use a shorter address",
        )
    return result


def recipient(text: str) -> str:
    """Return an address, or the bare name of an account or alias here. Raises Invalid."""
    return address(text) if "@" in text else local_part(text)


def report_address(text: str) -> str:
    """Return the address of a DMARC report URI, given with or without `mailto:`. Raises Invalid."""
    scheme, colon, rest = text.partition(":")
    if not colon:
        return address(text)
    if scheme.lower() != "mailto":
        raise Invalid(f"{shown(text)} is not a mail address", "use an address: reports travel by mail only")
    return address(rest)


def selector(text: str) -> str:
    """Return a DKIM selector: one or more LDH labels (RFC 6376 3.1), lower case. Raises Invalid."""
    name = text.lower()
    if not text.isascii() or len(name) > MAX_NAME_OCTETS or not _SELECTOR.fullmatch(name):
        raise Invalid(
            f"{shown(text)} is not a selector (RFC 6376 3.1)",
            "use letters, digits and inner hyphens, such as default or mail2026",
        )
    return name


def shown(text: str) -> str:
    """Quote a value for a message: cut after 60 characters, nothing in it that a terminal would obey."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _dot_atom(text: str) -> str:
    """A part of RFC 5322 3.2.3's dot-atom: without the signs that configuration files give a meaning."""
    if len(text) > MAX_LOCAL_PART_OCTETS:
        raise Invalid(
            f"a local part of {len(text)} characters is longer than the 64 octets of RFC 5321 4.5.3.1.1",
            "use a shorter name",
        )
    if not _LOCAL_PART.fullmatch(text):
        raise Invalid(
            f"{shown(text)} is not a usable local part",
            "use letters, digits, and inner dots, hyphens, underscores or plus signs",
        )
    return text


def _a_labels(text: str) -> str:
    """Convert an internationalised name. Raises Invalid."""
    if len(text) > MAX_NAME_OCTETS:
        raise _too_long(len(text))  # before idna, whose older versions take quadratic time
    import idna

    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except ValueError as error:
        raise Invalid(
            f"{shown(text)} is not an internationalised name (IDNA 2008)",
            "check its spelling, or write its xn-- form",
        ) from error


def _check_a_labels(name: str) -> None:
    """Raise Invalid where a label starts with `xn--` but decodes to nothing (RFC 5890 2.3.2.1)."""
    import idna

    for label in name.split("."):
        if label.startswith("xn--"):
            try:
                idna.ulabel(label)
            except ValueError as error:
                raise Invalid(
                    f"{shown(label)} is not a valid A-label (RFC 5890)", "write the name in its own script"
                ) from error


def _not_a_domain(text: str, name: str) -> Invalid:
    """Say why a name is no domain."""
    if not name:
        return Invalid("is empty", "write a name such as example.com")
    if len(name) > MAX_NAME_OCTETS:
        return _too_long(len(name))
    if _IPV4_LIKE.fullmatch(name) or ":" in name or name.startswith("["):
        return Invalid(f"{shown(text)} is an IP address or holds a port", "write a name such as example.com")
    if "@" in name:
        return Invalid(f"{shown(text)} is an address", "write its domain alone, such as example.com")
    for label in name.split("."):
        if wrong := _label_fault(label):
            return Invalid(f"{shown(text)} {wrong}", "use letters, digits and inner hyphens between the dots")
    if "." not in name:
        return Invalid(f"{shown(text)} is a single label", "write the full name, such as example.com")
    return Invalid(
        f"{shown(text)} ends in a label that starts with a digit", "write a name such as example.com"
    )


def _label_fault(label: str) -> str:
    """Say what is wrong with one label; empty where nothing is."""
    if not label:
        return "has an empty label"
    if len(label) > MAX_LABEL_OCTETS:
        return f"has a label of {len(label)} octets, above the 63 of RFC 1035 2.3.4"
    if label.startswith("-") or label.endswith("-"):
        return "has a label that starts or ends with a hyphen"
    stray = re.search(r"[^a-z0-9-]", label)
    return f"has {stray[0]!r}, which no host name has" if stray else ""


def _too_long(length: int) -> Invalid:
    return Invalid(
        f"a name of {length} octets is longer than the 253 of RFC 1035 2.3.4", "use a shorter name"
    )
