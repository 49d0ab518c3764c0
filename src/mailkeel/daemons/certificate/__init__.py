"""The host's TLS certificate (I3): given paths, Let's Encrypt's live folder, or a self-signed one."""

from __future__ import annotations

import attrs

from mailkeel.facts import HostFacts
from mailkeel.resources import Desired, Directory, File, Key, KeyKind, Package
from mailkeel.spec.model import Spec

FOLDER = "/etc/ssl/mailkeel"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/mailkeel"

#: A certificate with more names than this would make each handshake slow; it then covers the first.
_MAX_NAMES = 100

#: A host's name may have 253 octets, a file's 255 with all that is added to it.
_LONGEST = 200


@attrs.frozen
class Pair:
    """Paths of a private key and its certificate chain."""

    key: str
    certificate: str


def pair(spec: Spec, facts: HostFacts) -> Pair:
    """Choose the certificate: the specification's, else Let's Encrypt's, else our own."""
    if spec.tls.certificate and spec.tls.key:
        return Pair(spec.tls.key, spec.tls.certificate)
    if spec.hostname in facts.lets_encrypt:
        live = f"/etc/letsencrypt/live/{spec.hostname}"
        return Pair(f"{live}/privkey.pem", f"{live}/fullchain.pem")
    name = spec.hostname[:_LONGEST]
    return Pair(f"{FOLDER}/{name}.key", f"{FOLDER}/{name}.pem")


def desired(spec: Spec, facts: HostFacts) -> Desired:
    """What the certificate needs: nothing where one is given, a reload at renewal for Let's Encrypt's."""
    chosen = pair(spec, facts)
    if chosen.key.startswith("/etc/letsencrypt/"):
        folders = ("/etc/letsencrypt/renewal-hooks", "/etc/letsencrypt/renewal-hooks/deploy")
        return Desired(
            directories=tuple(Directory(folder, "what certbot runs at a renewal") for folder in folders),
            files=(File(HOOK, _HOOK.encode(), "a renewed certificate is picked up", mode=0o755),),
        )
    if not chosen.key.startswith(f"{FOLDER}/"):
        return Desired()
    why = "self-signed, as there is no other: mail servers accept it, people's mail programs ask once"
    key = Key(KeyKind.TLS_SELF_SIGNED, chosen.key, chosen.certificate, _names(spec), 2048, why)
    return Desired(
        packages=(Package("openssl", "makes the self-signed certificate"),),
        directories=(Directory(FOLDER, "the self-signed certificate"),),
        keys=(key,),
    )


def _names(spec: Spec) -> tuple[str, ...]:
    """Every name that clients connect to: the host, and `smtp.` of each domain (V9)."""
    wanted = (spec.hostname, *(f"smtp.{domain.name}" for domain in spec.domains))
    return tuple(dict.fromkeys(wanted))[:_MAX_NAMES]


_HOOK = """\
#!/bin/sh
# Written by mailkeel: Let's Encrypt's certbot runs this after a renewal.
exec /usr/sbin/postfix reload
"""
