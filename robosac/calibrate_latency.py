"""`robosac calibrate latency`: steps of a joint through the executor, and when they are seen."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from calibration.actuators import Drawn, Motion, Twin
from calibration.camera_latency import CameraLatency
from calibration.errors import Undetermined
from calibration.latency import (
    Step,
    StepResponse,
    moved_to,
    needed_history,
    round_trips,
    step_response,
)
from calibration.motion_delay import MotionDelay, motion_delay
from calibration.record import Calibration, Delay
from robosac.actuator_twin import comparison
from robosac.armed_bench import Armed, Progress, armed, readings
from robosac.calibrate_actuators import motion_of, wanted
from robosac.calibrate_camera_latency import film, timed_pictures
from robosac.calibrate_pictures import latency_page
from robosac.calibrate_target import Target
from robosac.dithered import SHARE
from robosac.errors import RobotError
from robosac.hal import FloatArray
from robosac.robots.claw_file import ClawFile
from robosac.robots.measured import with_latency
from robosac.robots.robot_file import RobotFile
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.ticks import Tick

STEPS: Final = 60
BEFORE_S, AFTER_S, SETTLE_S = 0.03, 0.14, 0.15
JOINT: Final = {"minitaur": 0, "claw": 2}
"""Which one steps: a leg's front joint, a fingertip."""
SWUNG: Final = {"minitaur": (0, 1), "claw": (2,)}
"""Which ones swing: a whole leg, for its joints move one another; a fingertip is light."""
MARGIN: Final = 0.9
VARIED: Final = 0.2
"""Share by which steps are shorter than the largest, by chance."""
LARGEST_STEP_RAD: Final = 0.1
STAMP_S: Final = 0.001
"""Stamps of pictures that are wrong by more are told."""
APART_S: Final = 0.006
"""Steps alone were up to 2.5 ms off on twins; the rest is for robots."""


@dataclass(frozen=True)
class Latency:
    """What was measured."""

    bus: Delay
    response: StepResponse
    ages: dict[str, Delay]
    step_rad: float
    control_period_s: float
    history: int
    """Past observations that the task sees."""
    motion: MotionDelay | None = None
    """By which the delay's mean was found; None: by the steps alone."""

    @property
    def needed(self) -> int:
        """Past observations that it should see."""
        return needed_history(self.response.delay, self.control_period_s)

    @property
    def remark(self) -> str:
        """What is wrong with the history's length; empty if nothing is."""
        if self.needed <= self.history:
            return ""
        return (
            f"the slowest command takes {1e3 * self.response.delay.max_s:.1f} ms, so that a policy"
            f" must see {self.needed} past observations; the task shows {self.history}"
        )


def latency(
    preset: str, overrides: list[str], target: Target, take_over: bool, seed: int = 0
) -> dict[str, object]:
    """Measure, write what was found into the target, pictures beside it; a document.

    Raises:
        ConfigError, CalibrationMismatch, OwnershipError, ArmingError: as `armed`.
        RobotError: the robot was stopped, or the steps tell no delay.
    """
    with armed(preset, overrides, take_over, seed, target, sight=True) as robot:
        base = target.base(robot.file)
        stepped, swung = step_joint(robot), swing_joints(robot)
        filmed = None if robot.camera is None else film(robot)
        stamp = _filed_latency(robot.file)
    # The robot is at rest and its torque off: nobody feeds its watchdogs meanwhile.
    twin, drawn = comparison(robot.config, robot.file, robot.measured)
    found = placed(timed(stepped), swung, robot.kind, twin, drawn)
    camera = None if filmed is None else timed_pictures(filmed)
    today = datetime.date.today().isoformat()
    measured = with_latency(
        base, found.bus, found.response, today, found.ages, camera, found.motion
    )
    ages = found.ages if camera is None else {**found.ages, "camera": camera.delay}
    remarks = "; ".join(filter(None, (found.remark, stamp_remark(camera, *stamp))))
    each_s, pictures_s = found.response.each_s, None if camera is None else camera.each_s
    page = latency_page(target.beside, each_s, found.bus, ages, remarks, pictures_s)
    target.write(measured)
    return document(measured, found, remarks, page)


def stamp_remark(camera: CameraLatency | None, section: str, latency_s: float) -> str:
    """What is wrong with the pictures' stamps; empty if nothing is that could be mended.

    Stamps that seem too early are right: the joints' own readings are late by as much.

    Args:
        camera: what was measured, if it was.
        section: the camera's in the robot file.
        latency_s: by how much that corrects the stamps already, s.
    """
    right = 0.0 if camera is None else max(0.0, latency_s + camera.stamp_s)
    if camera is None or abs(right - latency_s) <= STAMP_S:
        return ""
    return (
        f"pictures are stamped {1e3 * camera.stamp_s:.1f} ms after their exposure; put"
        f" {section}.latency_s: {right:.4f} into the robot file"
    )


def _filed_latency(file: RobotFile | ClawFile) -> tuple[str, float]:
    """The camera's section in the robot file, and by how much it corrects the stamps, s."""
    name, camera = (
        ("camera", file.camera) if isinstance(file, ClawFile) else ("tracker", file.tracker)
    )
    return name, 0.0 if camera is None else camera.latency_s


def document(measured: Calibration, found: Latency, remark: str, page: Path) -> dict[str, object]:
    """What is told a machine."""
    return {
        "latency": {
            name: {key: getattr(delay, key) for key in delay.__struct_fields__}
            for name, delay in measured.latency.items()
        },
        "step_rad": found.step_rad,
        "misfit": found.response.misfit,
        "uncertain_s": None if found.motion is None else found.motion.error_s,
        "history": found.history,
        "needed_history": found.needed,
        "remark": remark,
        "page": str(page),
    }


