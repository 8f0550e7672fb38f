"""Whether what followed a fault is what the hazard table requires. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from robosac.reasons import Reason
from robosac.rehearsal.cases import Case, Kill, Level, Party, Phase
from robosac.states import SafetyState

LIMITED = (
    Reason.SHAPE
    | Reason.NON_FINITE
    | Reason.POSITION
    | Reason.VELOCITY
    | Reason.ACCELERATION
    | Reason.DISTANCE
    | Reason.DERATED
)
"""Reasons that mean that the command was clamped or set aside."""
_LEVELS = {
    SafetyState.HOLD: Level.HOLD,
    SafetyState.DAMPED: Level.DAMP,
    SafetyState.DISARMED: Level.CUT,
    SafetyState.FAULT: Level.CUT,
}
STOPPED = "the robot was stopped, and should have gone on"
TWIN_STEP_S = 0.005
"""The twin says when a motor was last driven to within this, s."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What counts of one tick of the executor; times are its own, monotonic, s."""

    number: int
    time: float
    """When its exchange had ended."""
    safety: SafetyState
    told: frozenset[str]
    """Names of the faults in it, latched or found."""
    reasons: Reason
    lateness: float
    """How late it began, s."""
    tilt: float | None = None
    """Of the body, rad."""
    imu_time: float | None = None
    """When that was measured, s."""

    @property
    def level(self) -> Level:
        """How strongly the robot reacts in this tick."""
        limited = Level.LIMIT if self.reasons & LIMITED else Level.NOTE
        return _LEVELS.get(self.safety, limited)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a process or the rehearsal itself noticed."""

    time: float
    """Monotonic, s."""
    name: str
    level: Level = Level.NOTE


@dataclass(frozen=True, slots=True)
class Observed:
    """What followed one fault."""

    injected: float
    """Monotonic, s."""
    ticks: Sequence[Seen]
    """That ended after it, oldest first."""
    events: Sequence[Event] = ()
    refusals: Sequence[str] = ()
    """Why arming was refused, where it was tried."""
    driven_s: float | None = None
    """From the fault to the last moment in which a motor was driven, by the twin's clock, s; None:
    none was, after the fault."""
    hearing_s: float | None = None
    """Likewise of the motors that heard what they were told."""
    driving: bool = False
    """Whether one still was when the observation ended."""
    cleared: Sequence[str] = ()
    """Faults that were then cleared, by name."""
    recovered: bool = False
    """Whether the robot was armed and acting again afterwards."""
    problem: str = ""
    """Why the case could not be seen through; empty: it was."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    hazard: int
    fault: str
    phase: str
    required: str
    """Level, L0 to L4."""
    reached: str
    budget_s: float
    detection_s: float | None
    """From the fault to the first record that names it, by the executor's own clock."""
    reaction_s: float | None
    """Likewise to the required reaction."""
    machine_s: float
    """The largest lateness of a tick until then: what this computer took."""
    stop_budget_s: float | None
    stopped_s: float | None
    """From the fault to the last moment in which a motor was driven, by the twin's clock."""
    told: tuple[str, ...]
    cleared: tuple[str, ...]
    recovered: bool
    held: bool
    why: str
    """What did not hold; empty: everything did."""
    conclusive: bool
    """False: the robot fell, or was stopped by something else, before the fault could be told; it
    did not hold for the lateness of a tick alone; or it should have gone on and was stopped."""
    anew: int
    """How often it was enacted anew, for what came before was not conclusive."""


