"""How late the hand's pictures are: its valve is turned to and fro, and its camera looks at it.

Part of `robosac calibrate latency`, where the task learns from pictures. The valve turns for all
fingers are away from it, and its coloured end moves across the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from calibration.camera_latency import (
    EARLIEST_S,
    LATEST_S,
    CameraLatency,
    JointMotion,
    Pictures,
    camera_latency,
    components,
)
from calibration.errors import Undetermined
from robosac.armed_bench import Armed, Progress, readings
from robosac.errors import RobotError
from robosac.hal import FloatArray
from robosac.ticks import Tick
from robosac.watched import CameraWatch, Sighting

VALVE: Final = -1
SWING_RAD: Final = 0.4
SLOWEST_HZ, FASTEST_HZ = 0.4, 1.2
MOTION_S, REST_S, RAMP_S = 15.0, 0.5, 0.5
"""Of the swing, of the rest before and after it, and of its beginning and end."""


@dataclass(frozen=True)
class Filmed:
    """A valve that swings, as its camera and its servo tell of it."""

    seen: list[Sighting]
    ticks: list[Tick]
    host_stamped: bool
    """Whether most pictures are stamped as they arrive."""


def film_valve(robot: Armed, motion_s: float = MOTION_S) -> Filmed:
    """Turn the valve to and fro for `motion_s` (s), and look at the pictures.

    Raises:
        RobotError: there is no camera, or the robot was stopped.
    """
    camera = robot.camera
    if camera is None:
        raise RobotError("latency: there is no camera that could be timed")
    watch = CameraWatch(camera, robot.clock.now)
    robot.watching.look = watch.look
    try:
        ticks = robot.play(swing(robot, motion_s), Progress("latency: pictures"))
    finally:
        robot.watching.look = None
    status = camera.status()
    return Filmed(watch.seen, ticks, 2 * status.host_stamped > status.frames)


def timed_pictures(filmed: Filmed) -> CameraLatency:
    """How late the pictures show the valve. Raises RobotError: they tell no delay."""
    try:
        motion = _told(filmed.ticks)
        return camera_latency(_pictures(filmed, motion), motion)
    except Undetermined as error:
        raise RobotError(f"latency of the camera: {error}") from error


def swing(robot: Armed, motion_s: float) -> FloatArray:
    """Goals, rad, a row a tick: the valve to and fro, ever faster, from rest to rest."""
    period = robot.executor.period
    since = np.arange(round((motion_s + 2.0 * REST_S) / period)) * period - REST_S
    moving = np.clip(since, 0.0, motion_s)
    turns = SLOWEST_HZ * moving + (FASTEST_HZ - SLOWEST_HZ) * moving**2 / (2.0 * motion_s)
    edge = np.minimum(moving, motion_s - moving)
    size = SWING_RAD * np.sin(0.5 * math.pi * np.clip(edge / RAMP_S, 0.0, 1.0)) ** 2
    goals = np.tile(robot.centre, (len(since), 1))
    goals[:, VALVE] += size * np.sin(2.0 * math.pi * turns)
    return goals


def _told(ticks: list[Tick]) -> JointMotion:
    """Where the valve told that it was."""
    time, place = readings(ticks, VALVE)
    if len(time) < 2:
        raise Undetermined("the valve did not tell where it is")
    return JointMotion(time, place)


def _pictures(filmed: Filmed, motion: JointMotion) -> Pictures:
    """Those pictures whose moment is known whatever their delay."""
    begin, end = motion.time_s[0] + LATEST_S, motion.time_s[-1] + EARLIEST_S
    used = [one for one in filmed.seen if begin <= one.stamped_s <= end]
    return Pictures(
        arrived_s=np.array([one.arrived_s for one in used]),
        stamped_s=np.array([one.stamped_s for one in used]),
        features=components([one.image for one in used]),
        host_stamped=filmed.host_stamped,
    )
