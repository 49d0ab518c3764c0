"""What Postfix's own checkers don't see: a table of an unknown type is found only when mail comes."""

from __future__ import annotations

import re


def unknown_table_types(printed: str) -> str:
    """Name the settings whose tables have a type that this Postfix lacks; empty where there is none.

    `printed` is what `postconf -m`, an empty line and `postconf -n` give.
    """
    known, _, settings = printed.partition("\n\n")
    types = set(known.split())
    complaints = []
    for line in settings.splitlines():
        name, _, value = line.partition(" = ")
        if name.endswith(("_maps", "_map", "_checks", "_database")):
            missing = [type_ for type_ in _table_types(value) if type_ not in types]
            complaints += (
                [f"{name} = {value}: there is no table of type {missing[0]} here"] if missing else []
            )
    return "; ".join(complaints)


def _table_types(value: str) -> list[str]:
    """The types of the tables that a setting names (DATABASE_README); `proxy:` stands before another one."""
    while value != (flat := re.sub(r"\{[^{}]*\}", "", value)):
        value = flat
    return re.findall(r"(?:^|[\s,])(?:proxy:)?([a-z]+):", value)
