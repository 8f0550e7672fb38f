"""How late joints move, from a motion that their twin is made to follow.

The foot of a single small step is hidden by what the joint is like: dry friction, inertia and loop
shape the first rise, and a fit that knows none of them takes part of that for delay. A chirp and
steps over a wide angle tell them apart. Gain, frictions and armature of the few joints that move
are fitted beside the delay; they are not told, for a motion may leave them open without leaving the
delay open (`calibration.actuators` is what measures them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.errors import Undetermined
from calibration.motion_fit import Drawn, Fit, Motion, Point, Twin, by_gain

FloatArray = NDArray[np.float64]

MOST_ERROR_S: Final = 0.0005
"""Standard error up to which a delay counts as known."""
MOST_MISFIT: Final = 0.1
"""Root mean square of what the twin is off by, as a share of the motion's, beyond the noise."""
LEAST_SIGNAL: Final = 5.0
"""Standard deviation of the motion over the readings' noise."""


@dataclass(frozen=True, slots=True)
class MotionDelay:
    """From a command to its motion among the readings."""

    delay_s: float
    """As if motion were continuous: less half a step of the twin, whose motion is all there at each
    step's end."""
    error_s: float
    """Its standard error."""
    misfit: float
    """Root mean square of what the twin is off by, as a share of the motion's; of the worst joint.
    """


def motion_delay(motion: Motion, joints: Sequence[int], twin: Twin, drawn: Drawn) -> MotionDelay:
    """The delay of a motion of a few joints that may move one another, all others at rest.

    Args:
        motion: of all joints (`calibration.excitation`).
        joints: those that move.
        twin: moves as the robot would.
        drawn: where to begin; `delay_s` within some 10 ms of what is sought.

    Raises:
        Undetermined: too few readings, a joint that does not move, a motion that the twin does not
            follow, or one that leaves the delay open.
    """
    columns = list(joints)
    names = tuple(drawn.names[joint] for joint in columns)
    own = replace(
        motion,
        commanded_rad=motion.commanded_rad[:, columns],
        told_s=motion.told_s[:, columns],
        told_rad=motion.told_rad[:, columns],
    )
    alone = replace(
        drawn, names=names, groups=(range(len(columns)),), nominal=drawn.nominal[columns]
    )
    fit = Fit(own, _Alone(twin, columns, drawn.nominal, motion.commanded_rad), alone)
    size, noise = np.nanstd(own.told_rad, axis=0), fit.noise()
    if not (size > LEAST_SIGNAL * noise).all():
        raise Undetermined(f"{names[int(np.argmin(size))]}: it did not move")
    point, slopes = fit.descended(Point(by_gain(alone.nominal), drawn.delay_s))
    missed, error = fit.missed(point) / size, fit.delay_error(point, slopes)
    worst = int(np.argmax(missed))
    most = noise / float(size[worst]) + MOST_MISFIT
    if not missed[worst] <= most:
        raise Undetermined(
            f"{names[worst]}: the twin follows its motion with {missed[worst]:.3f} of it left over;"
            f" valid is up to {most:.3f}. Does it move freely, with the configured gains?"
        )
    if not error <= MOST_ERROR_S:
        raise Undetermined(
            f"{names[0]}: its motion tells the delay to {1e3 * error:.2f} ms; valid is up to"
            f" {1e3 * MOST_ERROR_S:.2f} ms. Did all of its readings come?"
        )
    delay = max(0.0, point.delay_s - 0.5 * twin.step_s)
    return MotionDelay(delay, error, float(missed[worst]))


class _Alone:
    """A few joints of a twin, as a twin of their own; the others rest, and are as drawn."""

    def __init__(
        self, twin: Twin, columns: list[int], nominal: FloatArray, commanded_rad: FloatArray
    ) -> None:
        self._twin, self._columns, self._nominal = twin, columns, nominal
        self._commanded = commanded_rad
        self.step_s = twin.step_s

    def trajectory(
        self, table: FloatArray, time_s: FloatArray, commanded_rad: FloatArray
    ) -> FloatArray:
        """See `calibration.actuators.Twin`; shape (steps, joints that move)."""
        whole, goals = self._nominal.copy(), self._commanded.copy()
        whole[self._columns], goals[:, self._columns] = table, commanded_rad
        return self._twin.trajectory(whole, time_s, goals)[:, self._columns]
