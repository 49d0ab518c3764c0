"""Making private keys: by the cryptography library for DKIM, by openssl for certificates (I3)."""

from __future__ import annotations

import re
from datetime import UTC

from mailkeel.errors import HostError, Problem
from mailkeel.host.command import run
from mailkeel.resources import Key, KeyKind

#: A self-signed certificate is renewed by `apply` in its last month.
_DAYS = 825


def make(key: Key) -> tuple[bytes, bytes]:
    """Give the private key in PEM and its public half: a DKIM record in zone-file form, or a certificate."""
    return _dkim(key) if key.kind is KeyKind.DKIM_RSA else _certificate(key)


def _dkim(key: Key) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=key.bits)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    selector, domain = key.names
    return pem, dkim_text(selector, domain, public_half(pem)).encode()


def public_half(pem: bytes) -> str:
    """The `p=` of a DKIM record: base64 of the DER SubjectPublicKeyInfo (RFC 6376 3.6.1).

    Raises HostError if the file holds no RSA private key.
    """
    import base64

    from cryptography.hazmat.primitives import serialization

    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        remedy = (
            "remove the file and run `mailkeel apply`: a new key is made, and its record must be published"
        )
        raise HostError(Problem("private key", "it is not a private key in PEM form", remedy)) from error
    der = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def dkim_text(selector: str, domain: str, public: str) -> str:
    """The record as it stands in a zone file, for a person who opens the folder."""
    value = f"v=DKIM1; h=sha256; k=rsa; p={public}"
    strings = "\n    ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
    title = f"; The public half of {selector}.private, to be published."
    return f"{title}\n{selector}._domainkey.{domain}. IN TXT (\n    {strings} )\n"


def _certificate(key: Key) -> tuple[bytes, bytes]:
    names = ",".join(f"DNS:{name}" for name in key.names)
    # RFC 5280 A.1: a common name has at most 64 characters; the names that count are the others.
    common = key.names[0][:64]
    done = run(
        [
            "openssl", "req", "-x509", "-newkey", f"rsa:{key.bits}", "-noenc", "-sha256", "-days", str(_DAYS),
            "-subj", f"/O=self-signed by mailkeel/CN={common}", "-addext", f"subjectAltName={names}",
            "-keyout", "-", "-out", "-",
        ],
        check=True,
    )  # fmt: skip
    blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n", done.stdout, re.DOTALL)
    parts = dict(
        zip(blocks, re.findall(r"-----BEGIN .+?-----END [A-Z ]+-----\n", done.stdout, re.DOTALL), strict=True)
    )
    if set(parts) != {"PRIVATE KEY", "CERTIFICATE"}:
        raise HostError(Problem("openssl req", "it gave no key and certificate", "see whether openssl works"))
    return parts["PRIVATE KEY"].encode(), parts["CERTIFICATE"].encode()


def covers(certificate: bytes, names: tuple[str, ...], now: float) -> bool:
    """Whether a certificate in PEM form bears all the names and is good for a month more."""
    import warnings

    from cryptography import x509

    try:
        parsed = x509.load_pem_x509_certificate(certificate)
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the twin that knows its time zone came after Debian 12's version
        expires = parsed.not_valid_after.replace(tzinfo=UTC).timestamp()
    return set(names) <= set(extension.value.get_values_for_type(x509.DNSName)) and expires - now > 30 * 86400
