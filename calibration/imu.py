"""How an inertial sensor is mounted, its gyro's bias and its noise, from what it says in the hand.

The body rests in several attitudes in which gravity's direction in its own axes is known, and is
turned a few times about an axis that is known. At rest the accelerometer shows gravity and the
gyro its bias; a turn shows its axis to the gyro. Each of these is one direction in the sensor's
axes and in the body's, and the mounting is the rotation that fits them all best (Wahba 1965, solved
by the singular value decomposition of Markley 1988). A jig holds an attitude better than hands make
a turn, so that attitudes weigh more; turns tell above all whether the gyro's signs are right.

Axes are front, right, down (FRD) for the body and, as printed on its case, for the sensor. What an
accelerometer shows at rest is the specific force, which points up: (0, 0, -9.8) for a level body.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.errors import Undetermined
from calibration.rotations import angles_between, named_axes, quaternion, rms, unit

FloatArray = NDArray[np.float64]

GRAVITY_M_S2: Final = 9.80665
GRAVITY_TOLERANCE_M_S2: Final = 0.4
"""Of the specific force at rest: local gravity, and the sensor's scale and bias."""
LEAST_READINGS: Final = 100
"""Of each rest."""
LEAST_TURN_READINGS: Final = 20
MOST_SHAKE_RAD_S: Final = 0.06
"""Standard deviation of the gyro at rest; a sensor's own noise is less."""
MOST_DRIFT_RAD_S: Final = 0.01
"""Between the halves of a rest, and between the rests' biases, beyond what noise alone does."""
NOISE_SIGMAS: Final = 4.0
LARGEST_BIAS_RAD_S: Final = 0.2
LEAST_ATTITUDES: Final = 3
LEAST_TURNS: Final = 2
LEAST_TURN_RAD: Final = math.radians(30.0)
MOST_WOBBLE: Final = 0.35
"""Rotation beside a turn's mean axis, as a share of the turn."""
LEAST_COVERAGE: Final = 0.15
"""Least eigenvalue of the mean of (1 - b b^T) over the known directions b: 0 if all are parallel,
2/3 if they are spread evenly."""
MOST_MISFIT: Final = 8.0
"""Of any one observation, over the error that it is assumed to have: 2 degrees for an attitude, 8
for a turn; more is a wrong label."""
MIRROR_SHARE: Final = 0.5
"""A mirrored fit that is so much better than the best rotation shows a wrong sign."""
ATTITUDE_ERROR_RAD, AXIS_ERROR_RAD = math.radians(0.25), math.radians(1.0)
"""How well attitudes are held and turns are made, by which they are weighed (assumed)."""
MOST_UNCERTAIN_RAD: Final = math.radians(0.4)
"""Standard error of the mounting about its least known axis."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The body at rest in a known attitude; readings in the sensor's axes, shape (n, 3)."""

    name: str
    up: tuple[float, float, float]
    """The upward direction in the body's axes: level is (0, 0, -1)."""
    gyro_rad_s: FloatArray
    acceleration_m_s2: FloatArray


@dataclass(frozen=True, slots=True)
class Turn:
    """The body turned about a known axis, one way only."""

    name: str
    axis: tuple[float, float, float]
    """In the body's axes; right-handed: (0, 0, 1) is a turn to the right, seen from above."""
    time_s: FloatArray
    """Shape (n,), increasing."""
    gyro_rad_s: FloatArray
    """Shape (n, 3), sensor's axes."""


@dataclass(frozen=True, slots=True)
class ImuResult:
    """What was found."""

    mounting: tuple[float, float, float, float]
    """Unit quaternion (w, x, y, z), w >= 0: turns the sensor's axes into the body's."""
    gyro_bias_rad_s: tuple[float, float, float]
    """Sensor's axes."""
    gyro_noise_rad_s: tuple[float, float, float]
    """Standard deviations at rest."""
    acceleration_noise_m_s2: tuple[float, float, float]
    rms_rad: float
    """Of the angles between what was observed and what should have been."""
    worst_rad: float
    worst: str
    """Whose angle that is."""
    uncertain_rad: float
    """Standard error of the mounting about its least known axis, from the residuals."""
    coverage: float
    """See `LEAST_COVERAGE`."""
    axes: tuple[str, str, str] | None
    """Along which of the body's axes the sensor's x, y and z lie, such as ("-y", "+x", "+z"); None:
    it sits askew."""
    readings: int


