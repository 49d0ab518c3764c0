"""The block of main.cf and master.cf that mailkeel manages, and the logical lines outside of it."""

from __future__ import annotations

BEGIN = "# >>> managed by mailkeel >>>"
END = "# <<< managed by mailkeel <<<"


def wrap(block: str, kept: str) -> str:
    """Give the whole file: the managed block, then what was kept of the person's own lines."""
    whole = f"{BEGIN}\n{block}{END}\n"
    rest = kept.strip("\n")
    return f"{whole}\n{rest}\n" if rest else whole


def logical_lines(current: str) -> list[str]:
    """Split what stands outside the managed block into logical lines, each as written.

    A line that starts with white space continues the one before (postconf(5), master(5)); comments
    and blank lines are logical lines of their own. Each ends in a line feed.
    """
    result: list[str] = []
    can_continue = False
    for line in _outside(current).splitlines():
        is_comment = not line.strip() or line.lstrip().startswith("#")
        if line[:1] in (" ", "\t") and not is_comment and can_continue:
            result[-1] += line + "\n"
        else:
            result.append(line + "\n")
            can_continue = not is_comment
    return result


def _outside(current: str) -> str:
    before, begin, rest = current.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + after.lstrip("\n") if begin and end else current
