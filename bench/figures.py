"""Figures: medians, percentiles, ratios, and whether a goal is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs


@attrs.frozen
class Goal:
    """What a figure should be: at most, or at least, `limit`."""

    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Whether the figure is as it should be."""
        return value >= self.limit if self.at_least else value <= self.limit

    def verdict(self, value: float) -> str:
        """`met` or `missed`, with the goal."""
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.limit:g}: {'met' if self.is_met(value) else '**missed**'}"


def median(values: Sequence[float]) -> float:
    """The middle value. Raises ValueError for none."""
    if not values:
        raise ValueError("no value was measured")
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no value was measured")
    ranked = sorted(values)
    rank = -int(-len(ranked) * percent // 100)  # rounded up
    return ranked[max(rank, 1) - 1]


def paired_ratio(values: Sequence[float], references: Sequence[float]) -> float:
    """The median of the ratios, round by round: what loads the machine for a while is in both."""
    return median([value / reference for value, reference in zip(values, references, strict=True)])


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The least and the greatest value."""
    return f"{min(values):.{digits}f}-{max(values):.{digits}f}"
