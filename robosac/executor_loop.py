"""The executor's own process from the inside: tick, obey, and end only with torque off."""

from __future__ import annotations

import enum
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Final

import msgspec

from drivers.statistics import BusStatistics
from robosac.channel import Answer, AnswerKind, Channel, Code, CommandDown, End
from robosac.channel_executor import ChannelExecutor
from robosac.errors import ArmingError, ConfigError, NotArmedError, RobotError
from robosac.estop import EStopGate
from robosac.hal import FloatArray, Limits
from robosac.ticks import Statistics

STARTED: Final = 0
"""Id of the answer that tells that the process is ready, or why it is not."""


class ExitCode(enum.IntEnum):
    """How the process ended."""

    OK = 0
    """Closed, with torque read back as off."""
    FAILED = 1
    """An error, or torque was not read back as off."""
    CONFIG = 2
    """The robot could not be opened."""
    ORPHANED = 3
    """The actor's process had gone; the robot was damped, then switched off."""


class LimitsDocument(msgspec.Struct, frozen=True):
    """`hal.Limits` as it travels."""

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    velocity: tuple[float, ...]
    acceleration: tuple[float, ...]
    torque: tuple[float, ...]
    continuous_torque: tuple[float, ...]
    continuous_time: float
    temperature: float
    tilt: float | None

    @classmethod
    def of(cls, limits: Limits) -> LimitsDocument:
        """For `limits`; an infinite tilt travels as None."""
        return cls(
            names=limits.names,
            lower=_plain(limits.lower),
            upper=_plain(limits.upper),
            velocity=_plain(limits.velocity),
            acceleration=_plain(limits.acceleration),
            torque=_plain(limits.torque),
            continuous_torque=_plain(limits.continuous_torque),
            continuous_time=limits.continuous_time,
            temperature=limits.temperature,
            tilt=limits.tilt if math.isfinite(limits.tilt) else None,
        )

    def limits(self) -> Limits:
        """The limits again."""
        values = msgspec.structs.asdict(self)
        return Limits(**{**values, "tilt": math.inf if self.tilt is None else self.tilt})


def _plain(row: FloatArray) -> tuple[float, ...]:
    return tuple(row.tolist())


class StartedDocument(msgspec.Struct, frozen=True):
    """What the process says once it is ready."""

    limits: LimitsDocument
    period: float
    warnings: tuple[str, ...]


class CountsDocument(msgspec.Struct, frozen=True):
    """What was counted so far."""

    executor: Statistics
    bus: BusStatistics


@dataclass(slots=True)
class Ending:
    """Why the loop should end; set by signal handlers and by the watch over the parent."""

    parent: int
    """Process id of who started this one."""
    terminated: bool = False
    input_ended: bool = False

    @property
    def orphaned(self) -> bool:
        """Whether the parent is gone. Its end of a pipe may live on in a child of its own."""
        return self.input_ended or os.getppid() != self.parent


def trip_on_signals(gate: EStopGate, ending: Ending) -> None:
    """SIGUSR1 and SIGINT trip the e-stop gate; SIGTERM trips it and ends the process in order."""

    def handler(number: int, frame: FrameType | None) -> None:
        gate.trip(f"signal {signal.Signals(number).name} to the executor")
        if number == signal.SIGTERM:
            ending.terminated = True

    for number in (signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


class Loop:
    """Ticks, obeys, and rings the bell after every tick.

    Args:
        executor: not armed.
        gate: its e-stop gate.
        channel: the actor's.
        ending: why to end.
        bus_statistics: of the motors' bus.
        bell: called after every tick and answer; wakes the actor.
    """

    def __init__(
        self,
        executor: ChannelExecutor,
        gate: EStopGate,
        channel: Channel,
        ending: Ending,
        bus_statistics: Callable[[], BusStatistics],
        bell: Callable[[], None],
    ) -> None:
        self._executor, self._gate, self._channel = executor, gate, channel
        self._ending, self._bus_statistics, self._bell = ending, bus_statistics, bell
        self._closed: ExitCode | None = None
        executor.orphaned = lambda: ending.orphaned

    def start(self, warnings: tuple[str, ...]) -> None:
        """Say that the process is ready."""
        executor = self._executor
        document = StartedDocument(LimitsDocument.of(executor.limits), executor.period, warnings)
        self._answer(Answer(STARTED, AnswerKind.DONE, msgspec.json.encode(document).decode()))
        executor.restart_grid()

    def run(self) -> ExitCode:
        """Tick until told to end; torque is off afterwards, whatever happened.

        Every error is told through the channel and raised on.
        """
        try:
            while self._closed is None:
                self._executor.tick()
                self._bell()
                if self._ending.orphaned:
                    return self._close(ExitCode.ORPHANED, "the actor's process has ended")
                if self._ending.terminated:
                    return self._close(ExitCode.OK, "SIGTERM")
                self._obey()
        except BaseException as error:
            self._fail(error)
            raise
        return self._closed

    def _close(self, code: ExitCode, why: str) -> ExitCode:
        """Damp, torque off, read back, release the devices."""
        self._executor.close()
        self._end(End(True, f"{why}; every motor was read back as off"))
        return code

    def _fail(self, error: BaseException) -> None:
        told = f"{type(error).__name__}: {error}"
        confirmed = False
        try:
            confirmed = self._executor.cut()
        except Exception as second:  # noqa: BLE001 (whatever it is, it is told)
            told += f"; and torque off failed with {type(second).__name__}: {second}"
        off = "was" if confirmed else "was NOT"
        self._end(End(confirmed, f"{told}; torque {off} read back as off"))

    def _end(self, end: End) -> None:
        self._executor.report_lateness()
        self._channel.put_end(end)
        self._bell()

    def _obey(self) -> None:
        """Carry out a command that is new, and answer it."""
        command = self._channel.command()
        if command is None or command.id <= self._executor.command:
            return
        kind, text = AnswerKind.DONE, ""
        try:
            text = self._do(command)
        except NotArmedError as error:
            kind, text = AnswerKind.NOT_ARMED, str(error)
        except ArmingError as error:
            kind, text = AnswerKind.ARMING, str(error)
        except RobotError as error:
            kind, text = AnswerKind.ROBOT, str(error)
        except ValueError as error:
            kind, text = AnswerKind.VALUE, str(error)
        self._executor.command = command.id
        self._executor.restart_grid()
        if command.code is Code.CLOSE:
            done = kind is AnswerKind.DONE
            self._closed = ExitCode.OK if done else ExitCode.FAILED
            self._end(End(done, text or "closed"))
        self._answer(Answer(command.id, kind, text))

    def _do(self, command: CommandDown) -> str:
        executor = self._executor
        match command.code:
            case Code.ARM:
                executor.arm()
            case Code.DISARM:
                executor.disarm()
            case Code.FREE:
                executor.free(command.mask)
            case Code.CLEAR:
                executor.clear(command.text)
            case Code.RESET_GATE:
                self._gate.reset()
            case Code.STATISTICS:
                counts = CountsDocument(executor.statistics(), self._bus_statistics())
                executor.report_lateness()
                return msgspec.json.encode(counts).decode()
            case Code.CLOSE:
                executor.close()
        return ""

    def _answer(self, answer: Answer) -> None:
        self._channel.put_answer(answer)
        self._bell()


def refuse(channel: Channel, error: ConfigError | RobotError | ValueError) -> None:
    """Say that the process is not going to be ready."""
    kind = AnswerKind.CONFIG if isinstance(error, ConfigError) else AnswerKind.VALUE
    channel.put_answer(Answer(STARTED, kind, str(error)))
