"""The monitor: judges what the robot reported and says what must follow. Pure; no I/O, no clock."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robosac.hal import BoolArray, Fault, ImuSample, JointState, Limits, RobotState
from robosac.reasons import Reason

CountArray = NDArray[np.int32]


class Reaction(enum.IntEnum):
    """The stop ladder, gentlest first."""

    NONE = 0
    HOLD = 1
    DAMP = 2
    STOP = 3
    """Torque off without a fault."""
    FAULT = 4
    """Torque off and latched."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Tolerances and budgets of the monitor (reference hazards 5, 6, 8, 14, 15, 17, 18)."""

    misses_hold: int = 3
    """Exchanges in a row without an answer before the robot holds."""
    misses_fault: int = 10
    """Exchanges in a row without an answer before torque is cut."""
    position_tolerance: float = math.radians(5.0)
    """How far beyond a limit a joint may be measured, rad."""
    position_ticks: int = 2
    """Ticks in a row beyond the tolerance before torque is cut."""
    overspeed_factor: float = 2.0
    """Measured speed over the commanded limit that is too fast: legs swing past their target."""
    overspeed_ticks: int = 2
    """Of the last three ticks, before torque is cut."""
    undriven_ticks: int = 3
    """Ticks in a row without drive although commanded, before torque is cut."""
    imu_hold_s: float = 0.04
    """Age of the inertial sample that holds the robot, s."""
    imu_damp_s: float = 0.2
    """Age of the inertial sample that damps the robot, s."""


@dataclass(frozen=True, slots=True)
class WatchMemory:
    """Counters per joint; shape (n,)."""

    misses: CountArray
    beyond: CountArray
    undriven: CountArray
    fast: NDArray[np.uint8]
    """One bit a tick, newest lowest: the joint was too fast."""
    quiet: bool
    """True while every counter is zero."""

    @classmethod
    def fresh(cls, joints: int) -> WatchMemory:
        """Nothing seen yet."""
        zero = np.zeros(joints, dtype=np.int32)
        return cls(zero, zero, zero, np.zeros(joints, dtype=np.uint8), True)


@dataclass(frozen=True, slots=True)
class Findings:
    """What one state calls for."""

    memory: WatchMemory
    reaction: Reaction = Reaction.NONE
    reasons: Reason = Reason.NONE
    faults: tuple[Fault, ...] = ()
    """Every cause by name."""
    latching: tuple[Fault, ...] = ()
    """The causes of a FAULT reaction."""


@dataclass(slots=True)
class _Verdict:
    """Collects causes; the strongest reaction wins."""

    reaction: Reaction = Reaction.NONE
    reasons: Reason = Reason.NONE
    faults: list[Fault] = field(default_factory=list[Fault])
    latching: list[Fault] = field(default_factory=list[Fault])

    def add(self, reaction: Reaction, reason: Reason, fault: Fault) -> None:
        self.reaction = max(self.reaction, reaction)
        self.reasons |= reason
        self.faults.append(fault)
        if reaction is Reaction.FAULT:
            self.latching.append(fault)


def inspect(
    state: RobotState,
    memory: WatchMemory,
    limits: Limits,
    settings: WatchSettings,
    free: BoolArray | None = None,
) -> Findings:
    """Judge the `state` that answered a command to hold or to damp.

    A joint that is `free` may be anywhere and turn as it likes, but must answer.
    """
    verdict = _Verdict()
    for fault in state.faults:
        verdict.add(Reaction.FAULT, Reason.FAULT, fault)
    following = _count(state.joints, memory, limits, settings, free)
    if not following.quiet:
        _judge_joints(state.joints, following, limits, settings, verdict)
    _judge_temperature(state.joints, limits, verdict)
    if math.isfinite(limits.tilt):
        _judge_body(state.imu, state.time, limits.tilt, settings, verdict)
    return Findings(
        following,
        verdict.reaction,
        verdict.reasons,
        tuple(verdict.faults),
        tuple(verdict.latching),
    )


