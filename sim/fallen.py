"""A robot that has fallen: dropped turned, damped until it rests, then limp."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from sim.plant import MinitaurPlant

ATTITUDES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "belly": (0.0, 0.0),
        "nose": (0.0, 0.9),
        "tail": (0.0, -0.9),
        "left": (-math.pi / 2, 0.0),
        "right": (math.pi / 2, 0.0),
        "back": (math.pi, 0.0),
    }
)
"""Roll and pitch (rad) with which a robot is dropped that is to land so; it may roll on."""
FOLDED: Final = "folded"
"""Level, with its front legs swung back under it."""
SPREAD_RAD: Final = 0.15
"""Standard deviation of roll and pitch about them."""
LEFT_BEHIND_RAD: Final = 0.5
"""The same for a robot that some episode has left behind."""
DROP_M: Final = 0.3
DAMPED_S: Final = 0.9
DAMPING_N_M_S_RAD: Final = 0.1231
"""As the motors' controllers damp."""
LIMP_S: Final = 0.9
FRICTION_N_M_S_RAD: Final = 0.01
"""What is left of it in a motor without torque; without any the legs would swing for minutes."""


def fall(plant: MinitaurPlant, rng: np.random.Generator, kind: str | None = None) -> None:
    """Let the robot fall and come to rest, without torque at the end.

    Args:
        plant: its body; reset by this.
        rng: where attitude and legs are drawn from.
        kind: a key of `ATTITUDES`, or `FOLDED`; None: as some episode may have left it.

    Raises:
        ValueError: there is no such kind.
    """
    if kind is not None and kind != FOLDED and kind not in ATTITUDES:
        raise ValueError(f"no fall called {kind!r}; valid are {[*ATTITUDES, FOLDED]}")
    roll, pitch = ATTITUDES.get(kind or "", (0.0, 0.0))
    spread = LEFT_BEHIND_RAD if kind is None else SPREAD_RAD
    turn = rng.normal((roll, pitch), spread)
    extension, swing = rng.uniform(0.8, 2.8, 4), rng.uniform(-0.6, 0.6, 4)
    if kind == FOLDED:
        swing[[0, 2]] = rng.uniform(-1.2, -0.7, 2)
    plant.reset(extension, swing)
    plant.tip(float(turn[0]), float(turn[1]), DROP_M)
    for seconds, damping in ((DAMPED_S, DAMPING_N_M_S_RAD), (LIMP_S, FRICTION_N_M_S_RAD)):
        for _ in range(round(seconds / plant.timestep)):
            plant.step(-damping * plant.joint_velocity)