def judge(case: Case, seen: Observed, period_s: float, tilt_limit: float) -> Outcome:
    """Compare what was `seen` with what the `case` requires.

    The budget is the hazard table's, whatever the computer does meanwhile. Where only the lateness
    of a tick, by the executor's own measure, took a reaction beyond it, the outcome says so: that
    computer cannot rehearse in real time, and the row does not hold.

    Args:
        case: the fault, and what must follow.
        seen: what followed.
        period_s: the executor's tick, s.
        tilt_limit: tilt at which the body counts as falling, rad.
    """
    began = _beginning(case, seen, tilt_limit)
    detected = _first(_tellings(case, seen))
    reacted = _reaction(case, seen, detected)
    machine_s = _machine(seen, reacted, period_s)
    budget_s = case.budget.limit_s(period_s)
    after = [tick for tick in seen.ticks if reacted is None or tick.time <= reacted + 1e-9]
    outcome = Outcome(
        name=case.name,
        hazard=case.hazard,
        fault=case.title,
        phase=case.phase.value,
        required=f"L{case.level.value}",
        reached=f"L{_reached(case, seen, after, reacted).value}",
        budget_s=budget_s,
        detection_s=None if detected is None else detected - began,
        reaction_s=None if reacted is None else reacted - began,
        machine_s=machine_s,
        stop_budget_s=case.stop_s,
        stopped_s=seen.driven_s,
        told=_names(case, seen),
        cleared=tuple(seen.cleared),
        recovered=seen.recovered,
        held=False,
        why="",
        conclusive=not _overtaken(case, seen),
        anew=0,
    )
    failures = [*_failures(case, seen, outcome, tilt_limit)]
    alone = len(failures) == 1
    busy = alone and _busy(outcome)
    # Where nothing shall follow, whatever else stops the robot meanwhile looks like the fault; if
    # it was the fault, it will stop the robot again.
    stopped = alone and failures[0] == STOPPED
    return msgspec.structs.replace(
        outcome,
        held=not failures,
        why="; ".join(failures),
        conclusive=outcome.conclusive and not busy and not stopped,
    )


def _busy(outcome: Outcome) -> bool:
    """Whether the reaction came beyond its budget by no more than a tick was late."""
    if outcome.reaction_s is None or outcome.reaction_s <= outcome.budget_s:
        return False
    return outcome.reaction_s <= outcome.budget_s + outcome.machine_s


def _overtaken(case: Case, seen: Observed) -> bool:
    """Whether the robot fell, or something else stopped it, before the fault was told.

    That proves nothing of the fault: one that is never told fails the next times too.
    """
    untold = _first(_tellings(case, seen)) is None
    if untold and case.told and case.phase is Phase.ACTING and _latched(seen):
        return True
    fell = any("tilt" in tick.told for tick in seen.ticks)
    fell = fell or any(event.name == "terminated" for event in seen.events)
    meant = case.from_tilt or not (case.told or case.reasons) or case.phase is not Phase.ACTING
    return fell and not meant and untold


def by_firmware(case: Case) -> bool:
    """Whether nobody but the motors' own watchdogs can react."""
    injection = case.injection
    killed = isinstance(injection, Kill) and injection.party is Party.EXECUTOR
    return killed and case.told == ()


def _beginning(case: Case, seen: Observed, tilt_limit: float) -> float:
    """When the fault began, monotonic, s."""
    if case.from_tilt:
        for tick in seen.ticks:
            if tick.imu_time is not None and _fallen(tick, tilt_limit):
                return max(seen.injected, tick.imu_time)
    return seen.injected


def _tellings(case: Case, seen: Observed) -> Iterator[float]:
    """Every moment in which the fault is named."""
    for event in seen.events:
        if event.name in case.told:
            yield event.time
    for tick in seen.ticks:
        if tick.told & set(case.told) or tick.reasons & case.reasons:
            yield tick.time


def _reaction(case: Case, seen: Observed, detected: float | None) -> float | None:
    """When the required reaction came, monotonic, s: by the records, or by the motors' own rest."""
    if case.phase is Phase.IDLE:
        return seen.injected if seen.refusals or _latched(seen) else None
    if by_firmware(case):
        stopped = not seen.driving
        return seen.injected + max(0.0, seen.driven_s or 0.0) if stopped else None
    named = bool(case.told or case.reasons)
    if named and detected is None:
        return None
    moments = [tick.time for tick in seen.ticks if tick.level >= case.level]
    moments += [
        event.time for event in seen.events if event.name in case.told and event.level >= case.level
    ]
    if detected is not None and not case.from_tilt:
        # An episode may end by itself just then: only what follows the fault's name counts.
        moments = [time for time in moments if time >= detected]
    if case.level is Level.CUT and case.stop_s is not None and not seen.driving:
        # The record comes once torque was read back as off, which takes its time.
        # A motor that hears nothing is left out: until then the command went to all others.
        last_s = seen.hearing_s if case.deaf else seen.driven_s
        moments.append(seen.injected + max(0.0, last_s or 0.0))
    return _first(moments)


