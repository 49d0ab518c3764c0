"""The kinds of thing that a host can have, as plain values.

Daemons produce them, the engine compares them with what is there. They know nobody. A service's
*probe* (how to see that it works) and a file's *checker* (the daemon's own) are values too: only
`host` carries them out.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

#: Given the bytes of a file that is there (None: absent), gives the bytes it should hold.
Edit = Callable[[bytes | None], bytes]

#: Given the bytes of a file that is there, says what a person should know before they change.
Remarks = Callable[[bytes | None], tuple[str, ...]]


def no_remarks(_current: bytes | None) -> tuple[str, ...]:
    """There is nothing that the diff doesn't say."""
    return ()


def no_complaint(_printed: str) -> str:
    """The exit status says it all."""
    return ""


@attrs.frozen
class Package:
    """A Debian package, with the debconf answers it needs before it is installed, and the files and
    folders that its maintainer scripts make and a purge leaves behind."""

    name: str
    why: str
    preseed: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


@attrs.frozen
class Account:
    """A system account that nobody can log in to."""

    name: str
    why: str


@attrs.frozen
class File:
    """A regular file. `content` is its bytes, or an edit of what is there.

    `only_if_absent` files are made once and then belong to the person. A `secret` file's content is
    never shown.
    """

    path: str
    content: bytes | Edit
    why: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    secret: bool = False
    only_if_absent: bool = False
    remarks: Remarks = no_remarks


@attrs.frozen
class Directory:
    """A folder, with its parents taken as they are."""

    path: str
    why: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755


@attrs.frozen
class Symlink:
    """A symbolic link; with `only_if_absent`, whatever else is at the path stays."""

    path: str
    target: str
    why: str
    only_if_absent: bool = False


class KeyKind(enum.Enum):
    """What a private key is for."""

    DKIM_RSA = "dkim-rsa"
    TLS_SELF_SIGNED = "tls-self-signed"


@attrs.frozen
class Key:
    """A private key at `path`, made by the tool where none is; never overwritten while it serves.

    `public_path` gets the public half: the DKIM record in zone-file form, or the certificate.
    `names` are what it is for: `(selector, domain)`, or the DNS names of the certificate. `bits` is
    the RSA modulus length.
    """

    kind: KeyKind
    path: str
    public_path: str
    names: tuple[str, ...]
    bits: int
    why: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o600


@attrs.frozen
class Probe:
    """How to see that a service works: what answers on a port or a UNIX socket.

    `target` is `host:port` or a path. `greeting` is what the service says first; empty where it
    waits for the client, so that a connection is all there is to see. `tls` wraps it first.
    """

    target: str
    greeting: bytes = b""
    tls: bool = False


@attrs.frozen
class Service:
    """A daemon under the host's service manager.

    `unit` is the systemd unit to act on and `watched_unit` the one whose state tells the truth where
    they differ. On a host without systemd, `init_script` is the name of its SysV script, `fallback` the
    command that starts it where there is no script; `pid_file` and `process`, the name of the program in
    it, tell whether it runs: not every script's `status` does.
    A change of a path in `reload_on` needs a reload, one in `restart_on` a restart.
    """

    name: str
    unit: str
    why: str
    watched_unit: str = ""
    init_script: str = ""
    fallback: tuple[str, ...] = ()
    pid_file: str = ""
    process: str = ""
    reload_on: frozenset[str] = frozenset()
    restart_on: frozenset[str] = frozenset()
    probes: tuple[Probe, ...] = ()


@attrs.frozen
class Check:
    """A daemon's own checker. `{root}` in an argument stands for the folder that holds the staged
    configuration: a copy of the live `folder`, with the new files over it. Anything on standard error
    is a complaint where `stderr_is_error`, as postconf exits 0 for an unknown parameter. `judge` says
    what is wrong with what the checker printed, where its exit status does not."""

    name: str
    argv: tuple[str, ...]
    folder: str
    stderr_is_error: bool = False
    judge: Callable[[str], str] = no_complaint


@attrs.frozen
class Port:
    """A TCP port that one of our services listens on, and the programs that may hold it already."""

    number: int
    service: str
    programs: tuple[str, ...]


@attrs.frozen
class Desired:
    """All that a specification asks of one host, in the order in which it is made."""

    packages: tuple[Package, ...] = ()
    accounts: tuple[Account, ...] = ()
    directories: tuple[Directory, ...] = ()
    keys: tuple[Key, ...] = ()
    files: tuple[File, ...] = ()
    symlinks: tuple[Symlink, ...] = ()
    services: tuple[Service, ...] = ()
    checks: tuple[Check, ...] = ()
    ports: tuple[Port, ...] = ()

    def __add__(self, other: Desired) -> Desired:
        """Join what two daemons ask for; the order of the first comes first."""
        fields = (field.name for field in attrs.fields(Desired))
        return Desired(**{name: getattr(self, name) + getattr(other, name) for name in fields})
