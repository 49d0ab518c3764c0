"""One real message, followed from SMTP to the mailbox, and its signature verified (A2, M2, P2, P3)."""

from __future__ import annotations

import secrets
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate

import attrs

from mailkeel.daemons.itself import PROBE_ACCOUNT
from mailkeel.host.interface import Host
from mailkeel.spec.model import Spec

_DELIVERY_SECONDS = 10.0


@attrs.frozen
class Delivered:
    """A test message that went through the real Postfix.

    `raw` is the message as it lies in the mailbox, empty where it never arrived. `accept_seconds` is the
    time from the end of DATA to the 250, `delivery_seconds` from there to the mailbox. `reply` is what
    Postfix said, or why it could not be asked.
    """

    token: str
    reply: str
    raw: bytes = b""
    accept_seconds: float = 0.0
    delivery_seconds: float = 0.0

    @property
    def has_arrived(self) -> bool:
        """Whether it was found in the mailbox."""
        return bool(self.raw)


def deliver(host: Host, spec: Spec) -> Delivered:
    """Send a message to the probe account over SMTP on this host, and wait for it in its mailbox.

    The message is taken out of the mailbox again. Never raises: what went wrong is in the reply.
    """
    token = secrets.token_hex(8)
    try:
        reply, accept_seconds = _send(host, spec, token)
    except (OSError, smtplib.SMTPException) as error:
        return Delivered(token, f"{type(error).__name__}: {error}")
    if not reply.startswith("250"):
        return Delivered(token, reply, accept_seconds=accept_seconds)
    raw, delivery_seconds = _wait(host, token)
    return Delivered(token, reply, raw, accept_seconds, delivery_seconds)


def _send(host: Host, spec: Spec, token: str) -> tuple[str, float]:
    address = f"{PROBE_ACCOUNT}@{spec.primary.name}"
    message = EmailMessage()
    message["From"], message["To"] = address, address
    message["Subject"] = f"mailkeel test {token}"
    message["Date"], message["Message-ID"] = formatdate(host.now()), f"<{token}@{spec.hostname}>"
    message.set_content(f"Sent by mailkeel to prove that mail is signed and delivered: {token}\n")
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="localhost", timeout=15) as smtp:
        smtp.ehlo_or_helo_if_needed()
        for code, words in (smtp.mail(address), smtp.rcpt(address)):
            if code >= 300:
                return f"{code} {words.decode(errors='replace')}", 0.0
        began = host.monotonic()
        code, words = smtp.data(message.as_bytes())
        return f"{code} {words.decode(errors='replace')}", host.monotonic() - began


def _wait(host: Host, token: str) -> tuple[bytes, float]:
    began = host.monotonic()
    path = f"/var/mail/{PROBE_ACCOUNT}"
    while host.monotonic() - began < _DELIVERY_SECONDS:
        entry = host.entry(path)
        raw = find(entry.content, token) if entry else b""
        if raw:
            host.remove(path)
            return raw, host.monotonic() - began
        host.sleep(0.01)
    return b"", _DELIVERY_SECONDS


def find(mailbox: bytes, token: str) -> bytes:
    """The message with this token in a mailbox in mbox form (RFC 4155), without its From_ line."""
    for part in (b"\n" + mailbox).split(b"\nFrom ")[1:]:
        _, _, message = part.partition(b"\n")
        if b"\n\n" in message and f"mailkeel test {token}".encode() in message.partition(b"\n\n")[0]:
            return message
    return b""


def verify_signature(raw: bytes, txt: Callable[[str], bytes | None]) -> str:
    """Verify the first DKIM signature with dkimpy, never with the daemon that made it.

    `txt` gives the TXT record at a name. Returns an empty string for a good signature, or else what is
    wrong.
    """
    import dkim

    try:
        is_good = dkim.verify(raw, dnsfunc=lambda name, timeout=5: txt(name.decode().rstrip(".")))  # noqa: ARG005
    except dkim.DKIMException as error:
        return f"{type(error).__name__}: {error}"
    if is_good:
        return ""
    return "there is no DKIM-Signature" if b"DKIM-Signature:" not in raw else "the signature does not verify"
