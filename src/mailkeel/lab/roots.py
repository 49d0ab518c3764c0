"""Cached root file systems of Debian, on which lab hosts start."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import attrs

from mailkeel.errors import MailkeelError, Problem
from mailkeel.lab.commands import run
from mailkeel.lab.machine import cache_folder, check_machine, locked

RELEASES = ("bookworm", "trixie")
BUILD_TIMEOUT_SECONDS = 900

BASE_PACKAGES = (
    "ca-certificates",
    "dbus",
    "init-system-helpers",
    "iproute2",
    "procps",
    "python3",
    "systemd",
    "systemd-sysv",
)
# Downloaded, not installed: a lab host has no network, and apt-get takes them from its cache.
MAIL_PACKAGES = (
    "bind9-dnsutils",
    "dbconfig-no-thanks",
    "dovecot-core",
    "libsasl2-modules",
    "logrotate",
    "mailutils",
    "opendkim",
    "opendkim-tools",
    "opendmarc",
    "openssl",
    "postfix",
    "postfix-policyd-spf-python",
    "publicsuffix",
    "rsyslog",
    "swaks",
)
LIBRARY_PACKAGES = (
    "python3-attr",
    "python3-authheaders",
    "python3-authres",
    "python3-cattr",
    "python3-click",
    "python3-cryptography",
    "python3-dkim",
    "python3-dnspython",
    "python3-idna",
    "python3-jinja2",
    "python3-prometheus-client",
    "python3-rich",
    "python3-spf",
)
TOOL_PACKAGES = ("bind9", "netcat-openbsd", "strace")

# apt-daily would ask the network at a random moment and hold dpkg's lock while it waits.
MASKED_UNITS = ("apt-daily.timer", "apt-daily-upgrade.timer")
# Without a nameserver line the resolver asks 127.0.0.1, which refuses at once.
RESOLV_CONF = "# A lab host has no resolver until its lab gives it one.\n"


@attrs.frozen
class Root:
    """A root file system as layers for overlayfs, the topmost first. Nothing may write into them."""

    release: str
    key: str
    layers: tuple[Path, ...]


def bare_root(release: str) -> Root:
    """Debian's minbase with systemd and Python, its package lists, and the packages of mailkeel downloaded.

    Built on first use (about 30 s with a near mirror), then taken from the cache; a change of the package
    lists in this module builds a new one. Raises MailkeelError where the machine or the release won't do.
    """
    check_machine()
    if release not in RELEASES:
        raise MailkeelError(
            Problem(
                "release", f"{release!r} is not one that the lab knows", f"use one of {', '.join(RELEASES)}"
            )
        )
    key = f"{release}-bare-{_fingerprint()}"
    folder = roots_folder() / key
    with locked(roots_folder() / f".{key}.lock", BUILD_TIMEOUT_SECONDS):
        if not folder.is_dir():
            _build_bare(release, folder)
    return Root(release, key, (folder,))


def roots_folder() -> Path:
    """The folder that holds one folder for each cached layer."""
    return cache_folder() / "roots"


def keep(built: Path, folder: Path) -> None:
    """Give a finished layer its name in the cache, after its files are on disk: it is there whole or not."""
    run(["sync", "-f", str(built)], timeout=BUILD_TIMEOUT_SECONDS)
    built.rename(folder)


def short_hash(parts: Iterable[str]) -> str:
    """Twelve hexadecimal digits that change when one of the parts does."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _fingerprint() -> str:
    downloads = (*MAIL_PACKAGES, *LIBRARY_PACKAGES, *TOOL_PACKAGES)
    return short_hash((*BASE_PACKAGES, "/", *downloads, "/", *MASKED_UNITS, RESOLV_CONF))


def _build_bare(release: str, folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    if partial.exists():  # a build that was killed
        shutil.rmtree(partial)
    # mmdebstrap adds the -updates and -security suites by itself.
    run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            '--aptopt=APT::Install-Recommends "false"',
            f"--include={','.join(BASE_PACKAGES)}",
            release,
            str(partial),
        ],
        timeout=BUILD_TIMEOUT_SECONDS,
    )
    _download_packages(partial)
    _make_quiet(partial)
    keep(partial, folder)


def _download_packages(root: Path) -> None:
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    apt_get = ["chroot", str(root), "apt-get", "--quiet=2"]
    run([*apt_get, "update"], timeout=BUILD_TIMEOUT_SECONDS)
    downloads = (*MAIL_PACKAGES, *LIBRARY_PACKAGES, *TOOL_PACKAGES)
    run(
        [*apt_get, "install", "--yes", "--no-install-recommends", "--download-only", *downloads],
        timeout=BUILD_TIMEOUT_SECONDS,
    )


def _make_quiet(root: Path) -> None:
    (root / "etc/resolv.conf").write_text(RESOLV_CONF)
    for unit in MASKED_UNITS:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
