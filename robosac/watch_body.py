"""The monitor's look at the inertial sensor: its age, its range, its drift, and the body's tilt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from robosac.hal import Fault, ImuSample
from robosac.reasons import Reason
from robosac.watch_settings import WatchSettings
from robosac.watch_verdict import Reaction, Verdict

GRAVITY = 9.81
"""m/s^2"""


@dataclass(frozen=True, slots=True)
class BodyMemory:
    """What is remembered of the inertial sensor."""

    time: float = -math.inf
    """Of the last sample, s."""
    force: tuple[float, float, float] = (0.0, 0.0, GRAVITY)
    """Mean specific force in the world's axes, m/s^2."""
    saturated: int = 0
    """Samples in a row at the end of the sensor's range."""


def judge_body(
    imu: ImuSample | None,
    now: float,
    limit: float,
    memory: BodyMemory,
    settings: WatchSettings,
    verdict: Verdict,
) -> BodyMemory:
    """Add to `verdict` what the inertial sensor calls for; what to remember.

    Args:
        imu: the newest sample; None: there never was one.
        now: the present, s.
        limit: largest tilt, rad.
        memory: of the samples before.
        settings: ages, range, drift.
        verdict: collects the causes.
    """
    age = math.inf if imu is None else now - imu.time
    if not age <= settings.imu_hold_s:
        verdict.add(
            Reaction.HOLD if age <= settings.imu_damp_s else Reaction.DAMP,
            Reason.STALE,
            Fault("imu_stale", "imu", f"newest sample is {age:.3f} s old"),
        )
    if imu is None:
        return memory
    tilt = body_tilt(imu)
    if not tilt <= limit:
        verdict.add(
            Reaction.DAMP,
            Reason.TILT,
            Fault("tilt", "imu", f"tilt {tilt:.2f} rad; valid is up to {limit:.2f} rad"),
        )
    if imu.time != memory.time:
        memory = _remember(imu, memory, settings)
    _judge_values(memory, settings, verdict)
    return memory


def body_tilt(imu: ImuSample) -> float:
    """Tilt from the vertical, rad; inf, a fall, where the orientation is no unit quaternion."""
    w, x, y, z = imu.orientation.tolist()
    norm = w * w + x * x + y * y + z * z
    if not 0.9 < norm < 1.1:
        return math.inf
    return math.acos(max(-1.0, min(1.0, 1.0 - 2.0 * (x * x + y * y) / norm)))


def rest_problem(
    imu: ImuSample, force_tolerance: float, turn_tolerance: float, gyro_max: float
) -> str:
    """What a sensor at rest says that cannot be; empty: nothing. For arming.

    At rest it must feel gravity, straight down by its own attitude, and no turning.

    Args:
        imu: a sample of a robot at rest.
        force_tolerance: of the specific force's length, m/s^2.
        turn_tolerance: between gravity and the attitude, rad.
        gyro_max: rad/s.
    """
    felt = world_force(imu)
    length = math.hypot(*felt)
    if not abs(length - GRAVITY) <= force_tolerance:
        return f"it feels {length:.2f} m/s^2 at rest; valid is {GRAVITY} +- {force_tolerance}"
    angle = math.acos(max(-1.0, min(1.0, felt[2] / length)))
    if not angle <= turn_tolerance:
        return (
            f"gravity and its attitude differ by {angle:.2f} rad; valid is up to {turn_tolerance}"
        )
    turning = math.hypot(*imu.angular_velocity.tolist())
    if not turning <= gyro_max:
        return f"it turns by {turning:.2f} rad/s at rest; valid is up to {gyro_max}"
    return ""


def world_force(imu: ImuSample) -> tuple[float, float, float]:
    """Specific force in the world's axes, m/s^2; (0, 0, 9.81) on the average of any motion."""
    w, x, y, z = imu.orientation.tolist()
    a, b, c = imu.acceleration.tolist()
    # v + 2 q x (q x v + w v)
    i = y * c - z * b + w * a
    j = z * a - x * c + w * b
    k = x * b - y * a + w * c
    return (
        a + 2.0 * (y * k - z * j),
        b + 2.0 * (z * i - x * k),
        c + 2.0 * (x * j - y * i),
    )


def _remember(imu: ImuSample, memory: BodyMemory, settings: WatchSettings) -> BodyMemory:
    """Advance the mean of the force, which is at rest when the sensor begins."""
    dt = imu.time - memory.time
    felt = world_force(imu)
    share = dt / settings.imu_drift_s if 0.0 < dt < settings.imu_drift_s else 0.0
    if math.isfinite(sum(felt)):
        old = memory.force
        force = (
            old[0] + share * (felt[0] - old[0]),
            old[1] + share * (felt[1] - old[1]),
            old[2] + share * (felt[2] - old[2]),
        )
    else:
        force = memory.force
    # As plain comparisons: NaN is in no range.
    turning, range_ = imu.angular_velocity.tolist(), settings.imu_gyro_max
    inside = all(-range_ <= value <= range_ for value in turning)
    pushed, range_ = imu.acceleration.tolist(), settings.imu_force_max
    inside = inside and all(-range_ <= value <= range_ for value in pushed)
    return BodyMemory(imu.time, force, 0 if inside else memory.saturated + 1)


def _judge_values(memory: BodyMemory, settings: WatchSettings, verdict: Verdict) -> None:
    if memory.saturated > 1:
        # One is an impact; a row of them is a sensor that has lost its range or its mind.
        verdict.add(
            Reaction.HOLD if memory.saturated < 5 else Reaction.DAMP,
            Reason.STALE,
            Fault(
                "imu_range",
                "imu",
                f"{memory.saturated} samples in a row are not finite, or beyond "
                f"{settings.imu_force_max:.0f} m/s^2 or {settings.imu_gyro_max:.0f} rad/s",
            ),
        )
    x, y, z = memory.force
    drift = math.hypot(x, y, z - GRAVITY)
    if drift > settings.imu_drift:
        verdict.add(
            Reaction.DAMP,
            Reason.STALE,
            Fault(
                "imu_drift",
                "imu",
                f"it felt {drift:.1f} m/s^2 beside gravity on the average of "
                f"{settings.imu_drift_s:g} s; no motion lasts that long: its attitude is wrong",
            ),
        )
