"""The proof as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mailkeel.prove.evidence import Evidence, Proof, Verdict
from mailkeel.report.screen import paint, visible

_WORDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "FAIL",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_APPLICABLE: "n/a",
}


def render(proof: Proof) -> str:
    """One line for each criterion with what was observed; for those that do not pass, what to do."""
    return "\n".join(_lines(proof)) + "\n"


def summary(proof: Proof) -> str:
    """How many of each verdict: `14 pass, 4 unknown, 1 n/a`."""
    counts = Counter(criterion.verdict for criterion in proof.criteria)
    return ", ".join(f"{counts[verdict]} {_WORDS[verdict]}" for verdict in Verdict if counts[verdict])


def _lines(proof: Proof) -> Iterator[str]:
    for criterion in proof.criteria:
        word = paint(f"{_WORDS[criterion.verdict]:<7}", criterion.verdict.value)
        yield f"  {word} {criterion.id:<3} {criterion.title}"
        yield from (f"              {line}" for line in _details(criterion))
    yield f"{'Holds' if proof.holds else 'Falls short'}: {summary(proof)}."


def _details(criterion: Evidence) -> Iterator[str]:
    if criterion.verdict is Verdict.NOT_APPLICABLE:
        return
    yield paint(visible(criterion.observed), "dim")
    if criterion.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        if criterion.cause and criterion.cause not in criterion.observed:
            yield f"why: {visible(criterion.cause)}"
        yield f"do:  {visible(criterion.solution)}"
