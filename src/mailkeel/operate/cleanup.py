"""B5: temporary files that Postfix's tools leave are removed; nothing else under /tmp is touched."""

from __future__ import annotations

from mailkeel.host.interface import Host, Kind

_FOLDER = "/tmp"  # noqa: S108 - it is what is cleaned


def remove_temporary_files(host: Host) -> tuple[str, ...]:
    """Remove root's files named /tmp/postfix-*, and such folders if they are empty; gives their paths.

    Anybody may write to /tmp: what is not root's is left alone, and no folder is walked into.
    """
    removed = []
    for name in host.names(_FOLDER):
        path = f"{_FOLDER}/{name}"
        if name.startswith("postfix-"):
            entry = host.entry(path)
            if entry is not None and entry.owner == "root" and entry.kind in (Kind.FILE, Kind.DIRECTORY):
                host.remove(path)
                removed.append(path)
    return tuple(removed)
