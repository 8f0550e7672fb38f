"""Enacts one case after the other: waits for its moment, breaks something, looks on, mends it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from robosac.errors import RobotError
from robosac.rehearsal.cases import (
    BadGoal,
    Case,
    Kill,
    Level,
    Party,
    Phase,
    Push,
    ShellStop,
    Spoil,
    TwinFault,
    Unplug,
)
from robosac.rehearsal.conductor import Conductor, Notes
from robosac.rehearsal.link import SpoilGoals
from robosac.rehearsal.stage import Driven, Moment
from robosac.rehearsal.verdict import Observed, Outcome, Seen, judge

SETTLED_S: Final = 0.3
"""How long an episode has gone on when something goes wrong, s."""
PATIENCE_S: Final = 40.0
"""How long the robot may take to come to where a case begins, or to act again after one, s."""
MOST_ANEW: Final = 2
"""How often a case that nothing can be concluded from is enacted anew."""
LOOK_S: Final = 1.0
"""How long a case is looked at beyond its budget, s."""


@dataclass(frozen=True)
class Begun:
    """A fault that has begun."""

    moment: Moment
    """When, on both clocks."""
    problem: str = ""
    """Why it has not."""


class Enactment:
    """Plays cases.

    Args:
        conductor: has an actor.
        environment: variables of the shell in which somebody stops the robot.
    """

    def __init__(self, conductor: Conductor, environment: Mapping[str, str]) -> None:
        self._conductor, self._environment = conductor, environment

    def play(self, case: Case, following: Case | None) -> Outcome:
        """Enact a case and judge it; the robot acts again afterwards, or waits for the next.

        Raises:
            RobotError: no actor can be started any more, or it does not come to act.
        """
        conductor, anew = self._conductor, 0
        while not (outcome := self._played(case)).conclusive and anew < MOST_ANEW:
            anew += 1
        conductor.broken = False
        conductor.hold_idle = following is not None and following.phase is Phase.IDLE
        return msgspec.structs.replace(outcome, anew=anew)

    def _played(self, case: Case) -> Outcome:
        """Enact a case once, and judge it."""
        conductor, seen = self._conductor, self._see(case)
        conductor.stage.mend()
        conductor.hold_idle = False
        recovered = self._recovered(case)
        seen = replace(seen, recovered=recovered, cleared=tuple(conductor.notes.cleared))
        return judge(case, seen, conductor.period_s, conductor.tilt_limit)

    def _see(self, case: Case) -> Observed:
        """Everything that followed the fault."""
        conductor = self._conductor
        if not self._await(case.phase):
            refused = conductor.notes.refusals
            last = f"; it was last refused with: {refused[-1]}" if refused else ""
            raise RobotError(f"in {PATIENCE_S:g} s the robot was never {case.phase.value}{last}")
        conductor.notes, conductor.broken = Notes(), True
        begun = self._begin(case)
        if begun.problem:
            return Observed(begun.moment.monotonic, (), problem=begun.problem)
        if case.phase is Phase.IDLE:
            return self._look_idle(begun)
        # Nobody mends anything while it is looked at; without a learner it goes on as ever.
        conductor.hold_idle = case.level is not Level.NOTE
        return self._look(case, begun)

    def _await(self, phase: Phase) -> bool:
        """Wait for the moment in which a case begins."""
        conductor = self._conductor
        if phase is Phase.IDLE:
            conductor.hold_idle = True
            return conductor.until(lambda: conductor.asked is not None, PATIENCE_S)

        def there() -> bool:
            if phase is Phase.ACTING:
                long = time.monotonic() - conductor.since >= SETTLED_S
                return conductor.active and long
            newest = conductor.newest
            armed = newest is not None and newest.level <= Level.LIMIT
            return conductor.phase is Phase.RESETTING and armed

        if phase is Phase.RESETTING and conductor.asked is not None:
            conductor.set_up()
        return conductor.until(there, PATIENCE_S)

    def _begin(self, case: Case) -> Begun:
        """Let the fault begin."""
        conductor, injection = self._conductor, case.injection
        match injection:
            case TwinFault() | Unplug() | Push():
                problem = "" if case.meanwhile is None else self._ask(case.meanwhile)
                return Begun(conductor.stage.inject(injection), problem)
            case BadGoal():
                return self._spoil(injection)
            case Kill():
                return self._kill(injection)
            case ShellStop():
                return self._stop_from_shell()

    def _spoil(self, injection: BadGoal) -> Begun:
        conductor = self._conductor
        before = conductor.stage.now()
        problem = self._ask(injection.how)
        moment = conductor.notes.spoilt_at
        return Begun(before if moment is None else _at(before, moment), problem)

    def _ask(self, how: Spoil) -> str:
        """Have the actor ask for something else than actions; empty, or why it does not."""
        conductor = self._conductor
        assert conductor.crew is not None
        conductor.crew.line.send(SpoilGoals(how=how))
        asked = conductor.until(lambda: conductor.notes.spoilt_at is not None, PATIENCE_S)
        return "" if asked else "the actor did not ask for it"

    def _kill(self, injection: Kill) -> Begun:
        conductor = self._conductor
        before = conductor.stage.now()
        moment = time.monotonic()
        if injection.party is Party.LEARNER:
            pid = conductor.progress.learner_pid if conductor.progress is not None else 0
            if pid <= 0:
                return Begun(before, "no learner has said that it is there")
            os.kill(pid, injection.number)
        else:
            conductor.signal(injection.party is Party.EXECUTOR, injection.number)
        return Begun(_at(before, moment))

    def _stop_from_shell(self) -> Begun:
        """Another process says stop; its own clock tells how long it took to read torque back."""
        # Only here: it brings along what a rehearsal without this case does not need.
        from robosac.rehearsal.shell import stop_from_shell

        conductor = self._conductor
        before = conductor.stage.now()
        conductor.hold_idle = True
        answer = stop_from_shell(self._environment, conductor.turn)
        stopped = _told_at(conductor.notes.ticks, "estop")
        if answer.problem or stopped is None:
            return Begun(before, answer.problem or "the executor's records name no stop")
        return Begun(_at(before, stopped - answer.seconds))

    def _look(self, case: Case, begun: Begun) -> Observed:
        """Look on until what must follow has followed, or enough time has passed."""
        conductor, at = self._conductor, begun.moment
        longest = max(case.budget.limit_s(conductor.period_s), case.stop_s or 0.0)
        longest += LOOK_S + (2.0 if case.from_tilt else 0.0)
        deadline = time.monotonic() + longest
        driven = Driven(None, None, driving=True)
        while True:
            conductor.turn()
            if case.stop_s is not None:
                driven = conductor.stage.driven(at, case.deaf)
            seen = _observed(at, conductor.notes, driven)
            done = judge(case, replace(seen, recovered=True), conductor.period_s,
                         conductor.tilt_limit).held  # fmt: skip
            if time.monotonic() >= deadline or (done and self._all_came(case)):
                return seen

    def _all_came(self, case: Case) -> bool:
        """Whether nothing more is to come: going on can only be seen by waiting."""
        return case.level is not Level.NOTE

    def _look_idle(self, begun: Begun) -> Observed:
        """Let it try to arm, and look on until it was refused."""
        conductor, at = self._conductor, begun.moment
        conductor.go_unmended()
        conductor.hold_idle = True
        refused = conductor.until(
            lambda: (
                bool(conductor.notes.refusals)
                or conductor.asked is not None
                or _armed(conductor.newest)
            ),
            PATIENCE_S,
        )
        notes = conductor.notes
        if refused and conductor.asked and not notes.refusals:
            notes.refusals.append(", ".join(conductor.asked))
        return _observed(at, notes, conductor.stage.driven(at))

    def _recovered(self, case: Case) -> bool:
        """Wait until the robot acts again, with a new actor if there is none."""
        conductor, injection = self._conductor, case.injection
        if isinstance(injection, Kill):
            self._wake(injection)
            if injection.party is Party.LEARNER:
                back = conductor.until(self._learning, PATIENCE_S)
                return back and conductor.until(lambda: conductor.active, PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            conductor.revive()
            if conductor.until(lambda: conductor.active, 1.0):
                return True
        return False

    def _learning(self) -> bool:
        progress = self._conductor.progress
        return progress is not None and progress.learner

    def _wake(self, injection: Kill) -> None:
        """A process that was stopped goes on; one that was killed is waited for."""
        conductor = self._conductor
        if injection.party is Party.LEARNER:
            if injection.number == signal.SIGSTOP and conductor.progress is not None:
                # The actor may have given it up meanwhile, and started another.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(conductor.progress.learner_pid, signal.SIGCONT)
            return
        crew = conductor.crew
        if crew is None:
            raise RobotError("there is no actor")
        handle = crew.executor if injection.party is Party.EXECUTOR else crew.actor
        if injection.number == signal.SIGSTOP:
            handle.send(signal.SIGCONT)
        if injection.number == signal.SIGKILL:
            handle.await_end(PATIENCE_S)


def _at(known: Moment, monotonic: float) -> Moment:
    """Another moment on both clocks, from one that is known: both run at one rate."""
    return Moment(monotonic, known.twin + monotonic - known.monotonic)


def _observed(at: Moment, notes: Notes, driven: Driven) -> Observed:
    return Observed(
        injected=at.monotonic,
        ticks=[tick for tick in notes.ticks if tick.time >= at.monotonic],
        events=[event for event in notes.events if event.time >= at.monotonic],
        refusals=tuple(notes.refusals),
        driven_s=driven.last_s,
        hearing_s=driven.hearing_s,
        driving=driven.driving,
        cleared=tuple(notes.cleared),
    )


def _armed(tick: Seen | None) -> bool:
    return tick is not None and tick.level <= Level.LIMIT


def _told_at(ticks: Sequence[Seen], name: str) -> float | None:
    return next((tick.time for tick in ticks if name in tick.told), None)
