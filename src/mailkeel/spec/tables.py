"""The tables of `mail.toml`: known keys, free keys, arrays of tables, and what an unknown key is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

import attrs

from mailkeel.errors import Problem
from mailkeel.spec.kinds import Kind, Schema, nearest, wrong_type
from mailkeel.spec.names import Invalid, shown

T = TypeVar("T")

MISSING = "is missing"

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|api_?key|private_?key|\A(?:user(?:_?name)?|login)\Z",
    re.IGNORECASE,
)


@attrs.frozen
class Key:
    """A key of a table: what it holds and, in one line, why a person would set it. `attribute` is its
    name in the model where that differs; `default` is what holds without it, as the file would say it."""

    name: str
    kind: Kind[object]
    why: str
    required: bool = False
    default: object = None
    attribute: str = ""


@attrs.frozen
class Table(Generic[T]):
    """A table of known keys. `build` is called with the values that could be read, so all its arguments
    need defaults. `above` are keys of the file's top: below a `[table]` they are a common slip. The keys
    `together` are all there or none of them is."""

    keys: tuple[Key, ...]
    build: Callable[..., T]
    example: str
    above: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    _known: Mapping[str, Key] = attrs.field(init=False, repr=False)

    @_known.default
    def _index(self) -> Mapping[str, Key]:
        return {key.name: key for key in self.keys}

    def read(self, value: object, where: str, problems: list[Problem]) -> T | None:
        if not isinstance(value, dict):
            problems.append(wrong_type(value, "a table", self.example, where))
            return None
        values: dict[str, object] = {}
        for name, entry in value.items():
            key = self._known.get(name)
            if key is None:
                problems.append(self._unknown(name, where))
            elif (read := key.kind.read(entry, place(where, name), problems)) is not None:
                values[key.attribute or name] = read
        problems.extend(self._missing(value, where))
        return self.build(**values)

    def schema(self) -> Schema:
        properties: dict[str, object] = {}
        for key in self.keys:
            default = {} if key.default is None else {"default": key.default}
            properties[key.name] = {"description": key.why, **key.kind.schema(), **default}
        required = [key.name for key in self.keys if key.required]
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **(
                {"dependencies": {name: list(self.together) for name in self.together}}
                if self.together
                else {}
            ),
        }

    def _missing(self, written: Mapping[str, object], where: str) -> Iterator[Problem]:
        """Problems of keys that must be there, or must because others are."""
        for key in self.keys:
            at, example = place(where, key.name), key.kind.example
            if key.name in written:
                continue
            if key.required:
                remedy = f"write {example}" if example.startswith("[[") else f"write {key.name} = {example}"
                yield Problem(at, MISSING, remedy)
            elif key.name in self.together and any(other in written for other in self.together):
                yield Problem(at, MISSING, f"write {' and '.join(self.together)}, or neither")

    def _unknown(self, name: str, where: str) -> Problem:
        """What an unknown key is told; its value is never looked at."""
        at = place(where, name)
        if _SECRET_KEY.search(name[:200]):
            return Problem(
                at,
                "log-in data does not belong in this file",
                "put user:password in a file that only root can read, and its path in relay.credentials",
            )
        if name in self.above:
            return Problem(at, "is a key of the file's top", "move it above the first [table]")
        inner = [key.name for key in self.keys if isinstance(key.kind, Table) and name in key.kind._known]
        if len(inner) == 1:
            return Problem(at, "is not a known key", f"did you mean {inner[0]}.{name}?")
        if near := nearest(name, list(self._known)):
            return Problem(at, "is not a known key", f"did you mean {near}?")
        return Problem(at, "is not a known key", f"remove it, or use one of {', '.join(self._known)}")


@attrs.frozen
class Tables(Generic[T]):
    """An array of tables, in the order written."""

    table: Table[T]
    example: str

    def read(self, value: object, where: str, problems: list[Problem]) -> tuple[T | None, ...] | None:
        """A table that cannot be read leaves None, so that places still count right."""
        if not isinstance(value, list):
            problems.append(wrong_type(value, "an array of tables", self.example, where))
            return None
        if not value:
            problems.append(Problem(where, "is empty", f"write {self.example}"))
        return tuple(
            self.table.read(entry, f"{where}[{index}]", problems) for index, entry in enumerate(value)
        )

    def schema(self) -> Schema:
        return {"type": "array", "items": self.table.schema(), "minItems": 1}


@attrs.frozen
class FreeTable(Generic[T]):
    """A table whose keys are the person's own; `check_key` takes each to its final form."""

    check_key: Callable[[str], str]
    key_pattern: str
    item: Kind[T]
    example: str

    def read(self, value: object, where: str, problems: list[Problem]) -> tuple[tuple[str, T], ...] | None:
        if not isinstance(value, dict):
            problems.append(wrong_type(value, "a table", self.example, where))
            return None
        entries: dict[str, T] = {}
        for written, entry in value.items():
            at = place(where, written)
            item = self.item.read(entry, at, problems)
            try:
                name = self.check_key(written)
            except Invalid as error:
                problems.append(Problem(at, error.what, error.remedy))
                continue
            if name in entries:
                problems.append(Problem(at, f"repeats {name}: case does not count", "remove one of the two"))
            elif item is not None:
                entries[name] = item
        return tuple(entries.items())

    def schema(self) -> Schema:
        return {
            "type": "object",
            "patternProperties": {self.key_pattern: self.item.schema()},
            "additionalProperties": False,
        }


def place(where: str, key: str) -> str:
    """The place of a key; one that is not a bare TOML key is quoted, safe to print."""
    name = key if _BARE_KEY.fullmatch(key) else shown(key)
    return f"{where}.{name}" if where else name
