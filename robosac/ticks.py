"""What the executor tells the rest of the house: one record a tick, and a summary."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robosac.course import Past
from robosac.hal import Drive, Fault, FloatArray, JointCommand, JointState, RobotState
from robosac.reasons import REJECTED, Reason
from robosac.recovery import Recovery
from robosac.safety import Limited
from robosac.states import SafetyState
from robosac.watch import Findings, WatchMemory

_KEPT_LATENESS = 20_000


@dataclass(frozen=True, slots=True)
class Grounds:
    """What one tick was decided from."""

    before: SafetyState
    """State when the command was chosen."""
    dt: float
    """Time since the last command, s."""
    past: Past
    """What the limiter remembered."""
    measured: JointState
    """The joints as the exchange before had left them."""
    watch: WatchMemory
    """What the monitor remembered."""
    recovery: Recovery | None = None
    """The bounds in force; None: the robot's own."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one tick decided, and from what: enough to decide it again."""

    grounds: Grounds
    asked: bool
    """Whether there was a request to follow."""
    command: JointCommand
    """What was sent."""
    limited: Limited | None
    """What the limiter said; None: no position was commanded through it."""
    findings: Findings
    """What the monitor said of the answer."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick of the executor: what was asked, what was let through, what was measured."""

    time: float
    """Clock time at which the command was computed, s."""
    state: RobotState
    """What the exchange of this tick learned."""
    safety: SafetyState
    """State after this tick's reactions."""
    requested: object
    """The newest raw goal, rad, as it came; None before the first."""
    target: object
    """What was handed to the limiter: the goal or a point on the way, rad; None if nothing."""
    executed: FloatArray
    """Commanded position, rad; the measured one while no position was commanded."""
    velocity: FloatArray
    """Velocity of the command, rad/s."""
    reasons: Reason
    """Why the executed command differs from the request."""
    lateness: float
    """How late the tick began, s."""
    faults: tuple[Fault, ...] = ()
    """Latched faults, and what the monitor found in this tick."""
    decision: Decision | None = None
    """None where the executor that made this tick runs elsewhere."""


class Observer(Protocol):
    """Is told what the executor does, inside its tick: must be quick, and must not raise."""

    def ticked(self, tick: Tick) -> None:
        """An exchange with the robot, one of the arming sequence too, is over."""
        ...

    def entered(self, state: SafetyState, time: float) -> None:
        """The safety state is `state` from clock time `time` (s) on."""
        ...

    def latched(self, fault: Fault, time: float) -> None:
        """`fault` was latched at clock time `time` (s), maybe not for the first time."""
        ...


class Unobserved:
    """Tells nobody."""

    def ticked(self, tick: Tick) -> None:
        """Nothing."""

    def entered(self, state: SafetyState, time: float) -> None:
        """Nothing."""

    def latched(self, fault: Fault, time: float) -> None:
        """Nothing."""


def taken(
    now: float,
    state: RobotState,
    safety: SafetyState,
    requested: object,
    target: object,
    reasons: Reason,
    lateness: float,
    latched: tuple[Fault, ...],
    decision: Decision,
) -> Tick:
    """The record of a tick that `decision` was taken in; see `Tick` for the rest."""
    command, limited = decision.command, decision.limited
    commanded = limited is not None or command.drive is Drive.POSITION
    found = decision.findings.faults
    return Tick(
        now,
        state,
        safety,
        requested,
        target,
        command.position if commanded else state.joints.position,
        command.velocity if limited is None else limited.velocity,
        reasons,
        lateness,
        latched + tuple(fault for fault in found if fault not in latched),
        decision,
    )


@dataclass(frozen=True, slots=True)
class Statistics:
    """What happened since the executor was built."""

    ticks: int
    limited: Mapping[str, int]
    """Ticks for each reason by its lower-case name."""
    rejected: int
    """Ticks in which the whole request was set aside."""
    skipped: int
    """Ticks of the grid that were missed altogether."""
    entered: Mapping[str, int]
    """How often each safety state was entered, by its value."""
    lateness_p50: float
    """s, over the last 20 000 ticks."""
    lateness_p99: float
    """s, over the last 20 000 ticks."""
    lateness_max: float
    """s, over all ticks."""


class Tally:
    """Counts ticks; cheap enough for every tick."""

    def __init__(self) -> None:
        self._ticks = 0
        self._reasons: Counter[int] = Counter()
        self._entered: Counter[str] = Counter()
        self._recent: deque[float] = deque(maxlen=_KEPT_LATENESS)
        self._worst = 0.0

    def tick(self, reasons: Reason, lateness: float) -> None:
        """Count one tick with its reasons and lateness (s)."""
        self._ticks += 1
        self._recent.append(lateness)
        self._worst = max(self._worst, lateness)
        if reasons.value:
            self._reasons[reasons.value] += 1

    def enter(self, state: SafetyState) -> None:
        """Count that `state` was entered."""
        self._entered[state.value] += 1

    def snapshot(self, skipped: int) -> Statistics:
        """The counts so far; `skipped` ticks were missed."""
        limited = {
            str(reason.name).lower(): sum(
                count for value, count in self._reasons.items() if value & reason.value
            )
            for reason in Reason
        }
        rejected = sum(n for value, n in self._reasons.items() if value & REJECTED.value)
        recent = np.array(self._recent) if self._recent else np.zeros(1)
        p50, p99 = np.percentile(recent, (50, 99))
        return Statistics(
            self._ticks,
            limited,
            rejected,
            skipped,
            dict(self._entered),
            float(p50),
            float(p99),
            self._worst,
        )
