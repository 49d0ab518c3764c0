"""The catalogue of errors: which one a line of the log is, and which one an id names."""

from __future__ import annotations

import difflib

from mailkeel.operate.known_errors import ALL, KnownError, Level

__all__ = ["ALL", "KnownError", "Level", "by_id", "in_row", "nearest", "recognise"]

#: Postfix's own lines end at 2,048 octets, and what tells an error apart is near their start.
MAX_LINE_CHARACTERS = 4096

_SUGGESTIONS = 3


def recognise(line: str) -> KnownError | None:
    """Give the most specific error that a log line or an SMTP reply shows; None for any other line."""
    shown = line[:MAX_LINE_CHARACTERS]
    return next((error for error in ALL if error.pattern.search(shown)), None)


def by_id(text: str) -> KnownError | None:
    """Give the error with this id, in whatever case."""
    wanted = text.strip().lower()
    return next((error for error in ALL if error.id == wanted), None)


def in_row(row: str) -> tuple[KnownError, ...]:
    """Give the errors of a row (E1 to E4), in whatever case."""
    return tuple(error for error in ALL if error.row == row.strip().upper())


def nearest(text: str) -> tuple[KnownError, ...]:
    """Give up to three errors whose id or title is like the text, or shares the most words with it."""
    asked = text[:MAX_LINE_CHARACTERS].strip().lower()
    # difflib takes quadratic time; no id is longer than this.
    close = difflib.get_close_matches(asked[:64], [error.id for error in ALL], _SUGGESTIONS, 0.6)
    found = [error for id_ in close if (error := by_id(id_))]
    words = {word for word in asked.replace("-", " ").split() if len(word) > 3}
    shared = {error.id: len(words & _words(error)) for error in ALL if error not in found}
    sharing = sorted((error for error in ALL if shared.get(error.id)), key=lambda error: -shared[error.id])
    return (*found, *sharing)[:_SUGGESTIONS]


def _words(error: KnownError) -> set[str]:
    return set(f"{error.id} {error.title}".lower().replace("-", " ").split())
