"""Where the quadruped's legs are, as capsules: all that is needed to draw them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine import Data, Model, mujoco
from sim.leg_geometry import LEG_NAMES

FloatArray = NDArray[np.float64]
PARTS: Final = (
    "front_upper",
    "front_knee_ball",
    "front_shank",
    "rear_upper",
    "rear_knee_ball",
    "rear_shank",
    "foot",
)
"""Of one leg, by their names in models/minitaur.xml; capsules, and balls as capsules of no length.
"""


class LegCapsules:
    """The links, knees and feet of all four legs, by the joints' angles of the very moment.

    Args:
        model: of models/minitaur.xml.
        data: its state, read at each call and never written.

    Attributes:
        radius_m: shape (4, len(PARTS)).
    """

    def __init__(self, model: Model, data: Data) -> None:
        self._model, self._data = model, data
        # Kinematics of its own: MuJoCo's are of the beginning of the last step.
        self._moment = mujoco.MjData(model)
        names = [[f"{leg}_{part}" for part in PARTS] for leg in LEG_NAMES]
        self._geoms = np.array([[model.geom(name).id for name in leg] for leg in names])
        sizes = model.geom_size[self._geoms]
        self.radius_m: FloatArray = sizes[..., 0]
        balls = model.geom_type[self._geoms] == int(mujoco.mjtGeom.mjGEOM_SPHERE)
        self._half_m = np.where(balls, 0.0, sizes[..., 1])

    def ends(self) -> FloatArray:
        """Both ends of each capsule's axis in the world, m, shape (4, len(PARTS), 2, 3)."""
        moment = self._moment
        moment.qpos[:] = self._data.qpos
        mujoco.mj_kinematics(self._model, moment)
        middle = moment.geom_xpos[self._geoms]
        axis = moment.geom_xmat[self._geoms][..., 2::3]
        along = axis * self._half_m[..., None]
        return np.stack([middle - along, middle + along], axis=2)
