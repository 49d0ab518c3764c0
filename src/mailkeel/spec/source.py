"""From a file to TOML values: everything that can be wrong before a key is looked at."""

from __future__ import annotations

import os
import re
import stat
import tomllib

from mailkeel.errors import Problem, SpecError
from mailkeel.spec.names import shown

MAX_FILE_BYTES = 8 * 1024 * 1024  # 10,000 domains with a policy of their own take about 3 MiB

# tomllib takes memory that grows with the square of a dotted key's depth; ours have three levels.
_DEEP_KEY = re.compile(
    r"""(?:^|[\[{,])[ \t]*+(?:(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){16}""",
    re.MULTILINE,
)
_POSITION = re.compile(r"(?P<what>.*) \(at line (?P<line>[0-9]+), column (?P<column>[0-9]+)\)", re.DOTALL)


def read_file(path: str) -> str:
    """Return a file's text. Raises SpecError: missing, not a file, unreadable, too large, not UTF-8."""
    where = path if path.isprintable() and path else shown(path)
    try:
        content = _bytes_of(path)
    except FileNotFoundError as error:
        raise _refusal(where, "there is no such file", "run `mailkeel init` to write one") from error
    except IsADirectoryError as error:
        raise _refusal(where, "is not a regular file", "give the path of a TOML file") from error
    except PermissionError as error:
        raise _refusal(where, "may not be read by this user", "run mailkeel as root") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "has a NUL or a surrogate in its path"
        raise _refusal(where, f"cannot be read: {reason}", "give the path of a TOML file") from error
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(where, "is larger than 8 MiB", "give the path of a TOML file that names what you want")
    return _decoded(content, where)


def parse(text: str, where: str) -> dict[str, object]:
    """Return the top table of a TOML document. Raises SpecError with line and column."""
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")  # some editors write a byte order mark
    if _DEEP_KEY.search(text):
        raise _too_deep(where)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(_syntax_problem(str(error), text, where)) from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise _refusal(where, "holds a number that is too long", "use a shorter number") from error
    except RecursionError as error:
        raise _too_deep(where) from error


def _bytes_of(path: str) -> bytes:
    """Read at most one byte more than is allowed. A device or pipe is refused before it could block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(path)
        return file.read(MAX_FILE_BYTES + 1)


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Not chained: the cause carries the whole file.
        raise _refusal(f"{where}:{line}", "is not UTF-8", "save the file as UTF-8") from None


def _syntax_problem(message: str, text: str, where: str) -> Problem:
    """Make a problem of tomllib's message; one "at end of document" gets the last line as its place."""
    remedy = "correct the TOML there (https://toml.io/en/v1.0.0)"
    found = _POSITION.fullmatch(message)
    if found:
        return Problem(f"{where}:{found['line']}:{found['column']}", _printable(found["what"]), remedy)
    lines = text.split("\n")
    return Problem(f"{where}:{len(lines)}:{len(lines[-1]) + 1}", _printable(message), remedy)


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:200]


def _too_deep(where: str) -> SpecError:
    return _refusal(where, "is nested too deeply", "use the keys of `mailkeel init` only")


def _refusal(where: str, what: str, remedy: str) -> SpecError:
    return SpecError(Problem(where, what, remedy))
