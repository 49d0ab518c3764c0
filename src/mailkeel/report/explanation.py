"""An explanation as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailkeel.operate.catalogue import Explanation
from mailkeel.report.screen import paint, visible


def as_json(found: Explanation) -> dict[str, Any]:
    """Stable keys; `known` tells whether there is an answer."""
    return {
        "known": found.is_known,
        "topic": found.topic.value,
        "id": found.id,
        "title": found.title,
        "cause": found.cause,
        "solution": found.solution,
        "prevention": found.prevention,
        "entries": [{"id": entry.id, "title": entry.title} for entry in found.entries],
    }


def render(found: Explanation) -> str:
    """Title, cause, solution, prevention; for a row or an unknown text, what there is to ask for."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Explanation) -> Iterator[str]:
    yield paint(visible(f"{found.id}: {found.title}" if found.id else found.title), "bold")
    for name, text in (
        ("Cause", found.cause),
        ("Solution", found.solution),
        ("Prevention", found.prevention),
    ):
        if text:
            yield f"{name:<11}{visible(text)}"
    for entry in found.entries:
        yield f"  {entry.id:<28}{visible(entry.title)}"
