"""The plan: what is desired less what is there. Pure; the same inputs give the same plan."""

from __future__ import annotations

import difflib
import enum
import hashlib
from collections.abc import Iterator

import attrs

from mailkeel.engine.observe import Observed
from mailkeel.host.interface import AptPlan, Entry, Kind, Verb
from mailkeel.resources import Account, Desired, Directory, File, Key, Package, Service, Symlink

#: Nothing for apt to do.
NO_APT = AptPlan()

Resource = Account | Directory | File | Key | Package | Service | Symlink


class Action(enum.Enum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    START = "start"
    RELOAD = "reload"
    RESTART = "restart"
    ENABLE = "enable"


@attrs.frozen
class Change:
    """One change to one resource.

    `after` is what a path shall be; `notes` are what a person should know of it (a setting of theirs that
    changes); `shows_content` is False for secrets.
    """

    action: Action
    kind: str
    id: str
    why: str
    resource: Resource
    before: Entry | None = None
    after: Entry | None = None
    notes: tuple[str, ...] = ()
    shows_content: bool = True

    def diff(self) -> str:
        """The change of a file's content as a unified diff; empty for anything else and for secrets."""
        if not self.shows_content or self.after is None or self.after.kind is not Kind.FILE:
            return ""
        old, new = _lines(self.before), _lines(self.after)
        return "\n".join(difflib.unified_diff(old, new, self.id, self.id, lineterm="", n=2))


@attrs.frozen
class Plan:
    """All changes, in the order in which they are made, and what stands in the way of them.

    `wanted` is what every managed file shall hold, changed or not: what the daemons' checkers see.
    """

    desired: Desired
    changes: tuple[Change, ...]
    wanted: dict[str, Entry] = attrs.field(repr=False)
    obstacles: tuple[str, ...] = ()
    apt: AptPlan = NO_APT

    @property
    def is_empty(self) -> bool:
        """Whether the host is already as it shall be."""
        return not self.changes

    @property
    def fingerprint(self) -> str:
        """Changes whenever the plan, or anything on the host that it rests on, does."""
        digest = hashlib.sha256()
        for change in self.changes:
            parts = (change.action.value, change.kind, change.id, repr(change.before), repr(change.after))
            for content in (change.before, change.after):
                digest.update(hashlib.sha256(content.content if content else b"").digest())
            digest.update("\0".join(parts).encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]


def diff(desired: Desired, observed: Observed, apt: AptPlan = NO_APT) -> Plan:
    """Compare. `apt` is what apt would do for the missing packages."""
    wanted = {file.path: _file_entry(file, observed.entries[file.path]) for file in desired.files}
    paths = [
        *_package_changes(desired, observed, apt),
        *_account_changes(desired, observed),
        *_path_changes(desired, observed, wanted),
    ]
    changed = frozenset(path for change in paths for path in _paths(change))
    changes = (*paths, *_service_changes(desired, observed, changed))
    obstacles = tuple(f"port {port} is held by {holder}" for port, holder in sorted(observed.holders.items()))
    return Plan(desired, changes, wanted, obstacles, apt)


def missing_packages(desired: Desired, observed: Observed) -> tuple[str, ...]:
    """The packages that apt must install, in order, each once."""
    names = (package.name for package in desired.packages)
    return tuple(dict.fromkeys(name for name in names if name not in observed.packages))


def _package_changes(desired: Desired, observed: Observed, apt: AptPlan) -> Iterator[Change]:
    missing = missing_packages(desired, observed)
    by_name = {package.name: package for package in reversed(desired.packages)}
    for name in missing:
        yield Change(Action.CREATE, "package", name, by_name[name].why, by_name[name])
    for name in apt.removes:
        why = "it cannot be installed together with what is needed"
        yield Change(Action.DELETE, "package", name, why, Package(name, why))


def _account_changes(desired: Desired, observed: Observed) -> Iterator[Change]:
    for account in desired.accounts:
        if account.name not in observed.accounts:
            yield Change(Action.CREATE, "account", account.name, account.why, account)


def _path_changes(desired: Desired, observed: Observed, wanted: dict[str, Entry]) -> Iterator[Change]:
    for directory in desired.directories:
        after = Entry(Kind.DIRECTORY, b"", "", directory.owner, directory.group, directory.mode)
        yield from _path_change(directory, after, observed)
    for key in desired.keys:
        yield from _key_changes(key, observed)
    for file in desired.files:
        for change in _path_change(file, wanted[file.path], observed):
            notes = file.remarks(_content(change.before))
            yield attrs.evolve(change, shows_content=not file.secret, notes=notes)
    for link in desired.symlinks:
        if link.only_if_absent and observed.entries[link.path] is not None:
            continue
        yield from _path_change(link, Entry(Kind.LINK, b"", link.target, "root", "root", 0o777), observed)


def _path_change(resource: Directory | File | Symlink, after: Entry, observed: Observed) -> Iterator[Change]:
    before = observed.entries[resource.path]
    if before != after:
        action = Action.UPDATE if before else Action.CREATE
        yield Change(action, "file", resource.path, resource.why, resource, before, after)


def _key_changes(key: Key, observed: Observed) -> Iterator[Change]:
    """A key that serves is kept; only its owner and mode are set right."""
    before = observed.entries[key.path]
    if key.path not in observed.serving_keys:
        action = Action.UPDATE if before else Action.CREATE
        yield Change(action, "key", key.path, key.why, key, before, None, shows_content=False)
        return
    assert before is not None  # noqa: S101 - a key that serves is there
    after = attrs.evolve(before, owner=key.owner, group=key.group, mode=key.mode)
    if before != after:
        yield Change(
            Action.UPDATE,
            "key",
            key.path,
            "owner and mode as they must be",
            key,
            before,
            after,
            shows_content=False,
        )


def _service_changes(desired: Desired, observed: Observed, changed: frozenset[str]) -> Iterator[Change]:
    for service in desired.services:
        state = observed.services[service.name]
        verb = _service_action(service, state.is_active, changed)
        if verb:
            yield Change(verb, "service", service.name, service.why, service)
        if not state.is_enabled:
            yield Change(Action.ENABLE, "service", service.name, "it comes up at boot", service)


def _service_action(service: Service, is_active: bool, changed: frozenset[str]) -> Action | None:
    if not is_active:
        return Action.START
    if changed & service.restart_on:
        return Action.RESTART
    return Action.RELOAD if changed & service.reload_on else None


def _paths(change: Change) -> tuple[str, ...]:
    return (change.id, change.resource.public_path) if isinstance(change.resource, Key) else (change.id,)


def _file_entry(file: File, current: Entry | None) -> Entry:
    if file.only_if_absent and current is not None:
        return current
    content = file.content if isinstance(file.content, bytes) else file.content(_content(current))
    return Entry(Kind.FILE, content, "", file.owner, file.group, file.mode)


def _content(entry: Entry | None) -> bytes | None:
    return entry.content if entry and entry.kind is Kind.FILE else None


def _lines(entry: Entry | None) -> list[str]:
    """A text's lines, with what a terminal must not see made visible; a binary file's size instead."""
    if entry is None or entry.kind is not Kind.FILE:
        return []
    if b"\0" in entry.content:
        return [f"(a binary file of {len(entry.content)} octets)"]
    text = entry.content.decode(errors="backslashreplace")
    return [
        "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in line)
        for line in text.splitlines()
    ]


VERBS = {
    Action.START: Verb.START,
    Action.RELOAD: Verb.RELOAD,
    Action.RESTART: Verb.RESTART,
    Action.ENABLE: Verb.ENABLE,
}
