"""The plan as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailkeel.engine.plan import Change, Plan
from mailkeel.host.interface import Kind
from mailkeel.report.screen import paint, visible

_KINDS = ("package", "account", "key", "file", "service")
_TITLES = {
    "package": "Packages",
    "account": "Accounts",
    "key": "Keys",
    "file": "Files and folders",
    "service": "Services",
}


def as_json(plan: Plan) -> dict[str, Any]:
    """The documented form: `{"changes": [...], "fingerprint": "..."}`; a file's change has its diff too."""
    return {
        "changes": [_change(change) for change in plan.changes],
        "fingerprint": plan.fingerprint,
        "obstacles": list(plan.obstacles),
    }


def _change(change: Change) -> dict[str, Any]:
    result: dict[str, Any] = {
        "action": change.action.value,
        "kind": change.kind,
        "id": change.id,
        "why": change.why,
    }
    result |= {"diff": change.diff()} if change.kind == "file" and change.diff() else {}
    return result | ({"notes": list(change.notes)} if change.notes else {})


def render(plan: Plan, with_new_files: bool = False) -> str:
    """What would change, by kind. Changed files with their diffs; new ones too where asked for."""
    if plan.is_empty:
        return "Nothing to do: this host is as the specification says.\n"
    return "\n".join(_lines(plan, with_new_files)) + "\n"


def _lines(plan: Plan, with_new_files: bool) -> Iterator[str]:
    for kind in _KINDS:
        changes = [change for change in plan.changes if change.kind == kind]
        if changes:
            yield paint(_TITLES[kind], "bold")
            for change in changes:
                yield from _change_lines(change, with_new_files)
            yield ""
    for obstacle in plan.obstacles:
        yield paint(f"In the way: {visible(obstacle)}", "fail")
    if not with_new_files and any(_is_new_file(change) for change in plan.changes):
        yield "`mailkeel plan --diff` shows the new files' contents too."
    count = len(plan.changes)
    yield f"{count} change{'' if count == 1 else 's'}, fingerprint {plan.fingerprint}"


def _change_lines(change: Change, with_new_files: bool) -> Iterator[str]:
    along = _along(change)
    action = paint(f"{change.action.value:<7}", change.action.value)
    yield f"  {action} {visible(change.id)}  {paint(change.why + along, 'dim')}"
    for note in change.notes:
        yield f"          {paint(visible(note), 'update')}"
    if change.kind == "file" and (with_new_files or not _is_new_file(change)):
        for line in change.diff().splitlines()[2:]:
            yield f"          {paint(visible(line), line[:1])}"


def _along(change: Change) -> str:
    """What a diff of the content does not say: a change of owner or mode, or that it stays hidden."""
    before, after = change.before, change.after
    if after is None:
        return ""
    if after.kind is Kind.LINK:
        return f" (a link to {after.target})"
    if before is None:
        return "" if change.shows_content else " (a secret: not shown)"
    old, new = (f"{entry.owner}:{entry.group} {entry.mode:03o}" for entry in (before, after))
    return f" ({old} -> {new})" if old != new else ""


def _is_new_file(change: Change) -> bool:
    return change.kind == "file" and change.before is None and bool(change.diff())
