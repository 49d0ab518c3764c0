"""A mail server made by mailkeel, and a host outside that is everybody else: honest senders, receivers,
attackers, and the name server of them all."""

from __future__ import annotations

import contextlib
import email
import email.message
import email.policy
import functools
import re
import secrets
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from email.utils import formatdate

import attrs
import dkim
from converged import DOMAIN, PASSWORDS
from smtp_sink import Sink
from strangers import ATTACKER, HONEST

from mailkeel.lab.hosts import LabHost
from mailkeel.lab.machine import wait_until

SMTP_SECONDS = 40.0
DELIVERY_SECONDS = 20.0
ALICE, BOB, CAROL, SALES = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol", "sales"))


@attrs.frozen
class Reply:
    """What the server said: to which command, with which code and words."""

    command: str
    code: int
    text: str

    @property
    def is_accepted(self) -> bool:
        """Whether the message was taken."""
        return self.command == "DATA" and self.code == 250


@attrs.frozen
class World:
    """`mx` is the server under test, `outside` everybody else, `sink` their mail server."""

    mx: LabHost
    outside: LabHost
    sink: Sink

    # Speaking SMTP

    def smtp(self, port: int = 25, client: str = HONEST[0], *, helo: str = "mx.faraway.net") -> smtplib.SMTP:
        """A connection to the server from an address of outside, of either family; greeted, no more."""
        server = self.mx.ipv6 if ":" in client else self.mx.ipv4
        source = (client, 0)

        def connect() -> smtplib.SMTP:
            if port == 465:
                return smtplib.SMTP_SSL(
                    server, port, helo, timeout=SMTP_SECONDS, source_address=source, context=unverified()
                )
            return smtplib.SMTP(server, port, helo, timeout=SMTP_SECONDS, source_address=source)

        return self.outside.in_network(connect)

    def submit(self, login: str = "alice", port: int = 587, *, client: str = HONEST[0]) -> smtplib.SMTP:
        """A submission connection, inside TLS and logged in with the password of that account."""
        smtp = self.smtp(port, client, helo="[10.99.0.20]")
        if port == 587:
            smtp.starttls(context=unverified())
        account = login.partition("@")[0].lower()
        smtp.login(login, PASSWORDS[account])
        return smtp

    def raw(self, port: int = 25, client: str = ATTACKER[0]) -> RawSession:
        """A bare connection to the server, for what no decent client would send."""
        server = self.mx.ipv6 if ":" in client else self.mx.ipv4

        def connect() -> socket.socket:
            return socket.create_connection((server, port), SMTP_SECONDS, source_address=(client, 0))

        return RawSession(self.outside.in_network(connect))

    def send(
        self,
        sender: str,
        recipients: str | Sequence[str],
        raw: bytes,
        client: str = HONEST[0],
        *,
        helo: str = "mx.faraway.net",
    ) -> Reply:
        """Bring a message to port 25 from an address of outside."""
        with contextlib.closing(self.smtp(25, client, helo=helo)) as smtp:
            return transact(smtp, sender, recipients, raw)

    def attack(
        self, sender: bytes, recipient: bytes, raw: bytes, client: str = ATTACKER[0], port: int = 25
    ) -> Reply:
        """Like `send`, with each octet as given; `sender` and `recipient` without their angle brackets."""
        with self.raw(port, client) as session:
            session.greeted()
            for command in (b"MAIL FROM:<%s>" % sender, b"RCPT TO:<%s>" % recipient, b"DATA"):
                reply = session.ask(command)
                if not reply.startswith(("250", "354")):
                    return Reply(command[:4].decode(), int(reply[:3] or 0), reply)
            session.say(re.sub(rb"(?m)^\.", b"..", raw))
            reply = session.ask(b".")
            return Reply("DATA", int(reply[:3] or 0), reply)

    # Seeing what became of it

    def mailbox(self, account: str) -> list[bytes]:
        """The messages in an account's mailbox (RFC 4155), without their From_ lines."""
        done = self.mx.run(["cat", f"/var/mail/{account}"], check=False)
        text = done.stdout.encode("utf-8", "surrogateescape")
        return [part.partition(b"\n")[2] for part in (b"\n" + text).split(b"\nFrom ")[1:]]

    def delivered(self, account: str, token: str) -> list[bytes]:
        """The messages with this text that an account has now."""
        return [raw for raw in self.mailbox(account) if token.encode() in raw]

    def arrival(self, account: str, token: str) -> bytes:
        """The message with this text, as soon as the account has it."""
        found: list[bytes] = []

        def is_there() -> bool:
            found[:] = self.delivered(account, token)
            return bool(found)

        assert wait_until(is_there, DELIVERY_SECONDS), f"{token} never came to {account}:\n{self.log_end()}"
        return found[0]

    def settle(self) -> None:
        """Wait until nothing is on its way; what was deferred stays."""
        command = ["sh", "-c", "postqueue -j; ls /var/spool/postfix/maildrop"]

        def is_idle() -> bool:
            listing = self.mx.run(command).stdout.split("\n")
            return all('"queue_name": "deferred"' in line or not line for line in listing)

        assert wait_until(is_idle, DELIVERY_SECONDS), f"the queue does not empty:\n{self.log_end()}"

    def log_end(self) -> str:
        """The last lines of the mail log."""
        return self.mx.run(["tail", "-n", "25", "/var/log/mail.log"]).stdout

    @contextlib.contextmanager
    def logged(self, *wanted: str) -> Iterator[None]:
        """Each of these expressions is found in what the server logs meanwhile."""
        size = int(self.mx.run(["stat", "-c", "%s", "/var/log/mail.log"]).stdout)
        yield

        def new_lines() -> str:
            return self.mx.run(["tail", "-c", f"+{size + 1}", "/var/log/mail.log"]).stdout

        for expression in wanted:
            is_there = functools.partial(
                lambda pattern: re.search(pattern, new_lines()) is not None, expression
            )
            assert wait_until(is_there, 5), f"no {expression!r} in the log:\n{new_lines()}"

    def public_key(self, name: str) -> bytes | None:
        """The TXT record at a name, as BIND answers it."""
        command = ["dig", "+short", "+time=5", f"@{self.outside.ipv4}", name, "TXT"]
        answer = self.mx.run(command).stdout
        return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', answer)).replace("\\;", ";").encode() or None

    def is_signed(self, raw: bytes) -> bool:
        """Whether dkimpy finds a good signature of ours, with the key that is in DNS."""
        if f"d={DOMAIN}".encode() not in raw:
            return False
        return bool(
            dkim.verify(
                raw,
                dnsfunc=lambda name, timeout=5: self.public_key(name.decode()),  # noqa: ARG005
            )
        )


