"""Whether what a latched fault was about is over, by a fresh look at the robot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from robosac.errors import NotArmedError
from robosac.hal import Limits
from robosac.ticks import Tick
from robosac.watch import WatchSettings, lasting
from robosac.watch_supply import OVER_TEMPERATURE

LOOK_S: Final = 1.0
"""How long is looked, s: the hand's servos tell their temperatures in turn, in 0.8 s."""


def refuse_lasting(
    name: str, tick: Callable[[], Tick], period: float, limits: Limits, settings: WatchSettings
) -> None:
    """Look whether the cause of the fault `name` is still there.

    Args:
        name: of the fault.
        tick: one exchange with torque off; what it raises is raised on.
        period: between two ticks, s.
        limits, settings: the robot's.

    Raises:
        NotArmedError: it is.
    """
    if name != OVER_TEMPERATURE:
        return
    for _ in range(round(LOOK_S / period) - 1):
        tick()
    if why := lasting(name, tick().state.joints, limits, settings):
        raise NotArmedError(f"{name} is still there: {why}")
