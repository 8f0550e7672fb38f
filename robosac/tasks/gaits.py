"""A scripted hand: turns the valve towards its target, in the twin and on the real hand. Pure.

It needs no keyboard and no gamepad, and makes the demonstrations that learning may start from. Hand
and valve look the same after a third of a turn, so the three fingers move as one: out of the
valve's way, sideways, in behind a lobe, and on along a circle with the lobe before them.
Positive angles are counter-clockwise seen from above.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from robosac.hal import FloatArray
from robosac.tasks.turn_definitions import CENTRE, RANGE

THIRD = math.tau / 3
# A D'Claw finger, m (Ahn et al. 2019, arXiv 1909.11639): from the valve's axis to the base joint,
# from joint to joint, and from the last one to the middle of the fingertip's end.
RADIUS, BASE_LINK, MIDDLE_LINK, TIP_LINK = 0.06, 0.0675, 0.068, 0.073
FINGER_AZIMUTH = math.pi / 3
"""Of the first finger's base joint about the valve's axis, rad; the others are thirds away."""
LOBE_AZIMUTH = math.pi / 2
"""Of the coloured lobe at valve angle 0, rad."""


class Phase(enum.Enum):
    """What the fingers are about."""

    OPEN = "open"
    SWING = "swing"
    CLOSE = "close"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class TurnGait:
    """Sizes of the movement."""

    circle_m: float = 0.058
    """Radius at which the fingertips push, m."""
    reach_rad: float = 1.15
    """Azimuth of a fingertip, seen from its base, up to which it pushes."""
    behind_rad: float = 0.8
    """Azimuth between a fingertip and the lobe that it comes in behind."""
    back_rad: float = 1.35
    """Azimuth of a fingertip, against the direction, up to which it comes in."""
    open_rad: float = -0.4
    """Middle joint of a finger that is out of the valve's way."""
    lead_rad: float = 0.45
    """Azimuth by which a pushing fingertip's target runs ahead of it."""
    gain: float = 1.1
    """Lead for each radian of error, near the target."""
    least_lead_rad: float = 0.1
    """Least lead while there is an error."""
    done_rad: float = 0.05
    """Error below which the hand rests."""
    arrived_rad: float = 0.23
    """Distance at which a joint has arrived."""
    patience_steps: int = 10
    """Steps after which a phase is over though its joints have not arrived."""


class ScriptedTurn:
    """Answers each step with an action; one for each episode, which begins at home.

    Args:
        gait: sizes of the movement.
    """

    def __init__(self, gait: TurnGait | None = None) -> None:
        self.gait = gait or TurnGait()
        self.phase = Phase.OPEN
        self._direction = 1.0
        self._landing = 0.0
        self._steps = 0

    def act(self, valve_rad: float, error_rad: float, fingers_rad: FloatArray) -> FloatArray:
        """The next action (9,), in [-1, 1].

        Args:
            valve_rad: the valve's angle; 0 where the coloured lobe points right.
            error_rad: from it to the target.
            fingers_rad: measured joint angles, (9,).

        Raises:
            ValueError: an angle is not finite.
        """
        if not np.isfinite([valve_rad, error_rad, *fingers_rad]).all():
            raise ValueError(f"angles must be finite, got {valve_rad}, {error_rad}, {fingers_rad}")
        fingers = np.reshape(fingers_rad, (3, 3))
        self._go_on(valve_rad, error_rad, fingers)
        self._steps += 1
        return np.clip((self._pose(error_rad, fingers).ravel() - CENTRE) / RANGE, -1.0, 1.0)

    def _go_on(self, valve_rad: float, error_rad: float, fingers: FloatArray) -> None:
        """Enter the next phase where this one is over."""
        done = abs(error_rad) < self.gait.done_rad
        if self.phase is Phase.PUSH:
            if done:
                self._steps = 0
            elif self._pushed_out(error_rad, fingers):
                self._enter(Phase.OPEN)
        elif not self._arrived(self._pose(error_rad, fingers), fingers):
            return
        elif self.phase is Phase.OPEN and not done:
            self._direction = math.copysign(1.0, error_rad)
            self._landing = landing(valve_rad, self._direction, self.gait)
            self._enter(Phase.SWING)
        elif self.phase is Phase.SWING:
            self._enter(Phase.CLOSE)
        elif self.phase is Phase.CLOSE:
            self._enter(Phase.PUSH)

    def _pushed_out(self, error_rad: float, fingers: FloatArray) -> bool:
        """Whether pushing on would lead nowhere."""
        reached = max(self._direction * azimuth(finger) for finger in fingers)
        return (
            error_rad * self._direction < 0.0
            or reached > self.gait.reach_rad
            or self._steps >= self.gait.patience_steps
        )

    def _arrived(self, pose: FloatArray, fingers: FloatArray) -> bool:
        near = bool((np.abs(pose - fingers) < self.gait.arrived_rad).all())
        return near or self._steps >= self.gait.patience_steps

    def _pose(self, error_rad: float, fingers: FloatArray) -> FloatArray:
        """Where the fingers shall go, (3, 3) rad."""
        gait, pose = self.gait, np.zeros((3, 3))
        pose[:, 1] = gait.open_rad
        if self.phase is Phase.OPEN:
            pose[:, 0] = fingers[:, 0]
        elif self.phase is Phase.SWING:
            pose[:, 0] = finger_at(self._landing, gait.circle_m)[0]
        elif self.phase is Phase.CLOSE:
            pose[:] = finger_at(self._landing, gait.circle_m)
        else:
            size = abs(error_rad)
            lead = np.clip(gait.gain * size, gait.least_lead_rad, gait.lead_rad)
            lead *= self._direction if size >= gait.done_rad else 0.0
            pose[:] = [finger_at(azimuth(finger) + lead, gait.circle_m) for finger in fingers]
        return pose

    def _enter(self, phase: Phase) -> None:
        self.phase, self._steps = phase, 0


def landing(valve_rad: float, direction: float, gait: TurnGait) -> float:
    """Azimuth, seen from a finger's base, at which it comes in to push a lobe in `direction`.

    As far back as a fingertip can be behind a lobe, so that it may push far.
    """
    lobe = direction * (valve_rad + LOBE_AZIMUTH - FINGER_AZIMUTH)
    behind = (lobe - gait.behind_rad + gait.back_rad) % THIRD - gait.back_rad
    return direction * behind


def finger_at(azimuth_rad: float, circle_m: float) -> FloatArray:
    """Joint angles (3,) that put a straight finger's end at an azimuth on a circle.

    The azimuth is seen from the finger's base; the circle is about the valve's axis.
    """
    sideways, outward = circle_m * math.sin(azimuth_rad), circle_m * math.cos(azimuth_rad)
    reach = MIDDLE_LINK + TIP_LINK
    middle = math.asin((RADIUS - outward) / reach)
    return np.array([math.asin(sideways / (BASE_LINK + reach * math.cos(middle))), middle, 0.0])


def azimuth(finger_rad: FloatArray) -> float:
    """Azimuth of a finger's end about the valve's axis, seen from its base, from joints (3,)."""
    base, middle, tip = finger_rad
    down = BASE_LINK + MIDDLE_LINK * math.cos(middle) + TIP_LINK * math.cos(middle + tip)
    inward = MIDDLE_LINK * math.sin(middle) + TIP_LINK * math.sin(middle + tip)
    return math.atan2(down * math.sin(base), RADIUS - inward)
