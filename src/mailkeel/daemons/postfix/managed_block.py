"""The block of main.cf and master.cf that mailkeel manages, and the logical lines outside of it."""

from __future__ import annotations

BEGIN = "# >>> managed by mailkeel >>>"
END = "# <<< managed by mailkeel <<<"

#: White space as Postfix sees it; Python's also has line separators and spaces of Unicode.
_SPACE = " \t\r\v\f"


def wrap(block: str, kept: str) -> str:
    """Give the whole file: the managed block, then what was kept of the person's own lines."""
    whole = f"{BEGIN}\n{block}{END}\n"
    rest = kept.strip("\n")
    return f"{whole}\n{rest}\n" if rest else whole


def logical_lines(current: str) -> list[str]:
    """Split what stands outside the managed block into logical lines, each as written.

    A line that starts with white space continues the one before, with comments and blank lines between
    them (postconf(5), master(5)); other comments and blank lines are logical lines of their own. One
    that continues nothing becomes a comment, or it would continue our block. Each ends in a line feed.
    """
    result: list[str] = []
    between: list[str] = []
    can_continue = False
    for line in _outside(current):
        if not line.strip(_SPACE) or line.lstrip(_SPACE).startswith("#"):
            between.append(f"{line}\n")
        elif line[0] not in _SPACE:
            result += [*between, f"{line}\n"]
            between, can_continue = [], True
        elif can_continue:
            result[-1] += "".join(between) + f"{line}\n"
            between = []
        else:
            between.append(f"#{line}\n")
    return result + between


def comments(logical_line: str) -> str:
    """The comments that stand within a logical line."""
    return "".join(f"{line}\n" for line in logical_line.split("\n") if line.lstrip(_SPACE).startswith("#"))


def text(logical_line: str) -> str:
    """A logical line as Postfix reads it: one line without comments; empty where it is one itself."""
    lines = (line.strip(_SPACE) for line in logical_line.split("\n"))
    return " ".join(line for line in lines if line and not line.startswith("#"))


def _outside(current: str) -> list[str]:
    """The lines that are not between our marks; a mark without its other half marks nothing."""
    result: list[str] = []
    start: int | None = None
    for line in current.removesuffix("\n").split("\n") if current else ():
        if line.strip(_SPACE) == BEGIN:
            start = len(result)
        elif line.strip(_SPACE) == END:
            if start is not None:
                del result[start:]
            start = None
        else:
            result.append(line)
    return result