def _latched(seen: Observed) -> bool:
    return any(tick.safety is SafetyState.FAULT for tick in seen.ticks)


def _machine(seen: Observed, reacted: float | None, period_s: float) -> float:
    """The largest lateness up to the reaction, s: of a tick's begin, or of its end."""
    ticks = [tick for tick in seen.ticks if reacted is not None and tick.time <= reacted]
    if not ticks:
        return 0.0
    # Whatever was going on when the fault came: the second tick from then on has ended by now.
    first = ticks[0].time - seen.injected - 2.0 * period_s
    ends = [after.time - before.time - period_s for before, after in pairwise(ticks)]
    return max(0.0, first, *(tick.lateness for tick in ticks), *ends)


def _reached(case: Case, seen: Observed, ticks: Sequence[Seen], reacted: float | None) -> Level:
    if by_firmware(case) or case.phase is Phase.IDLE:
        return Level.NOTE if seen.driving else Level.CUT
    if case.level is Level.CUT and reacted is not None:
        return Level.CUT
    levels = [tick.level for tick in ticks]
    levels += [event.level for event in seen.events if event.name in case.told]
    return max(levels, default=Level.NOTE)


def _names(case: Case, seen: Observed) -> tuple[str, ...]:
    """Every fault that was named, those of the case first."""
    names = {name for tick in seen.ticks for name in tick.told}
    names |= {event.name for event in seen.events}
    return tuple(sorted(names, key=lambda name: (name not in case.told, name)))


def _failures(case: Case, seen: Observed, outcome: Outcome, tilt_limit: float) -> Iterator[str]:
    """What did not hold."""
    if seen.problem:
        yield seen.problem
    if case.phase is Phase.IDLE:
        yield from _idle_failures(seen)
    elif outcome.reaction_s is None:
        yield f"no reaction of {outcome.required} that names the fault"
    elif outcome.reaction_s > outcome.budget_s:
        text = f"{1e3 * outcome.reaction_s:.1f} ms; valid is up to {1e3 * outcome.budget_s:.1f} ms"
        if _busy(outcome):
            text += (
                f"; a tick was {1e3 * outcome.machine_s:.1f} ms late: this computer is too busy to"
                " judge"
            )
        yield text
    if case.from_tilt and not any(_fallen(tick, tilt_limit) for tick in seen.ticks):
        yield "the body was not tipped over"
    if case.level is Level.NOTE and _latched(seen):
        yield STOPPED
    yield from _motor_failures(case, seen)
    if not seen.recovered:
        yield "it could not be armed again afterwards"


def _fallen(tick: Seen, tilt_limit: float) -> bool:
    return tick.tilt is not None and tick.tilt > tilt_limit


def _idle_failures(seen: Observed) -> Iterator[str]:
    if not seen.refusals and not _latched(seen):
        yield "arming was not refused"
    if seen.driven_s is not None and seen.driven_s > 0.0:
        yield "a motor was driven"


def _motor_failures(case: Case, seen: Observed) -> Iterator[str]:
    if case.stop_s is None:
        return
    if seen.driving:
        yield "a motor was still driven when the observation ended"
    elif seen.driven_s is not None and seen.driven_s > case.stop_s + TWIN_STEP_S:
        yield (
            f"a motor was driven for {1e3 * seen.driven_s:.0f} ms; valid is up to "
            f"{1e3 * case.stop_s:.0f} ms"
        )


def _first(times: Iterator[float] | Sequence[float]) -> float | None:
    return min(times, default=None)
