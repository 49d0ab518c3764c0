"""The catalogue behind `mailkeel explain`: which error a line of the log is, and what an id stands for."""

from __future__ import annotations

import difflib
import enum
import re

import attrs

from mailkeel.dns.text import printable
from mailkeel.operate.criteria import Criterion, criterion
from mailkeel.operate.known_errors import ALL, KnownError, Level

__all__ = [
    "ALL",
    "Explanation",
    "KnownError",
    "Level",
    "Topic",
    "by_id",
    "explain",
    "in_row",
    "nearest",
    "recognise",
]

#: Postfix's own lines end at 2,048 octets, and what tells an error apart is near their start.
MAX_LINE_CHARACTERS = 4096

_SUGGESTIONS = 3

#: More than a line of a log is worth showing again.
_SHOWN_CHARACTERS = 500


class Topic(enum.Enum):
    """What the text that was asked about turned out to be."""

    ERROR = "error"
    LOG_LINE = "log_line"
    CRITERION = "criterion"
    ROW = "row"
    UNKNOWN = "unknown"


@attrs.frozen
class Explanation:
    """An answer. `asked` is the text, made safe to show; `id` names the entry or criterion, "" where there is
    none. `entries` are the errors of a row, or those that may be meant where the text is unknown."""

    topic: Topic
    asked: str
    id: str
    title: str
    cause: str
    solution: str
    prevention: str
    entries: tuple[KnownError, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether there is an answer."""
        return self.topic is not Topic.UNKNOWN


def explain(text: str) -> Explanation:
    """Explain an id (of an error, a criterion or a row, in whatever case), a log line or an SMTP reply."""
    asked = printable(text.strip()[:_SHOWN_CHARACTERS])
    if error := by_id(text):
        return _of_error(error, Topic.ERROR, asked)
    if known := criterion(text):
        return _of_criterion(known, asked)
    if errors := in_row(text):
        return _of_row(text.strip().upper(), errors, asked)
    if error := recognise(text):
        return _of_error(error, Topic.LOG_LINE, asked)
    return _unknown(text, asked)


_ROWS = {
    "E1": (
        "A daemon does not start, or a service of it cannot work",
        "its configuration, its port or its files",
    ),
    "E2": ("Mail is not signed, or a milter does not do its part", "keys, sockets, OpenDKIM's tables"),
    "E3": ("DNS does not show what it should", "records not published or not visible yet, or no resolver"),
    "E4": ("Mail is not delivered, or is refused", "credentials, reputation, the network, the receiver"),
}


def _of_error(error: KnownError, topic: Topic, asked: str) -> Explanation:
    return Explanation(topic, asked, error.id, error.title, error.cause, error.solution, error.prevention)


def _of_criterion(known: Criterion, asked: str) -> Explanation:
    """`cause` is why a criterion fails or cannot be seen."""
    solution = f"{known.solution}; `mailkeel prove --only {known.id}` looks again"
    return Explanation(Topic.CRITERION, asked, known.id, known.title, known.cause, solution, known.prevention)


def _of_row(row: str, errors: tuple[KnownError, ...], asked: str) -> Explanation:
    title, cause = _ROWS[row]
    return Explanation(
        Topic.ROW,
        asked,
        row,
        title,
        cause,
        "`mailkeel explain ID` with one of the ids below, or with the line of the log in quotes",
        "run `mailkeel prove` now and then, by cron or a timer",
        errors,
    )


def _unknown(text: str, asked: str) -> Explanation:
    looks_like_line = re.search(r"\s", asked) is not None
    what = "a line that the catalogue does not know" if looks_like_line else "no id that is known"
    return Explanation(
        Topic.UNKNOWN,
        asked,
        "",
        what,
        "the line may report nothing wrong, or something rare; another line just before it often says more"
        if looks_like_line
        else f"ids are those of the {len(ALL)} errors, of the criteria (V1, M2...), and the rows E1 to E4",
        "give the whole line in quotes, with the name of its program; look at the lines of the same queue "
        "id or process before it; `mailkeel explain E1` to E4 list what is known",
        "",
        nearest(text),
    )


def recognise(line: str) -> KnownError | None:
    """Give the most specific error that a log line or an SMTP reply shows; None for any other line."""
    telling = _telling(line[:MAX_LINE_CHARACTERS])
    return next((error for error in ALL if error.pattern.search(telling)), None)


#: What a stranger or a provider chooses, and no error is told by: addresses, ids, names of relays, and of
#: hosts (in front of their address).
_CHOSEN = re.compile(
    r"(?<=<)[^<>]{3,}+(?=>)"
    r"|\brelay=[^ ,]++"
    r"|(?<![^\s(])[^\s\[]{1,255}+(?=\[[0-9a-f]{0,4}[.:][0-9a-f.:]{1,45}\])"
)
_STATUS = re.compile(r"\bstatus=(\w{1,20}) \(")


def _telling(line: str) -> str:
    """The line without what may contain any word; nothing of a line that reports a delivery."""
    plain = _CHOSEN.sub("", line)
    status = _STATUS.search(plain)
    return "" if status and status[1] == "sent" else plain


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
