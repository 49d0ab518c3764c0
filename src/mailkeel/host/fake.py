"""A host in memory, for tests: it rejects impossible states, and can fail or die at any step.

What it holds survives a `Crash` as a disk would; whoever was running does not.
"""

from __future__ import annotations

import posixpath
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import attrs

from mailkeel.errors import HostError, Problem
from mailkeel.host.interface import AptPlan, Completed, Entry, Kind, Progress, ServiceState, Verb
from mailkeel.resources import Key, KeyKind, Package, Probe, Service

#: Folders that every Debian has.
FOLDERS = (
    "/etc/logrotate.d", "/etc/ssl/certs", "/etc/ssl/private", "/etc/systemd/system", "/proc/net", "/root",
    "/run/systemd", "/usr/bin", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/sbin",
    "/var/lib", "/var/log", "/var/mail", "/var/spool",
)  # fmt: skip

_POLICY = "/usr/sbin/policy-rc.d"


class Crash(BaseException):
    """The machine lost power: nothing of the running program goes on."""


def _folders() -> dict[str, Entry]:
    return {
        path: Entry(Kind.DIRECTORY, mode=0o755) for folder in FOLDERS for path in (*_above(folder), folder)
    }


def _above(path: str) -> tuple[str, ...]:
    """The folders that a path lies in, the outermost first, without the root."""
    parts = path.strip("/").split("/")[:-1]
    return tuple("/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1))


@attrs.define
class State:
    """All that a disk keeps, and which services run."""

    entries: dict[str, Entry] = attrs.field(factory=_folders)
    packages: set[str] = attrs.field(factory=set)
    accounts: set[str] = attrs.field(factory=lambda: {"root"})
    services: dict[str, ServiceState] = attrs.field(factory=dict)

    def copy(self) -> State:
        """Another state that is the same; what it holds is frozen."""
        return State(dict(self.entries), set(self.packages), set(self.accounts), dict(self.services))


@attrs.frozen
class Contents:
    """The effects of installing a package on the fake host.

    `files` are gone after a purge, `leaves` (made by the maintainer scripts) stay; `folders` belong to
    an owner and a group. `answers` are the targets of probes that a service answers.
    """

    files: tuple[tuple[str, bytes], ...] = ()
    accounts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    folders: tuple[tuple[str, str, str], ...] = ()
    leaves: tuple[tuple[str, bytes], ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    depends: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


@attrs.define
class FakeHost:
    """See `host.interface.Host`. `before` and `after` are called around each change with its name, and
    may raise: `Crash` for a power failure, HostError for a failing operation. `before` is also called
    at each moment within a change that other programs make (apt, the service manager)."""

    state: State = attrs.field(factory=State)
    archive: dict[str, Contents] = attrs.field(factory=dict)
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    run_result: Callable[[Sequence[str]], Completed] = lambda argv: Completed(tuple(argv), 0)
    broken_services: set[str] = attrs.field(factory=set)
    holders: dict[int, str] = attrs.field(factory=dict)
    clock: float = 1_000_000_000.0
    actions: list[str] = attrs.field(factory=list)
    keys_made: int = 0

    def entry(self, path: str) -> Entry | None:
        return self.state.entries.get(path)

    def tail(self, path: str, octets: int) -> bytes | None:
        entry = self.state.entries.get(path)
        return entry.content[-octets:] if entry else None

    def names(self, folder: str) -> tuple[str, ...]:
        prefix = folder.rstrip("/") + "/"
        rest = (path[len(prefix) :] for path in self.state.entries if path.startswith(prefix))
        return tuple(sorted({name.split("/")[0] for name in rest}))

    def installed(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(names) & self.state.packages

    def apt_plan(self, packages: Sequence[str]) -> AptPlan:
        installs = tuple(name for name in self._closure(packages) if name not in self.state.packages)
        others = (other for name in installs for other in self._contents(name).conflicts)
        return AptPlan(installs, tuple(dict.fromkeys(name for name in others if name in self.state.packages)))

    def has_account(self, name: str) -> bool:
        return name in self.state.accounts

    def service_states(self, services: Sequence[Service]) -> dict[str, ServiceState]:
        return {service.name: self.state.services.get(service.name, ServiceState()) for service in services}

    def port_holder(self, port: int) -> str | None:
        return self.holders.get(port)

    def probe(self, probe: Probe) -> str | None:
        """Where no package says which service answers, any that runs does."""
        answers = dict(pair for contents in self.archive.values() for pair in contents.answers)
        names = [answers[probe.target]] if probe.target in answers else list(self.state.services)
        is_up = any(self.state.services.get(name, ServiceState()).is_active for name in names)
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
            self._refuse_unknown_owner(path, entry)
            self._refuse_missing_folder(path)
            there = self.state.entries.get(path)
            if there and there.kind is not entry.kind and Kind.DIRECTORY in (there.kind, entry.kind):
                raise HostError(Problem(path, "something else is in its place", "move it away"))
            self.state.entries[path] = entry

    def append(self, path: str, line: bytes) -> None:
        with self._change(f"append {path}"):
            self._refuse_missing_folder(path)
            there = self.state.entries.get(path)
            content = there.content if there else b""
            ended = content if content.endswith(b"\n") or not content else content + b"\n"
            self.state.entries[path] = Entry(Kind.FILE, content=ended + line, mode=0o600)

    def remove(self, path: str) -> None:
        there = self.state.entries.get(path)
        if there is None or (there.kind is Kind.DIRECTORY and self.names(path)):
            return
        with self._change(f"remove {path}"):
            del self.state.entries[path]

    def install(self, packages: Sequence[Package], progress: Progress) -> None:
        names = [package.name for package in packages]
        with self._change(f"install {' '.join(names)}"):
            planned = self.apt_plan(names)
            for name in planned.removes:
                self.before(f"remove package {name}")
                self._remove_package(name)
            for name in planned.installs:
                self.before(f"unpack {name}")
                self._unpack(name)

    def purge(self, names: Sequence[str]) -> None:
        with self._change(f"purge {' '.join(names)}"):
            for name in names:
                self.before(f"purge package {name}")
                self._purge(name)

    def add_account(self, name: str) -> None:
        with self._change(f"add account {name}"):
            if name in self.state.accounts:
                raise HostError(Problem(name, "it exists already", "use another name"))
            self.state.accounts.add(name)

    def remove_account(self, name: str) -> None:
        with self._change(f"remove account {name}"):
            if name not in self.state.accounts:
                raise HostError(Problem(name, "there is no such account", "see /etc/passwd"))
            self._drop_account(name)

    def control(self, verb: Verb, services: Sequence[Service]) -> None:
        if not services:
            return
        with self._change(f"{verb.value} {' '.join(service.name for service in services)}"):
            for service in services:
                self.before(f"{verb.value} service {service.name}")
                self._control(verb, service.name)

    def make_key(self, key: Key) -> tuple[bytes, bytes]:
        """A DKIM key that is only a number, as making a real one takes long; a real certificate."""
        self.keys_made += 1
        private = f"private key {self.keys_made}\n".encode()
        if key.kind is KeyKind.DKIM_RSA:
            return private, f"public key {self.keys_made}\n".encode()
        return private, _certificate(key.names, self.clock)

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def now(self) -> float:
        return self.clock

    def monotonic(self) -> float:
        return self.clock

    def snapshot(self) -> State:
        """A copy of what the disk holds now."""
        return self.state.copy()

    def _refuse_unknown_owner(self, path: str, entry: Entry) -> None:
        unknown = [n for n in (entry.owner, entry.group) if n not in self.state.accounts and not n.isdigit()]
        if unknown:
            raise HostError(
                Problem(path, f"owner {entry.owner}:{entry.group} does not exist", "make the account")
            )

    def _refuse_missing_folder(self, path: str) -> None:
        """The real host would make it, unseen and never taken back."""
        folder = posixpath.dirname(path)
        there = self.state.entries.get(folder)
        is_folder = there.kind is Kind.DIRECTORY if there else folder == "/" or bool(self.names(folder))
        if not is_folder:
            raise HostError(Problem(path, f"there is no folder {folder}", "make it first"))

    def _contents(self, name: str) -> Contents:
        return self.archive.get(name, Contents())

    def _closure(self, names: Iterable[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name in names:
            found |= dict.fromkeys((*self._closure(self._contents(name).depends), name))
        return tuple(found)

    def _unpack(self, name: str) -> None:
        contents = self._contents(name)
        self.state.packages.add(name)
        self.state.accounts |= set(contents.accounts)
        for folder, owner, group in contents.folders:
            self._make_folders(f"{folder}/")
            self.state.entries[folder] = Entry(Kind.DIRECTORY, b"", "", owner, group, 0o755)
        for path, content in (*contents.files, *contents.leaves):
            self._make_folders(path)
            self.state.entries.setdefault(path, Entry(Kind.FILE, content=content))
        # As invoke-rc.d does: a new service starts, unless policy-rc.d is there to say no.
        for service in contents.services:
            self.state.services[service] = ServiceState(_POLICY not in self.state.entries, is_enabled=True)

    def _make_folders(self, path: str) -> None:
        for folder in _above(path):
            self.state.entries.setdefault(folder, Entry(Kind.DIRECTORY, mode=0o755))

    def _remove_package(self, name: str) -> None:
        self.state.packages.discard(name)
        for service in self._contents(name).services:
            self.state.services.pop(service, None)

    def _purge(self, name: str) -> None:
        contents = self._contents(name)
        self._remove_package(name)
        for path, _ in contents.files:
            self.state.entries.pop(path, None)
        below = {folder for path, _ in contents.files for folder in _above(path)}
        for folder in sorted(below | {folder for folder, *_ in contents.folders}, key=len, reverse=True):
            if folder not in _folders() and not self.names(folder):
                self.state.entries.pop(folder, None)
        for account in contents.accounts:
            self._drop_account(account)

    def _drop_account(self, name: str) -> None:
        """What it owned now belongs to a number."""
        self.state.accounts.discard(name)
        number = str(1000 + zlib.crc32(name.encode()) % 1000)
        for path, entry in self.state.entries.items():
            if name in (entry.owner, entry.group):
                owner, group = (number if who == name else who for who in (entry.owner, entry.group))
                self.state.entries[path] = attrs.evolve(entry, owner=owner, group=group)

    def _control(self, verb: Verb, name: str) -> None:
        state = self.state.services.get(name)
        if state is None:
            raise HostError(Problem(name, "there is no such service", "install its package"))
        if verb is Verb.RELOAD and not state.is_active:
            raise HostError(Problem(name, "it does not run, so it cannot be reloaded", "start it"))
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


def _certificate(names: tuple[str, ...], now: float) -> bytes:
    """A self-signed certificate, quickly made, and the same for the same names."""
    import hashlib

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.x509.oid import NameOID

    private = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(repr(names).encode()).digest())
    title = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "fake")])
    start = datetime.fromtimestamp(now, UTC)
    builder = (
        x509.CertificateBuilder(issuer_name=title, subject_name=title, public_key=private.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=825))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    )
    return builder.sign(private, None).public_bytes(serialization.Encoding.PEM)
