"""B1: a browsable copy of what is about to change, at /var/log/firstboot/mail-config.bak.

For people; undoing rests on the journal. Configuration only: no private key is ever copied here.
"""

from __future__ import annotations

from mailkeel.engine.plan import Plan
from mailkeel.host.interface import Entry, Host, Kind
from mailkeel.resources import File

FOLDER = "/var/log/firstboot/mail-config.bak"

#: The oldest go when there are more.
_KEPT = 20


def snapshot(host: Host, transaction: str, plan: Plan) -> None:
    """Copy every file that the plan changes or removes, under its own path, readable by root only."""
    for folder in ("/var/log/firstboot", FOLDER, f"{FOLDER}/{transaction}"):
        if host.entry(folder) is None:
            host.put(folder, Entry(Kind.DIRECTORY, mode=0o700 if folder.startswith(FOLDER) else 0o755))
    changed = [change for change in plan.changes if isinstance(change.resource, File)]
    new = []
    for change in changed:
        if change.before is None:
            new.append(change.id)
        elif change.before.kind is Kind.FILE and change.shows_content:
            _copy(host, f"{FOLDER}/{transaction}", change.id, change.before)
    title = f"Before transaction {transaction}. Files that were not there before it:\n"
    listed = "".join(f"{path}\n" for path in new)
    host.put(f"{FOLDER}/{transaction}/NEW_FILES", Entry(Kind.FILE, (title + listed).encode(), mode=0o600))
    for name in host.names(FOLDER)[:-_KEPT]:
        _remove_tree(host, f"{FOLDER}/{name}")


def _copy(host: Host, folder: str, path: str, entry: Entry) -> None:
    parts = path.strip("/").split("/")[:-1]
    for count in range(1, len(parts) + 1):
        parent = "/".join((folder, *parts[:count]))
        if host.entry(parent) is None:
            host.put(parent, Entry(Kind.DIRECTORY, mode=0o700))
    host.put(f"{folder}{path}", Entry(Kind.FILE, entry.content, mode=0o600))


def _remove_tree(host: Host, folder: str) -> None:
    for name in host.names(folder):
        path = f"{folder}/{name}"
        entry = host.entry(path)
        if entry and entry.kind is Kind.DIRECTORY:
            _remove_tree(host, path)
        else:
            host.remove(path)
    host.remove(folder)
