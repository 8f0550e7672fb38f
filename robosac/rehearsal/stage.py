"""The twin's side of a rehearsal: faults that begin and end, and what its own clock says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from robosac.rehearsal.cases import MOTORS, Push, TwinFault, Unplug, spec_of
from robosac.rehearsal.files import robot_of


class Served(Protocol):
    """A twin that is served; `sim.served.ServedTwin` is one."""

    @property
    def ports(self) -> Mapping[str, Mapping[str, Any]]:
        """Of every device `path` and so on."""
        ...

    @property
    def refused(self) -> str | None:
        """Why it has not the priority that was asked for; None: it has."""
        ...

    def ask(self, command: str) -> Mapping[str, Any]:
        """Have a command carried out (`sim.serve.Server.command`) and return the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks, s."""

    monotonic: float
    twin: float


@dataclass(frozen=True, slots=True)
class Driven:
    """Which motors were driven after a moment, by the twin's clock."""

    last_s: float | None
    """So long after it one was last driven, s; None: none was."""
    hearing_s: float | None
    """Likewise of those that heard what they were told."""
    driving: bool
    """Whether one still is."""


class TwinStage:
    """Breaks the twin and mends it.

    Args:
        twin: served.
        preset: what is rehearsed with it.
    """

    def __init__(self, twin: Served, preset: str) -> None:
        self._twin, self._preset = twin, preset
        self._unplugged: list[str] = []
        self._placed = 0
        self.needs_placing = robot_of(preset) == "minitaur"
        """Whether an operator sets it up for every episode; a hand does that by itself."""
        self.began = self.now()
        """When the rehearsal began."""

    def now(self) -> Moment:
        """The present."""
        return _moment(self._twin.ask("state"))

    def inject(self, injection: TwinFault | Unplug | Push) -> Moment:
        """Begin a fault; when it did, by the serving process' own clocks."""
        match injection:
            case TwinFault():
                answer = self._twin.ask(f"faults {spec_of(injection, self._preset)}")
            case Unplug():
                answer = self._twin.ask(f"unplug {injection.port}")
                self._unplugged.append(injection.port)
            case Push():
                force = " ".join(f"{newton:g}" for newton in injection.force)
                answer = self._twin.ask(f"push {force} {injection.seconds:g}")
        return _moment(answer)

    def mend(self) -> None:
        """End every fault."""
        self._twin.ask("faults")
        while self._unplugged:
            self._twin.ask(f"plug {self._unplugged.pop()}")

    def place(self) -> None:
        """Set the robot up anew, as an operator would."""
        self._placed += 1
        self._twin.ask(f"place {self._placed}")

    def let_go(self) -> None:
        """Let go of the body."""
        self._twin.ask("release")

    def driven(self, since: Moment, deaf: bool = False) -> Driven:
        """Which motors were driven after `since`; `deaf`: the failed motor hears no command."""
        state = self._twin.ask("state")
        failed = str(MOTORS[robot_of(self._preset)]) if deaf else ""
        last = {motor: float(time) for motor, time in state["motors_driven_s"].items()}
        hearing = [time for motor, time in last.items() if motor != failed]

        def after(times: Iterable[float]) -> float | None:
            newest = max(times, default=0.0)
            return newest - since.twin if newest > since.twin else None

        return Driven(after(last.values()), after(hearing), bool(state["driven"]))

    def driving(self) -> bool:
        """Whether any motor may follow a goal at present."""
        return bool(self._twin.ask("state")["driven"])

    def real_time_factor(self) -> float:
        """Of the twin since the rehearsal began."""
        here = self.now()
        elapsed = here.monotonic - self.began.monotonic
        return (here.twin - self.began.twin) / elapsed if elapsed > 0.0 else 1.0


def _moment(answer: Mapping[str, Any]) -> Moment:
    return Moment(float(answer["monotonic_s"]), float(answer["time_s"]))