@attrs.frozen
class RawSession:
    """A connection on which anything can be said."""

    connection: socket.socket

    def __enter__(self) -> RawSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def say(self, what: bytes) -> None:
        """Send these octets and nothing else."""
        self.connection.sendall(what)

    def reply(self) -> str:
        """One whole reply, its lines joined by line feeds; "" where the server hung up."""
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            line = self._line()
            if not line:
                break
            lines.append(line)
        return "\n".join(lines)

    def ask(self, command: bytes) -> str:
        """Send a line and give the reply to it."""
        self.say(command + b"\r\n")
        return self.reply()

    def greeted(self, name: bytes = b"mx.faraway.net") -> RawSession:
        """The same, after greeting and EHLO."""
        assert self.reply().startswith("220")
        assert self.ask(b"EHLO " + name).startswith("250")
        return self

    def rest(self) -> str:
        """All that the server says until it hangs up, or falls silent for a while."""
        said = b""
        self.connection.settimeout(4)
        with contextlib.suppress(OSError):
            while part := self.connection.recv(4096):
                said += part
        return said.decode(errors="replace")

    def with_tls(self) -> RawSession:
        """The same connection, encrypted from here on."""
        return RawSession(unverified().wrap_socket(self.connection))

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            octet = self.connection.recv(1)
            if not octet:
                break
            line += octet
        return line.decode(errors="replace").rstrip("\r\n")


def transact(smtp: smtplib.SMTP, sender: str, recipients: str | Sequence[str], raw: bytes) -> Reply:
    """One mail transaction; ends at the first refusal."""
    smtp.ehlo_or_helo_if_needed()
    code, words = smtp.docmd("MAIL", f"FROM:<{sender}>")
    if code != 250:
        return Reply("MAIL", code, words.decode(errors="replace"))
    for recipient in [recipients] if isinstance(recipients, str) else recipients:
        code, words = smtp.docmd("RCPT", f"TO:<{recipient}>")
        if code != 250:
            return Reply("RCPT", code, words.decode(errors="replace"))
    try:
        code, words = smtp.data(raw)
    except smtplib.SMTPDataError as error:
        code, words = error.smtp_code, error.smtp_error
    return Reply("DATA", code, words.decode(errors="replace"))


@attrs.frozen
class Letter:
    """A message to send, and the text by which it is found again."""

    token: str
    raw: bytes


def letter(
    sender: str,
    to: str = ALICE,
    *,
    headers: Sequence[str] = (),
    body: str = "Hello.\r\n",
    without: Sequence[str] = (),
) -> Letter:
    """An ordinary message from `sender`. `headers` come first, as they are; `without` leaves some out."""
    token = secrets.token_hex(8)
    ordinary = {
        "From": sender,
        "To": to,
        "Subject": f"letter {token}",
        "Date": formatdate(),
        "Message-ID": f"<{token}@letters.test>",
    }
    lines = [*headers, *(f"{name}: {value}" for name, value in ordinary.items() if name not in without)]
    return Letter(token, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())


def parsed(raw: bytes) -> email.message.EmailMessage:
    """A delivered message, read by Python's parser."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def headers(raw: bytes, name: str) -> list[str]:
    """All values of a header, each on one line."""
    compat = email.message_from_bytes(raw)
    return [re.sub(r"\s+", " ", str(value)).strip() for value in compat.get_all(name, [])]


def verdicts(raw: bytes, method: str) -> list[str]:
    """What the message's Authentication-Results headers say of a method, whoever put them there."""
    return re.findall(rf"\b{method}\s*=\s*(\w+)", " ".join(headers(raw, "Authentication-Results")))


def unverified() -> ssl.SSLContext:
    """TLS without a look at the certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
