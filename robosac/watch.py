"""The monitor: judges what the robot reported and says what must follow. Pure; no I/O, no clock.

Its parts look at the joints, at supply and warmth, and at the body; docs/hazards.md tells which
hazard each answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from robosac.hal import Fault, JointCommand, JointState, Limits, RobotState
from robosac.reasons import Reason
from robosac.watch_body import BodyMemory, body_tilt, judge_body
from robosac.watch_joints import JointBounds, JointCounters, count, healthy, judge, look
from robosac.watch_settings import WatchSettings
from robosac.watch_supply import SupplyMemory, judge_supply, lasting
from robosac.watch_verdict import Reaction, Verdict

__all__ = [
    "Findings",
    "Reaction",
    "WatchMemory",
    "WatchSettings",
    "body_tilt",
    "inspect",
    "lasting",
]


@dataclass(frozen=True, slots=True)
class WatchMemory:
    """What is remembered from tick to tick while the motors may push."""

    counters: JointCounters
    last: JointState
    """The joints one tick ago."""
    supply: SupplyMemory
    body: BodyMemory
    bounds: JointBounds | None = None
    """Worked out at the first look, and anew under other limits."""

    @classmethod
    def fresh(cls, joints: int) -> WatchMemory:
        """Nothing seen yet."""
        return cls(
            JointCounters.zero(joints),
            JointState.unheard(joints),
            SupplyMemory.fresh(joints),
            BodyMemory(),
        )


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


def inspect(
    state: RobotState,
    memory: WatchMemory,
    limits: Limits,
    settings: WatchSettings,
    command: JointCommand,
) -> Findings:
    """Judge the `state` that answered a `command` to hold or to damp.

    A joint that is let go may be anywhere and turn as it likes, but must answer.
    """
    verdict = Verdict()
    for fault in state.faults:
        verdict.add(Reaction.FAULT, Reason.FAULT, fault)
    joints, now, counters = state.joints, state.time, memory.counters
    bounds = memory.bounds
    if bounds is None or bounds.limits is not limits:
        bounds = JointBounds.of(limits, settings)
    if not (counters.quiet and healthy(joints, memory.last, now, command, bounds, settings)):
        seen = look(joints, memory.last, now, command, limits, bounds, settings)
        counters = count(seen, counters)
        judge(joints, seen, counters, now, limits, settings, verdict)
    supply = judge_supply(joints, now, memory.supply, limits, settings, verdict)
    body = memory.body
    if math.isfinite(limits.tilt):
        body = judge_body(state.imu, now, limits.tilt, body, settings, verdict)
    return Findings(
        WatchMemory(counters, joints, supply, body, bounds),
        verdict.reaction,
        verdict.reasons,
        tuple(verdict.faults),
        tuple(verdict.latching),
    )
