"""The steps of a transaction: each can be carried out, and taken back, again and again.

A step is JSON from the start, because its journal entry is what a later run takes it back from.
Everything that taking back needs is in it before it is carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from mailkeel.engine.journal import Event, Journal
from mailkeel.errors import HostError, Problem
from mailkeel.host.files import temporary
from mailkeel.host.interface import AptPlan, Entry, Host, Kind, Progress, Verb
from mailkeel.resources import Key, KeyKind, Package, Service

#: Debian's way to keep maintainer scripts from starting services: ours start once, configured.
POLICY = "/usr/sbin/policy-rc.d"
NO_STARTS = Entry(
    Kind.FILE, b"#!/bin/sh\n# Made by mailkeel while it installs packages.\nexit 101\n", mode=0o755
)


def put(journal: Journal, path: str, after: Entry | None) -> Event:
    """Make a path be an entry; None removes it."""
    before = journal.host.entry(path)
    return {"do": "put", "path": path, "before": journal.pack(before), "after": journal.pack(after)}


def make_key(journal: Journal, key: Key) -> Event:
    """Make a private key and its public half. The new key itself is nowhere but in its own file."""
    fields = attrs.asdict(key, filter=attrs.filters.exclude(attrs.fields(Key).kind, attrs.fields(Key).why))
    saved = {path: journal.pack(journal.host.entry(path)) for path in (key.path, key.public_path)}
    return {"do": "key", "kind": key.kind.value, "key": fields, "before": saved}


def own(host: Host, path: str, owner: str, group: str, mode: int) -> Event:
    """Set owner and mode of a private key, whose content must get into no journal."""
    there = host.entry(path)
    before = {"owner": there.owner, "group": there.group, "mode": there.mode} if there else {}
    after = {"owner": owner, "group": group, "mode": mode}
    return {"do": "own", "path": path, "before": before, "after": after}


def install(host: Host, packages: Sequence[Package], apt: AptPlan) -> Event:
    """Install packages; taking it back purges them and what came along, and brings back what had to go."""
    asked = [{"name": package.name, "preseed": list(package.preseed)} for package in packages]
    leaves = [path for package in packages for path in package.leaves if host.entry(path) is None]
    return {
        "do": "install",
        "packages": asked,
        "installs": list(apt.installs),
        "removes": list(apt.removes),
        "leaves": leaves,
    }


def account(name: str) -> Event:
    """Make an account."""
    return {"do": "account", "name": name}


def control(host: Host, verb: Verb, services: Iterable[Service]) -> Event:
    """Ask the service manager; taking it back stops or disables what was not running or enabled."""
    asked = list(services)
    states = host.service_states(asked)
    return {
        "do": "control",
        "verb": verb.value,
        "services": [_packed(service) for service in asked],
        "active": [service.name for service in asked if states[service.name].is_active],
        "enabled": [service.name for service in asked if states[service.name].is_enabled],
    }


def settle(host: Host, services: Iterable[Service]) -> Event:
    """Nothing now; taken back after the files are, it makes the services that ran read them again."""
    return {**control(host, Verb.RESTART, services), "do": "settle"}


def carry_out(journal: Journal, step: Event, progress: Progress) -> None:
    """Do it. Raises HostError."""
    host = journal.host
    match step["do"]:
        case "put":
            _be(host, step["path"], journal.unpack(step["after"]))
        case "key":
            _make_key(host, step)
        case "own":
            _own(host, step["path"], step["after"])
        case "install":
            host.install([Package(p["name"], "", tuple(p["preseed"])) for p in step["packages"]], progress)
        case "account":
            if not host.has_account(step["name"]):
                host.add_account(step["name"])
        case "control":
            host.control(Verb(step["verb"]), [_unpacked(service) for service in step["services"]])
        case "settle":
            return
        case _:
            _take_back(journal, step["step"], progress)


def take_back(journal: Journal, step: Event, progress: Progress) -> None:
    """Bring back what was before the step, whether it was carried out, half carried out or not at all."""
    if step["do"] == "reverse":
        carry_out(journal, step["step"], progress)
    else:
        _take_back(journal, step, progress)


def reverse(step: Event) -> Event:
    """The step that takes another, committed one back."""
    return {"do": "reverse", "step": step}


def _take_back(journal: Journal, step: Event, progress: Progress) -> None:
    host = journal.host
    match step["do"]:
        case "put":
            _be(host, step["path"], journal.unpack(step["before"]))
        case "key":
            for path, before in step["before"].items():
                _be(host, path, journal.unpack(before))
        case "own":
            _own(host, step["path"], step["before"])
        case "install":
            _uninstall(host, step, progress)
        case "account":
            if host.has_account(step["name"]):
                host.remove_account(step["name"])
        case "control":
            _uncontrol(host, step)
        case "settle":
            was_active = [service for service in step["services"] if service["name"] in step["active"]]
            host.control(Verb.RESTART, [_unpacked(service) for service in was_active])


def _make_key(host: Host, step: Event) -> None:
    key = Key(KeyKind(step["kind"]), why="", **{**step["key"], "names": tuple(step["key"]["names"])})
    private, public = host.make_key(key)
    host.put(key.path, Entry(Kind.FILE, private, "", key.owner, key.group, key.mode))
    host.put(key.public_path, Entry(Kind.FILE, public, "", "root", "root", 0o644))


def _be(host: Host, path: str, entry: Entry | None) -> None:
    host.remove(temporary(path))
    there = host.entry(path)
    if entry is None:
        if there is not None:
            host.remove(path)
    elif there != entry:
        if there is not None and (there.kind is Kind.DIRECTORY) != (entry.kind is Kind.DIRECTORY):
            host.remove(path)
        host.put(path, entry)


def _own(host: Host, path: str, wanted: Event) -> None:
    there = host.entry(path)
    if there is not None:
        _be(host, path, attrs.evolve(there, **wanted))


def _uninstall(host: Host, step: Event, progress: Progress) -> None:
    if "postfix" in step["installs"] and _has_queued_mail(host):
        raise HostError(
            Problem(
                "/var/spool/postfix",
                "there is mail in the queue, and removing Postfix would lose it",
                "deliver it (postqueue -p lists, postqueue -f tries), then run it again",
            )
        )
    host.purge(step["installs"])
    for path in step["leaves"]:
        for below in tree(host, path):
            host.remove(below)
    if step["removes"]:
        # Their services ran, and are to run again.
        if host.entry(POLICY) == NO_STARTS:
            host.remove(POLICY)
        host.install([Package(name, "") for name in step["removes"]], progress)


def tree(host: Host, path: str) -> Iterator[str]:
    """All that is at a path and below it, the deepest first."""
    entry = host.entry(path)
    if entry and entry.kind is Kind.DIRECTORY:
        for name in host.names(path):
            yield from tree(host, f"{path}/{name}")
    if entry:
        yield path


def _has_queued_mail(host: Host) -> bool:
    queues = ("maildrop", "incoming", "active", "deferred", "hold")
    return any(_holds_file(host, f"/var/spool/postfix/{queue}") for queue in queues)


def _holds_file(host: Host, folder: str) -> bool:
    for name in host.names(folder):
        path = f"{folder}/{name}"
        entry = host.entry(path)
        if entry and (entry.kind is Kind.FILE or _holds_file(host, path)):
            return True
    return False


def _uncontrol(host: Host, step: Event) -> None:
    services = [_unpacked(service) for service in step["services"]]
    states = host.service_states(services)
    if step["verb"] in (Verb.START.value, Verb.RESTART.value):
        stopped = [s for s in services if s.name not in step["active"] and states[s.name].is_active]
        host.control(Verb.STOP, stopped)
    if step["verb"] == Verb.ENABLE.value:
        disabled = [s for s in services if s.name not in step["enabled"] and states[s.name].is_enabled]
        host.control(Verb.DISABLE, disabled)


_FIELDS = ("name", "unit", "watched_unit", "init_script", "fallback", "pid_file", "process")


def _packed(service: Service) -> Event:
    return {name: getattr(service, name) for name in _FIELDS}


def _unpacked(packed: Event) -> Service:
    fields = {**packed, "fallback": tuple(packed["fallback"])}
    return Service(why="", **fields)


def describe(step: Event) -> str:
    """One line for a person."""
    match step["do"]:
        case "put":
            return f"{'write' if step['after'] else 'remove'} {step['path']}"
        case "key":
            return f"make the key {step['key']['path']}"
        case "own":
            return f"set owner and mode of {step['path']}"
        case "install":
            return f"install {len(step['packages'])} packages"
        case "account":
            return f"make the account {step['name']}"
        case "control":
            return f"{step['verb']} {', '.join(service['name'] for service in step['services'])}"
        case "settle":
            return "note which services run"
        case _:
            return f"take back: {describe(step['step'])}"
