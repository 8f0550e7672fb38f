"""What every plant does with MuJoCo: load its model, and show its state read-only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.engine import Data, Model, mujoco

LONGEST_STEP_S = 0.002
"""Longest physics step that the models' contacts hold up to, s."""


class PlantDiverged(RuntimeError):
    """The simulation left the range of anything physical; reset it, or shorten the step."""


def load(path: Path, timestep: float) -> tuple[Model, Data]:
    """The model at `path`, to be stepped by `timestep` (s), and a state of it.

    Raises:
        ValueError: the time step is outside (0, LONGEST_STEP_S].
    """
    if not 0 < timestep <= LONGEST_STEP_S:
        raise ValueError(f"plant timestep must be in (0, {LONGEST_STEP_S}] s, got {timestep}")
    model = mujoco.MjModel.from_xml_path(str(path))
    model.opt.timestep = timestep
    # A diverged state must be seen, not silently replaced by the reset one.
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return model, mujoco.MjData(model)


def read_only(view: NDArray[np.float64]) -> NDArray[np.float64]:
    """`view`, through which nothing can be written any more."""
    view.setflags(write=False)
    return view
