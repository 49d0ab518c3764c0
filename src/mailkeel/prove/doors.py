"""Criteria about what Postfix lets in: seen by speaking SMTP to it, as a stranger would."""

from __future__ import annotations

import base64
import contextlib
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

from mailkeel.daemons.policyd_spf import SERVICE
from mailkeel.prove.context import Context
from mailkeel.prove.evidence import Evidence, Verdict

_SECONDS = 30.0

#: For an account that does not exist (RFC 4616 2).
_WRONG = base64.b64encode(b"\0mailkeel-nobody\0wrong").decode()


def passwords_only_inside_tls(context: Context) -> Evidence:
    """S1: AUTH is offered on 587 after STARTTLS and on 465, nowhere else, and a wrong password is refused."""
    ports = (25, 587, 465)
    # Side by side: a wrong password is answered after some seconds, and later after each more.
    with ThreadPoolExecutor(len(ports)) as pool:
        found = dict(
            zip(ports, pool.map(lambda port: _look(port, context.spec.hostname), ports), strict=True)
        )
    seen = {str(port): words for port, (words, _) in found.items()}
    wrong = [f"port {port}: {complaint}" for port, (_, complaint) in found.items() if complaint]
    return Evidence(
        "S1",
        "Passwords are taken inside TLS only, and wrong ones are refused",
        Verdict.FAIL if wrong else Verdict.PASS,
        "AUTH on 587 after STARTTLS and on 465; none on 25; a wrong password gets 535",
        "; ".join(wrong) or "; ".join(f"{port}: {words}" for port, words in seen.items()),
        {"ports": seen},
        "a listener offers AUTH where it should not, or the password check does not work",
        "see whether dovecot runs (it checks passwords) and what /var/log/mail.log says",
        "leave the listeners in master.cf to mailkeel",
    )


def _look(port: int, name: str) -> tuple[str, str]:
    """What a client sees on this port, and what is wrong with it."""
    try:
        return _auth_on(port, name)
    except (OSError, smtplib.SMTPException) as error:
        return f"{type(error).__name__}: {error}", "it does not answer"


def _auth_on(port: int, name: str) -> tuple[str, str]:
    with contextlib.closing(_client(port, name)) as smtp:
        smtp.ehlo()
        if port != 465:
            if smtp.has_extn("auth"):
                return str(smtp.esmtp_features), "AUTH is offered before TLS"
            smtp.starttls(context=_unverified())
            smtp.ehlo()
        offered = str(smtp.esmtp_features.get("auth", "")).strip()
        if port == 25:
            return f"AUTH {offered or 'not offered'}", "AUTH is offered" if offered else ""
        if not offered:
            return "AUTH not offered", "AUTH is not offered"
        return _try_wrong_password(smtp, offered) if port == 587 else (f"AUTH {offered}", "")


def _client(port: int, name: str) -> smtplib.SMTP:
    if port == 465:
        return smtplib.SMTP_SSL("127.0.0.1", port, name, timeout=_SECONDS, context=_unverified())
    return smtplib.SMTP("127.0.0.1", port, name, timeout=_SECONDS)


def _try_wrong_password(smtp: smtplib.SMTP, offered: str) -> tuple[str, str]:
    """Once only: each wrong password makes the next answer slower."""
    secret = base64.b64encode(b"\0mailkeel-nobody\0wrong").decode()
    code, words = smtp.docmd("AUTH", f"PLAIN {secret}")
    answer = f"{code} {words.decode(errors='replace')}"
    return (
        f"AUTH {offered}; wrong password: {answer}",
        "" if code == 535 else f"a wrong password got {answer}",
    )


def no_open_relay(context: Context) -> Evidence:
    """S2: a stranger may not send to strangers. Asked from an address that is not this host's loopback."""
    address = next(iter(_own_addresses()), None)
    if address is None:
        return _relay_evidence(Verdict.UNKNOWN, "this host has no address but loopback, which may send", {})
    asked = ("probe@example.org", "probe%example.org@" + context.spec.hostname, '"probe@example.org"')
    try:
        seen = _ask_to_relay(address, asked)
    except (OSError, smtplib.SMTPException) as error:
        return _relay_evidence(Verdict.UNKNOWN, f"{address}:25 could not be asked: {error}", {})
    taken = [recipient for recipient, reply in seen.items() if reply.startswith("2")]
    if taken:
        return _relay_evidence(Verdict.FAIL, f"it takes mail for {', '.join(taken)}", seen)
    return _relay_evidence(Verdict.PASS, f"refused: {seen[asked[0]]}", {**seen, "from": address})


def _ask_to_relay(address: str, recipients: tuple[str, ...]) -> dict[str, str]:
    """What Postfix replies to each recipient, asked by a client at the address."""
    source = (address, 0)
    with smtplib.SMTP(address, 25, "example.org", timeout=_SECONDS, source_address=source) as smtp:
        smtp.ehlo()
        seen: dict[str, str] = {}
        for recipient in recipients:
            smtp.rset()
            smtp.docmd("MAIL", "FROM:<>")
            code, words = smtp.docmd("RCPT", f"TO:<{recipient}>")
            seen[recipient] = f"{code} {words.decode(errors='replace')}"
        return seen


def _relay_evidence(verdict: Verdict, observed: str, raw: dict[str, str]) -> Evidence:
    lax = "smtpd_relay_restrictions or mynetworks lets strangers through"
    return Evidence(
        "S2",
        "It is no open relay",
        verdict,
        "mail from strangers to strangers is refused at RCPT",
        observed,
        {"replies": raw},
        lax if verdict is Verdict.FAIL else observed,
        "`mailkeel plan` shows which setting differs; from outside: swaks --to a@example.org --server HOST",
        "leave the restrictions in main.cf to mailkeel",
    )


def _own_addresses() -> list[str]:
    """Addresses of this host that are not loopback: the one that a route to elsewhere would use."""
    found = []
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))  # UDP: chooses the route, sends nothing
            found.append(probe.getsockname()[0])
    return [address for address in found if not address.startswith(("127.", "::1"))]


def spf_is_checked(context: Context) -> Evidence:
    """A1, inbound: the policy service answers a request as Postfix makes it (SMTPD_POLICY_README)."""
    path = f"/var/spool/postfix/private/{SERVICE}"
    try:
        reply = _ask_policy(path, context.spec.hostname)
    except OSError as error:
        reply = f"{type(error).__name__}: {error.strerror or error}"
    is_good = reply.startswith("action=")
    return Evidence(
        "A1",
        "The SPF of mail from outside is checked",
        Verdict.PASS if is_good else Verdict.FAIL,
        "the policy service answers with an action",
        reply,
        {"socket": path, "reply": reply},
        "policyd-spf does not start",
        f"see what /var/log/mail.log says of {SERVICE}",
        "",
    )


def _ask_policy(path: str, hostname: str) -> str:
    request = (
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
        f"client_address=127.0.0.1\nclient_name=localhost\nhelo_name={hostname}\n"
        f"sender=probe@{hostname}\nrecipient=probe@{hostname}\ninstance=mailkeel.probe\n\n"
    )
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(path)
        connection.sendall(request.encode())
        return connection.recv(4096).decode(errors="replace").strip()


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
