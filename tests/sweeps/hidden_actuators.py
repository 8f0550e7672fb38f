"""Actuators and a latency that are hidden in a twin, and how its joints truly move."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.actuators import Twin
from sim.claw import ClawTwin
from sim.delays import Delays
from sim.joint_dynamics import JointDynamics
from sim.minitaur import MinitaurTwin, TwinOptions

FloatArray = NDArray[np.float64]

SPANS = {
    "minitaur": ((0.75, 1.25), (0.0, 0.05), (0.0, 0.08), (0.6, 3.0), (0.002, 0.030)),
    "claw": ((0.75, 1.25), (0.5, 2.0), (0.02, 0.15), (0.6, 1.6), (0.002, 0.030)),
}
"""Torque gain; viscous friction (N m s/rad; the hand's by the nominal); dry friction (N m);
armature by the nominal; latency (s). Torque and viscous friction of the quadruped as Tan et al.
2018, Table I; the rest assumed."""


@dataclass(frozen=True)
class HiddenActuators:
    """Those of one robot."""

    actuators: JointDynamics
    latency_s: float

    @classmethod
    def drawn(cls, kind: str, nominal: FloatArray, rng: np.random.Generator) -> HiddenActuators:
        """Any: every joint by itself."""
        gain, viscous, dry, armature, latency = SPANS[kind]
        count = len(nominal)
        table = np.stack([rng.uniform(*span, count) for span in (gain, viscous, dry, armature)], 1)
        table[:, 3] *= nominal[:, 3]
        if kind == "claw":
            table[:, 1] *= np.maximum(nominal[:, 1], 0.05)
        return cls(JointDynamics.of(table), float(rng.uniform(*latency)))

    @property
    def delays(self) -> Delays:
        """The latency, always the same."""
        late = self.latency_s
        return Delays(late, late, late, late)

    def within(self, options: TwinOptions) -> TwinOptions:
        """`options` of a quadruped's twin that is made like this."""
        return replace(options, actuators=self.actuators, delays=self.delays)

    def hide(self, twin: MinitaurTwin | ClawTwin) -> None:
        """Let a twin that was made be like this."""
        options = replace(twin.options, actuators=self.actuators, delays=self.delays)
        twin.options = options  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(twin, ClawTwin):
            twin.use(self.actuators)


class Remembered:
    """A twin that knows what it was asked before: the nominal slopes are every robot's alike."""

    def __init__(self, twin: Twin) -> None:
        self._twin, self._known = twin, dict[bytes, FloatArray]()
        self.step_s = twin.step_s

    def trajectory(
        self, table: FloatArray, time_s: FloatArray, commanded_rad: FloatArray
    ) -> FloatArray:
        since = np.round(time_s - time_s[0], 6)
        key = table.tobytes() + since.tobytes() + commanded_rad.tobytes()
        if key not in self._known and len(self._known) > 60:
            return self._twin.trajectory(table, time_s, commanded_rad)
        if key not in self._known:
            self._known[key] = self._twin.trajectory(table, time_s, commanded_rad)
        return self._known[key]


def nominal_table(twin: MinitaurTwin | ClawTwin) -> FloatArray:
    """`JointDynamics.table` of the drawings, shape (n, 4)."""
    if isinstance(twin, ClawTwin):
        return twin.plant.dynamics
    armature = twin.plant.model.dof_armature[6::2]
    return np.stack((np.ones(8), np.zeros(8), np.zeros(8), armature), axis=1)


def tell_true(twin: MinitaurTwin | ClawTwin, true: list[FloatArray]) -> None:
    """Let `true` have a row, where the joints are (rad), after each step of the physics."""
    if isinstance(twin, ClawTwin):
        twin.on_step.append(lambda _: true.append(twin.plant.joint_position.copy()))
        return
    drive = twin.drive

    def told() -> None:
        drive()
        true.append(twin.plant.joint_position.copy())

    twin.drive = told
