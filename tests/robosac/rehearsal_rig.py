"""A rehearsal without processes: an actor and a twin that follow a script."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any, cast

from robosac.reasons import Reason
from robosac.rehearsal.conductor import Conductor
from robosac.rehearsal.crew import Crew
from robosac.rehearsal.link import (
    Acting,
    Cleared,
    Ended,
    Go,
    Hello,
    LetGo,
    Message,
    Ready,
    Resetting,
    SpoilGoals,
    Spoilt,
    Standing,
)
from robosac.rehearsal.stage import TwinStage
from robosac.rehearsal.verdict import Seen
from robosac.states import SafetyState

FAULT_OF = {"servo:3=off": "joint_lost", "unplug legs": "bus_dead", "imu=off": "imu_stale"}


class FakeTwin:
    """Answers commands, and tells the actor what they break."""

    def __init__(self) -> None:
        self.ports: Mapping[str, Mapping[str, Any]] = {}
        self.refused: str | None = None
        self.asked: list[str] = []
        self.broken = ""
        self.driven_until = 0.0
        self._origin = time.monotonic()

    def ask(self, command: str) -> Mapping[str, Any]:
        now = time.monotonic()
        self.asked.append(command)
        if command == "faults" or command.startswith("plug"):
            self.broken = ""
        elif command.startswith(("faults ", "unplug ")):
            self.broken = FAULT_OF[command.removeprefix("faults ")]
        return {
            "monotonic_s": now,
            "time_s": now - self._origin,
            "driven": False,
            "motors_driven_s": dict.fromkeys("23", self.driven_until - self._origin),
        }


class FakeHandle:
    """A process that ends when it is killed."""

    def __init__(self, pid: int) -> None:
        self.pid, self.gone = pid, False
        self.signals: list[signal.Signals] = []

    def send(self, number: signal.Signals) -> None:
        self.signals.append(number)
        self.gone |= number == signal.SIGKILL

    def await_end(self, timeout_s: float) -> bool:
        del timeout_s
        return self.gone


class FakeActor:
    """An actor with its executor, as one object: satisfies what `Conductor` uses of a `Crew`."""

    def __init__(self, twin: FakeTwin, *, reacts: bool = True) -> None:
        self.hello = Hello(
            executor_pid=2, period_s=0.005, tilt_limit=0.9, joints=8, warnings=("no SCHED_FIFO",)
        )
        self.actor, self.executor = FakeHandle(1), FakeHandle(2)
        self.line, self.closed, self.ended = self, False, 0
        self._twin, self._reacts = twin, reacts
        self._number = 0
        self._said: list[Message] = []
        self.safety, self._told = SafetyState.DISARMED, frozenset[str]()
        self.spoils = False
        self.ask(())

    def ask(self, faults: tuple[str, ...]) -> None:
        """Wait to be set up."""
        self._said.append(Ready(time=time.monotonic(), faults=faults))

    def say(self, message: Message) -> None:
        """Say something out of turn."""
        self._said.append(message)

    def send(self, message: Message) -> None:
        """Hear what the rehearsal wants."""
        now = time.monotonic()
        if isinstance(message, Go):
            told, self._told = tuple(self._told), frozenset[str]()
            self._said += [Cleared(names=told)] if told else []
            self._said.append(Resetting(time=now))
            if self._twin.broken:
                self._fail(now)
                return
            self.safety = SafetyState.ACTIVE
            self._said.append(Standing(time=now))
        elif isinstance(message, LetGo):
            self._said.append(Acting(time=now))
        elif isinstance(message, SpoilGoals):
            self.spoils = True
            self._said.append(Spoilt(time=now))

    def receive(self, timeout_s: float = 0.0) -> list[Message]:
        time.sleep(min(timeout_s, 0.002))
        said, self._said = self._said, []
        return said

    def ticks(self) -> list[Seen]:
        """One tick; what is broken is told in it."""
        now = time.monotonic()
        if self._twin.broken and self._reacts and self.safety is SafetyState.ACTIVE:
            self._fail(now)
        self._number += 1
        reasons = Reason.NONE
        if self.spoils:
            self.spoils, reasons = False, Reason.DISTANCE
        return [Seen(self._number, now, self.safety, self._told, reasons, 0.0001)]

    def _fail(self, now: float) -> None:
        if self.safety is SafetyState.ACTIVE:
            self._twin.driven_until = now + 0.001
        self.safety, self._told = SafetyState.FAULT, frozenset({self._twin.broken})
        self._said.append(Ended(time=now, end="safety_stop"))
        self.ask((self._twin.broken,))

    def skipped(self) -> int:
        return 3

    def end(self) -> bool:
        self.ended += 1
        return True


class Rig:
    """A conductor with its fakes."""

    def __init__(self, *, reacts: bool = True) -> None:
        self.twin = FakeTwin()
        self.actors: list[FakeActor] = []
        self.said: list[str] = []
        self._reacts = reacts
        stage = TwinStage(self.twin, "minitaur")
        self.conductor = Conductor(stage, self._start, self.said.append)

    @property
    def actor(self) -> FakeActor:
        """The newest."""
        return self.actors[-1]

    def _start(self) -> Crew:
        self.actors.append(FakeActor(self.twin, reacts=self._reacts))
        return cast(Crew, self.actor)
