"""Checks of the values that are not names: paths, credentials, durations, sizes, IP addresses.

Each returns the value in its one form, or raises `Invalid`.
"""

from __future__ import annotations

import ipaddress
import re

from mailkeel.spec.names import Invalid, shown

_PATH = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+")
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_MAX_PATH_OCTETS = 1024
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_SIZE = re.compile(r"([0-9]{1,12})([KMG]?)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}

MIN_QUEUE_SECONDS = 60
MAX_QUEUE_SECONDS = 100 * 86400
MIN_MESSAGE_BYTES = 64 * 1024  # RFC 5321 4.5.3.1.7: every server takes 64K octets
MAX_MESSAGE_BYTES = 2**31 - 1
LEAST_DKIM_BITS = 1024
DKIM_BITS = (1024, 2048, 3072, 4096)


def absolute_path(text: str) -> str:
    """Return the path of a file, made of plain characters only: it is written into configuration files
    where blanks, quotes, `$`, `%`, `,` and `:` mean something. Raises Invalid."""
    if not text.startswith("/"):
        raise Invalid(f"{shown(text)} is not an absolute path", "start it with /")
    if len(text) > _MAX_PATH_OCTETS:
        raise Invalid(f"a path of {len(text)} characters is too long", f"use at most {_MAX_PATH_OCTETS}")
    if not _PATH.fullmatch(text):
        raise Invalid(
            f"{shown(text)} is not a plain path of a file",
            "use letters, digits and . _ @ + - between single slashes; move or link the file if need be",
        )
    if {".", ".."} & set(text.split("/")):
        raise Invalid(f"{shown(text)} has a . or .. in it", "write the path without it")
    return text


def credentials(text: str) -> str:
    """Return the path of a secret file, or the name of a systemd credential. Raises Invalid, which never
    repeats the value: it may be the secret itself."""
    if ":" in text:
        raise Invalid(
            "holds what looks like a secret",
            "put user:password in a file that only root can read, and write its path here",
        )
    if _CREDENTIAL_NAME.fullmatch(text) and len(text) <= 255:
        return text
    try:
        return absolute_path(text)
    except Invalid:
        # Not chained: the cause would repeat the value.
        raise Invalid(
            "is neither a plain absolute path nor the name of a systemd credential",
            'write a path such as "/etc/mailkeel/relay.secret", or a name of letters, digits and . _ -',
        ) from None


def queue_lifetime(text: str) -> int:
    """Return the seconds of a duration such as `5d`. Raises Invalid."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise Invalid(
            f"{shown(text)} is not a duration", 'write a number and one of s, m, h, d, w, such as "5d"'
        )
    seconds = int(found[1]) * _SECONDS[found[2]]
    if not MIN_QUEUE_SECONDS <= seconds <= MAX_QUEUE_SECONDS:
        raise Invalid(
            f"{shown(text)} is not between 1m and 100d", 'use "5d" (RFC 5321 4.5.4.1: at least 4-5 days)'
        )
    return seconds


def message_size(value: str | int) -> int:
    """Return the bytes of a size such as `50M` (units of 1024); an integer is bytes. Raises Invalid."""
    found = _SIZE.fullmatch(value if isinstance(value, str) else "")
    if isinstance(value, str) and not found:
        raise Invalid(f"{shown(value)} is not a size", 'write a number and one of K, M, G, such as "50M"')
    size = value if isinstance(value, int) else int(found[1]) * _BYTES[found[2]] if found else 0
    if size < MIN_MESSAGE_BYTES:
        raise Invalid("is below the 64K of RFC 5321 4.5.3.1.7", 'use at least "64K"; "50M" is usual')
    if size > MAX_MESSAGE_BYTES:
        raise Invalid("is above 2147483647 bytes", 'use a smaller size; "50M" is usual')
    return size


def dkim_bits(value: int) -> int:
    """Return the length of an RSA key that is allowed to sign. Raises Invalid."""
    if value < LEAST_DKIM_BITS:
        raise Invalid(f"{_figure(value)} is below the 1024 of RFC 8301 3.2", "use 2048")
    if value not in DKIM_BITS:
        raise Invalid(f"{_figure(value)} is not one of 1024, 2048, 3072, 4096", "use 2048")
    return value


def public_address(text: str) -> str:
    """Return an IP address that may stand in DNS, in its short form (RFC 5952). Private ones pass: a
    mail server of an inner network has them. Raises Invalid."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError as error:
        raise Invalid(f"{shown(text)} is not an IP address", 'write one such as "192.0.2.1"') from error
    if fault := _unpublishable(ip):
        raise Invalid(f"{shown(text)} is {fault}", "write an address at which others reach this host")
    return str(ip)


def whole_number(value: int, least: int, most: int) -> int:
    """Return a number that lies between two others. Raises Invalid."""
    if not least <= value <= most:
        raise Invalid(f"{_figure(value)} is not between {least} and {most}", "use a number in that range")
    return value


def _figure(value: int) -> str:
    """A number for a message. Python refuses to write one of more than 4,300 digits."""
    return str(value) if abs(value) < 10**18 else "a number of more than 18 digits"


def _unpublishable(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Say why no other host can reach an address; empty where it can."""
    if isinstance(ip, ipaddress.IPv6Address) and (ip.ipv4_mapped or ip.scope_id):
        return "an IPv4-mapped address" if ip.ipv4_mapped else "bound to one interface"
    kinds = (
        (ip.is_loopback, "a loopback address"),
        (ip.is_unspecified or (ip.version == 4 and ip.packed[0] == 0), "an unspecified address"),
        (ip.is_multicast, "a multicast address"),
        (ip.is_link_local, "a link-local address"),
        (ip.is_reserved, "a reserved address"),
    )
    return next((kind for is_so, kind in kinds if is_so), "")
