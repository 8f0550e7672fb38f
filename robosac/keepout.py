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
from dataclasses import replace
from typing import Protocol

import numpy as np

from robosac.hal import BoolArray, FloatArray
from robosac.reasons import Reason
from robosac.safety import Envelope, Limited, Memory

_NO_MOTION = 1e-12
"""Rounding of a velocity that stands for none, rad/s."""


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


def brake_together(memory: Memory, envelope: Envelope, dt: float, whole: Reason) -> Limited:
    """All joints slow down in proportion, on the straight way they are on.

    Args:
        memory: the last command, shape (n,).
        envelope: the robot's bounds.
        dt: time since the last command, s.
        whole: noted for the whole robot.
    """
    needed = _standstill_time(memory.velocity, envelope)
    velocity = memory.velocity * (max(0.0, 1.0 - dt / needed) if needed > 0.0 else 0.0)
    position = _inside(memory.position + velocity * dt, memory.position, envelope)
    none = np.zeros(position.shape, dtype=np.uint8)
    return Limited(position, velocity, none, tracking=False, whole=whole)


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
    """
    blocked = _blocked(limited, memory, envelope, keep_out)
    if not np.count_nonzero(blocked):
        return limited
    back = brake_together(memory, envelope, dt, limited.whole | Reason.KEEP_OUT)
    held = blocked
    while np.count_nonzero(held) < held.size:
        mixed = Limited(
            np.where(held, back.position, limited.position),
            np.where(held, back.velocity, limited.velocity),
            np.where(held, 0, limited.codes).astype(np.uint8),
            ~held & limited.tracking,
            back.whole,
        )
        blocked = _blocked(mixed, memory, envelope, keep_out)
        if not np.count_nonzero(blocked):
            return mixed
        more = held | blocked
        if np.array_equal(more, held):
            break
        held = more
    return replace(back, codes=limited.codes)


def _blocked(
    candidate: Limited, memory: Memory, envelope: Envelope, keep_out: KeepOut
) -> BoolArray:
    """Joints that must not do what `candidate` says, shape (n,)."""
    start, landing = memory.position, candidate.position
    needed = _standstill_time(candidate.velocity, envelope)
    shortest = envelope.shortest
    points = [start, *_points(start, landing, keep_out.resolution)]
    rolling = needed > shortest
    outside = np.zeros(start.shape, dtype=np.bool_)
    if rolling:
        end = landing + candidate.velocity * ((needed * needed - shortest * shortest) / 2 / needed)
        outside = (end != landing) & (end != _inside(end, start, envelope))
        points += _points(landing, end, keep_out.resolution)
    clearances = keep_out.clearance(np.array(points))
    now, slack = clearances[0], keep_out.slack
    wanted = np.where(now >= slack, slack, now + slack if rolling else now)
    crossed = np.logical_not(np.all(clearances[1:] >= wanted, axis=0))
    return outside | np.any(keep_out.involved & crossed.reshape(-1, 1), axis=0)


def _points(start: FloatArray, end: FloatArray, spacing: float) -> list[FloatArray]:
    """Points on the straight way, `end` among them but not `start`, at most `spacing` apart."""
    way = end - start
    count = max(1, math.ceil(float(np.abs(way).max()) / spacing))
    return [start + way * (index / count) for index in range(1, count)] + [end]


def _standstill_time(velocity: FloatArray, envelope: Envelope) -> float:
    """How long joints that brake together need to stand, s."""
    needed = float((np.abs(velocity) / envelope.limits.acceleration).max())
    return 0.0 if needed < _NO_MOTION else needed


def _inside(position: FloatArray, start: FloatArray, envelope: Envelope) -> FloatArray:
    """`position` (rad) inside the limits; from outside only inward."""
    limits = envelope.limits
    return np.minimum(
        np.maximum(position, np.minimum(limits.lower, start)), np.maximum(limits.upper, start)
    )


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
        self._front = np.array([2 * leg for leg in legs])
        self.involved: BoolArray = np.zeros((len(legs), joints), dtype=np.bool_)
        for row, leg in enumerate(legs):
            self.involved[row, 2 * leg : 2 * leg + 2] = True

    def clearance(self, positions: FloatArray) -> FloatArray:
        """How much farther each front leg may swing back, rad, shape (..., legs)."""
        swing = (positions[..., self._front + 1] - positions[..., self._front]) / 2.0
        return swing + self.fold
