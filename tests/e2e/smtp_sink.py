"""A mail server of somebody else: takes all mail by SMTP with STARTTLS, and keeps it as it came in."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailkeel.lab.machine import wait_until

SESSION_SECONDS = 30.0
CAPABILITIES = ("SIZE 100000000", "8BITMIME", "SMTPUTF8", "PIPELINING")
#: A recipient that starts with this is refused.
UNKNOWN = "nobody"


@attrs.frozen
class Taken:
    """One message. `wire` is what stood between DATA and the final dot, as it came: dots stuffed."""

    envelope_from: str
    recipients: tuple[str, ...]
    wire: bytes
    tls_version: str

    @property
    def raw(self) -> bytes:
        """The message itself (RFC 5321 4.5.2)."""
        return b"".join(line[1:] if line[:1] == b"." else line for line in self.wire.splitlines(True))


class Sink:
    """Serves on the given listening sockets until it is closed."""

    def __init__(self, listening: Iterable[socket.socket], tls: ssl.SSLContext) -> None:
        self._listening = list(listening)
        self._tls = tls
        self._taken: list[Taken] = []
        for one in self._listening:
            threading.Thread(target=self._accept, args=(one,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        for one in self._listening:
            one.close()

    def having(self, token: str) -> list[Taken]:
        """The messages so far that hold this text."""
        return [taken for taken in list(self._taken) if token.encode() in taken.wire]

    def wait_for(self, token: str, timeout_seconds: float = 20) -> Taken:
        """The message with this text, as soon as it is here."""
        assert wait_until(lambda: bool(self.having(token)), timeout_seconds), f"{token} never came"
        return self.having(token)[0]

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # closed
                return
            connection.settimeout(SESSION_SECONDS)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            Session(connection, self._tls, self._taken).run()
        except OSError:  # the client went away
            connection.close()


class Session:
    """One client."""

    def __init__(self, connection: socket.socket, tls: ssl.SSLContext, taken: list[Taken]) -> None:
        self._connection = connection
        self._tls = tls
        self._taken = taken
        self._tls_version = ""
        self._lines: BinaryIO = connection.makefile("rb")
        self._sender = ""
        self._recipients: list[str] = []

    def run(self) -> None:
        """Answer until the client has had enough."""
        self._reply("220 mx.outside ESMTP")
        while line := self._lines.readline(10_000):
            verb, _, rest = line.decode("utf-8", "surrogateescape").strip().partition(" ")
            if verb.upper() == "QUIT":
                break
            self._answer(verb.upper(), rest)
        self._reply("221 2.0.0 bye")
        self._connection.close()

    def _answer(self, verb: str, rest: str) -> None:
        match verb:
            case "EHLO":
                offered = [*CAPABILITIES, *([] if self._tls_version else ["STARTTLS"])]
                self._reply("250-mx.outside", *(f"250-{word}" for word in offered[:-1]), f"250 {offered[-1]}")
            case "STARTTLS":
                self._start_tls()
            case "MAIL":
                self._sender, self._recipients = _address(rest), []
                self._reply("250 2.1.0 ok")
            case "RCPT" if _address(rest).startswith(UNKNOWN):
                self._reply("550 5.1.1 no such user here")
            case "RCPT":
                self._recipients.append(_address(rest))
                self._reply("250 2.1.5 ok")
            case "DATA" if self._recipients:
                self._take()
            case "DATA":
                self._reply("554 5.5.1 no valid recipients")
            case _:
                self._reply("250 2.0.0 ok")

    def _start_tls(self) -> None:
        self._reply("220 2.0.0 go ahead")
        encrypted = self._tls.wrap_socket(self._connection, server_side=True)
        self._connection, self._lines = encrypted, encrypted.makefile("rb")
        self._tls_version = encrypted.version() or ""

    def _take(self) -> None:
        self._reply("354 go ahead")
        wire = b""
        while not (wire == b".\r\n" or wire.endswith(b"\r\n.\r\n")):
            line = self._lines.readline()
            if not line:
                return
            wire += line
        self._taken.append(
            Taken(self._sender, tuple(self._recipients), wire.removesuffix(b".\r\n"), self._tls_version)
        )
        self._reply("250 2.0.0 taken")

    def _reply(self, *lines: str) -> None:
        self._connection.sendall("".join(f"{line}\r\n" for line in lines).encode())


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]


def server_tls(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.outside")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    validity = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = validity.sign(key, hashes.SHA256())
    file = folder / "sink.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