def calibrate_imu(rests: Sequence[Rest], turns: Sequence[Turn]) -> ImuResult:
    """Mounting, bias and noise.

    Raises:
        Undetermined: too few samples, motion where there should be rest, directions that leave the
            mounting open, axes that no rotation explains, or one observation that does not fit.
    """
    if len(rests) < LEAST_ATTITUDES or len(turns) < LEAST_TURNS:
        raise Undetermined(
            f"{len(rests)} attitudes and {len(turns)} turns; valid are at least {LEAST_ATTITUDES}"
            f" and {LEAST_TURNS}"
        )
    biases, forces = zip(*(_rest(rest) for rest in rests), strict=True)
    bias = np.mean(biases, axis=0)
    spread = float(np.abs(np.array(biases) - bias).max())
    gyro_noise, force_noise = _noise(rests)
    fewest = min(len(rest.gyro_rad_s) for rest in rests)
    bound = MOST_DRIFT_RAD_S + NOISE_SIGMAS * max(gyro_noise) / math.sqrt(fewest)
    if not spread <= bound:
        raise Undetermined(
            f"the gyro's bias changed by {spread:.4f} rad/s between attitudes; valid is up to"
            f" {bound:.4f}; let it warm up, and keep it still"
        )
    names = [rest.name for rest in rests] + [turn.name for turn in turns]
    sensed = np.array([unit(force) for force in forces] + [_axis(turn, bias) for turn in turns])
    known = np.array(
        [_known(rest.up, rest.name) for rest in rests]
        + [_known(turn.axis, turn.name) for turn in turns]
    )
    coverage = _coverage(known, sensed)
    errors = np.array([ATTITUDE_ERROR_RAD] * len(rests) + [AXIS_ERROR_RAD] * len(turns))
    rotation, angles = _fit(known, sensed, errors, names)
    uncertain = _uncertainty(known, angles, errors**-2.0)
    worst = int(np.argmax(angles))
    return ImuResult(
        quaternion(rotation),
        _triple(bias),
        gyro_noise,
        force_noise,
        rms(angles),
        float(angles[worst]),
        names[worst],
        uncertain,
        coverage,
        named_axes(rotation),
        sum(len(rest.gyro_rad_s) for rest in rests) + sum(len(turn.time_s) for turn in turns),
    )


def _rest(rest: Rest) -> tuple[FloatArray, FloatArray]:
    """Mean angular velocity and specific force, both checked to be of something at rest."""
    gyro = _vectors(rest.gyro_rad_s, rest.name, LEAST_READINGS)
    force = _vectors(rest.acceleration_m_s2, rest.name, LEAST_READINGS)
    if len(gyro) != len(force):
        raise Undetermined(
            f"{rest.name}: {len(gyro)} readings of one kind, {len(force)} of another"
        )
    half = len(gyro) // 2
    shake = float(gyro.std(axis=0).max())
    drift = float(np.abs(gyro[:half].mean(axis=0) - gyro[half:].mean(axis=0)).max())
    mean = gyro.mean(axis=0)
    drift_bound = MOST_DRIFT_RAD_S + NOISE_SIGMAS * shake * math.sqrt(2.0 / half)
    if not (shake <= MOST_SHAKE_RAD_S and drift <= drift_bound):
        raise Undetermined(
            f"{rest.name}: it moved: shake {shake:.4f} and drift {drift:.4f} rad/s; valid are up to"
            f" {MOST_SHAKE_RAD_S} and {drift_bound:.4f}"
        )
    if not float(np.abs(mean).max()) <= LARGEST_BIAS_RAD_S:
        raise Undetermined(
            f"{rest.name}: it turns by {float(np.abs(mean).max()):.3f} rad/s; no bias is larger"
            f" than {LARGEST_BIAS_RAD_S}"
        )
    size = float(np.linalg.norm(force.mean(axis=0)))
    if not abs(size - GRAVITY_M_S2) <= GRAVITY_TOLERANCE_M_S2:
        raise Undetermined(
            f"{rest.name}: specific force of {size:.2f} m/s^2 at rest; valid is {GRAVITY_M_S2:.2f}"
            f" within {GRAVITY_TOLERANCE_M_S2}"
        )
    return mean, force.mean(axis=0)


def _axis(turn: Turn, bias: FloatArray) -> FloatArray:
    """The axis of a turn in the sensor's axes: that of the mean angular velocity."""
    gyro = _vectors(turn.gyro_rad_s, turn.name, LEAST_TURN_READINGS) - bias
    time = np.asarray(turn.time_s, dtype=np.float64)
    if time.shape != (len(gyro),) or not np.isfinite(time).all() or not (np.diff(time) > 0).all():
        raise Undetermined(f"{turn.name}: times must be finite and increase, one for each reading")
    angle = np.asarray(np.trapezoid(gyro, time, axis=0), dtype=np.float64)
    size = float(np.linalg.norm(angle))
    if not size >= LEAST_TURN_RAD:
        raise Undetermined(
            f"{turn.name}: it turned by {math.degrees(size):.0f} degrees; valid is at least"
            f" {math.degrees(LEAST_TURN_RAD):.0f}, one way only"
        )
    axis = angle / size
    beside = gyro - np.outer(gyro @ axis, axis)
    wobble = float(np.linalg.norm(np.abs(np.trapezoid(np.abs(beside), time, axis=0)))) / size
    # White noise alone adds up too, so only what is beyond it counts.
    noise = float(np.median(np.linalg.norm(np.diff(beside, axis=0), axis=1))) / math.sqrt(2.0)
    if not wobble <= MOST_WOBBLE + noise * float(time[-1] - time[0]) / size:
        raise Undetermined(
            f"{turn.name}: it turned about other axes too, by {wobble:.2f} of the turn; valid is up"
            f" to {MOST_WOBBLE}"
        )
    return axis


