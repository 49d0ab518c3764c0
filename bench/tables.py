"""Tables in Markdown, aligned so that they can be read on a terminal too."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen
class Table:
    """What one measure found: a title, what was done, and rows of cells."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def render(table: Table) -> str:
    """Give it as a section of Markdown."""
    lines = [f"## {table.title}", "", table.note, "", _line(table.head, table), _rule(table)]
    return "\n".join((*lines, *(_line(row, table) for row in table.rows), ""))


def _line(cells: Sequence[str], table: Table) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, _widths(table), strict=True))
    return f"| {' | '.join(padded)} |".rstrip()


def _rule(table: Table) -> str:
    return f"|{'|'.join('-' * (width + 2) for width in _widths(table))}|"


def _widths(table: Table) -> tuple[int, ...]:
    columns = zip(table.head, *table.rows, strict=True)
    return tuple(max(len(cell) for cell in column) for column in columns)