def _count(
    joints: JointState,
    memory: WatchMemory,
    limits: Limits,
    settings: WatchSettings,
    free: BoolArray | None,
) -> WatchMemory:
    """Advance the counters; the memory itself comes back while nothing is or was wrong."""
    beyond = ~(
        (joints.position >= limits.lower - settings.position_tolerance)
        & (joints.position <= limits.upper + settings.position_tolerance)
    )
    fast = ~(np.abs(joints.velocity) <= limits.velocity * settings.overspeed_factor)
    missed = ~joints.valid
    undriven = ~joints.driving
    if free is not None:
        beyond, fast, undriven = beyond & ~free, fast & ~free, undriven & ~free
    if memory.quiet and not np.count_nonzero(beyond | fast | missed | undriven):
        return memory
    # A joint that did not answer says nothing new: counters of its measured values stand still.
    misses = np.where(missed, memory.misses + 1, 0).astype(np.int32)
    outside = np.where(missed, memory.beyond, np.where(beyond, memory.beyond + 1, 0))
    limp = np.where(missed, memory.undriven, np.where(undriven, memory.undriven + 1, 0))
    swift = np.where(missed, memory.fast, ((memory.fast << 1) | fast) & 0b111)
    quiet = not (misses.any() or outside.any() or limp.any() or swift.any())
    return WatchMemory(
        misses, outside.astype(np.int32), limp.astype(np.int32), swift.astype(np.uint8), quiet
    )


def _judge_joints(
    joints: JointState,
    memory: WatchMemory,
    limits: Limits,
    settings: WatchSettings,
    verdict: _Verdict,
) -> None:
    swift = _ONES[memory.fast] >= settings.overspeed_ticks
    for index, name in enumerate(limits.names):
        missed, position = int(memory.misses[index]), float(joints.position[index])
        if missed >= settings.misses_hold:
            lost = missed >= settings.misses_fault
            verdict.add(
                Reaction.FAULT if lost else Reaction.HOLD,
                Reason.STALE,
                Fault("joint_lost", name, f"no answer in {missed} exchanges in a row"),
            )
        if memory.beyond[index] >= settings.position_ticks:
            verdict.add(
                Reaction.FAULT,
                Reason.POSITION,
                Fault(
                    "position_limit",
                    name,
                    f"measured {position:.3f} rad; valid is {limits.lower[index]:.3f} to "
                    f"{limits.upper[index]:.3f} rad, {settings.position_tolerance:.3f} spare",
                ),
            )
        if swift[index]:
            verdict.add(
                Reaction.FAULT,
                Reason.VELOCITY,
                Fault(
                    "overspeed",
                    name,
                    f"measured {joints.velocity[index]:.2f} rad/s; valid is up to "
                    f"{limits.velocity[index] * settings.overspeed_factor:.2f} rad/s",
                ),
            )
        if memory.undriven[index] >= settings.undriven_ticks:
            verdict.add(
                Reaction.FAULT,
                Reason.FAULT,
                Fault("motor_not_driving", name, "torque was commanded; the motor reports none"),
            )


def _judge_temperature(joints: JointState, limits: Limits, verdict: _Verdict) -> None:
    hot = ~(joints.temperature < limits.temperature)
    if not np.count_nonzero(hot):
        return
    for index in np.flatnonzero(hot):
        verdict.add(
            Reaction.FAULT,
            Reason.FAULT,
            Fault(
                "over_temperature",
                limits.names[index],
                f"{joints.temperature[index]:.1f} degrees C; valid: below {limits.temperature:.0f}",
            ),
        )


def _judge_body(
    imu: ImuSample | None, now: float, limit: float, settings: WatchSettings, verdict: _Verdict
) -> None:
    age = math.inf if imu is None else now - imu.time
    if not age <= settings.imu_hold_s:
        verdict.add(
            Reaction.HOLD if age <= settings.imu_damp_s else Reaction.DAMP,
            Reason.STALE,
            Fault("imu_stale", "imu", f"newest sample is {age:.3f} s old"),
        )
    if imu is None:
        return
    tilt = body_tilt(imu)
    if not tilt <= limit:
        verdict.add(
            Reaction.DAMP,
            Reason.TILT,
            Fault("tilt", "imu", f"tilt {tilt:.2f} rad; valid is up to {limit:.2f} rad"),
        )


def body_tilt(imu: ImuSample) -> float:
    """Tilt from the vertical, rad; inf, a fall, where the orientation is no unit quaternion."""
    w, x, y, z = imu.orientation.tolist()
    norm = w * w + x * x + y * y + z * z
    if not 0.9 < norm < 1.1:
        return math.inf
    return math.acos(max(-1.0, min(1.0, 1.0 - 2.0 * (x * x + y * y) / norm)))


_ONES = np.array([value.bit_count() for value in range(8)])
