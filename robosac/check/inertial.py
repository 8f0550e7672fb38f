"""The inertial sensor: there, sound, and still while the robot is at rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from calibration.record import DeviceTag
from drivers.errors import DriverError
from drivers.imu import Imu
from robosac.arming import ArmingSettings
from robosac.check.row import Level, Row, judged
from robosac.clock import Clock
from robosac.hal import FloatArray

LOOK_S: Final = 1.0
"""How long it is listened to, s."""
SETTLE_S: Final = 0.3
"""Before that: what waits in the port's buffer is read away, s."""
POLL_S: Final = 0.002
RATE_HZ: Final = 200
"""Asked of it, as when the robot runs."""
LEAST_SHARE: Final = 0.8
"""Of the samples that must come."""
GRAVITY: Final = 9.80665
"""m/s^2"""
FORCE_AMBER: Final = 0.5
"""How far the mean force at rest may be from gravity, m/s^2; red: `ArmingSettings.imu_force`."""
TURN_AMBER: Final = 0.05
"""Largest mean angular velocity at rest, rad/s; red: `ArmingSettings.imu_rate`."""
NOISE_AMBER, NOISE_RED = 0.05, 0.3
"""Standard deviation of an axis of the gyroscope, rad/s."""
SHAKE_AMBER, SHAKE_RED = 0.3, 2.0
"""Standard deviation of an axis of the accelerometer, m/s^2."""
SENSOR, STILL = "inertial sensor", "inertial still"
_REST: Final = "let the robot lie or hang still, or calibrate the sensor (robosac calibrate imu)"
_VALID: Final = f"about {GRAVITY:.2f} m/s^2, and no turning"


@dataclass(frozen=True, slots=True)
class StillFacts:
    """What it said in `LOOK_S`, the robot at rest."""

    samples: int
    """That arrived; some may have been overtaken by newer ones before anybody looked."""
    wanted: float
    force: float = math.nan
    """Norm of the mean, m/s^2."""
    force_noise: float = math.nan
    """Of the noisiest axis, m/s^2."""
    turn: float = math.nan
    """Norm of the mean angular velocity, its bias subtracted, rad/s."""
    turn_noise: float = math.nan
    """rad/s"""


@dataclass(frozen=True, slots=True)
class InertialFacts:
    """Who answered, and what it said."""

    identity: str = ""
    """Model, firmware and serial number; empty: none."""
    model: str = ""
    serial: str | None = None
    fault: str = ""
    still: StillFacts | None = None

    @property
    def device(self) -> DeviceTag | None:
        """As a calibration keys itself to it; None: nobody answered."""
        return DeviceTag(model=self.model, serial=self.serial) if self.model else None


def inertial_rows(facts: InertialFacts) -> tuple[Row, Row]:
    """Both rows about the inertial sensor."""
    return _sensor(facts), _still(facts.still)


def inertial_unknown(why: str) -> tuple[Row, Row]:
    """Both rows when nobody could listen; unknown is red."""
    facts = InertialFacts(fault=f"not known: {why}")
    return _sensor(facts), _still(None)


def summary(
    arrived: int, wanted: float, forces: FloatArray, turns: FloatArray, bias: FloatArray
) -> StillFacts:
    """What samples come to.

    Args:
        arrived, wanted: how many came, and how many should have.
        forces, turns: each of shape (n, 3), sensor axes, m/s^2 and rad/s.
        bias: of the gyroscope, shape (3,), rad/s.
    """
    if not len(forces):
        return StillFacts(0, wanted)
    return StillFacts(
        samples=arrived,
        wanted=wanted,
        force=float(np.linalg.norm(forces.mean(axis=0))),
        force_noise=float(forces.std(axis=0).max()),
        turn=float(np.linalg.norm(turns.mean(axis=0) - bias)),
        turn_noise=float(turns.std(axis=0).max()),
    )


def listen(imu: Imu, clock: Clock, bias: tuple[float, float, float]) -> InertialFacts:
    """Let the sensor send as when the robot runs, and listen for a second; never raises for it."""
    try:
        found = imu.configure(imu.sampling_rate_hz // RATE_HZ)
        identity = f"{found.model}, firmware {found.firmware}, serial {found.serial or 'none'}"
        _gather(imu, clock, SETTLE_S)
        before = imu.statistics.frames
        forces, turns = _gather(imu, clock, LOOK_S)
    except (DriverError, ValueError) as error:
        return InertialFacts(fault=str(error))
    arrived = imu.statistics.frames - before
    still = summary(arrived, LOOK_S * RATE_HZ, forces, turns, np.array(bias))
    fault = "" if imu.fault is None else imu.fault.value
    return InertialFacts(identity, found.model, found.serial or None, fault, still)


def _gather(imu: Imu, clock: Clock, seconds: float) -> tuple[FloatArray, FloatArray]:
    forces: list[tuple[float, float, float]] = []
    turns: list[tuple[float, float, float]] = []
    begin = clock.now()
    for number in range(1, round(seconds / POLL_S) + 1):
        clock.wait_until(begin + number * POLL_S)
        reading = imu.poll()
        if reading is not None:
            forces.append(reading.acceleration)
            turns.append(reading.angular_velocity)
    return np.array(forces).reshape(-1, 3), np.array(turns).reshape(-1, 3)


def _sensor(facts: InertialFacts) -> Row:
    valid = "it answers, and has no fault"
    remedy = "check its cable, power and bit rate"
    if facts.fault or not facts.identity:
        found = facts.fault or "no answer"
        return judged(SENSOR, Level.RED, found, valid, remedy)
    return judged(SENSOR, Level.GREEN, facts.identity, valid, "")


def _still(still: StillFacts | None) -> Row:
    if still is None:
        return judged(STILL, Level.RED, "not listened to", _VALID, "mend the sensor first")
    if still.samples < LEAST_SHARE * still.wanted:
        found = f"{still.samples} of {still.wanted:.0f} samples came"
        return judged(STILL, Level.RED, found, _VALID, "check its cable and bit rate")
    bounds = ArmingSettings()
    figures = (
        (abs(still.force - GRAVITY), FORCE_AMBER, bounds.imu_force),
        (still.turn, TURN_AMBER, bounds.imu_rate),
        (still.turn_noise, NOISE_AMBER, NOISE_RED),
        (still.force_noise, SHAKE_AMBER, SHAKE_RED),
    )
    level = Level.GREEN
    if not all(value <= amber for value, amber, _ in figures):
        level = Level.AMBER
    if not all(value <= red for value, _, red in figures):
        level = Level.RED
    found = (
        f"{still.force:.2f} m/s^2 (noise {still.force_noise:.2f}), turns"
        f" {still.turn:.3f} rad/s (noise {still.turn_noise:.3f}), {still.samples} samples"
    )
    return judged(STILL, level, found, _VALID, _REST)
