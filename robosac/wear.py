"""Whether a robot has changed since a run began: trends of how it stands and how it follows.

Backlash, a horn that slipped, a motor that weakens and a joint that sticks all change where a robot
stands at the same stance, or how far its joints lag. Both are told of every episode (`tracking`);
here the newest episodes are compared with the first. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

Least = Callable[[float], float]
"""From what is usual to the change below which nothing is said."""

FIRST: Final = 20
"""Episodes that tell what is usual, the first in which a number is known."""
NEWEST: Final = 10
SPREADS: Final = 4.0
"""Standard deviations of one episode by which the newest ones' median must differ."""
MAD_TO_DEVIATION: Final = 1.4826
"""Of a normal distribution."""
STANDING_RAD: Final = 0.02
"""A change of the stance below which nothing is said, rad: what calibration is to be good for."""
LAG_SHARE: Final = 0.2
"""The same of a joint's lag, as a share of the usual one."""


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


def standing_drift(episodes: Sequence[Mapping[str, float | None]]) -> tuple[Drift, ...]:
    """How the stance changed, rad, number by number.

    Args:
        episodes: what `tracking.standing` told, in order.
    """
    return _drifts(episodes, lambda usual: STANDING_RAD)


def lag_drift(episodes: Sequence[Mapping[str, float | None]]) -> tuple[Drift, ...]:
    """How the joints' lag changed, by the lag of all joints in the same episode.

    What a new gait does to all of them is thereby left out, and so is what befalls all alike. A
    number is a share: 1.2 is a joint that lags 1.2 times as far as the middle one.

    Args:
        episodes: what `tracking.Lag` told, in order.
    """
    return _drifts([_by_the_middle(told) for told in episodes], lambda usual: LAG_SHARE * usual)


def _by_the_middle(told: Mapping[str, float | None]) -> dict[str, float]:
    known = {name: value for name, value in told.items() if value is not None}
    middle = float(np.median(list(known.values()))) if known else 0.0
    return {name: value / middle for name, value in known.items()} if middle > 0.0 else {}


def _drifts(episodes: Sequence[Mapping[str, float | None]], least: Least) -> tuple[Drift, ...]:
    names = dict.fromkeys(name for told in episodes for name in told)
    found = (_drift(name, [told.get(name) for told in episodes], least) for name in names)
    return tuple(drift for drift in found if drift is not None)


def _drift(name: str, told: Sequence[float | None], least: Least) -> Drift | None:
    """None: too few episodes know it, for the newest must not be among the first."""
    values = np.array([value for value in told if value is not None], dtype=np.float64)
    if len(values) < FIRST + NEWEST:
        return None
    first = values[:FIRST]
    usual = float(np.median(first))
    spread = MAD_TO_DEVIATION * float(np.median(np.abs(first - usual)))
    now = float(np.median(values[-NEWEST:]))
    return Drift(name, usual, now, spread, max(SPREADS * spread, least(usual)))
