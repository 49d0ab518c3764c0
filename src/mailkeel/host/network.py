"""Who listens, and what answers: health is what is seen on the socket, not what a manager says."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from glob import glob

from mailkeel.resources import Probe

_SECONDS = 5.0
_LISTEN = "0A"


def probe(wanted: Probe) -> str | None:
    """None where the service answers as it should, or else what was seen instead, in a few words."""
    try:
        with _connected(wanted) as connection:
            seen = _greeting(connection, len(wanted.greeting)) if wanted.greeting else b""
    except OSError as error:
        return f"{wanted.target}: {error.strerror or error}"
    if not seen.startswith(wanted.greeting):
        return f"{wanted.target}: it said {seen[:80]!r} instead of {wanted.greeting!r}"
    return None


def _connected(wanted: Probe) -> socket.socket:
    if wanted.target.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_SECONDS)
        connection.connect(wanted.target)
        return connection
    host, _, port = wanted.target.rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=_SECONDS)
    return _unverified().wrap_socket(plain) if wanted.tls else plain


def _greeting(connection: socket.socket, size: int) -> bytes:
    """Read up to the size wanted; less where the service closes earlier."""
    seen = b""
    while len(seen) < size:
        part = connection.recv(512)
        if not part:
            break
        seen += part
    return seen


def _unverified() -> ssl.SSLContext:
    """Whether the certificate is good is a question for a proof; here, whether TLS answers at all."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def port_holder(port: int) -> str | None:
    """The program that listens on a TCP port of any address: `name (pid N)`; None if nothing does."""
    inodes = set(_listening(port))
    if not inodes:
        return None
    for folder in glob("/proc/[0-9]*"):
        if any(inode in inodes for inode in _sockets(folder)):
            with open(f"{folder}/comm") as file:
                return f"{file.read().strip()} (pid {os.path.basename(folder)})"
    return "a program that cannot be seen from here"


def _listening(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(table):
            with open(table) as file:
                rows = (line.split() for line in file)
                yield from (
                    row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port
                )


def _sockets(folder: str) -> Iterator[str]:
    try:
        for descriptor in os.scandir(f"{folder}/fd"):
            target = os.readlink(descriptor.path)
            if target.startswith("socket:["):
                yield target[8:-1]
    except OSError:
        return
