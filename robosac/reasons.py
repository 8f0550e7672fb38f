"""Why an executed command differs from the requested one, as bits that fit one small integer."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Reason(enum.Flag):
    """What the limiter and the executor changed in one tick; recorded with every transition."""

    NONE = 0
    SHAPE = 1
    """The request is not a floating-point array of the robot's shape: rejected whole."""
    NON_FINITE = 2
    """The request holds NaN or infinity: rejected whole."""
    PERIOD = 4
    """The time since the last command is outside [T/2, 2T]: rejected whole."""
    MEASURED = 8
    """The measured position is missing or not finite: rejected whole."""
    POSITION = 16
    """A position limit, the braking distance to it, or the soft zone before it."""
    VELOCITY = 32
    """The velocity limit."""
    ACCELERATION = 64
    """The acceleration limit."""
    DISTANCE = 128
    """The goal ran too far from the measured position."""
    DERATED = 256
    """A motor's torque is held below its continuous rating."""
    STALE = 512
    """A joint or the inertial sensor did not answer in time."""
    TILT = 1024
    """The body fell, or its attitude is unknown."""
    AGE = 2048
    """The newest request is too old."""
    ESTOP = 4096
    """The e-stop gate is tripped."""
    FAULT = 8192
    """A fault is latched."""
    KEEP_OUT = 16384
    """The way led into a region that is kept out of; see `robosac.keepout`."""
    RECOVERING = 32768
    """A fallen robot is being set up: tilt is expected, torque and speed are bounded lower."""


def union(reasons: Iterable[Reason]) -> Reason:
    """All of them together; in every tick, where joining flags one by one takes too long."""
    value = 0
    for reason in reasons:
        value |= reason.value
    return Reason(value) if value else Reason.NONE


REJECTED = Reason.SHAPE | Reason.NON_FINITE | Reason.PERIOD | Reason.MEASURED
"""Reasons for which the whole request was set aside and the last safe target kept."""
