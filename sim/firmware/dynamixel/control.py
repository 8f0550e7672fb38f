"""The control loops of a row of servos, all in one: encoders and set-points in, PWM out.

Each servo counts positions in its own frame: reverse mode, homing offset and the turn that
present_position was last wrapped to are all in it, so that goals and readings compare directly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.firmware.dynamixel.law import FULL_PWM, OFF, Law
from sim.firmware.dynamixel.profile import Limits, SetPoint, Shape, advance, ramp

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer]

_STEP = np.uint8(Shape.STEP)

COUNTS_PER_TURN = 4096
COUNTS_PER_RAD = COUNTS_PER_TURN / (2.0 * math.pi)


class Drive(NamedTuple):
    """What the servos ask of their motors; arrays of shape (n,), overwritten by the next step."""

    duty: FloatArray
    """Share of the supply across the motor, -1 to 1."""
    duty_limit: FloatArray
    """Most of that share, which holds for the current loop too."""
    current_low: FloatArray
    current_high: FloatArray
    """Bounds of the motor current, A; the current loop departs from `duty` to keep them."""
    driving: BoolArray
    """False: torque is off and the motor is an open circuit."""


class _Move(NamedTuple):
    """A set-point on its way."""

    goal: float
    """counts; of a spin counts/s"""
    limits: Limits
    spin: bool


class ServoControl:
    """The loops of `count` servos.

    Attributes:
        x, v: shape (count,); position (counts) and velocity (counts/s) in each servo's own frame.
        state: shape (4, count); `v`, `x`, and the velocity and position that the loops aim at.
        sign: shape (count,); -1 where the servo counts against its shaft (reverse mode), else 1.
        drive: what the last step asked for, in the shafts' direction.
        shapes: shape (count,); the `Shape` of each servo's last position goal.
        version: another one as soon as `x` or `v` may be others.
    """

    def __init__(self, count: int) -> None:
        zeros = [np.zeros(count) for _ in range(12)]
        self._kp, self._ki, self._kd, self._kv, self._bias, self._limit = zeros[:6]
        self._integral, self._shift, self._pwm, self._scratch, self._raw, self._error = zeros[6:]
        self.state = np.zeros((4, count))
        self.v, self.x, self._rate, self._ref = self.state
        self.sign: FloatArray = np.ones(count)
        self._to_share: FloatArray = np.full(count, 1.0 / FULL_PWM)
        self._frame_rate = np.full(count, COUNTS_PER_RAD)
        self._turns, self._offset = [0] * count, [0] * count
        self._laws = [OFF] * count
        self._moves: dict[int, _Move] = {}
        self.version = 0
        self.shapes: NDArray[np.uint8] = np.full(count, _STEP)
        self.drive = Drive(
            np.zeros(count),
            np.zeros(count),
            np.full(count, -np.inf),
            np.full(count, np.inf),
            np.zeros(count, dtype=np.bool_),
        )

    def observe(self, position_rad: FloatArray, velocity_rad_s: FloatArray) -> None:
        """Read the encoders, 4096 counts a turn."""
        self.version += 1
        np.multiply(position_rad, COUNTS_PER_RAD, self._raw)
        np.rint(self._raw, self._raw)
        np.multiply(self._raw, self.sign, self.x)
        np.add(self.x, self._shift, self.x)
        np.multiply(velocity_rad_s, self._frame_rate, self.v)

    def uncounted(self, position_rad: FloatArray) -> FloatArray:
        """`position_rad` (of the shafts) in counts of each servo's frame, not rounded to them."""
        return position_rad * COUNTS_PER_RAD * self.sign + self._shift

    def step(self, position_rad: FloatArray, velocity_rad_s: FloatArray, dt: float) -> Drive:
        """One step of `dt` (s) of every loop; rad and rad/s of the output shafts."""
        self.observe(position_rad, velocity_rad_s)
        if self._moves:
            self._advance(dt)
        pwm, scratch, integral = self._pwm, self._scratch, self._integral
        error, error_rate = np.subtract(self._ref, self.x, self._error), pwm
        np.subtract(self._rate, self.v, error_rate)
        np.multiply(error, self._ki, scratch)
        scratch *= dt
        integral += scratch
        np.multiply(error_rate, self._kv, scratch)
        scratch *= dt
        integral += scratch
        # No integral beyond what the output can do: it would take as long to come back.
        np.minimum(integral, self._limit, out=integral)
        np.negative(self._limit, scratch)
        np.maximum(integral, scratch, out=integral)
        np.multiply(error_rate, self._kd, pwm)
        error *= self._kp
        pwm += error
        pwm += integral
        pwm += self._bias
        np.maximum(pwm, scratch, out=pwm)
        np.minimum(pwm, self._limit, out=pwm)
        np.multiply(pwm, self._to_share, self.drive.duty)
        return self.drive

    def set_point(self, index: int) -> SetPoint:
        """Where one loop aims."""
        return SetPoint(float(self._ref[index]), float(self._rate[index]))

    def moving(self, index: int) -> bool:
        """Whether one set-point is still on its way."""
        return index in self._moves

    def moving_all(self) -> BoolArray:
        """Whether each set-point is still on its way."""
        moving = np.zeros(len(self.x), np.bool_)
        moving[list(self._moves)] = True
        return moving

    @property
    def at_rest(self) -> bool:
        """Whether no set-point is on its way."""
        return not self._moves

    def set_law(self, index: int, law: Law) -> None:
        """Use `law` from now on; the integral goes on, the set-point stays."""
        self._laws[index] = law
        self._kp[index], self._ki[index] = law.kp, law.ki
        self._kd[index], self._kv[index] = law.kd, law.kv
        self._limit[index] = law.limit
        self._feed_forward(index, 0.0)
        drive = self.drive
        drive.duty_limit[index] = law.limit / FULL_PWM
        low, high = law.current_low, law.current_high
        if self.sign[index] < 0:
            low, high = -high, -low
        drive.current_low[index], drive.current_high[index] = low, high

    def switch(self, index: int, on: bool) -> None:
        """Torque on or off; either way the set-point begins at rest where the shaft is."""
        self.drive.driving[index] = on
        if not on:
            self.set_law(index, OFF)
        self.hold(index)

    def hold(self, index: int) -> None:
        """Aim at where the shaft is now, at rest, and forget the integral."""
        self._integral[index] = 0.0
        self._moves.pop(index, None)
        self.shapes[index] = Shape.STEP
        self._ref[index], self._rate[index] = self.x[index], 0.0
        self._feed_forward(index, 0.0)

    def go_to(self, index: int, goal: float, limits: Limits) -> None:
        """Aim at a position (counts), on a profile within `limits`."""
        shape = limits.shape(goal - float(self._ref[index]))
        self.shapes[index] = shape
        if shape is Shape.STEP:
            self._moves.pop(index, None)
            self._ref[index], self._rate[index] = goal, 0.0
            self._feed_forward(index, 0.0)
        else:
            self._moves[index] = _Move(goal, limits, spin=False)

    def step_to(self, which: BoolArray, goals: IntArray) -> None:
        """`go_to` without a profile, of loops that aim at rest and have no bias."""
        np.copyto(self._ref, goals, where=which)
        np.copyto(self.shapes, _STEP, where=which)

    def bound_current(self, which: BoolArray, most_a: FloatArray) -> None:
        """Set the bounds of the laws' current to `most_a` (A) either way, and leave the rest."""
        np.copyto(self.drive.current_high, most_a, where=which)
        np.copyto(self.drive.current_low, -most_a, where=which)

    def spin(self, index: int, goal: float, acceleration: float) -> None:
        """Aim at a velocity (counts/s), reached with `acceleration` (counts/s^2)."""
        if math.isinf(acceleration):
            self._moves.pop(index, None)
            self._rate[index] = goal
            self._feed_forward(index, 0.0)
        else:
            self._moves[index] = _Move(goal, Limits(math.inf, acceleration), spin=True)

    def set_frame(self, index: int, reverse: bool, offset: int) -> None:
        """Count the other way round, or from another home, from now on."""
        self.sign[index] = -1.0 if reverse else 1.0
        self._frame_rate[index] = self.sign[index] * COUNTS_PER_RAD
        self._to_share[index] = self.sign[index] / FULL_PWM
        self._offset[index] = offset
        self._place(index)

    def wrap(self, index: int) -> None:
        """Take the position back into one turn; the homing offset comes on top of it."""
        self._turns[index] = math.floor(self.sign[index] * self._raw[index] / COUNTS_PER_TURN)
        self._place(index)

    def _place(self, index: int) -> None:
        """Work out the frame; a set-point keeps its distance from the shaft."""
        self.version += 1
        before = self.x[index]
        self._shift[index] = self._offset[index] - COUNTS_PER_TURN * self._turns[index]
        self.x[index] = self.sign[index] * self._raw[index] + self._shift[index]
        self._ref[index] += self.x[index] - before

    def _feed_forward(self, index: int, acceleration: float) -> None:
        law = self._laws[index]
        rate = float(self._rate[index])
        self._bias[index] = law.bias + law.ff1 * rate + law.ff2 * acceleration

    def _advance(self, dt: float) -> None:
        """Move the set-points that are on their way."""
        for index, move in list(self._moves.items()):
            before = self.set_point(index)
            if move.spin:
                rate = ramp(before.velocity, move.goal, move.limits.acceleration, dt)
                arrived = rate == move.goal
            else:
                after = advance(before, move.goal, move.limits, dt)
                self._ref[index], rate = after
                arrived = after == (move.goal, 0.0)
            self._rate[index] = rate
            self._feed_forward(index, (rate - before.velocity) / dt)
            if arrived:
                del self._moves[index]
