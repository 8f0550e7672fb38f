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
from robosac.channel_executor import ChannelExecutor, Observer
from robosac.clock import MonotonicClock
from robosac.errors import ConfigError, RobosacError
from robosac.estop import EStopGate
from robosac.executor_loop import Ending, ExitCode, Loop, refuse, trip_on_signals
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


@dataclass(frozen=True)
class BuiltRobot:
    """A robot with what an executor needs to drive it."""

    robot: Robot
    settings: ExecutorSettings
    period: float
    """s"""
    bus_statistics: Callable[[], BusStatistics]
    warnings: tuple[str, ...] = ()
    observers: Sequence[Observer] = ()


Build = Callable[[str], BuiltRobot]
"""Opens the robot that a configuration (see `ChildDocument`) describes; raises ConfigError."""


def main(build: Build, arguments: Sequence[str] | None = None) -> int:
    """Drive the robot until told to end; the exit code, an `ExitCode`."""
    memory, bell = map(int, sys.argv[1:] if arguments is None else arguments)
    channel = Channel.attach(memory)
    gate, ending = EStopGate(), Ending(os.getppid())
    trip_on_signals(gate, ending)
    document = msgspec.json.decode(_read_line(0), type=ChildDocument)
    _watch_parent(ending)
    try:
        built = build(document.config)
    except (RobosacError, ValueError) as error:
        refuse(channel, error if isinstance(error, ConfigError) else ValueError(str(error)))
        return ExitCode.CONFIG
    clock = MonotonicClock()
    executor = ChannelExecutor(
        built.robot, clock, gate, built.period, built.settings, channel, built.observers
    )
    loop = Loop(
        executor, gate, channel, ending, built.bus_statistics, lambda: os.eventfd_write(bell, 1)
    )
    # An error ends the process with ExitCode.FAILED and its trace on standard error.
    loop.start(built.warnings + prepare(document.priority))
    return loop.run()


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