def _uncertainty(known: FloatArray, angles: FloatArray, weights: FloatArray) -> float:
    """Standard error about the axis that the observations say least of, rad.

    A direction tells nothing of a turn about itself, so each adds w (1 - b b^T) to what is known.

    Raises:
        Undetermined: it is too large.
    """
    told = np.eye(3) * weights.sum() - (known.T * weights) @ known
    # Each direction has two degrees of freedom, and the rotation takes three.
    scale = float(np.sum(weights * angles**2)) / (2 * len(known) - 3)
    uncertain = math.sqrt(max(1.0, scale) / float(np.linalg.eigvalsh(told)[0]))
    if not uncertain <= MOST_UNCERTAIN_RAD:
        raise Undetermined(
            f"the mounting is known to {math.degrees(uncertain):.2f} degrees; valid is up to"
            f" {math.degrees(MOST_UNCERTAIN_RAD):.2f}; add attitudes, and hold them better"
        )
    return uncertain


def _fit(
    known: FloatArray, sensed: FloatArray, errors: FloatArray, names: list[str]
) -> tuple[FloatArray, FloatArray]:
    """The rotation from sensor to body, and each observation's angle to it, rad."""
    u, _, vt = np.linalg.svd((known.T * errors**-2.0) @ sensed)
    proper = math.copysign(1.0, float(np.linalg.det(u) * np.linalg.det(vt)))
    rotation = u @ np.diag((1.0, 1.0, proper)) @ vt
    angles = angles_between(known, sensed @ rotation.T)
    worst = int(np.argmax(angles / errors))
    bound = MOST_MISFIT * float(errors[worst])
    if angles[worst] <= bound:
        return rotation, angles
    mirrored = angles_between(known, sensed @ (u @ np.diag((1.0, 1.0, -proper)) @ vt).T)
    if rms(mirrored) < MIRROR_SHARE * rms(angles):
        raise Undetermined(
            f"a mirror explains the axes to {math.degrees(rms(mirrored)):.1f} degrees, a rotation"
            f" only to {math.degrees(rms(angles)):.1f}: an axis of the sensor has a wrong sign"
        )
    raise Undetermined(
        f"{names[worst]} is {math.degrees(angles[worst]):.1f} degrees off what all others say;"
        f" valid is up to {math.degrees(bound):.0f}; was it held or turned as asked?"
    )


def _coverage(known: FloatArray, sensed: FloatArray) -> float:
    """How well the directions determine a rotation, by the worse of the two sets."""

    def of(directions: FloatArray) -> float:
        open_ = np.eye(3) - directions.T @ directions / len(directions)
        return float(np.linalg.eigvalsh(open_)[0])

    coverage = min(of(known), of(sensed))
    if not coverage >= LEAST_COVERAGE:
        raise Undetermined(
            f"attitudes and turns lie too much along one line (coverage {coverage:.3f}, valid is at"
            f" least {LEAST_COVERAGE}), so that the mounting about it stays open; add others"
        )
    return coverage


def _noise(
    rests: Sequence[Rest],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    gyro = np.mean([np.var(rest.gyro_rad_s, axis=0) for rest in rests], axis=0)
    force = np.mean([np.var(rest.acceleration_m_s2, axis=0) for rest in rests], axis=0)
    return _triple(np.sqrt(gyro)), _triple(np.sqrt(force))


def _vectors(readings: ArrayLike, name: str, least: int) -> FloatArray:
    values = np.asarray(readings, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != 3 or len(values) < least:
        raise Undetermined(f"{name}: readings of shape {values.shape}; valid is (n >= {least}, 3)")
    if not np.isfinite(values).all():
        raise Undetermined(f"{name}: readings must be finite")
    return values


def _known(direction: tuple[float, float, float], name: str) -> FloatArray:
    vector = np.array(direction, dtype=np.float64)
    if not abs(float(np.linalg.norm(vector)) - 1.0) < 1e-3:
        raise Undetermined(f"{name}: its known direction {direction} is no unit vector")
    return vector


def _triple(vector: FloatArray) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
