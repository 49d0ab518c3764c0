"""The hosts that are measured: Debian with its packages, and the checkout on it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from mailkeel.lab.commands import run
from mailkeel.lab.hosts import LabHost
from mailkeel.lab.prepared import prepared_root
from mailkeel.lab.roots import LIBRARY_PACKAGES, MAIL_PACKAGES, TOOL_PACKAGES, Root, bare_root

REPOSITORY = Path(__file__).parent.parent
CHECKOUT = "/root/mailkeel"
#: The fully qualified name that every measured host has.
HOSTNAME = "mail.example.com"
DOMAIN = "example.com"

_INSTALL = ["apt-get", "-y", "-q", "--no-install-recommends", "install"]
_SECONDS = 600

#: A resolver that answers every question at once, and that nothing exists: a lab host has no way out, and
#: time-outs would be measured instead of mailkeel.
_NAMED_CONF = """\
options {
    directory "/var/cache/bind"; listen-on { 127.0.0.1; }; listen-on-v6 { none; };
    recursion no; dnssec-validation no;
};
zone "." { type primary; file "/etc/bind/db.nothing"; };
"""
_NOTHING = """\
$TTL 300
@ SOA ns.invalid. nobody.invalid. 1 3600 600 86400 300
@ NS ns.invalid.
ns.invalid. A 127.0.0.1
"""


def resolver_root(release: str) -> Root:
    """Debian's minbase with the answering resolver, and nothing of a mail server."""

    def prepare(host: LabHost) -> None:
        host.run([*_INSTALL, "bind9"], timeout=_SECONDS)
        answer_at_once(host)

    return prepared_root(release, "bench-resolver", prepare, _NAMED_CONF + _NOTHING)


def installed_root(release: str) -> Root:
    """The same with every package of local mode, as Debian alone configures them."""
    packages = (*MAIL_PACKAGES, *LIBRARY_PACKAGES, *TOOL_PACKAGES)

    def prepare(host: LabHost) -> None:
        install(host, packages)
        host.run(["useradd", "--create-home", "alice"])

    return prepared_root(
        release, "bench-installed", prepare, "\n".join(packages), base=resolver_root(release)
    )


def rspamd_root(release: str) -> Root:
    """The same with rspamd, to compare with."""

    def prepare(host: LabHost) -> None:
        with tempfile.TemporaryDirectory() as folder:
            _download(bare_root(release), "rspamd", Path(folder))
            host.copy_in(Path(folder), "/srv/packages", [found.name for found in Path(folder).iterdir()])
        host.sh(f"{' '.join(_INSTALL)} /srv/packages/*.deb; rm -r /srv/packages", timeout=_SECONDS)

    return prepared_root(release, "bench-rspamd", prepare, "rspamd", base=installed_root(release))


def install(host: LabHost, packages: tuple[str, ...]) -> None:
    """Install packages in one apt call, from apt's cache, with debconf's questions answered."""
    answers = (
        "postfix postfix/main_mailer_type select Internet Site\n"
        f"postfix postfix/mailname string {DOMAIN}\n"
        "opendmarc opendmarc/dbconfig-install boolean false\n"
    )
    host.run(["debconf-set-selections"], input=answers)
    host.run([*_INSTALL, *packages], timeout=_SECONDS)


def answer_at_once(host: LabHost) -> None:
    """Make BIND on the loopback the host's resolver, with an empty root zone."""
    host.write("/etc/bind/named.conf", _NAMED_CONF)
    host.write("/etc/bind/db.nothing", _NOTHING)
    host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    host.run(["systemctl", "restart", "named"])


def copy_checkout(host: LabHost) -> None:
    """Copy the program, as git has it or would take it, to CHECKOUT."""
    listing = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    wanted = [n for n in names if n == "mailkeel" or n.startswith(("src/", "examples/"))]
    host.copy_in(REPOSITORY, CHECKOUT, [name for name in wanted if (REPOSITORY / name).exists()])


def _download(root: Root, package: str, destination: Path) -> None:
    """Fetch a package and what it needs besides `root`, which has no network of its own."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name in ("upper", "work", "root"):
            (scratch / name).mkdir()
        lower = ":".join(str(layer) for layer in root.layers)
        options = f"lowerdir={lower},upperdir={scratch}/upper,workdir={scratch}/work"
        run(["mount", "-t", "overlay", "overlay", "-o", options, f"{scratch}/root"])
        try:
            _download_into(scratch / "root", package, destination)
        finally:
            run(["umount", f"{scratch}/root"])


def _download_into(root: Path, package: str, destination: Path) -> None:
    resolv_conf = root / "etc/resolv.conf"
    resolv_conf.write_text(Path("/etc/resolv.conf").read_text())
    apt = ["chroot", str(root), "apt-get", "-q", "-y", "--no-install-recommends"]
    run([*apt, "update"], timeout=_SECONDS)
    run([*apt, "clean"])
    run([*apt, "--download-only", "install", package], timeout=_SECONDS)
    run(["sh", "-c", 'cp "$0"/var/cache/apt/archives/*.deb "$1"', str(root), str(destination)])
