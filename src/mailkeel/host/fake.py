"""A host in memory, for tests: it rejects impossible states, and can fail or die at any step.

What it holds survives a `Crash` as a disk would; whoever was running does not.
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import attrs

from mailkeel.errors import HostError, Problem
from mailkeel.host.interface import AptPlan, Completed, Entry, Kind, Progress, ServiceState, Verb
from mailkeel.resources import Key, KeyKind, Package, Probe, Service


class Crash(BaseException):
    """The machine lost power: nothing of the running program goes on."""


@attrs.define
class State:
    """All that a disk keeps, and which services run."""

    entries: dict[str, Entry] = attrs.field(factory=dict)
    packages: set[str] = attrs.field(factory=set)
    accounts: set[str] = attrs.field(factory=lambda: {"root"})
    services: dict[str, ServiceState] = attrs.field(factory=dict)


#: What a package brings when it is installed: paths with contents, accounts, services.
@attrs.frozen
class Contents:
    """The effects of installing a package on the fake host."""

    files: tuple[tuple[str, bytes], ...] = ()
    accounts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@attrs.define
class FakeHost:
    """See `host.interface.Host`. `before` and `after` are called around each change with its name, and
    may raise: `Crash` for a power failure, HostError for a failing operation."""

    state: State = attrs.field(factory=State)
    archive: dict[str, Contents] = attrs.field(factory=dict)
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    run_result: Callable[[Sequence[str]], Completed] = lambda argv: Completed(tuple(argv), 0)
    broken_services: set[str] = attrs.field(factory=set)
    holders: dict[int, str] = attrs.field(factory=dict)
    clock: float = 1_000_000_000.0
    actions: list[str] = attrs.field(factory=list)

    def entry(self, path: str) -> Entry | None:
        return self.state.entries.get(path)

    def names(self, folder: str) -> tuple[str, ...]:
        prefix = folder.rstrip("/") + "/"
        rest = (path[len(prefix) :] for path in self.state.entries if path.startswith(prefix))
        return tuple(sorted({name.split("/")[0] for name in rest}))

    def installed(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(names) & self.state.packages

    def apt_plan(self, packages: Sequence[str]) -> AptPlan:
        return AptPlan(tuple(name for name in packages if name not in self.state.packages))

    def has_account(self, name: str) -> bool:
        return name in self.state.accounts

    def service_states(self, services: Sequence[Service]) -> dict[str, ServiceState]:
        return {service.name: self.state.services.get(service.name, ServiceState()) for service in services}

    def port_holder(self, port: int) -> str | None:
        return self.holders.get(port)

    def probe(self, probe: Probe) -> str | None:
        is_up = any(state.is_active for state in self.state.services.values())
        return None if is_up else f"{probe.target}: nothing answers"

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", timeout_seconds: float = 60, check: bool = False
    ) -> Completed:
        done = self.run_result(argv)
        if check and done.status:
            raise HostError(Problem(" ".join(argv), done.stderr, "mend it"))
        return done

    @contextmanager
    def lock(self) -> Iterator[None]:
        yield

    def put(self, path: str, entry: Entry) -> None:
        with self._change(f"put {path}"):
            if entry.owner not in self.state.accounts or entry.group not in self.state.accounts:
                raise HostError(
                    Problem(path, f"owner {entry.owner}:{entry.group} does not exist", "make the account")
                )
            there = self.state.entries.get(path)
            if there and (there.kind is Kind.DIRECTORY) != (entry.kind is Kind.DIRECTORY):
                raise HostError(Problem(path, "something else is in its place", "move it away"))
            self.state.entries[path] = entry

    def append(self, path: str, line: bytes) -> None:
        with self._change(f"append {path}"):
            there = self.state.entries.get(path)
            content = (there.content if there else b"") + line
            self.state.entries[path] = Entry(Kind.FILE, content=content, mode=0o600)

    def remove(self, path: str) -> None:
        with self._change(f"remove {path}"):
            there = self.state.entries.get(path)
            if there and not (there.kind is Kind.DIRECTORY and self.names(path)):
                del self.state.entries[path]

    def install(self, packages: Sequence[Package], progress: Progress) -> None:
        names = " ".join(package.name for package in packages)
        with self._change(f"install {names}"):
            for package in packages:
                self._unpack(package.name)

    def purge(self, names: Sequence[str]) -> None:
        with self._change(f"purge {' '.join(names)}"):
            for name in names:
                contents = self.archive.get(name, Contents())
                self.state.packages.discard(name)
                self.state.accounts -= set(contents.accounts)
                for path, _ in contents.files:
                    self.state.entries.pop(path, None)
                for service in contents.services:
                    self.state.services.pop(service, None)

    def add_account(self, name: str) -> None:
        with self._change(f"add account {name}"):
            if name in self.state.accounts:
                raise HostError(Problem(name, "it exists already", "use another name"))
            self.state.accounts.add(name)

    def remove_account(self, name: str) -> None:
        with self._change(f"remove account {name}"):
            self.state.accounts.remove(name)

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        with self._change(f"{verb.value} {' '.join(service.name for service in services)}"):
            for service in services:
                self._control(verb, service.name)

    def make_key(self, key: Key) -> tuple[bytes, bytes]:
        public = b"public" if key.kind is KeyKind.DKIM_RSA else ",".join(key.names).encode()
        return b"private", public

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def now(self) -> float:
        return self.clock

    def monotonic(self) -> float:
        return self.clock

    def snapshot(self) -> State:
        """A copy of what the disk holds now."""
        return copy.deepcopy(self.state)

    def _unpack(self, name: str) -> None:
        contents = self.archive.get(name, Contents())
        self.state.packages.add(name)
        self.state.accounts |= set(contents.accounts)
        for path, content in contents.files:
            folder = posixpath.dirname(path)
            self.state.entries.setdefault(folder, Entry(Kind.DIRECTORY, mode=0o755))
            self.state.entries.setdefault(path, Entry(Kind.FILE, content=content))
        for service in contents.services:
            self.state.services[service] = ServiceState(is_active=False, is_enabled=True)

    def _control(self, verb: Verb, name: str) -> None:
        state = self.state.services.get(name)
        if state is None:
            raise HostError(Problem(name, "there is no such service", "install its package"))
        if verb in (Verb.START, Verb.RESTART, Verb.RELOAD) and name in self.broken_services:
            self.state.services[name] = attrs.evolve(state, is_active=False)
            raise HostError(Problem(name, "it does not come up", "see its log"))
        changed = {
            Verb.ENABLE: attrs.evolve(state, is_enabled=True),
            Verb.DISABLE: attrs.evolve(state, is_enabled=False),
            Verb.STOP: attrs.evolve(state, is_active=False),
            Verb.RELOAD: state,
        }
        self.state.services[name] = changed.get(verb, attrs.evolve(state, is_active=True))

    @contextmanager
    def _change(self, name: str) -> Iterator[None]:
        self.before(name)
        yield
        self.actions.append(name)
        self.after(name)
