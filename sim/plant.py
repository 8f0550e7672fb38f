"""The Minitaur's body in MuJoCo: joint torques in, motion out, one physics step at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim import leg_geometry
from sim.engine import mujoco
from sim.physics import PlantDiverged, load, read_only
from sim.randomisation import Draw

FloatArray = NDArray[np.float64]

MODEL_PATH: Final = Path(__file__).parent / "models" / "minitaur.xml"
MOTORS: Final = 8
INERTIAL_SENSORS: Final = ("orientation", "angular_velocity", "specific_force")


@dataclass(frozen=True, slots=True)
class PlanarPose:
    """The body's place on the floor."""

    x: float
    y: float
    """m"""
    yaw: float
    """rad, -pi to pi"""


class MinitaurPlant:
    """Owns the MuJoCo model and its state.

    Arrays over motors have shape (8,) in the order of `leg_geometry.MOTOR_NAMES`. The properties
    that return arrays return live read-only views: copy what must outlast the next step.

    Args:
        timestep: length of a physics step, s; loop closures and contacts are tuned for 0.001 and
            hold up to 0.002.

    Raises:
        ValueError: the time step is outside (0, 0.002].
    """

    def __init__(self, timestep: float = 0.001) -> None:
        self.model, self.data = load(MODEL_PATH, timestep)
        self.timestep = timestep
        self._qpos, self._qvel, self._ctrl = self.data.qpos, self.data.qvel, self.data.ctrl
        self._base: int = self.model.body("base").id
        self._grip: int = self.model.equality("grip").id
        self._feet = [self.model.geom(f"{leg}_foot").id for leg in leg_geometry.LEG_NAMES]
        self._push_steps = 0
        self._nominal_mass = self.model.body_mass.copy()
        self._nominal_inertia = self.model.body_inertia.copy()
        self._nominal_friction = self.model.geom_friction.copy()
        self._chassis = np.isin(
            np.arange(self.model.nbody),
            [self.model.body(name).id for name in ("base", "left_side", "right_side")],
        )
        self._bind_views()
        self.reset()

    def _bind_views(self) -> None:
        """Check the addresses the strided views below rely on, then make the views."""
        for index, name in enumerate(leg_geometry.MOTOR_NAMES):
            joint, knee = self.model.joint(name), self.model.joint(f"{name}_knee")
            addresses = (joint.qposadr[0], knee.qposadr[0], joint.dofadr[0], knee.dofadr[0])
            if addresses != (7 + 2 * index, 8 + 2 * index, 6 + 2 * index, 7 + 2 * index):
                raise RuntimeError(f"{MODEL_PATH.name}: joint {name} lies at {addresses}")
        sensors = self.data.sensordata
        addresses = [int(self.model.sensor(name).adr[0]) for name in INERTIAL_SENSORS]
        if addresses != [0, 4, 7] or sensors.shape != (10,):
            raise RuntimeError(f"{MODEL_PATH.name}: inertial sensors lie at {addresses}")
        self._inertial = read_only(sensors[:])
        self._joint_position = read_only(self._qpos[7::2])
        self._joint_velocity = read_only(self._qvel[6::2])
        self._position = read_only(self._qpos[:3])
        self._velocity = read_only(self._qvel[:3])
        self._orientation = self._inertial[:4]
        self._gyro = self._inertial[4:7]
        self._accelerometer = self._inertial[7:]

    def reset(
        self,
        extension: ArrayLike = 2.0,
        swing: ArrayLike = 0.0,
        *,
        clearance: float = 0.001,
        x: float = 0.0,
        y: float = 0.0,
        yaw: float = 0.0,
    ) -> None:
        """Set the robot down at rest, level, with every leg loop exactly closed.

        Args:
            extension: of each leg, rad; scalar or shape (4,).
            swing: of each leg, rad, positive forward; scalar or shape (4,).
            clearance: between the lowest toe and the floor, m.
            x: place of the body on the floor, m.
            y: place of the body on the floor, m.
            yaw: heading, rad.
        """
        motors = leg_geometry.motor_angles(extension, swing)
        knees = leg_geometry.knee_angles(motors)
        self.hold_base(False)
        mujoco.mj_resetData(self.model, self.data)
        self._push_steps = 0
        qpos = self._qpos
        qpos[:7] = (x, y, 0.0, math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))
        qpos[7::2], qpos[8::2] = motors, knees
        mujoco.mj_kinematics(self.model, self.data)
        radius = self.model.geom_size[self._feet, 0]
        qpos[2] = clearance - (self.data.geom_xpos[self._feet, 2] - radius).min()
        mujoco.mj_forward(self.model, self.data)

    def tip(self, roll: float, pitch: float, height: float) -> None:
        """Turn the body as it is by `roll` and `pitch` (rad), its origin at `height` (m)."""
        a, b = roll / 2, pitch / 2
        self._qpos[2] = height
        self._qpos[3:7] = (
            math.cos(a) * math.cos(b),
            math.sin(a) * math.cos(b),
            math.cos(a) * math.sin(b),
            -math.sin(a) * math.sin(b),
        )
        mujoco.mj_forward(self.model, self.data)

    def apply(self, draw: Draw) -> None:
        """Give the body the masses, inertias and foot friction of `draw`; follow with `reset`.

        Scales the model file's own values, so draws do not accumulate.
        """
        model = self.model
        scale = np.where(self._chassis, draw.chassis_mass_scale, draw.leg_mass_scale)
        model.body_mass[:] = self._nominal_mass * scale
        model.body_inertia[:] = self._nominal_inertia * draw.inertia_scale
        model.geom_friction[:] = self._nominal_friction
        model.geom_friction[self._feet, 0] = draw.foot_friction
        # Derived constants (inverse weights, subtree masses) would otherwise stay nominal.
        mujoco.mj_setConst(model, self.data)

    def set_joints(self, dry_friction_nm: ArrayLike, armature_kg_m2: ArrayLike) -> None:
        """Give the motors' joints this friction (N m) and armature (kg m^2); shapes (8,)."""
        self.model.dof_frictionloss[6::2] = dry_friction_nm
        self.model.dof_armature[6::2] = armature_kg_m2
        mujoco.mj_setConst(self.model, self.data)

    def step(self, torque: FloatArray) -> None:
        """Advance one time step under the joint torques, N m.

        Raises:
            PlantDiverged: the state is no longer finite, or flew off.
        """
        if self._push_steps:
            self._push_steps -= 1
            if not self._push_steps:
                self.data.xfrc_applied[self._base] = 0.0
        self._ctrl[:] = torque
        mujoco.mj_step(self.model, self.data)
        # Also False for a NaN: the base carries every leg, so it turns NaN with any joint.
        if not -10.0 < self._qpos[2] < 100.0:
            raise PlantDiverged(
                f"base height {self._qpos[2]} m at {self.data.time:.3f} s, "
                f"last torques {torque} N m; valid is -10 to 100 m"
            )

    def hold_base(self, held: bool) -> None:
        """Let an operator's hands hold the body where it is now, or let it go.

        The grip is a stiff weld, so the legs still feel gravity and the accelerometer still reads
        it; the body gives way by less than a millimetre.
        """
        if held:
            self.data.mocap_pos[0] = self._qpos[:3]
            self.data.mocap_quat[0] = self._qpos[3:7]
        self.data.eq_active[self._grip] = held

    def push(self, force: ArrayLike, steps: int) -> None:
        """Push the base with `force` (N, world frame, shape (3,)) for the next `steps` steps.

        Raises:
            ValueError: `steps` is not positive.
        """
        if steps < 1:
            raise ValueError(f"a push lasts at least 1 step, got {steps}")
        self.data.xfrc_applied[self._base, :3] = force
        self._push_steps = steps + 1

    @property
    def held(self) -> bool:
        """True while the operator holds the body."""
        return bool(self.data.eq_active[self._grip])

    @property
    def joint_position(self) -> FloatArray:
        """Motor angles, rad, shape (8,)."""
        return self._joint_position

    @property
    def joint_velocity(self) -> FloatArray:
        """Motor speeds, rad/s, shape (8,)."""
        return self._joint_velocity

    @property
    def base_position(self) -> FloatArray:
        """Body origin in the world, m, shape (3,)."""
        return self._position

    @property
    def base_velocity(self) -> FloatArray:
        """Velocity of the body origin in the world, m/s, shape (3,)."""
        return self._velocity

    @property
    def orientation(self) -> FloatArray:
        """Unit quaternion (w, x, y, z), body FLU to world z up, at the start of the last step."""
        return self._orientation

    @property
    def angular_velocity(self) -> FloatArray:
        """Body-frame rates at the IMU, rad/s, shape (3,), at the start of the last step."""
        return self._gyro

    @property
    def specific_force(self) -> FloatArray:
        """Body-frame specific force at the IMU during the last step, m/s^2, shape (3,).

        At rest about (0, 0, +9.81).
        """
        return self._accelerometer

    @property
    def inertial(self) -> FloatArray:
        """`orientation`, `angular_velocity` and `specific_force` in one view, shape (10,)."""
        return self._inertial

    def planar_pose(self) -> PlanarPose:
        """Where an overhead camera would see the body, without error or delay."""
        x, y, _, w, i, j, k = self._qpos[:7].tolist()
        return PlanarPose(x, y, math.atan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k)))

    @property
    def forward_velocity(self) -> float:
        """True velocity along the body's heading, m/s."""
        yaw = self.planar_pose().yaw
        return float(self._qvel[0] * math.cos(yaw) + self._qvel[1] * math.sin(yaw))

    @property
    def tilt(self) -> float:
        """Angle between the body's z axis and the vertical, rad."""
        _, x, y, _ = self._qpos[3:7].tolist()
        return math.acos(max(-1.0, min(1.0, 1 - 2 * (x * x + y * y))))

    def loop_error(self) -> float:
        """Largest gap between the two lower links at any ankle, m."""
        sites = self.data.site_xpos
        gaps = [
            sites[self.model.site(f"{leg}_front_ankle").id]
            - sites[self.model.site(f"{leg}_rear_ankle").id]
            for leg in leg_geometry.LEG_NAMES
        ]
        return float(np.linalg.norm(gaps, axis=1).max())
