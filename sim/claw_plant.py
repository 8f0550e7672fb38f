"""The hand and its valve in MuJoCo: shaft torques in, motion out, one physics step at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.claw_randomisation import ClawDraw
from sim.claw_servo import XH430, ServoPreset
from sim.engine import mujoco
from sim.joint_dynamics import JointDynamics
from sim.physics import PlantDiverged, load, read_only

FloatArray = NDArray[np.float64]

MODEL_PATH: Final = Path(__file__).parent / "models" / "claw.xml"
FINGERS: Final = 3
JOINT_NAMES: Final = (
    *(f"{joint}_{finger}" for finger in range(FINGERS) for joint in ("base", "middle", "tip")),
    "valve",
)
"""In the order of the servos."""
VALVE: Final = 9
"""The valve's place among them."""
SHAFT_OFFSET_RAD: Final = (*(math.pi / 2.0, math.pi, math.pi) * FINGERS, math.pi)
"""Where the shafts are with every joint at 0: the servos' calibration in ROBEL."""
HOME_RAD: Final = (0.0, -math.pi / 3.0, math.pi / 3.0) * FINGERS
"""The fingers spread, tips down beside the valve; ROBEL's pose between its episodes."""
JAM: Final = 1e4
"""Inertia (kg m^2) and damping (N m s/rad) of a valve that is stuck: no servo comes near."""
_FASTEST_RAD_S: Final = 200.0
_PLASTIC: Final = ("pad", "plate", "lobe", "hub")
_MODEL_NUMBER: Final = 1050


