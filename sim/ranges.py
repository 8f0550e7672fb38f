"""Ranges that a robot, a hand or a camera is drawn from, and what is wrong with one."""

from __future__ import annotations

import math

Range = tuple[float, float]
"""(low, high) of a uniform draw."""


def check_range(
    name: str,
    span: Range | None,
    *,
    floor: float = 0.0,
    top: float = math.inf,
    positive: bool = False,
) -> None:
    """Refuse a range that is upside down, not finite, or outside [floor, top]; None is no range.

    Raises:
        ValueError: it is, or `positive` is asked for and the low end is 0.
    """
    if span is None:
        return
    low, high = span
    if not (math.isfinite(low) and math.isfinite(high) and floor <= low <= high <= top):
        bound = "" if math.isinf(top) else f" <= {top}"
        raise ValueError(f"randomisation.{name} = {span}; expected {floor} <= low <= high{bound}")
    if positive and low == 0.0:
        raise ValueError(f"randomisation.{name} = {span}; the low end must be positive")
