"""Workspace keep-outs: where joints must not go together, and a filter that never lets them.

A candidate step is let through only if the braking that would follow it stays clear; otherwise the
last braking, which was clear, is continued. Clear is thus an invariant by induction.

For that the braking must not depend on how long later periods are. So all joints brake together, in
proportion: with T = max |v| / a they stand after T, on the straight way they were on. Steps of
length h >= s each go on to p + v (1 - h / T) h, so that from (p, v) they end no farther than

    p + v (T^2 - s^2) / (2 T)      (and at p itself, when T <= s)

and what is left after a step lies within what was left before it; tests/robosac/test_keepout.py
proves it for all real numbers. The straight way has to end inside the joints' limits, too.

Ways are looked at in points. Between two of them the clearance may be less, by no more than the
region's `slack`, which is therefore asked for beside zero. From inside a region, where joints that
were let go may have been pushed, only steps that take nothing from the clearance are let through.

Pure, for one robot at a time; fails closed: a clearance that is not a number is not clear.
"""

from __future__ import annotations

import math
from operator import truediv
from typing import Protocol

import numpy as np

from robosac.hal import BoolArray, FloatArray
from robosac.reasons import Reason
from robosac.safety import Envelope, Limited, Memory, inside


class KeepOut(Protocol):
    """Regions of joint positions to stay out of."""

    @property
    def involved(self) -> BoolArray:
        """True where a joint can change the clearance of a region, shape (k, n)."""
        ...

    @property
    def resolution(self) -> float:
        """Spacing of the points at which a way is looked at, rad of the fastest joint."""
        ...

    @property
    def slack(self) -> float:
        """How much less than at the nearest of those points a clearance can be between them."""
        ...

    def clearance(self, positions: FloatArray) -> FloatArray:
        """Distance to each region, shape (..., k), m or rad; negative inside.

        Args:
            positions: joint positions, rad, shape (..., n).
        """
        ...

    def clearances(self, points: list[list[float]]) -> list[list[float]]:
        """The same numbers for some points, in plain lists: every tick asks for a few."""
        ...


def brake_together(memory: Memory, envelope: Envelope, dt: float, whole: Reason) -> Limited:
    """All joints slow down in proportion, on the straight way they are on.

    Args:
        memory: the last command, shape (n,).
        envelope: the robot's bounds.
        dt: time since the last command, s.
        whole: noted for the whole robot.
    """
    positions, velocities = _braked(memory, envelope, dt)
    none = np.zeros(len(positions), dtype=np.uint8)
    return Limited(np.array(positions), np.array(velocities), none, tracking=False, whole=whole)


def _braked(memory: Memory, envelope: Envelope, dt: float) -> tuple[list[float], list[float]]:
    """Positions (rad) and velocities (rad/s) of `brake_together`."""
    last, positions = memory.velocity.tolist(), memory.position.tolist()
    needed = _standstill_time(last, envelope)
    share = max(0.0, 1.0 - dt / needed) if needed > 0.0 else 0.0
    velocities = [velocity * share for velocity in last]
    for joint, bounds in enumerate(envelope.joints):
        start = positions[joint]
        positions[joint] = inside(start + velocities[joint] * dt, start, bounds)
    return positions, velocities


def keep_clear(
    limited: Limited, memory: Memory, envelope: Envelope, keep_out: KeepOut, dt: float
) -> Limited:
    """`limited`, if joints can still stop clear of every region after it; else as much as can be.

    Joints that a region in the way involves go on braking, the others follow `limited`; where that
    is not clear either, all brake.

    Args:
        limited: what the limiter let through, shape (n,).
        memory: the last command.
        envelope: the robot's bounds.
        keep_out: the regions.
        dt: the period `limited` was made for, s.

    Raises:
        ValueError: a position or velocity is not finite.
    """
    start = memory.position.tolist()
    position, velocity = limited.position.tolist(), limited.velocity.tolist()
    if not math.isfinite(sum(start) + sum(position) + sum(velocity)):
        raise ValueError(f"keep-out: a command must be finite, got {position} after {start} rad")
    held = _blocked(start, position, velocity, envelope, keep_out)
    if not held:
        return limited
    whole = limited.whole | Reason.KEEP_OUT
    braked, slower = _braked(memory, envelope, dt)
    while len(held) < len(start):
        for joint in held:
            position[joint], velocity[joint] = braked[joint], slower[joint]
        blocked = _blocked(start, position, velocity, envelope, keep_out)
        if not blocked:
            return _mixed(position, velocity, limited, held, whole)
        if blocked <= held:
            break
        held = held | blocked
    return Limited(np.array(braked), np.array(slower), limited.codes, False, whole)


