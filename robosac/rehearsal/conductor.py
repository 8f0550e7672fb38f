"""Conducts a rehearsal: lets the robot learn, breaks one thing after the other, and looks on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from robosac.errors import RobotError
from robosac.lateness import LatenessHistogram
from robosac.rehearsal.cases import Phase
from robosac.rehearsal.crew import Crew
from robosac.rehearsal.link import (
    Acting,
    Cleared,
    Ended,
    FromActor,
    Go,
    LetGo,
    Progress,
    Ready,
    Refused,
    Resetting,
    Spoilt,
    Standing,
)
from robosac.rehearsal.stage import TwinStage
from robosac.rehearsal.verdict import Event, Level, Seen
from robosac.states import SafetyState

TURN_S: Final = 0.01
"""How often actor and records are looked at, s."""
WATCHDOG: Final = "motor_watchdog"
STARTS: Final = 3
"""Times in a row that an actor may fail to start."""


@dataclass
class Notes:
    """What was heard and seen since they were last emptied."""

    ticks: list[Seen] = field(default_factory=list[Seen])
    events: list[Event] = field(default_factory=list[Event])
    refusals: list[str] = field(default_factory=list[str])
    cleared: list[str] = field(default_factory=list[str])
    spoilt_at: float | None = None


@dataclass
class Totals:
    """What adds up over actors that were ended and started again."""

    lateness: LatenessHistogram = field(default_factory=LatenessHistogram)
    """Of ticks while nothing was broken and the robot was driven."""
    skipped: int = 0
    """Ticks of the grid that were missed altogether, whatever was broken."""
    steps: int = 0
    episodes: int = 0
    updates: int = 0
    stored: int = 0
    policies: int = 0
    starts: int = 0
    unconfirmed: int = 0
    """Ends of an executor in order that did not read torque back as off."""
    refusals: int = 0
    """Times the robot could not be set up although nothing was broken."""
    watchdog_trips: int = 0
    """Times a motor's own watchdog stopped it although nothing was broken."""


