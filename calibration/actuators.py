"""What a robot's actuators are like: the numbers with which its twin moves as it does.

A motion is commanded and read (`calibration.excitation`); the twin is asked to make the same one,
with one set of numbers after another, until what it would have told is what was told: least squares
on whole motions (output error), so that no speed or acceleration has to be taken from noisy
positions.

Four numbers a joint. Stiffness and torque constant show in one and the same way in a motion: as
torque by position error; so one gain stands for both, and the loop's stiffness and damping are the
configured ones, which the controllers tell, times that gain. A delay that all readings have in
common is fitted beside them.

Were a joint's links without weight and inertia, its motion would be the same with all four numbers
twice as large: what it tells by itself are the frictions and the armature by the gain, and these
are sought. The gain comes from the known load of the links. Where that is too light to tell, it is
what was believed before (`Drawn.gain_spread`), and the other numbers are right by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.errors import Undetermined
from calibration.motion_fit import Drawn, Fit, Motion, Point, Twin, by_gain, told_by, whole

__all__ = [
    "PARAMETERS",
    "ActuatorResult",
    "Drawn",
    "Motion",
    "Twin",
    "identify",
    "predicted",
]

FloatArray = NDArray[np.float64]

PARAMETERS: Final = ("torque_gain", "viscous_nm_s_rad", "dry_friction_nm", "armature_kg_m2")
WORSE: Final = 1.1
"""Times the nominal error, and the noise: so large may the error on a held-out motion be."""


@dataclass(frozen=True, slots=True)
class ActuatorResult:
    """Numbers with which the twin moves as the robot does."""

    table: FloatArray
    """Shape (n, 4), by `PARAMETERS`."""
    error: FloatArray
    """Standard errors of these, for residuals as alike as they are; shape (n, 4)."""
    delay_s: float
    """From a command to its motion among the readings, as if motion were continuous: less half a
    step of the twin, whose motion is all there at each step's end."""
    samples: int
    """Readings it went by."""
    noise_rad: float
    """Of a reading, at rest and by the encoder's counts; standard deviation."""
    before_rad: FloatArray
    """Root mean square of the held-out motion's error with nominal numbers, shape (n,)."""
    after_rad: FloatArray
    """The same with the identified ones."""

    @property
    def improvement(self) -> float:
        """How many times smaller the error of the held-out motion became, all joints together."""
        after = self.after_all_rad
        return self.before_all_rad / after if after > 0.0 else math.inf

    @property
    def before_all_rad(self) -> float:
        """`before_rad` over all joints."""
        return float(np.sqrt(np.mean(self.before_rad**2)))

    @property
    def after_all_rad(self) -> float:
        """`after_rad` over all joints."""
        return float(np.sqrt(np.mean(self.after_rad**2)))


def identify(train: Motion, held_out: Motion, twin: Twin, drawn: Drawn) -> ActuatorResult:
    """The actuators' numbers.

    Args:
        train: the motion that they are taken from.
        held_out: another one, by which they are judged alone.
        twin: moves as the robot would.
        drawn: where to begin, and what is asked for.

    Raises:
        Undetermined: too few readings; a number of a joint that the motion does not tell; or
            numbers with which the twin follows a held-out motion worse than with the nominal ones.
    """
    fit = Fit(train, twin, drawn)
    start = Point(by_gain(drawn.nominal), drawn.delay_s)
    point, slopes = fit.descended(start)
    spread = fit.spread(point, slopes)
    _refuse_vague(np.sqrt(np.diagonal(spread, axis1=1, axis2=2)), drawn)
    judge = Fit(held_out, twin, drawn)
    # With a delay of its own, so that what was not known of the bus does not count for the motors.
    plain = judge.delayed(replace(start, delay_s=point.delay_s))
    before, after = judge.missed(plain), judge.missed(point)
    noise = fit.noise()
    _refuse_worse(before, after, noise, drawn.names)
    table = whole(point.ratios)
    error = _errors(point.ratios, spread)
    delay = max(0.0, point.delay_s - 0.5 * twin.step_s)
    samples = int(fit.seen.sum())
    return ActuatorResult(table, error, delay, samples, noise, before, after)


def predicted(motion: Motion, twin: Twin, table: FloatArray, delay_s: float) -> FloatArray:
    """What the readings of `motion` would be, were the robot the twin; rad, shape (count, n)."""
    return told_by(
        twin.trajectory(table, motion.time_s, motion.commanded_rad), twin, motion, delay_s
    )


def _errors(ratios: FloatArray, spread: FloatArray) -> FloatArray:
    """Standard errors of the whole numbers, of the ratios' covariances (n, 4, 4)."""
    found = np.empty_like(ratios)
    for joint, (row, covariance) in enumerate(zip(ratios, spread, strict=True)):
        slopes = np.eye(4) * row[0]
        slopes[0] = 0.0
        slopes[:, 0] = row
        slopes[0, 0] = 1.0
        found[joint] = np.sqrt(np.diagonal(slopes @ covariance @ slopes.T))
    return found


def _refuse_vague(error: FloatArray, drawn: Drawn) -> None:
    share = error / np.array(drawn.tolerance)
    if (share <= 1.0).all():
        return
    joint, kind = np.unravel_index(int(np.argmax(share)), share.shape)
    raise Undetermined(
        f"{drawn.names[joint]}: {PARAMETERS[kind]} is known to {error[joint, kind]:.2g} only; valid"
        f" is {drawn.tolerance[kind]:.2g}. Did the joint move freely, and all of its readings come?"
    )


def _refuse_worse(
    before: FloatArray, after: FloatArray, noise: float, names: tuple[str, ...]
) -> None:
    worse = after > WORSE * before + noise
    if not worse.any():
        return
    index = int(np.argmax(after - before))
    raise Undetermined(
        f"{names[index]}: on a motion that was held out the twin is {after[index]:.4f} rad off with"
        f" the identified numbers, {before[index]:.4f} with the nominal ones; something moved that"
        " the twin does not know, such as a contact or a loose link"
    )