def _mixed(
    position: list[float], velocity: list[float], limited: Limited, held: set[int], whole: Reason
) -> Limited:
    """What is left of `limited` where only the joints `held` brake."""
    codes, tracking = limited.codes.tolist(), [limited.tracking is True] * len(position)
    if isinstance(limited.tracking, np.ndarray):
        tracking = limited.tracking.tolist()
    for joint in held:
        codes[joint], tracking[joint] = 0, False
    return Limited(
        np.array(position),
        np.array(velocity),
        np.array(codes, dtype=np.uint8),
        np.array(tracking),
        whole,
    )


def _blocked(
    start: list[float],
    landing: list[float],
    velocity: list[float],
    envelope: Envelope,
    keep_out: KeepOut,
) -> set[int]:
    """Joints that must not land there (rad) at that velocity (rad/s)."""
    needed, shortest = _standstill_time(velocity, envelope), envelope.shortest
    points = [start, *_points(start, landing, keep_out.resolution)]
    blocked: set[int] = set()
    rolling = needed > shortest
    if rolling:
        time = (needed * needed - shortest * shortest) / 2 / needed
        end = [place + speed * time for place, speed in zip(landing, velocity, strict=True)]
        for joint, (place, bounds) in enumerate(zip(end, envelope.joints, strict=True)):
            if bounds[0] <= place <= bounds[1] or place == landing[joint]:
                continue
            if place != inside(place, start[joint], bounds):
                blocked.add(joint)
        points += _points(landing, end, keep_out.resolution)
    now, *later = keep_out.clearances(points)
    slack = keep_out.slack
    for region, clear in enumerate(now):
        wanted = slack if clear >= slack else clear + slack if rolling else clear
        if not all(point[region] >= wanted for point in later):
            blocked.update(keep_out.involved[region].nonzero()[0].tolist())
    return blocked


def _points(start: list[float], end: list[float], spacing: float) -> list[list[float]]:
    """Points on the straight way, `end` among them but not `start`, at most `spacing` apart."""
    if spacing == math.inf:
        return [end]
    way = [last - first for first, last in zip(start, end, strict=True)]
    count = max(1, math.ceil(max(map(abs, way)) / spacing))
    shares = [index / count for index in range(1, count)]
    return [
        [first + part * share for first, part in zip(start, way, strict=True)] for share in shares
    ] + [end]


def _standstill_time(velocity: list[float], envelope: Envelope) -> float:
    """How long joints that brake together need to stand, s."""
    return max(map(truediv, map(abs, velocity), envelope.accelerations))


class FrontLegsForward:
    """The quadruped's front legs do not swing back under its body.

    The paper names that the commonest failure that needs a person's hand (arXiv 1812.05905, 7.2).
    Swing is half the difference of a leg's two motor angles (arXiv 1804.10332): linear, so that the
    ends of a straight way tell all of it.

    Args:
        fold: how far back a front leg may swing, rad.
        joints: number of the robot's joints, two a leg, front links first.
        legs: which legs are front ones.

    Raises:
        ValueError: `fold` is not a positive, finite number.
    """

    resolution = math.inf
    slack = 0.0

    def __init__(self, fold: float, joints: int = 8, legs: tuple[int, ...] = (0, 2)) -> None:
        if not 0.0 < fold < math.inf:
            raise ValueError(f"keep-out: fold angle must be positive, got {fold} rad")
        self.fold = fold
        self._front = [2 * leg for leg in legs]
        self.involved: BoolArray = np.zeros((len(legs), joints), dtype=np.bool_)
        for row, leg in enumerate(legs):
            self.involved[row, 2 * leg : 2 * leg + 2] = True

    def clearance(self, positions: FloatArray) -> FloatArray:
        """How much farther each front leg may swing back, rad, shape (..., legs)."""
        front = np.array(self._front)
        return (positions[..., front + 1] - positions[..., front]) / 2.0 + self.fold

    def clearances(self, points: list[list[float]]) -> list[list[float]]:
        """See `KeepOut`."""
        fold, front = self.fold, self._front
        return [[(point[at + 1] - point[at]) / 2.0 + fold for at in front] for point in points]
