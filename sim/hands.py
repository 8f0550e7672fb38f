"""A person's hands at a twin whose torque is off: they guide joints, and hold and turn its body.

They are springs on MuJoCo's joints and a grip on the body, and act before each step of physics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.bolts import about, product
from sim.claw import ClawTwin
from sim.clock import Steppable
from sim.minitaur import MinitaurTwin

FloatArray = NDArray[np.float64]

HEIGHT_M: Final = 0.8
"""Of a body that is held in the air."""
STANCE_RAD: Final = 2.0
"""Where the quadruped's other joints are held meanwhile."""
BENT_RAD: Final = (0.0, -0.8, -1.4) * 3
"""Where the hand's other joints are held: a fingertip that is bent passes by the valve."""
SETTLE_S: Final = 0.6
"""Until a joint that was guided somewhere rests there."""
SPEED_RAD_S: Final = 3.0
"""How fast hands bring a joint to where a motion begins."""


@dataclass(frozen=True)
class Touch:
    """How firmly hands hold a joint."""

    stiffness: float
    """N m/rad"""
    damping: float
    """N m s/rad"""
    learning: float
    """N m/(rad s): so that a joint comes to rest where it is held, whatever pulls at it."""
    most_nm: float
    """Of what is learned."""


LEG: Final = Touch(60.0, 0.6, 1200.0, 5.0)
FINGER: Final = Touch(20.0, 0.5, 150.0, 2.0)


@dataclass
class _Way:
    """A joint's way, slow at both ends."""

    joint: int
    start_rad: float
    end_rad: float
    begin_s: float
    seconds: float

    def at(self, now: float) -> float:
        share = min(1.0, max(0.0, (now - self.begin_s) / self.seconds))
        return (
            self.start_rad + (self.end_rad - self.start_rad) * (1 - math.cos(math.pi * share)) / 2
        )


class Hands:
    """Hands at a twin's joints.

    Args:
        clock: the twin's.
        data: MuJoCo's.
        dofs: of the joints.
        position, velocity: live, of the joints, rad and rad/s, shape (n,).
        touch: how firmly they hold.
        posture_rad: where the joints are held that nobody guides, shape (n,).
    """

    def __init__(
        self,
        clock: Steppable,
        data: Any,
        dofs: slice,
        position: FloatArray,
        velocity: FloatArray,
        touch: Touch,
        posture_rad: FloatArray,
    ) -> None:
        self.clock, self._touch = clock, touch
        self._applied: FloatArray = data.qfrc_applied[dofs]
        self._position, self._velocity = position, velocity
        self.posture_rad = posture_rad
        self._goal, self._sum = position.copy(), np.zeros(len(position))
        self._way: _Way | None = None
        self._turn: Callable[[float], None] | None = None

    def settle(self) -> None:
        """Bring every joint to the posture, and wait until it rests."""
        self._goal = self.posture_rad.copy()
        self._way = None
        self._wait(2.0 * SETTLE_S)

    def bring(self, joint: int, goal_rad: float) -> None:
        """Bring a joint to `goal_rad`, and wait until it rests there.

        The joint that was guided before goes back first, out of this one's way.
        """
        before = None if self._way is None else self._way.joint
        if before is not None and before != joint:
            self._carry(before, float(self.posture_rad[before]))
        self._carry(joint, goal_rad)

    def _carry(self, joint: int, goal_rad: float) -> None:
        seconds = max(0.3, abs(goal_rad - float(self._goal[joint])) / SPEED_RAD_S)
        self.guide(joint, goal_rad, 0.0, seconds)
        self._wait(seconds + SETTLE_S)

    def guide(self, joint: int, goal_rad: float, lead_s: float, seconds: float) -> None:
        """Guide a joint to `goal_rad` from `lead_s` on, for `seconds`; returns at once."""
        if self._way is not None:
            self._goal[self._way.joint] = self._way.end_rad
        start = float(self._goal[joint])
        self._way = _Way(joint, start, goal_rad, self.clock.now() + lead_s, seconds)

    def act(self) -> None:
        """Before each step of physics."""
        if self._turn is not None:
            self._turn(self.clock.now())
        if self._way is not None:
            self._goal[self._way.joint] = self._way.at(self.clock.now())
        touch, wrong = self._touch, self._goal - self._position
        self._sum += touch.learning * self.clock.dt * wrong
        np.clip(self._sum, -touch.most_nm, touch.most_nm, out=self._sum)
        self._applied[:] = touch.stiffness * wrong - touch.damping * self._velocity + self._sum

    def _wait(self, seconds: float) -> None:
        self.clock.wait_until(self.clock.now() + seconds)


class BodyHands(Hands):
    """Hands at a quadruped, whose body they hold in the air."""

    def __init__(self, twin: MinitaurTwin) -> None:
        plant = twin.plant
        posture = np.full(len(plant.joint_position), STANCE_RAD)
        super().__init__(
            twin.clock,
            plant.data,
            slice(6, None, 2),
            plant.joint_position,
            plant.joint_velocity,
            LEG,
            posture,
        )
        self._plant = plant
        self.lift(0.0, 0.0)
        twin.hands = self.act

    def lift(self, roll_rad: float, pitch_rad: float) -> None:
        """Hold the body in the air in an attitude, its legs in the posture; it is at rest there."""
        self._turn = None
        self._plant.reset(extension=STANCE_RAD)
        self._plant.tip(roll_rad, pitch_rad, HEIGHT_M)
        self._plant.hold_base(True)
        self._way, self._goal = None, self.posture_rad.copy()
        self._sum[:] = 0.0
        self._wait(0.1)

    def turn(
        self, axis: tuple[float, float, float], angle_rad: float, lead_s: float, seconds: float
    ) -> None:
        """Turn the body about `axis` (FRD) from `lead_s` on, for `seconds`; returns at once."""
        data, begin = self._plant.data, self.clock.now() + lead_s
        w, x, y, z = data.mocap_quat[0].tolist()
        # MuJoCo's body is FLU.
        flu = (axis[0], -axis[1], -axis[2])

        def turned(now: float) -> None:
            share = min(1.0, max(0.0, (now - begin) / seconds))
            angle = angle_rad * (1.0 - math.cos(math.pi * share)) / 2.0
            data.mocap_quat[0] = product((w, x, y, z), about(flu, angle))

        self._turn = turned


def hands_at(twin: MinitaurTwin | ClawTwin) -> Hands:
    """Hands at any of the twins; they have hold of it from now on."""
    if isinstance(twin, MinitaurTwin):
        return BodyHands(twin)
    plant = twin.plant
    posture = np.array([*BENT_RAD, plant.valve_angle])
    hands = Hands(
        twin.clock,
        plant.data,
        slice(0, None),
        plant.joint_position,
        plant.joint_velocity,
        FINGER,
        posture,
    )
    twin.hands = hands.act
    hands.settle()
    return hands
