"""What mailkeel leaves of itself on a host: its commands, so that they work after the checkout is gone,
and the account that its test messages go to."""

from __future__ import annotations

import functools
import io
import zipfile
import zipimport
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from mailkeel.resources import Account, Desired, Directory, File, Package

FOLDER = "/usr/local/lib/mailkeel"
PROGRAM = f"{FOLDER}/mailkeel.pyz"
COMMANDS = ("mailkeel", "mail-spf-check", "9-mail_config")

#: Test messages are delivered to this account's mailbox, and removed from it.
PROBE_ACCOUNT = "mailkeel-probe"

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_ENTRY = "import sys\nfrom mailkeel.cli.main import run\nrun(sys.argv[1], sys.argv[2:])\n"


#: Debian's libraries that mailkeel imports: Debian keeps them secure.
LIBRARIES = (
    "python3-attr",
    "python3-authheaders",
    "python3-authres",
    "python3-cattr",
    "python3-click",
    "python3-cryptography",
    "python3-dkim",
    "python3-dnspython",
    "python3-idna",
    "python3-prometheus-client",
    "python3-rich",
    "python3-spf",
)


def desired() -> Desired:
    """The commands of V9 that nobody else ships, and the probe account."""
    libraries = tuple(Package(name, "a library that mailkeel imports") for name in LIBRARIES)
    program = (
        File(PROGRAM, archive(), "mailkeel itself, so that its commands outlive the checkout"),
        *(File(f"/usr/local/bin/{name}", _wrapper(name), "command", mode=0o755) for name in COMMANDS),
    )
    return Desired(
        packages=(Package("bind9-dnsutils", "dig, to look at DNS records"), *libraries),
        accounts=(Account(PROBE_ACCOUNT, "mailkeel's own test messages are delivered here"),),
        directories=(Directory(FOLDER, "mailkeel itself"),),
        files=program,
    )


@functools.cache
def archive() -> bytes:
    """The package as a zip file that Python runs; the same bytes for the same sources. Read once, so that
    `apply` writes what its plan showed. Run from such a file, it is that file."""
    loader = __spec__.loader if __spec__ else None
    if isinstance(loader, zipimport.zipimporter):
        return Path(loader.archive).read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as pack:
        pack.writestr(zipfile.ZipInfo("__main__.py", _FIRST_DAY), _ENTRY)
        for name, content in sorted(_sources(files("mailkeel"), "mailkeel/")):
            pack.writestr(zipfile.ZipInfo(name, _FIRST_DAY), content)
    return buffer.getvalue()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    result: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            result += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".py", ".typed")):
            result.append((prefix + entry.name, entry.read_bytes()))
    return result


def _wrapper(name: str) -> bytes:
    # -I: neither the caller's environment nor the current folder can put other code in front.
    lines = ("#!/bin/sh", "# Written by mailkeel.", f'exec /usr/bin/python3 -I {PROGRAM} {name} "$@"')
    return "\n".join((*lines, "")).encode()
