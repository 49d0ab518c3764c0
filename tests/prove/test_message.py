"""Finding and judging a test message."""

from __future__ import annotations

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailkeel.host.keys import public_half
from mailkeel.prove.here import _errors
from mailkeel.prove.message import find, verify_signature

_MAILBOX = b"""\
From a@example.com  Sun Nov 22 22:27:32 2026
Subject: mailkeel test 1111

first, which speaks of mailkeel test 2222

From b@example.com  Sun Nov 22 22:27:33 2026
Subject: mailkeel test 2222

second
"""


def _signed() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    message = b"From: a@example.com\r\nSubject: x\r\n\r\nbody\r\n"
    return dkim.sign(message, b"s", b"example.com", pem) + message, f"v=DKIM1; p={public_half(pem)}".encode()


def test_a_message_is_found_by_its_subject_alone() -> None:
    """Another message that speaks of the token is another message."""
    assert find(_MAILBOX, "2222").startswith(b"Subject: mailkeel test 2222")
    assert find(_MAILBOX, "1111").startswith(b"Subject: mailkeel test 1111")
    assert find(_MAILBOX, "3333") == b""
    assert find(b"", "1") == b""


def test_a_signature_verifies_with_its_own_key_only() -> None:
    """And the reason is told where it does not."""
    signed, record = _signed()
    _, other = _signed()
    assert verify_signature(signed, {"s._domainkey.example.com": record}.get) == ""
    assert verify_signature(signed, {"s._domainkey.example.com": other}.get)
    assert verify_signature(signed.replace(b"body", b"b0dy"), {"s._domainkey.example.com": record}.get)
    assert verify_signature(signed, {}.get)
    assert verify_signature(b"From: a@example.com\r\n\r\nx\r\n", {}.get) == "there is no DKIM-Signature"


def test_only_postfix_errors_since_the_last_change_count() -> None:
    """Warnings, other programs and older lines don't."""
    log = "\n".join(
        (
            "2026-11-22T10:00:00.000000+00:00 mx postfix/master[1]: fatal: old",
            "2026-11-22T12:00:00.000000+00:00 mx postfix/smtpd[2]: warning: a warning",
            "2026-11-22T12:00:00.000000+00:00 mx opendkim[3]: error: not Postfix",
            "2026-11-22T12:00:01.000000+00:00 mx postfix/submission/smtpd[4]: fatal: no SASL",
            "2026-11-22T13:00:00.000000+01:00 mx postfix/qmgr[5]: panic: in another time zone",
            "Nov 22 12:00:00 mx postfix/local[6]: error: no time that can be read",
        )
    )
    since = 1795348800.0  # 2026-11-22T12:00:00Z
    assert [line.split("]: ")[1] for line in _errors(log, since)] == [
        "fatal: no SASL",
        "panic: in another time zone",
        "error: no time that can be read",
    ]
