"""Roots on which everything slow was done once: mailkeel applied, or BIND installed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hosts import installed_root
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.prepared import prepared_root
from mailkeel.lab.roots import Root

REPOSITORY = Path(__file__).parents[2]
CHECKOUT = "/root/mailkeel"

INSTALL_SECONDS = 300
APPLY_SECONDS = 180

HOSTNAME = "mail.mwa.com"
DOMAIN = "mwa.com"
SPEC = "/root/mail.toml"
#: The second host of a lab's network is its resolver: so it is in the configuration from the start.
RESOLVER = "10.99.0.2"

PASSWORDS = {
    "alice": "correct horse alice",
    "bob": "battery staple bob",
    "carol": "pass word carol",
    "locked": "locked account",
    "expired": "expired account",
    "root": "the real one of root",
}

SPEC_TEXT = f"""\
mode = "local"
hostname = "{HOSTNAME}"
admin = "alice"
addresses = ["10.99.0.1", "fd99::1"]

[[domain]]
name = "{DOMAIN}"

[dmarc]
policy = "reject"

[aliases]
sales = ["alice", "bob"]
away = ["nobody@faraway.net"]

[limits]
message_size = "25M"
# All tests log in from one address.
auth_attempts_per_minute = 1000
"""


def converged_root(release: str) -> Root:
    """A host on which `mailkeel apply` made a mail server for DOMAIN, with accounts and passwords."""
    program = _program()

    def converge(host: LabHost) -> None:
        host.run(["systemctl", "disable", "--now", "named"])
        host.write("/etc/resolv.conf", f"nameserver {RESOLVER}\n")
        for account, password in PASSWORDS.items():
            if account != "root":
                host.run(["useradd", "--create-home", "--shell", "/bin/bash", account])
            host.run(["chpasswd"], input=f"{account}:{password}\n")
        host.sh("usermod --lock locked; chage --expiredate 1 expired")
        host.copy_in(REPOSITORY, CHECKOUT, program)
        host.write(SPEC, SPEC_TEXT)
        host.run([f"{CHECKOUT}/mailkeel", "apply", SPEC, "--yes"], timeout=APPLY_SECONDS)

    fingerprint = _digest([*(REPOSITORY / name for name in program), Path(__file__)])
    return prepared_root(release, "converged", converge, fingerprint, base=installed_root(release))


def names_root() -> Root:
    """A host with BIND, which the tests configure."""

    def install(host: LabHost) -> None:
        host.run(["apt-get", "install", "--yes", "--no-install-recommends", "bind9"], timeout=INSTALL_SECONDS)

    return prepared_root("trixie", "bind9", install, "")


def _program() -> list[str]:
    """What `mailkeel` needs of the repository to run."""
    files = (REPOSITORY / "src").rglob("*")
    source = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    return ["mailkeel", *sorted(str(file.relative_to(REPOSITORY)) for file in source)]


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(b"%s\0%s\0" % (str(file).encode(), file.read_bytes()))
    return digest.hexdigest()
