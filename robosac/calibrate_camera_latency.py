"""How late a robot's pictures are: joints swing to and fro, and its camera looks at them.

Part of `robosac calibrate latency`, where there is a camera. Of the hand, the valve turns, for all
fingers are away from it, and its coloured end moves across the picture. Of the quadruped on its
stand, all legs swing beneath the overhead camera, the front ones forward while the back ones go
back, so that they do not shake the stand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from calibration.camera_latency import (
    CameraLatency,
    Image,
    JointMotion,
    Pictures,
    camera_latency,
    components,
    known,
    shrunk,
)
from calibration.errors import Undetermined
from robosac.armed_bench import Armed, Progress, readings
from robosac.errors import RobotError
from robosac.hal import FloatArray
from robosac.ticks import Tick
from robosac.watched import CameraWatch, Sighting

MOTION_S, REST_S, RAMP_S = 15.0, 0.5, 0.5
"""Of the swing, of the rest before and after it, and of its beginning and end."""


@dataclass(frozen=True)
class Swing:
    """A motion that a camera can see."""

    what: str
    """Moves, for whoever reads what went wrong."""
    ways: Mapping[int, float]
    """By joint, 1 or -1: which way it goes."""
    size_rad: float
    slowest_hz: float
    fastest_hz: float
    side_px: int
    """Larger pictures are averaged down to this."""


SWINGS: Final = {
    "claw": Swing("valve", {-1: 1.0}, 0.4, 0.4, 1.2, 64),
    # Motors of a leg turn outward, so that a leg goes forward by its rear one and back by its front
    # one. What moves is a tenth of the picture's width.
    "minitaur": Swing(
        "legs",
        {0: -1.0, 1: 1.0, 2: 1.0, 3: -1.0, 4: -1.0, 5: 1.0, 6: 1.0, 7: -1.0},
        0.4,
        0.5,
        1.5,
        160,
    ),
}
"""By the robot's kind."""


@dataclass(frozen=True)
class Filmed:
    """Joints that swing, as their camera and they themselves tell of it."""

    swing: Swing
    seen: list[Sighting]
    ticks: list[Tick]
    host_stamped: bool
    """Whether most pictures are stamped as they arrive."""


def film(robot: Armed, motion_s: float = MOTION_S) -> Filmed:
    """Swing what the camera can see for `motion_s` (s), and look at the pictures.

    Raises:
        RobotError: there is no camera, or the robot was stopped.
    """
    camera, how = robot.camera, SWINGS[robot.kind]
    if camera is None:
        raise RobotError("latency: there is no camera that could be timed")
    watch = CameraWatch(camera, robot.clock.now, shrinking(how.side_px))
    robot.watching.look = watch.look
    try:
        goals = swing(robot.centre, how, robot.executor.period, motion_s)
        ticks = robot.play(goals, Progress("latency: pictures"))
    finally:
        robot.watching.look = None
    status = camera.status()
    return Filmed(how, watch.seen, ticks, 2 * status.host_stamped > status.frames)


def timed_pictures(filmed: Filmed) -> CameraLatency:
    """How late the pictures show the joints. Raises RobotError: they tell no delay."""
    try:
        motion = _told(filmed)
        return camera_latency(_pictures(filmed, motion), motion)
    except Undetermined as error:
        raise RobotError(f"latency of the camera: {error}") from error


def swing(centre: FloatArray, how: Swing, period_s: float, motion_s: float) -> FloatArray:
    """Goals, rad, a row a tick: to and fro about `centre`, ever faster, from rest to rest."""
    since = np.arange(round((motion_s + 2.0 * REST_S) / period_s)) * period_s - REST_S
    moving = np.clip(since, 0.0, motion_s)
    faster = (how.fastest_hz - how.slowest_hz) * moving**2 / (2.0 * motion_s)
    edge = np.minimum(moving, motion_s - moving)
    size = how.size_rad * np.sin(0.5 * math.pi * np.clip(edge / RAMP_S, 0.0, 1.0)) ** 2
    away = size * np.sin(2.0 * math.pi * (how.slowest_hz * moving + faster))
    goals = np.tile(centre, (len(since), 1))
    for joint, way in how.ways.items():
        goals[:, joint] += way * away
    return goals


def shrinking(side_px: int) -> Callable[[Image], Image]:
    """Keeps of a picture what is looked at: minutes of whole ones would fill the memory."""

    def kept(image: Image) -> Image:
        return shrunk(image, side_px)

    return kept


def _told(filmed: Filmed) -> JointMotion:
    """Where the joints told that they were, on the average; the way of each counted."""
    ways = filmed.swing.ways
    each = [(way, *readings(filmed.ticks, joint)) for joint, way in ways.items()]
    if min(len(time) for _, time, _ in each) < 2:
        raise Undetermined(f"the {filmed.swing.what} did not tell where they are")
    # Each at the times of the first, for they are read one after another.
    time = each[0][1]
    place = sum(way * np.interp(time, told, place) for way, told, place in each) / len(ways)
    inside = _common([told for _, told, _ in each], time)
    return JointMotion(time[inside], np.asarray(place)[inside])


def _common(times: list[FloatArray], time: FloatArray) -> np.ndarray:
    """Which moments of `time` lie within every row of `times`."""
    begin, end = max(row[0] for row in times), min(row[-1] for row in times)
    return (time >= begin) & (time <= end)


def _pictures(filmed: Filmed, motion: JointMotion) -> Pictures:
    """Those pictures whose moment is known whatever their delay."""
    there = known(np.array([one.stamped_s for one in filmed.seen]), motion)
    used = [one for one, inside in zip(filmed.seen, there, strict=True) if inside]
    return Pictures(
        arrived_s=np.array([one.arrived_s for one in used]),
        stamped_s=np.array([one.stamped_s for one in used]),
        features=components([one.image for one in used]),
        host_stamped=filmed.host_stamped,
    )
