"""The executor in a process of its own: no learning, no replay memory, nothing but the robot.

    python -m robosac.executor_process CHANNEL BELL

`robosac.executor_child` starts it. CHANNEL and BELL are inherited files: the channel's memory, and
an eventfd that is raised after every tick and answer. (A pipe would not do: its reader, at ordinary
priority, may be interrupted while it holds the pipe's lock, and the loop would wait for it.)
Standard input brings one JSON document with the configuration and then stays open: its end means
that the actor's process has gone, as that of standard output means that this one has.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from drivers.statistics import BusStatistics
from robosac.channel import Channel
from robosac.channel_executor import ChannelExecutor
from robosac.clock import MonotonicClock
from robosac.custody import Custody
from robosac.errors import RobosacError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_loop import Ending, ExitCode, Loop, refuse, trip_on_signals
from robosac.flight.recorder import FlightRecorder
from robosac.hal import Robot
from robosac.realtime import prepare
from robosac.requests import ExecutorSettings

MOST_BYTES = 4_000_000
"""Of the document on standard input."""


class ChildDocument(msgspec.Struct, frozen=True):
    """What the parent says on standard input."""

    config: str
    """As `robosac.config.dump` writes it."""
    priority: int
    """See `realtime.prepare`."""
    take_over: bool = False
    """Whether to stop and end whoever owns the robot now."""


def _unrecorded(executor: Executor) -> FlightRecorder | None:
    """Nobody records."""
    del executor
    return None


@dataclass(frozen=True)
class BuiltRobot:
    """A robot with what an executor needs to drive it."""

    robot: Robot
    settings: ExecutorSettings
    period: float
    """s"""
    bus_statistics: Callable[[], BusStatistics]
    warnings: tuple[str, ...] = ()
    custody: Custody | None = None
    """What surrounds the robot, already entered; None: nobody else can want or stop it."""
    record: Callable[[Executor], FlightRecorder | None] = _unrecorded
    """Puts a flight recorder on the robot's executor, where one is wanted."""


Build = Callable[[str, EStopGate, bool], BuiltRobot]
"""Opens the robot that a configuration describes, with the gate that trips it, perhaps taking it
over (see `ChildDocument`); raises ConfigError or OwnershipError."""


def main(build: Build, arguments: Sequence[str] | None = None) -> int:
    """Drive the robot until told to end; the exit code, an `ExitCode`."""
    memory, bell = map(int, sys.argv[1:] if arguments is None else arguments)
    channel = Channel.attach(memory)
    gate, ending = EStopGate(), Ending(os.getppid())
    trip_on_signals(gate, ending)
    document = msgspec.json.decode(_read_line(0), type=ChildDocument)
    _watch_parent(ending)
    try:
        built = build(document.config, gate, document.take_over)
    except (RobosacError, ValueError) as error:
        refuse(channel, error)
        return ExitCode.CONFIG
    custody = built.custody
    executor = ChannelExecutor(
        built.robot,
        MonotonicClock(),
        gate,
        built.period,
        built.settings,
        channel,
        None if custody is None else custody.journal,
    )
    if custody is not None:
        custody.attach(executor)
    # Before real-time priority is asked for: its thread shall have less than the loop.
    recorder = built.record(executor)
    loop = Loop(
        executor, gate, channel, ending, built.bus_statistics, lambda: os.eventfd_write(bell, 1)
    )
    try:
        # An error ends the process with ExitCode.FAILED and its trace on standard error.
        loop.start(built.warnings + prepare(document.priority))
        return loop.run()
    finally:
        # The robot is somebody else's by now: writing takes its time on a busy computer.
        if recorder is not None:
            recorder.close()


def _read_line(descriptor: int) -> bytes:
    """Bytes up to the line feed that ends them; unbuffered, for what follows is the end.

    Raises:
        EOFError: the parent went before it had said all.
    """
    raw = bytearray()
    while not raw.endswith(b"\n"):
        data = os.read(descriptor, 65536)
        if not data or len(raw) > MOST_BYTES:
            raise EOFError("the parent did not say what robot to drive")
        raw += data
    return bytes(raw)


def _watch_parent(ending: Ending) -> None:
    """Note when standard input ends: the parent has gone, however it went."""

    def watch() -> None:
        while os.read(0, 4096):
            continue
        ending.input_ended = True

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    from robosac.robot_builder import build_robot

    sys.exit(main(build_robot))
