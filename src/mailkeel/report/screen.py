"""Writing to a terminal: colour and tables where there is one, plain text where not."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from mailkeel.errors import Problem
from mailkeel.host.interface import Progress

_STYLES = {"pass": "32", "fail": "1;31", "unknown": "33", "not_applicable": "2", "bold": "1", "dim": "2"}
_STYLES |= {"create": "32", "update": "33", "delete": "31", "+": "32", "-": "31", "@": "36"}


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO = sys.stdout) -> str:
    """Colour a text, where the stream is a terminal and NO_COLOR is not set (no-color.org)."""
    code = _STYLES.get(style, "")
    if not code or os.environ.get("NO_COLOR") or not is_terminal(stream):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def visible(text: str) -> str:
    """A text from outside with everything that steers a terminal made visible."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """A table: by rich on a terminal, columns parted by two spaces elsewhere."""
    if is_terminal(sys.stdout):
        return _rich_table(rows, header)
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _rich_table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(*header, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    console = Console(
        file=io.StringIO(), width=os.get_terminal_size().columns, no_color=bool(os.environ.get("NO_COLOR"))
    )
    console.print(made)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def problems(found: Iterable[Problem], stream: TextIO = sys.stderr) -> str:
    """Each problem: where and what, then what to do."""
    lines = []
    for problem in found:
        lines.append(f"{paint(visible(problem.where), 'bold', stream)}: {visible(problem.what)}")
        lines.append(f"    do: {visible(problem.remedy)}")
        lines += [f"    prevent: {visible(problem.prevention)}"] if problem.prevention else []
    return "\n".join(lines) + "\n"


@contextmanager
def progress() -> Iterator[Progress]:
    """Say on standard error what is going on: a line that changes on a terminal, few lines elsewhere."""
    if not is_terminal(sys.stderr):
        yield _plain_progress()
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    with console.status("starting") as status:
        yield lambda text: status.update(escape(visible(text)))


def _plain_progress() -> Progress:
    """Steps as lines; of apt's many percentages one every ten seconds."""
    last = [0.0]

    def say(text: str) -> None:
        is_percentage = text[3:5] == " %"
        if not is_percentage or time.monotonic() - last[0] > 10:
            print(f"  {visible(text)}", file=sys.stderr, flush=True)
            last[0] = time.monotonic()

    return say
