"""What is known about an error: how to recognise it, where it comes from, what to do."""

from __future__ import annotations

import enum
import functools
import re

import attrs


class Level(enum.IntEnum):
    """How grave a line of the log is; ordered, so that the gravest is the greatest."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name


@attrs.frozen
class KnownError:
    """An error that the daemons of Debian 12 and 13, or the servers they talk to, are known to name.

    `expression` is searched for in a log line or an SMTP reply, whatever its case. It has at most one
    unbounded repetition, so that no line, however hostile, takes long. `row` is the requirement (E1: a
    daemon does not start; E2: signing; E3: DNS; E4: delivery) that the error falls under.
    """

    id: str
    title: str
    expression: str = attrs.field(repr=False)
    level: Level
    row: str
    cause: str
    solution: str
    prevention: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """The expression, compiled on first use: a command that explains nothing compiles nothing."""
        return _compiled(self.expression)


@functools.cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)
