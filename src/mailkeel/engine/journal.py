"""The journal: what each transaction was about to do, before it did it.

One folder for each transaction under /var/lib/mailkeel/transactions, readable by root only:
`journal.jsonl`, one event a line, each on the disk before the next thing happens; and `blobs/`, the
contents of files as they were and as they became, by their SHA-256.
"""

from __future__ import annotations

import enum
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from mailkeel.errors import HostError, Problem
from mailkeel.host.interface import Entry, Host, Kind

FOLDER = "/var/lib/mailkeel"
TRANSACTIONS = f"{FOLDER}/transactions"

_BALLAST_OCTETS = 2 * 1024 * 1024

_PRIVATE = Entry(Kind.DIRECTORY, mode=0o700)

Event = dict[str, Any]


class Outcome(enum.Enum):
    """How a transaction ended, as far as its journal tells."""

    INTERRUPTED = "interrupted"
    COMMITTED = "applied"
    ROLLED_BACK = "rolled back"
    UNDONE = "undone"


_MEANINGS = {
    "opened": Outcome.INTERRUPTED,
    "committed": Outcome.COMMITTED,
    "failed": Outcome.INTERRUPTED,
    "rolled_back": Outcome.ROLLED_BACK,
    "undone": Outcome.UNDONE,
}


@attrs.define
class Journal:
    """The journal of one transaction. `id` sorts by time: `20261122T221500Z-1`."""

    host: Host
    id: str
    events: list[Event]

    @property
    def outcome(self) -> Outcome:
        """The last word: one that was committed and then failed (its disk did) is still to be taken back."""
        words = [_MEANINGS[event["event"]] for event in self.events if event["event"] in _MEANINGS]
        return words[-1] if words else Outcome.INTERRUPTED

    @property
    def title(self) -> str:
        """What it was for."""
        return str(self.events[0].get("title", "")) if self.events else ""

    @property
    def is_undo(self) -> bool:
        """Whether it took other transactions back."""
        return bool(self.undoes)

    @property
    def undoes(self) -> tuple[str, ...]:
        """The ids of the transactions that it took back."""
        return tuple(self.events[0].get("undoes", ())) if self.events else ()

    @property
    def began_at(self) -> float:
        """Seconds since the epoch."""
        return float(self.events[0].get("time", 0)) if self.events else 0.0

    def open(self, title: str, undoes: Sequence[str] = ()) -> None:
        """Begin. `undoes` are the ids of the transactions that this one takes back."""
        self.write("opened", title=title, undoes=list(undoes))

    def write(self, event: str, **details: Any) -> None:
        """Put an event on the disk."""
        record = {"event": event, "time": round(self.host.now(), 3), **details}
        self.host.append(f"{TRANSACTIONS}/{self.id}/journal.jsonl", json.dumps(record).encode() + b"\n")
        self.events.append(record)

    def reserve(self) -> None:
        """Set disk space aside, so that a full disk cannot keep us from taking back what was done."""
        self.host.put(self._ballast, Entry(Kind.FILE, content=b"\xa5" * _BALLAST_OCTETS, mode=0o600))

    def release(self) -> None:
        """Give the space back."""
        self.host.remove(self._ballast)

    @property
    def _ballast(self) -> str:
        return f"{TRANSACTIONS}/{self.id}/ballast"

    def steps(self) -> list[Event]:
        """The steps that were begun, in order."""
        return [event["step"] for event in self.events if event["event"] == "begin"]

    def pack(self, entry: Entry | None) -> Event | None:
        """An entry as JSON, its content kept as a blob."""
        if entry is None:
            return None
        digest = ""
        if entry.kind is Kind.FILE:
            digest = hashlib.sha256(entry.content).hexdigest()
            path = self._blob(digest)
            if self.host.entry(path) is None:
                self.host.put(path, Entry(Kind.FILE, content=entry.content, mode=0o600))
        fields = attrs.asdict(entry, filter=attrs.filters.exclude(attrs.fields(Entry).content))
        return {**fields, "kind": entry.kind.value, "sha256": digest}

    def unpack(self, packed: Event | None) -> Entry | None:
        """The entry that was packed. Raises HostError if its content is gone or is not what it was."""
        if packed is None:
            return None
        fields = {name: value for name, value in packed.items() if name not in ("sha256", "kind")}
        return Entry(Kind(packed["kind"]), self._content(packed["sha256"]), **fields)

    def _content(self, digest: str) -> bytes:
        if not digest:
            return b""
        blob = self.host.entry(self._blob(digest))
        if blob is None or hashlib.sha256(blob.content).hexdigest() != digest:
            raise HostError(
                Problem(self._blob(digest), "this saved file is damaged", "restore it from a backup")
            )
        return blob.content

    def _blob(self, digest: str) -> str:
        return f"{TRANSACTIONS}/{self.id}/blobs/{digest}"


def new(host: Host) -> Journal:
    """An empty journal for a new transaction."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(host.now()))
    taken = [name for name in host.names(TRANSACTIONS) if name.startswith(stamp)]
    journal = Journal(host, f"{stamp}-{len(taken) + 1}", [])
    for folder in (
        FOLDER,
        TRANSACTIONS,
        f"{TRANSACTIONS}/{journal.id}",
        f"{TRANSACTIONS}/{journal.id}/blobs",
    ):
        if host.entry(folder) is None:
            host.put(folder, _PRIVATE)
    return journal


def read_all(host: Host) -> Iterator[Journal]:
    """All journals, the oldest first. A last line that was not written to its end counts as not written."""
    for name in host.names(TRANSACTIONS):
        entry = host.entry(f"{TRANSACTIONS}/{name}/journal.jsonl")
        if entry is not None:
            yield Journal(host, name, list(_events(entry.content)))


def _events(content: bytes) -> Iterator[Event]:
    for line in content.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            yield event
