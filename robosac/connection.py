"""What a run needs of a robot, real or twin, once it is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robosac.clock import Clock
from robosac.robots.minitaur import Devices
from robosac.tasks.walk import Operator

Renderer = Callable[[int, int], NDArray[np.uint8]]


class ClockState(Protocol):
    """A clock whose present can be set, so that a resumed run is the run that was never killed."""

    steps: int


@dataclass(frozen=True)
class Connection:
    """A robot's devices, and what there is around them."""

    devices: Devices
    clock: Clock
    operator: Operator
    render: Renderer | None = None
    """(width, height) -> uint8 picture, where there is something to see."""
    clock_state: ClockState | None = None
    """The virtual clock of a twin."""
    warnings: tuple[str, ...] = ()
    """What works, but not as well as it should; one line each."""