class Conductor:
    """Serves the actor as its operator, and keeps notes.

    Args:
        stage: the twin.
        start: starts an actor with its executor.
        told: called with a line about what happens.
    """

    def __init__(
        self, stage: TwinStage, start: Callable[[], Crew], told: Callable[[str], None]
    ) -> None:
        self.stage, self._start, self._told = stage, start, told
        self.notes, self.totals = Notes(), Totals()
        self.crew: Crew | None = None
        self.phase: Phase | None = None
        self.since = 0.0
        """When the phase began, monotonic, s."""
        self.newest: Seen | None = None
        self.progress: Progress | None = None
        self.broken = False
        """Whether something is broken on purpose, or is being recovered from."""
        self.hold_idle = False
        """Let the robot wait without torque when it next asks to be set up."""
        self.asked: tuple[str, ...] | None = None
        """The faults with which the robot waits to be set up; None: it does not."""
        self.warnings: tuple[str, ...] = ()
        self.period_s, self.tilt_limit = 0.005, float("inf")

    def begin(self) -> None:
        """Start an actor.

        Raises:
            RobotError: it does not start, whatever is tried.
        """
        problem = ""
        for _ in range(STARTS):
            try:
                self.crew = crew = self._start()
            except RobotError as error:
                problem = str(error)
                continue
            hello = crew.hello
            self.period_s = hello.period_s
            self.tilt_limit = float("inf") if hello.tilt_limit is None else hello.tilt_limit
            self.warnings = tuple(dict.fromkeys((*self.warnings, *hello.warnings)))
            self.phase, self.asked, self.newest = None, None, None
            self.totals.starts += 1
            return
        raise RobotError(f"the actor did not start {STARTS} times in a row: {problem}")

    def turn(self) -> None:
        """Look once at everything; waits a moment for the actor."""
        crew = self.crew
        if crew is None:
            time.sleep(TURN_S)
            return
        for message in crew.line.receive(TURN_S):
            self._hear(message)
        for tick in crew.ticks():
            before, self.newest = self.newest, tick
            self.notes.ticks.append(tick)
            if not self.broken:
                self._note_undisturbed(tick, before)
        if self.asked is not None and not self.hold_idle:
            self.set_up()

    def until(self, condition: Callable[[], bool], patience_s: float) -> bool:
        """Turn until a condition holds; False: it did not in time, or the actor has gone."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.turn()
        return True

    def set_up(self) -> None:
        """See to the causes of the faults, set the robot up, and let it go on."""
        faults, self.asked = self.asked, None
        self.hold_idle = False
        self.stage.mend()
        if faults or self.stage.needs_placing:
            self.stage.place()
        self._say(Go())

    def go_unmended(self) -> None:
        """Let the robot go on although what is broken was not seen to."""
        self.asked = None
        if self.stage.needs_placing:
            self.stage.place()
        self._say(Go())

    def revive(self) -> None:
        """Start a new actor, if the present one or its executor has gone.

        Raises:
            RobotError: none starts.
        """
        crew = self.crew
        if crew is not None and not (crew.actor.gone or crew.executor.gone):
            return
        self.end()
        self.stage.mend()
        self.begin()

    def end(self) -> None:
        """End the actor in order, and add up what it did."""
        crew, self.crew = self.crew, None
        if crew is None:
            return
        self.phase = None
        alive = not crew.executor.gone
        skipped = crew.skipped()
        confirmed = crew.end()
        totals = self.totals
        totals.unconfirmed += alive and not confirmed
        totals.skipped += skipped
        self._add_progress()

    def signal(self, to_executor: bool, number: signal.Signals) -> None:
        """Send a signal to the executor or the actor."""
        assert self.crew is not None
        (self.crew.executor if to_executor else self.crew.actor).send(number)

    @property
    def active(self) -> bool:
        """Whether an episode runs and the executor follows it."""
        newest = self.newest
        ready = newest is not None and newest.safety is SafetyState.ACTIVE
        return self.phase is Phase.ACTING and ready

    def _note_undisturbed(self, tick: Seen, before: Seen | None) -> None:
        """How the loop does while nothing is broken on purpose and the robot is driven."""
        if WATCHDOG in tick.told:
            self.totals.watchdog_trips += before is None or WATCHDOG not in before.told
        driven = (SafetyState.ACTIVE, SafetyState.HOLD)
        if before is not None and before.safety in driven and tick.safety in driven:
            self.totals.lateness.add(tick.lateness)

    def _say(self, message: Go | LetGo) -> None:
        if self.crew is not None and not self.crew.line.closed:
            self.crew.line.send(message)

    def _enter(self, phase: Phase, moment: float) -> None:
        self.phase, self.since = phase, moment

    def _hear(self, message: FromActor) -> None:
        notes = self.notes
        match message:
            case Ready():
                self.asked = message.faults
                self._enter(Phase.IDLE, message.time)
            case Resetting():
                self._enter(Phase.RESETTING, message.time)
            case Standing():
                self.stage.let_go()
                self._say(LetGo())
            case Acting():
                self._enter(Phase.ACTING, message.time)
            case Spoilt():
                notes.spoilt_at = message.time
            case Ended():
                notes.events.append(Event(message.time, message.end, Level.HOLD))
                self.phase = None
            case Refused():
                notes.refusals.append(message.text)
                self.totals.refusals += not self.broken
                self.phase = None
                self._told(f"not set up: {message.text}")
            case Cleared():
                notes.cleared += message.names
            case Progress():
                self._note_learner(message)
            case _:
                raise RobotError(f"the actor says what it may not now: {message}")

    def _note_learner(self, message: Progress) -> None:
        before = self.progress
        if before is not None and before.learner and not message.learner:
            self.notes.events.append(Event(message.time, "learner_lost"))
        self.progress = message

    def _add_progress(self) -> None:
        """An actor's counts end with it."""
        progress, self.progress = self.progress, None
        if progress is not None:
            totals = self.totals
            totals.steps += progress.steps
            totals.episodes += progress.episodes
            # A learner that was started again goes on from its checkpoint.
            totals.updates = max(totals.updates, progress.updates)
            totals.stored = max(totals.stored, progress.stored)
            totals.policies += progress.policies
