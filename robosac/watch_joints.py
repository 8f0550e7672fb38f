"""The monitor's look at the joints: lost, stale, beyond a limit, too fast, frozen, not driven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robosac.hal import BoolArray, Drive, Fault, FloatArray, JointCommand, JointState, Limits
from robosac.reasons import Reason
from robosac.watch_settings import WatchSettings
from robosac.watch_verdict import Reaction, Verdict

CountArray = NDArray[np.int32]
_ONES = np.array([value.bit_count() for value in range(8)])


@dataclass(frozen=True, slots=True)
class JointCounters:
    """Counters per joint; shape (n,)."""

    misses: CountArray
    beyond: CountArray
    undriven: CountArray
    fast: NDArray[np.uint8]
    """One bit a tick, newest lowest: the joint was too fast."""
    above: CountArray
    """Ticks of one and the same position in which the goal was well above it."""
    below: CountArray
    """Likewise below it."""
    limp: CountArray
    """Of those ticks, the last in a row in which the motor did not push as a stalled one does."""
    identical: CountArray
    """Ticks in a row of one and the same position, where that is looked at."""
    quiet: bool
    """True while every counter is zero."""

    @classmethod
    def zero(cls, joints: int) -> JointCounters:
        """Nothing seen yet."""
        none = np.zeros(joints, dtype=np.int32)
        fast = np.zeros(joints, dtype=np.uint8)
        return cls(none, none, none, fast, none, none, none, none, True)


@dataclass(frozen=True, slots=True)
class JointBounds:
    """What healthy joints keep, worked out once; shape (n,)."""

    limits: Limits
    """What they follow from."""
    centre: FloatArray
    """Middle of the range, rad."""
    spread: FloatArray
    """How far from it a joint may be measured, rad."""
    speed: FloatArray
    """rad/s"""

    @classmethod
    def of(cls, limits: Limits, settings: WatchSettings) -> JointBounds:
        """Those of one robot."""
        half = (limits.upper - limits.lower) / 2.0
        return cls(
            limits,
            limits.lower + half,
            half + settings.position_tolerance,
            limits.velocity * settings.overspeed_factor,
        )


def healthy(
    joints: JointState,
    last: JointState,
    now: float,
    command: JointCommand,
    bounds: JointBounds,
    settings: WatchSettings,
) -> bool:
    """True where `look` would find nothing at all: the usual tick, in as few steps as possible.

    Comparisons with NaN are false, so that nothing unknown passes.
    """
    position, free = joints.position, command.free
    moved = np.abs(position - last.position)
    fine = np.abs(position - bounds.centre) <= bounds.spread
    fine &= np.abs(joints.velocity) <= bounds.speed
    fine &= moved <= settings.position_noise
    fine &= joints.driving
    # Bit-identical readings are usual at rest; they matter only where a joint is sent away.
    same = moved == 0.0
    if np.count_nonzero(same) and command.drive is Drive.POSITION:
        if settings.identical_ticks:
            fine &= ~same
        fine &= ~(same & (np.abs(command.position - position) > settings.freeze_error))
    if free is not None:
        fine |= free
    fine &= joints.valid
    fine &= joints.time >= now - settings.stale_hold_s
    return np.count_nonzero(fine) == fine.size


@dataclass(frozen=True, slots=True)
class JointLook:
    """What one tick shows of every joint; shape (n,)."""

    beyond: BoolArray
    fast: BoolArray
    impossible: BoolArray
    missed: BoolArray
    undriven: BoolArray
    stale: BoolArray
    old: BoolArray
    """It answered, but with nothing new."""
    same: BoolArray
    above: BoolArray
    below: BoolArray
    limp: BoolArray
    """It does not push as a motor does that stands so far from its goal."""
    identical: BoolArray


def look(
    joints: JointState,
    last: JointState,
    now: float,
    command: JointCommand,
    limits: Limits,
    bounds: JointBounds,
    settings: WatchSettings,
) -> JointLook:
    """Compare `joints` with the bounds, with the `last` state and with the `command` they answered.

    Args:
        joints: the newest state; `now` (s) is when its exchange ended.
        last: the state before.
        command: what was sent.
        limits, bounds: the robot's, and what follows from them.
        settings: tolerances.
    """
    position = joints.position
    beyond = ~(np.abs(position - bounds.centre) <= bounds.spread)
    moved, elapsed = np.abs(position - last.position), joints.time - last.time
    reach = limits.velocity * elapsed
    fast = ~(np.abs(joints.velocity) <= bounds.speed)
    fast |= moved > settings.overspeed_factor * reach + settings.position_noise
    impossible = moved > settings.impossible_factor * reach + settings.position_noise
    stale = joints.valid & ~(now - joints.time <= settings.stale_hold_s)
    missed, undriven = ~joints.valid, ~joints.driving
    # A joint that did not answer repeats its old reading: that is a miss, not a frozen encoder.
    old = joints.valid & ~(elapsed > 0.0)
    same = (moved == 0.0) & joints.valid & ~old
    limp = identical = none = np.zeros(len(position), dtype=np.bool_)
    if command.drive is Drive.POSITION:
        away = command.position - position
        above, below = away > settings.freeze_error, away < -settings.freeze_error
        if settings.stiffness:
            stiffness = settings.stiffness * command.stiffness
            push = np.minimum(stiffness * np.abs(away), command.max_torque)
            # False for a torque that is not known; a motor that is not driven is another fault.
            limp = joints.torque * np.sign(away) < settings.limp_share * push
            limp &= (above | below) & joints.driving
        if settings.identical_ticks:
            identical = same
    else:
        above = below = none
    if command.free is not None:
        held = ~command.free
        beyond, fast, undriven = beyond & held, fast & held, undriven & held
        impossible, same, identical = impossible & held, same & held, identical & held
        # Nothing is sent to it by what it says; that it must not fall silent holds for it, too.
        stale = stale & held
    return JointLook(
        *(beyond, fast, impossible, missed, undriven, stale, old),
        *(same, above, below, limp, identical),
    )


def count(seen: JointLook, counters: JointCounters) -> JointCounters:
    """Advance the counters.

    A joint that says nothing new leaves the counters of its measured values as they are.
    """
    missed = seen.missed
    silent = missed | seen.old
    misses = (counters.misses + 1) * missed
    # Stacked, for numpy's cost is by the call.
    before = np.array((counters.beyond, counters.undriven, counters.identical))
    found = np.array((seen.beyond, seen.undriven, seen.identical))
    rows = np.where(silent, before, (before + 1) * found)
    swift = np.where(silent, counters.fast, ((counters.fast << 1) | seen.fast) & 0b111)
    # Rows of one and the same reading: time spent sent nowhere neither counts nor ends them.
    unmoved = seen.same | silent
    sent = np.array((seen.above, seen.below)) & seen.same
    sides = (np.array((counters.above, counters.below)) + sent) * unmoved
    pushed = (sent[0] | sent[1]) & ~seen.limp
    limp = (counters.limp + (sent[0] | sent[1])) * (unmoved & ~pushed)
    counted = np.array((misses, *rows, swift, *sides, limp), dtype=np.int32)
    outside, undriven, identical = counted[1:4]
    return JointCounters(
        *(counted[0], outside, undriven, counted[4].astype(np.uint8)),
        *(counted[5], counted[6], counted[7], identical),
        quiet=not np.count_nonzero(counted),
    )


def judge(
    joints: JointState,
    seen: JointLook,
    counters: JointCounters,
    now: float,
    limits: Limits,
    settings: WatchSettings,
    verdict: Verdict,
) -> None:
    """Add what the counters of the joints call for to `verdict`."""
    _judge_answers(joints, seen, counters, now, limits, settings, verdict)
    _judge_motion(joints, seen, counters, limits, settings, verdict)
    for index in np.flatnonzero(counters.undriven >= settings.undriven_ticks):
        detail = "torque was commanded; the motor reports none"
        verdict.add(
            Reaction.FAULT,
            Reason.FAULT,
            Fault("motor_not_driving", limits.names[index], detail),
        )
    for index in np.flatnonzero(_frozen(counters, settings)):
        sent = int(counters.above[index] + counters.below[index])
        verdict.add(
            Reaction.FAULT,
            Reason.FAULT,
            Fault(
                "encoder_frozen",
                limits.names[index],
                f"{joints.position[index]:.4f} rad to the last bit; in {sent} ticks its goal was "
                f"over {settings.freeze_error:.2f} rad away, in {counters.limp[index]} of them its "
                f"motor did not push as one that stands; {counters.identical[index]} readings in a "
                "row are the same (counted where encoders are noisy)",
            ),
        )


def _frozen(counters: JointCounters, settings: WatchSettings) -> BoolArray:
    """Where an encoder tells the same although the joint is sent away.

    Where joints may stall against an obstacle, it must have been sent to both sides, each for a
    quarter of the ticks: no obstacle holds a joint on both. Or its motor pushes less than one that
    stands so far from its goal: then it turns, and only its reading stands.
    """
    sent = counters.above + counters.below
    frozen = sent >= settings.freeze_ticks
    if settings.stalls:
        each = max(1, settings.freeze_ticks // 4)
        frozen &= (counters.above >= each) & (counters.below >= each)
    frozen |= counters.limp >= settings.limp_ticks
    if settings.identical_ticks:
        frozen |= counters.identical >= settings.identical_ticks
    return frozen


def _judge_answers(
    joints: JointState,
    seen: JointLook,
    counters: JointCounters,
    now: float,
    limits: Limits,
    settings: WatchSettings,
    verdict: Verdict,
) -> None:
    for index in np.flatnonzero(counters.misses >= settings.misses_hold):
        missed = int(counters.misses[index])
        lost = missed >= settings.misses_fault
        verdict.add(
            Reaction.FAULT if lost else Reaction.HOLD,
            Reason.STALE,
            Fault("joint_lost", limits.names[index], f"no answer in {missed} exchanges in a row"),
        )
    for index in np.flatnonzero(seen.stale):
        age = now - float(joints.time[index])
        old = not age <= settings.stale_fault_s
        verdict.add(
            Reaction.FAULT if old else Reaction.HOLD,
            Reason.STALE,
            Fault(
                "joint_stale",
                limits.names[index],
                f"values said to be fresh are {age:.3f} s old; valid is {settings.stale_hold_s} s",
            ),
        )


def _judge_motion(
    joints: JointState,
    seen: JointLook,
    counters: JointCounters,
    limits: Limits,
    settings: WatchSettings,
    verdict: Verdict,
) -> None:
    for index in np.flatnonzero(counters.beyond >= settings.position_ticks):
        verdict.add(
            Reaction.FAULT,
            Reason.POSITION,
            Fault(
                "position_limit",
                limits.names[index],
                f"measured {joints.position[index]:.3f} rad; valid is {limits.lower[index]:.3f} to "
                f"{limits.upper[index]:.3f} rad, {settings.position_tolerance:.3f} spare; if it "
                "stands inside, its calibration is wrong",
            ),
        )
    swift = _ONES[counters.fast] >= settings.overspeed_ticks
    for index in np.flatnonzero(swift):
        verdict.add(
            Reaction.FAULT,
            Reason.VELOCITY,
            Fault(
                "overspeed",
                limits.names[index],
                f"measured {joints.velocity[index]:.2f} rad/s; valid is up to "
                f"{limits.velocity[index] * settings.overspeed_factor:.2f} rad/s, also from one "
                "position to the next",
            ),
        )
    for index in np.flatnonzero(seen.impossible):
        verdict.add(
            Reaction.FAULT,
            Reason.VELOCITY,
            Fault(
                "impossible_motion",
                limits.names[index],
                f"it is at {joints.position[index]:.3f} rad all at once; no motor is faster than "
                f"{limits.velocity[index] * settings.impossible_factor:.0f} rad/s: its turns or "
                "its encoder are lost",
            ),
        )
