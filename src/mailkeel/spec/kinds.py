"""The kinds of value that `mail.toml` is made of.

A kind does two things: it reads a value that tomllib made, and it describes itself as JSON Schema. The
layout of the file is built from kinds, so the reader and the schema cannot drift apart.

Reading never stops at the first error: a kind appends what is wrong to `problems` and returns None,
which no TOML value is. Places are as in TOML tools: `domain[1].dkim.bits`, counted from 0.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import attrs

from mailkeel.errors import Problem
from mailkeel.spec.names import Invalid, shown

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=enum.Enum)

Schema = dict[str, object]

_TOML_TYPES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number",
    list: "an array",
    dict: "a table",
}


class Kind(Protocol[T_co]):
    """A kind of value. `example` is TOML, for messages."""

    @property
    def example(self) -> str: ...

    def read(self, value: object, where: str, problems: list[Problem]) -> T_co | None:
        """Return the value checked, or append to `problems` and return None."""

    def schema(self) -> Schema:
        """Describe what `read` takes, as JSON Schema draft 7."""


@attrs.frozen
class Text(Generic[T]):
    """Text that `check` turns into its final form or refuses with Invalid. `pattern` is what an editor
    can check of it; all that `check` takes matches it."""

    check: Callable[[str], T]
    example: str
    pattern: str = ""

    def read(self, value: object, where: str, problems: list[Problem]) -> T | None:
        if not isinstance(value, str):
            problems.append(wrong_type(value, "text", self.example, where))
            return None
        return _checked(self.check, value, where, problems)

    def schema(self) -> Schema:
        return {"type": "string", **({"pattern": self.pattern} if self.pattern else {})}


@attrs.frozen
class Number:
    """A whole number that `check` takes or refuses; `limits` says the same as JSON Schema."""

    check: Callable[[int], int]
    example: str
    limits: Mapping[str, object]

    def read(self, value: object, where: str, problems: list[Problem]) -> int | None:
        if not isinstance(value, int) or isinstance(value, bool):
            problems.append(wrong_type(value, "a whole number", self.example, where))
            return None
        return _checked(self.check, value, where, problems)

    def schema(self) -> Schema:
        return {"type": "integer", **self.limits}


@attrs.frozen
class TextOrNumber:
    """Text with a unit, or the same as a whole number."""

    check: Callable[[str | int], int]
    example: str
    pattern: str
    minimum: int
    maximum: int

    def read(self, value: object, where: str, problems: list[Problem]) -> int | None:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            problems.append(wrong_type(value, "text or a whole number", self.example, where))
            return None
        return _checked(self.check, value, where, problems)

    def schema(self) -> Schema:
        number = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        return {"anyOf": [{"type": "string", "pattern": self.pattern}, number]}


@attrs.frozen
class Choice(Generic[E]):
    """One of the values of an enumeration."""

    values: type[E]
    example: str

    def read(self, value: object, where: str, problems: list[Problem]) -> E | None:
        if not isinstance(value, str):
            problems.append(wrong_type(value, "text", self.example, where))
            return None
        for member in self.values:
            if member.value == value:
                return member
        choices = [str(member.value) for member in self.values]
        remedy = (
            f"use {nearest(value.lower(), choices)}" if nearest(value.lower(), choices) else "use one of them"
        )
        problems.append(Problem(where, f"{shown(value)} is not one of {', '.join(choices)}", remedy))
        return None

    def schema(self) -> Schema:
        return {"enum": [member.value for member in self.values]}


@attrs.frozen
class Several(Generic[T]):
    """An array of one kind without repetitions; where `or_one`, a single value may stand alone."""

    item: Kind[T]
    or_one: bool = False
    at_least: int = 0

    @property
    def example(self) -> str:
        return f"[{self.item.example}]"

    def read(self, value: object, where: str, problems: list[Problem]) -> tuple[T, ...] | None:
        if self.or_one and isinstance(value, str):
            one = self.item.read(value, where, problems)
            return None if one is None else (one,)
        if not isinstance(value, list):
            problems.append(wrong_type(value, "an array", self.example, where))
            return None
        if len(value) < self.at_least:
            problems.append(Problem(where, "is empty", f"write at least one, as in {self.example}"))
        items: dict[T, str] = {}
        for index, entry in enumerate(value):
            item = self.item.read(entry, f"{where}[{index}]", problems)
            if item is not None and item in items:
                problems.append(
                    Problem(f"{where}[{index}]", f"repeats {items[item]}", "remove one of the two")
                )
            elif item is not None:
                items[item] = f"{where}[{index}]"
        return tuple(items)

    def schema(self) -> Schema:
        several: Schema = {"type": "array", "items": self.item.schema(), "uniqueItems": True}
        if self.at_least:
            several["minItems"] = self.at_least
        return {"anyOf": [self.item.schema(), several]} if self.or_one else several


def wrong_type(value: object, wanted: str, example: str, where: str) -> Problem:
    """What a value of the wrong TOML type is told. It is not repeated: it may be a secret."""
    got = _TOML_TYPES.get(type(value), "a date or time")
    return Problem(where, f"is {got} where {wanted} is wanted", f"write it as in {example}")


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word that is most like another one; empty where none is."""
    import difflib

    return next(iter(difflib.get_close_matches(word[:64], known, n=1)), "")


V = TypeVar("V")


def _checked(check: Callable[[V], T], value: V, where: str, problems: list[Problem]) -> T | None:
    try:
        return check(value)
    except Invalid as error:
        problems.append(Problem(where, error.what, error.remedy))
        return None
