"""The host that mailkeel runs on."""

from __future__ import annotations

import fcntl
import os
import pwd
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from mailkeel.errors import Problem, Refused
from mailkeel.host import command, files, keys, network, packages
from mailkeel.host.interface import AptPlan, Completed, Entry, Progress, ServiceState, Verb
from mailkeel.host.services import ServiceManager, service_manager
from mailkeel.resources import Key, Package, Probe, Service

_LOCK = "/run/mailkeel.lock"


class RealHost:
    """See `host.interface.Host`. Needs root for all but reading."""

    def __init__(self, manager: ServiceManager | None = None) -> None:
        self._manager = manager or service_manager()

    def entry(self, path: str) -> Entry | None:
        return files.read(path)

    def tail(self, path: str, octets: int) -> bytes | None:
        return files.tail(path, octets)

    def names(self, folder: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def installed(self, names: Iterable[str]) -> frozenset[str]:
        return packages.installed(names)

    def apt_plan(self, packages_: Sequence[str]) -> AptPlan:
        return packages.apt_plan(packages_)

    def has_account(self, name: str) -> bool:
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def service_states(self, services: Sequence[Service]) -> dict[str, ServiceState]:
        return self._manager.states(services)

    def port_holder(self, port: int) -> str | None:
        return network.port_holder(port)

    def probe(self, probe: Probe) -> str | None:
        return network.probe(probe)

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", timeout_seconds: float = 60, check: bool = False
    ) -> Completed:
        return command.run(argv, stdin, timeout_seconds, check)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by the process, so a crash lets it go."""
        descriptor = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise Refused(
                Problem(_LOCK, "another mailkeel is changing this host", "wait until it is done")
            ) from error
        finally:
            os.close(descriptor)

    def put(self, path: str, entry: Entry) -> None:
        files.put(path, entry)

    def append(self, path: str, line: bytes) -> None:
        files.append(path, line)

    def remove(self, path: str) -> None:
        files.remove(path)

    def install(self, wanted: Sequence[Package], progress: Progress) -> None:
        packages.install(wanted, progress)

    def purge(self, names: Sequence[str]) -> None:
        packages.purge(names)

    def add_account(self, name: str) -> None:
        argv = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        command.run([*argv, "--shell", "/usr/sbin/nologin", name], check=True)

    def remove_account(self, name: str) -> None:
        command.run(["userdel", name], check=True)

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        self._manager.control(verb, services)

    def make_key(self, key: Key) -> tuple[bytes, bytes]:
        return keys.make(key)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
