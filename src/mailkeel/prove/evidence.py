"""A criterion's verdict with what it rests on. No verdict without an observation."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs


class Verdict(enum.Enum):
    """`unknown`: it cannot be seen from here; `not_applicable`: it is no question in this mode."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


@attrs.frozen
class Evidence:
    """One criterion: what was expected, what was observed, and the raw observation in `raw` (plain JSON
    values). Where it is no pass, `cause`, `solution` and `prevention` say what to do; for `unknown`, the
    solution is how to find out. `seconds` is how long the observation took, `at` when it was made."""

    id: str
    title: str
    verdict: Verdict
    expected: str
    observed: str
    raw: Mapping[str, Any] = attrs.field(factory=dict)
    cause: str = ""
    solution: str = ""
    prevention: str = ""
    at: float = 0.0


@attrs.frozen
class Proof:
    """All criteria. It holds where none failed."""

    criteria: tuple[Evidence, ...]

    @property
    def holds(self) -> bool:
        """Whether no criterion failed."""
        return not any(criterion.verdict is Verdict.FAIL for criterion in self.criteria)


def as_json(proof: Proof) -> dict[str, Any]:
    """The documented JSON form; the last three keys only where a criterion is no pass."""
    return {
        "verdict": "pass" if proof.holds else "fail",
        "criteria": [_criterion(criterion) for criterion in proof.criteria],
    }


def _criterion(evidence: Evidence) -> dict[str, Any]:
    result: dict[str, Any] = {
        "id": evidence.id,
        "title": evidence.title,
        "verdict": evidence.verdict.value,
        "expected": evidence.expected,
        "observed": evidence.observed,
        "evidence": {**evidence.raw, "at": evidence.at},
    }
    if evidence.verdict is not Verdict.PASS:
        result |= {"cause": evidence.cause, "solution": evidence.solution, "prevention": evidence.prevention}
    return result
