"""`robosac calibrate actuators`: joints are moved on a stand, and the twin made to move alike."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calibration.actuators import PARAMETERS, ActuatorResult, Motion, identify, predicted
from calibration.errors import Undetermined
from calibration.excitation import Excitation, excite
from robosac.actuator_twin import comparison
from robosac.armed_bench import Armed, Progress, armed
from robosac.calibrate_pictures import Seen, actuators_page
from robosac.calibrate_target import Target
from robosac.errors import RobotError
from robosac.hal import FloatArray
from robosac.robots.measured import with_actuators
from robosac.ticks import Tick

EXCITATION: Final = {
    "minitaur": Excitation(0.25, 10.0, 500.0, 1.5, 12.0),
    "claw": Excitation(0.3, 4.0, 80.0, 0.7, 6.0, chirp_s=2.0, step_s=0.25),
}
"""Gentle beside the robot files' limits; the limiter holds all the same."""


@dataclass(frozen=True)
class Recorded:
    """Two motions: what is learned from, and what is judged by."""

    train: Motion
    held_out: Motion


def actuators(
    preset: str, overrides: list[str], target: Target, take_over: bool, seed: int = 0
) -> dict[str, object]:
    """Move, identify, write what was found into the target and pictures beside it; a document.

    Raises:
        ConfigError, CalibrationMismatch, OwnershipError, ArmingError: as `armed`.
        RobotError: the robot was stopped, or its motion does not tell what was sought.
    """
    with armed(preset, overrides, take_over, seed, target) as robot:
        base = target.base(robot.file)
        recorded = record(robot)
    # The robot is at rest and its torque off: this takes a while.
    twin, drawn = comparison(robot.config, robot.file, robot.measured)
    try:
        found = identify(recorded.train, recorded.held_out, twin, drawn)
    except Undetermined as error:
        raise RobotError(f"actuators: {error}") from error
    measured = with_actuators(base, drawn.names, found, datetime.date.today().isoformat())
    held, delay = recorded.held_out, found.delay_s + 0.5 * twin.step_s
    seen = Seen(
        drawn.names,
        held.time_s,
        held.told_rad,
        predicted(held, twin, drawn.nominal, delay),
        predicted(held, twin, found.table, delay),
    )
    page = actuators_page(target.beside, seen, found)
    target.write(measured)
    return document(drawn.names, found, page)


def document(names: tuple[str, ...], found: ActuatorResult, page: Path) -> dict[str, object]:
    """What is told a machine."""
    rows = zip(names, found.table.tolist(), found.error.tolist(), strict=True)
    return {
        "actuators": {
            name: {
                key: {"value": value, "error": error}
                for key, value, error in zip(PARAMETERS, values, errors, strict=True)
            }
            for name, values, errors in rows
        },
        "held_out_nominal_rad": found.before_all_rad,
        "held_out_identified_rad": found.after_all_rad,
        "improvement": found.improvement,
        "noise_rad": found.noise_rad,
        "delay_s": found.delay_s,
        "page": str(page),
    }


def record(robot: Armed) -> Recorded:
    """Two motions of all joints, about the robot's centre.

    Raises:
        RobotError: the robot was stopped, or the motion leaves its limits.
    """
    motions: list[Motion] = []
    for name in ("to learn from", "to judge by"):
        goals = wanted(robot)
        robot.go(goals[0])
        progress = Progress(f"actuators: motion {name}, goals")
        ticks = robot.play(goals, progress)
        motions.append(motion_of(ticks))
    return Recorded(*motions)


def wanted(robot: Armed) -> FloatArray:
    """Goals, rad, one a tick; other ones at each call.

    Raises:
        RobotError: some lie outside the robot's limits, or the executor's period is too long.
    """
    limits, excitation = robot.executor.limits, EXCITATION[robot.kind]
    if (limits.velocity < excitation.velocity_rad_s).any() or (
        limits.acceleration < excitation.acceleration_rad_s2
    ).any():
        raise RobotError(
            f"the motion takes {excitation.velocity_rad_s:g} rad/s and"
            f" {excitation.acceleration_rad_s2:g} rad/s^2; the robot file allows less"
        )
    try:
        goals = excite(robot.centre, excitation, robot.executor.period, robot.rng)
    except ValueError as error:
        raise RobotError(f"executor.period_s: {error}") from error
    outside = ((goals < limits.lower) | (goals > limits.upper)).any(axis=0)
    if outside.any():
        name = limits.names[int(np.argmax(outside))]
        raise RobotError(f"the motion of {name} leaves its limits in the robot file")
    return goals


def motion_of(ticks: list[Tick]) -> Motion:
    """What was sent and read in these ticks."""
    valid = np.array([tick.state.joints.valid for tick in ticks])
    told = np.array([tick.state.joints.position for tick in ticks])
    return Motion(
        np.array([tick.time for tick in ticks]),
        np.array([tick.executed for tick in ticks]),
        np.array([tick.state.joints.time for tick in ticks]),
        np.where(valid, told, np.nan),
    )
