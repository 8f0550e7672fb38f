"""Whether a robot has changed since a run began: the trend of how it stands.

A horn that slipped, a motor that weakens and a joint that sticks change where a robot stands at the
same stance, under the same weight. That is told as every episode begins (`tracking.standing`); here
the newest episodes are compared with the first. A quadruped that is set down stands a little
otherwise each time (by 60 mrad on the twin), but left and right alike (3 mrad). So each joint is
told by its likes: less what the same joint of the other side, or of the other fingers, tells. What
befalls all likes alike is then not seen. How far joints lag while a policy moves them is not
judged: a new gait changes that by more than wear does. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

FIRST: Final = 20
"""Episodes that tell what is usual, the first in which a number is known."""
NEWEST: Final = 10
ERRORS: Final = 4.0
"""Standard errors by which the medians must differ."""
MEDIAN_ERROR: Final = 1.2533
"""Standard error of a median by that of a mean, of a normal distribution."""
MAD_TO_DEVIATION: Final = 1.4826
"""Of a normal distribution."""
STANDING_RAD: Final = 0.01
"""A change below which nothing is said, rad: three times what the twin shows by chance."""
_SIDES: Final = re.compile(r"left|right|[0-9]+")
"""What tells a joint's name from its likes'."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One number of the robot: what was usual, and what it is now."""

    name: str
    usual: float
    """Median of the first episodes."""
    now: float
    """Median of the newest."""
    spread: float
    """Standard deviation of one of the first episodes, by their median deviation."""
    bound: float
    """How far it may differ."""

    @property
    def change(self) -> float:
        """From what was usual to now."""
        return self.now - self.usual

    @property
    def drifted(self) -> bool:
        """Whether it differs by more than its bound; what is not a number does."""
        return not abs(self.change) <= self.bound


def by_its_likes(told: Mapping[str, float | None]) -> dict[str, float]:
    """Each number less the mean of its likes': left and right, or finger by finger.

    A number without likes is told as it is, one that is not known not at all.
    """
    known = {name: value for name, value in told.items() if value is not None}
    groups: dict[str, list[str]] = {}
    for name in known:
        groups.setdefault(_SIDES.sub("", name), []).append(name)
    found: dict[str, float] = {}
    for names in groups.values():
        total = sum(known[name] for name in names)
        for name in names:
            others = (total - known[name]) / (len(names) - 1) if len(names) > 1 else 0.0
            found[name] = known[name] - others
    return found


def standing_drift(episodes: Sequence[Mapping[str, float | None]]) -> tuple[Drift, ...]:
    """How the stance changed, rad, number by number.

    Args:
        episodes: what `tracking.standing` told, in order; None: not known.
    """
    likes = [by_its_likes(told) for told in episodes]
    names = dict.fromkeys(name for told in likes for name in told)
    found = (_drift(name, [told[name] for told in likes if name in told]) for name in names)
    return tuple(drift for drift in found if drift is not None)


def _drift(name: str, told: Sequence[float]) -> Drift | None:
    """None: too few episodes know it, for the newest must not be among the first."""
    values = np.array(told)
    if len(values) < FIRST + NEWEST:
        return None
    first = values[:FIRST]
    usual = float(np.median(first))
    spread = MAD_TO_DEVIATION * float(np.median(np.abs(first - usual)))
    now = float(np.median(values[-NEWEST:]))
    error = MEDIAN_ERROR * spread * math.sqrt(1.0 / FIRST + 1.0 / NEWEST)
    return Drift(name, usual, now, spread, max(ERRORS * error, STANDING_RAD))