@dataclass(frozen=True)
class Stepped:
    """What one joint's steps showed."""

    steps: list[Step]
    ticks: list[Tick]
    """All of them, but those at rest between steps."""
    size_rad: float
    control_period_s: float
    history: int
    """Past observations that the task sees."""


def step_joint(robot: Armed, steps: int = STEPS) -> Stepped:
    """Step one joint, again and again.

    Raises:
        RobotError: the robot was stopped, or its bounds allow no step that could be seen.
    """
    size = step_size(robot)
    robot.clock.dithers = True
    progress = Progress("latency: step")
    moved: list[Step] = []
    ticks: list[Tick] = []
    goal = robot.centre.copy()
    try:
        for number in range(steps):
            # Of changing size, or an encoder's counts would err in the same way each time.
            part = size * (1.0 - VARIED * float(robot.rng.random()))
            step, seen = _stepped(robot, goal, part if number % 2 == 0 else -part)
            moved.append(step)
            ticks += seen
            progress.at(number + 1, steps)
    finally:
        robot.clock.dithers = False
    return Stepped(moved, ticks, size, *control(robot.config))


def swing_joints(robot: Armed) -> Motion:
    """Move a few joints far and fast, among them the one that steps; the others rest.

    Raises:
        RobotError: the robot was stopped, or the motion leaves its limits.
    """
    goals = wanted(robot)
    still = np.setdiff1d(np.arange(goals.shape[1]), SWUNG[robot.kind])
    goals[:, still] = robot.centre[still]
    robot.go(goals[0])
    return motion_of(robot.play(goals, Progress("latency: motion, goals")))


def placed(found: Latency, swung: Motion, kind: str, twin: Twin, drawn: Drawn) -> Latency:
    """`found` with the delay's mean where the joint's motion puts it; its spread stays.

    Raises:
        RobotError: the motion tells no delay, or another one than the steps.
    """
    steps_s = found.response.delay.mean_s
    near = replace(drawn, delay_s=steps_s + 0.5 * twin.step_s)
    try:
        motion = motion_delay(swung, SWUNG[kind], twin, near)
    except Undetermined as error:
        raise RobotError(f"latency: {error}") from error
    if abs(motion.delay_s - steps_s) > APART_S:
        raise RobotError(
            f"latency: {1e3 * steps_s:.1f} ms by steps, but {1e3 * motion.delay_s:.1f} ms by the"
            f" motion of {drawn.names[JOINT[kind]]}; valid is up to {1e3 * APART_S:.0f} ms apart"
        )
    return replace(found, response=moved_to(found.response, motion.delay_s), motion=motion)


def timed(stepped: Stepped) -> Latency:
    """How late a joint's steps came. Raises RobotError: they tell no delay."""
    ticks = stepped.ticks
    try:
        response = step_response(stepped.steps)
        bus = round_trips([tick.state.time - tick.time for tick in ticks])
        ages = _ages(ticks)
    except Undetermined as error:
        raise RobotError(f"latency: {error}") from error
    return Latency(bus, response, ages, stepped.size_rad, stepped.control_period_s, stepped.history)


def step_size(robot: Armed) -> float:
    """The largest step, rad, that the limiter lets through within any one dithered tick."""
    limits, joint = robot.executor.limits, JOINT[robot.kind]
    shortest = (1.0 - SHARE) * robot.executor.period
    size = MARGIN * min(
        float(limits.velocity[joint]) * shortest,
        float(limits.acceleration[joint]) * shortest**2,
        LARGEST_STEP_RAD / MARGIN,
    )
    if not size >= 0.01:
        raise RobotError(
            f"latency: the limits of {limits.names[joint]} allow steps of {size:.4f} rad in one"
            " tick; at least 0.01 is needed, so raise its velocity and acceleration limits"
        )
    return size


def control(config: MinitaurConfig | ClawConfig) -> tuple[float, int]:
    """Control period, s, and how many past observations the task shows."""
    if isinstance(config, MinitaurConfig):
        return config.task.control_period_s, config.task.history
    # The hand's policy sees where it is, and its last action.
    return config.task.control_period_s, 1


def _stepped(robot: Armed, goal: FloatArray, size: float) -> tuple[Step, list[Tick]]:
    """One step of `goal`, in place; the executor's tick before it is the last at rest."""
    joint, period = JOINT[robot.kind], robot.executor.period
    for _ in range(round(SETTLE_S / period)):
        robot.tick(goal)
    ticks = [robot.tick(goal) for _ in range(max(6, round(BEFORE_S / period)))]
    start = goal[joint]
    goal[joint] = start + size
    first = robot.tick(goal)
    if not math.isclose(first.executed[joint], goal[joint], abs_tol=1e-6):
        raise RobotError(
            f"latency: the limiter made {first.executed[joint] - start:.4f} of a step of"
            f" {size:.4f} rad; something else holds the joint back"
        )
    ticks += [first, *(robot.tick(goal) for _ in range(round(AFTER_S / period)))]
    # A reading that came with the command is of before it.
    time, place = readings(ticks, joint)
    return Step(first.time, time, place, size), ticks


def _ages(ticks: list[Tick]) -> dict[str, Delay]:
    """How old the other sensors' values are when they are used."""
    ages = [tick.state.time - tick.state.imu.time for tick in ticks if tick.state.imu is not None]
    return {"imu_age": round_trips(ages)} if ages else {}