class ClawPlant:
    """Owns the MuJoCo model and its state; a `sim.servo_joint.ServoPlant` of ten shafts.

    Arrays over joints have shape (10,) in the order of `JOINT_NAMES`. The properties that return
    arrays return live read-only views: copy what must outlast the next step.

    Args:
        timestep: length of a physics step, s; contacts are tuned for 0.002 and want no longer one.
        preset: the servos' dynamics.
        servo_model: their model number.

    Attributes:
        model, data: MuJoCo's.

    Raises:
        ValueError: the time step is outside (0, 0.002].
    """

    def __init__(
        self,
        timestep: float = 0.002,
        preset: ServoPreset = XH430,
        servo_model: int = _MODEL_NUMBER,
    ) -> None:
        self.model, self.data = load(MODEL_PATH, timestep)
        self.timestep = timestep
        self._offset = np.array(SHAFT_OFFSET_RAD)
        self._shaft, self._shaft_velocity = np.array(SHAFT_OFFSET_RAD), np.zeros(len(JOINT_NAMES))
        self._direction: FloatArray | None = None
        self._jammed = False
        self._bind_views()
        self._set_dynamics(preset, servo_model)
        self._keep_nominal()
        self.apply(ClawDraw())
        self.reset()

    def _bind_views(self) -> None:
        """Check the addresses the views below rely on, then make the views."""
        model, data = self.model, self.data
        for index, name in enumerate(JOINT_NAMES):
            joint, motor = model.joint(name), model.actuator(name)
            addresses = (joint.qposadr[0], joint.dofadr[0], motor.id, motor.trnid[0])
            if addresses != (index, index, index, joint.id):
                raise RuntimeError(f"{MODEL_PATH.name}: joint {name} lies at {addresses}")
        self._qpos, self._ctrl = data.qpos, data.ctrl
        self._joint_position, self._velocity = read_only(data.qpos[:]), read_only(data.qvel[:])
        self._position = read_only(self._shaft[:])
        self._told_velocity = self._velocity

    def bolt(self, direction: ArrayLike, zero_rad: ArrayLike) -> None:
        """Sit the servos otherwise than drawn; follow with `reset`.

        Args:
            direction: +1 or -1 each: which way a servo turns its joint, shape (10,).
            zero_rad: angle of its shaft, after the direction, at the joint's zero, shape (10,).
        """
        self._offset = np.array(zero_rad, dtype=np.float64)
        signs = np.array(direction, dtype=np.float64)
        turned = bool((signs < 0.0).any())
        self._direction = signs if turned else None
        self._told_velocity = read_only(self._shaft_velocity[:]) if turned else self._velocity

    def _tell_shafts(self) -> None:
        """The shafts' angles and speeds, from the joints'."""
        np.add(self._qpos, self._offset, self._shaft)
        if self._direction is not None:
            self._shaft *= self._direction
            np.multiply(self._velocity, self._direction, self._shaft_velocity)

    def _set_dynamics(self, preset: ServoPreset, servo_model: int) -> None:
        """Give the joints what hangs on a servo's output, and its motor a most torque."""
        model = self.model
        model.dof_damping[:] = preset.passive_damping_nm_s_rad(servo_model)
        model.dof_armature[:] = preset.armature_kg_m2
        model.dof_frictionloss[:] = preset.frictionloss_nm
        model.dof_damping[VALVE] = preset.valve_damping_nm_s_rad
        model.dof_armature[VALVE] = preset.valve_armature_kg_m2
        model.dof_frictionloss[VALVE] = preset.valve_frictionloss_nm
        stall = preset.motor(servo_model).stall_torque_nm
        model.actuator_forcelimited[:] = True
        model.actuator_forcerange[:] = (-stall, stall)

    def _keep_nominal(self) -> None:
        """Remember what `apply` scales."""
        model = self.model
        names = [model.geom(index).name for index in range(model.ngeom)]
        self._plastic = [
            index for index, name in enumerate(names) if any(part in name for part in _PLASTIC)
        ]
        self._lobes = [index for index, name in enumerate(names) if name.startswith("lobe")]
        self._mount: int = model.body("mount").id
        valve = model.body("valve").id
        first = int(model.body_bvhadr[valve])
        self._valve_tree = slice(first, first + int(model.body_bvhnum[valve]))
        self._nominal = {
            name: getattr(model, name).copy()
            for name in (
                "dof_armature",
                "dof_damping",
                "dof_frictionloss",
                "geom_friction",
                "geom_size",
                "geom_rbound",
                "geom_aabb",
                "bvh_aabb",
                "body_pos",
            )
        }

    def reset(self, fingers_rad: ArrayLike = HOME_RAD, valve_rad: float = 0.0) -> None:
        """Set every joint at rest.

        Args:
            fingers_rad: joint angles of the fingers, rad, shape (9,).
            valve_rad: angle of the valve, rad: 0 with the coloured lobe to +y.
        """
        mujoco.mj_resetData(self.model, self.data)
        self._qpos[:VALVE], self._qpos[VALVE] = fingers_rad, valve_rad
        mujoco.mj_forward(self.model, self.data)
        self._tell_shafts()

    def apply(self, draw: ClawDraw) -> None:
        """Give the hand the properties of `draw` but for the motors'; follow with `reset`.

        Scales the nominal values, so draws do not accumulate. A thicker lobe weighs no more.
        """
        model, nominal = self.model, self._nominal
        # Derived constants are worked out for a valve that turns.
        model.dof_armature[VALVE] = nominal["dof_armature"][VALVE]
        model.dof_damping[:] = nominal["dof_damping"] * draw.damping_scale
        model.dof_frictionloss[:] = nominal["dof_frictionloss"] * draw.frictionloss_scale
        self._valve_damping = float(model.dof_damping[VALVE])
        model.geom_friction[:] = nominal["geom_friction"]
        model.geom_friction[self._plastic, 0] *= draw.friction_scale
        model.body_pos[self._mount] = nominal["body_pos"][self._mount] + draw.mount_shift_m
        grown = draw.valve_radius_shift_m
        model.geom_size[self._lobes, 0] = nominal["geom_size"][self._lobes, 0] + grown
        # The bounds that collisions and rays are sought in must grow along.
        model.geom_rbound[self._lobes] = nominal["geom_rbound"][self._lobes] + grown
        model.geom_aabb[self._lobes, 3:] = nominal["geom_aabb"][self._lobes, 3:] + grown
        tree = self._valve_tree
        model.bvh_aabb[tree, 3:] = nominal["bvh_aabb"][tree, 3:] + max(0.0, grown)
        mujoco.mj_setConst(model, self.data)
        self.jam_valve(self._jammed)

    def set_joints(self, actuators: JointDynamics) -> None:
        """Give the joints these frictions and armatures as nominal; follow with `apply`."""
        self._nominal["dof_damping"][:] = actuators.viscous_nm_s_rad
        self._nominal["dof_frictionloss"][:] = actuators.dry_friction_nm
        self._nominal["dof_armature"][:] = actuators.armature_kg_m2
        self.model.dof_armature[:] = actuators.armature_kg_m2

    @property
    def dynamics(self) -> FloatArray:
        """Nominal `sim.joint_dynamics.JointDynamics.table` of the joints, shape (10, 4)."""
        nominal = self._nominal
        columns = (nominal["dof_damping"], nominal["dof_frictionloss"], nominal["dof_armature"])
        return np.stack((np.ones(len(JOINT_NAMES)), *columns), axis=1)

    def jam_valve(self, jammed: bool) -> None:
        """Let the valve be stuck, so that no motor can turn it, or free it again."""
        self._jammed = jammed
        armature = float(self._nominal["dof_armature"][VALVE])
        # A constraint would give way softly; great friction is one of those.
        self.model.dof_armature[VALVE] = JAM if jammed else armature
        self.model.dof_damping[VALVE] = JAM if jammed else self._valve_damping
        if jammed:
            self.data.qvel[VALVE] = 0.0

    def step(self, torque_nm: FloatArray, dt: float) -> None:
        """Advance by `dt` (s) under the motors' torque (N m).

        A gear passes on no more than the motor's stall torque.

        Raises:
            ValueError: `dt` is not the plant's time step.
            PlantDiverged: the state is no longer finite, or faster than anything physical.
        """
        if dt != self.timestep:
            raise ValueError(f"this plant steps by {self.timestep} s, not by {dt} s")
        self._ctrl[:] = torque_nm
        if self._direction is not None:
            self._ctrl *= self._direction
        mujoco.mj_step(self.model, self.data)
        self._tell_shafts()
        # Also False for a NaN.
        speed = self._velocity
        if not float(speed.dot(speed)) < _FASTEST_RAD_S**2:
            raise PlantDiverged(
                f"joint speeds {speed} rad/s at {self.data.time:.3f} s, last torques "
                f"{torque_nm} N m; valid are speeds up to {_FASTEST_RAD_S} rad/s together"
            )

    @property
    def position(self) -> FloatArray:
        """Angles of the servos' shafts, rad, shape (10,): as drawn, the joints' plus
        `SHAFT_OFFSET_RAD`."""
        return self._position

    @property
    def velocity(self) -> FloatArray:
        """Speeds of the shafts, rad/s, shape (10,); as drawn, also the joints'."""
        return self._told_velocity

    @property
    def joint_velocity(self) -> FloatArray:
        """Speeds of the joints, rad/s, shape (10,)."""
        return self._velocity

    @property
    def joint_position(self) -> FloatArray:
        """Joint angles, rad, shape (10,); the valve's is not wrapped."""
        return self._joint_position

    @property
    def valve_angle(self) -> float:
        """Angle of the valve, rad, not wrapped: 0 with the coloured lobe to +y, then to -x."""
        return float(self._qpos[VALVE])

    @property
    def contacts(self) -> frozenset[tuple[str, str]]:
        """Names of the geoms that touch, pair by pair, each pair in the model's order."""
        data, name = self.data, self.model.geom
        return frozenset(
            (name(min(pair)).name, name(max(pair)).name)
            for pair in data.contact.geom[: data.ncon].tolist()
        )
