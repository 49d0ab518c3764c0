"""What the engine and the proofs need of a host: one protocol, with a real host and a fake one."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import attrs

from mailkeel.resources import Key, Package, Probe, Service


class Kind(enum.Enum):
    """What a path is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@attrs.frozen
class Entry:
    """A file, folder or symbolic link as it is on the host, or as it shall be.

    `content` is a file's bytes; `target` a link's. Owner and group are names.
    """

    kind: Kind
    content: bytes = attrs.field(default=b"", repr=False)
    target: str = ""
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644


@attrs.frozen
class ServiceState:
    """`main_pid` is 0 where it is not known."""

    is_active: bool = False
    is_enabled: bool = False
    main_pid: int = 0


@attrs.frozen
class Completed:
    """A command that ended: its argument list, exit status and both streams as text."""

    argv: tuple[str, ...]
    status: int
    stdout: str = ""
    stderr: str = ""


@attrs.frozen
class AptPlan:
    """What apt would do: packages it installs (dependencies included) and removes."""

    installs: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


class Verb(enum.Enum):
    """What a service manager can be asked to do."""

    START = "start"
    STOP = "stop"
    RELOAD = "reload"
    RESTART = "restart"
    ENABLE = "enable"
    DISABLE = "disable"


#: Told what is going on while something takes long.
Progress = Callable[[str], None]


class Host(Protocol):
    """A host, read and changed. Every method that changes something is durable when it returns, and
    raises HostError where the host refuses."""

    # --- reading

    def entry(self, path: str) -> Entry | None:
        """What is at a path, or None. Follows no final symbolic link."""

    def tail(self, path: str, octets: int) -> bytes | None:
        """The last whole lines of a file, at most so many octets: logs grow large. None without a file."""

    def names(self, folder: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none where there is no folder."""

    def installed(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the packages that are installed and configured."""

    def apt_plan(self, packages: Sequence[str]) -> AptPlan:
        """What installing the packages would mean, by apt's own word."""

    def has_account(self, name: str) -> bool:
        """Whether a user of this name exists."""

    def service_states(self, services: Sequence[Service]) -> dict[str, ServiceState]:
        """The state of each service, by its name."""

    def port_holder(self, port: int) -> str | None:
        """The name of the program that listens on a TCP port, with its process id; None if free."""

    def probe(self, probe: Probe) -> str | None:
        """None where the service answers as it should, or else what was seen instead."""

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", timeout_seconds: float = 60, check: bool = False
    ) -> Completed:
        """Run a command. Raises HostError if it cannot start, times out, or fails where `check`."""

    # --- changing

    def lock(self) -> AbstractContextManager[None]:
        """Keep every other mailkeel from changing this host meanwhile. Raises Refused if one does."""

    def put(self, path: str, entry: Entry) -> None:
        """Make a path be this entry, atomically, with owner and mode right from the first byte."""

    def append(self, path: str, line: bytes) -> None:
        """Append to a root-only file."""

    def remove(self, path: str) -> None:
        """Remove a file, link or empty folder; a folder that holds something stays."""

    def install(self, packages: Sequence[Package], progress: Progress) -> None:
        """Install packages in one apt call."""

    def purge(self, packages: Sequence[str]) -> None:
        """Remove packages with their configuration, and nothing else."""

    def add_account(self, name: str) -> None:
        """Make a system account that cannot log in."""

    def remove_account(self, name: str) -> None:
        """Remove an account."""

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        """Ask the service manager, for all services in one call where it can."""

    def make_key(self, key: Key) -> tuple[bytes, bytes]:
        """Make a private key; gives it and its public half, and writes nothing."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
