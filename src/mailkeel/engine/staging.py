"""The new configuration, complete, before it goes live: shown to the daemons' own checkers.

A copy of each daemon's live folder, with the new files over it and every managed path in them pointing
into the copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import attrs

from mailkeel.engine.journal import FOLDER
from mailkeel.errors import HostError, Problem
from mailkeel.host.interface import Entry, Host, Kind
from mailkeel.resources import Check

ROOT = f"{FOLDER}/stage"


def check(host: Host, checks: tuple[Check, ...], wanted: Mapping[str, Entry]) -> None:
    """Run every checker on the staged configuration. Raises HostError with all complaints."""
    clear(host)
    try:
        _stage(host, checks, wanted)
        problems = [problem for one in checks for problem in _complaints(host, one)]
    finally:
        clear(host)
    if problems:
        raise HostError(*problems)


def clear(host: Host) -> None:
    """Remove the staged copies, if there are any."""
    if host.entry(ROOT) is None:
        return
    for path in reversed(list(_walk(host, ROOT))):
        host.remove(path)
    host.remove(ROOT)


def _stage(host: Host, checks: tuple[Check, ...], wanted: Mapping[str, Entry]) -> None:
    folders = tuple(dict.fromkeys(check.folder for check in checks))
    copied = {
        path: entry for folder in folders for path in _walk(host, folder) if (entry := host.entry(path))
    }
    new = {path: entry for path, entry in wanted.items() if path.startswith(tuple(f"{f}/" for f in folders))}
    pattern = re.compile(
        "|".join(re.escape(path) for path in sorted(new, key=len, reverse=True)).encode() or b"$^"
    )
    host.put(ROOT, Entry(Kind.DIRECTORY, mode=0o700))
    for path, entry in {**copied, **new}.items():
        _make_parents(host, ROOT + path)
        moved = (
            pattern.sub(lambda match: ROOT.encode() + match.group(), entry.content)
            if path in new
            else entry.content
        )
        # Root's, whoever the live one belongs to: a checker asks about the content.
        host.put(ROOT + path, attrs.evolve(entry, content=moved, owner="root", group="root"))


def _make_parents(host: Host, path: str) -> None:
    parts = path[len(ROOT) + 1 :].split("/")[:-1]
    for count in range(1, len(parts) + 1):
        folder = "/".join((ROOT, *parts[:count]))
        if host.entry(folder) is None:
            host.put(folder, Entry(Kind.DIRECTORY, mode=0o755))


def _walk(host: Host, folder: str) -> Iterator[str]:
    """Everything below a folder, parents first, except what is no file, folder or link, and private keys."""
    for name in host.names(folder):
        path = f"{folder}/{name}"
        if name in ("keys", "private"):
            continue
        yield path
        entry = host.entry(path)
        if entry and entry.kind is Kind.DIRECTORY:
            yield from _walk(host, path)


def _complaints(host: Host, check: Check) -> list[Problem]:
    argv = [argument.replace("{root}", ROOT) for argument in check.argv]
    done = host.run(argv, timeout_seconds=30)
    complaint = check.judge(done.stdout)
    if done.status == 0 and not complaint and not (check.stderr_is_error and done.stderr.strip()):
        return []
    said = complaint or done.stderr.strip() or done.stdout.strip() or _on_a_terminal(host, argv)
    said = said.replace(ROOT, "")
    words = "; ".join(line.strip() for line in said.splitlines()[:6])
    remedy = (
        "mend the setting it names: in the specification, or where you set it by hand; nothing was changed"
    )
    return [Problem(f"{check.name} on the new configuration", words or f"exit status {done.status}", remedy)]


def _on_a_terminal(host: Host, argv: list[str]) -> str:
    """Debian 12's `postfix check` says what is wrong only to syslog, or to a terminal."""
    return host.run(["script", "-qec", " ".join(argv), "/dev/null"], timeout_seconds=30).stdout
