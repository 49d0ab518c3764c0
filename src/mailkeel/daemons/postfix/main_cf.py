"""main.cf as typed settings: each with its value and one reason, merged into what is there.

A setting of the person's that mailkeel does not manage stays, with its comments, below the managed
block. One that mailkeel manages (or that contradicts it) is taken out; `conflicts` names those.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import attrs

from mailkeel.daemons.postfix.managed_block import comments, logical_lines, text, wrap
from mailkeel.errors import MailkeelError, Problem

_HEADER = """\
# Written by mailkeel. Between these marks every change is made by `mailkeel apply` from
# /etc/mailkeel/mail.toml, and a change by hand is taken back (the plan shows it first).
# Settings of your own go below the second mark: mailkeel leaves them alone.
"""


@attrs.frozen
class Setting:
    """One parameter of main.cf. `value` is already in main.cf's syntax; `reason` may be empty where
    the name says it all."""

    name: str
    value: str
    reason: str = ""


@attrs.frozen
class Section:
    """Settings that belong together, under a title."""

    title: str
    settings: tuple[Setting, ...]


@attrs.frozen
class Conflict:
    """A setting of the person's that mailkeel changes or takes out (`wanted` None)."""

    name: str
    found: str
    wanted: str | None

    def __str__(self) -> str:
        wanted = "(taken out)" if self.wanted is None else " ".join(self.wanted.split()) or "(empty)"
        return f"yours: {self.name} = {self.found}; mailkeel: {wanted}"


def literal(value: str) -> str:
    """Quote a text from outside for main.cf: `$` would start an expansion (postconf(5)).

    Raises MailkeelError where no quoting helps: control characters end a logical line.
    """
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise MailkeelError(
            Problem(
                "main.cf",
                f"the value {value!r} holds a control character",
                "take it out of the specification",
            )
        )
    return value.replace("$", "$$")


def listed(values: Iterable[str]) -> str:
    """A list in main.cf's syntax, one value a line: a diff then shows which one changed."""
    return ",\n    ".join(values)


def merge(current: str, sections: Sequence[Section], superseded: Iterable[str] = ()) -> str:
    """Give the text of main.cf: the managed block, then the person's own settings as they were."""
    managed = _names(sections) | set(superseded)
    kept = [comments(line) if _setting(line)[0] in managed else line for line in logical_lines(current)]
    return wrap(f"{_HEADER}\n{_render(sections)}", "".join(kept))


def conflicts(
    current: str, sections: Sequence[Section], superseded: Iterable[str] = ()
) -> tuple[Conflict, ...]:
    """Name the person's settings that a merge would change, in the order of the file."""
    wanted: dict[str, str | None] = dict.fromkeys(superseded)
    wanted.update({setting.name: setting.value for section in sections for setting in section.settings})
    found = (_setting(line) for line in logical_lines(current))
    return tuple(
        Conflict(name, value, wanted[name])
        for name, value in found
        if name in wanted and _squeezed(value) != _squeezed(wanted[name] or "")
    )


def _names(sections: Sequence[Section]) -> set[str]:
    return {setting.name for section in sections for setting in section.settings}


def _render(sections: Sequence[Section]) -> str:
    return "".join(_render_section(section) for section in sections)


def _render_section(section: Section) -> str:
    title = f"# --- {section.title} "
    lines = [title + "-" * max(0, 78 - len(title)), ""]
    for setting in section.settings:
        lines += textwrap.wrap(
            setting.reason, 98, initial_indent="# ", subsequent_indent="# ", break_long_words=False
        )
        lines += [f"{setting.name} = {setting.value}".rstrip() if setting.value else f"{setting.name} =", ""]
    return "\n".join(lines) + "\n"


def _setting(line: str) -> tuple[str, str]:
    """Name and value of a logical line; the name is empty where it sets nothing."""
    name, _, value = text(line).partition("=")
    return name.strip(), " ".join(value.split())


def _squeezed(value: str) -> str:
    """A value without the differences that mean nothing: white space and commas between words."""
    return " ".join(value.replace(",", " ").split())
