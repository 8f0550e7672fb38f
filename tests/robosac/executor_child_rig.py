"""The executor's process with a robot without bytes, which notes in a file what it was told.

python -m tests.robosac.executor_child_rig CHANNEL BELL
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from drivers.statistics import BusStatistics
from robosac.arming import ArmingSettings
from robosac.channel_layout import Layout
from robosac.clock import MonotonicClock
from robosac.custody import Custody
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_child import ExecutorChild
from robosac.executor_process import BuiltRobot, ChildDocument, main
from robosac.flight.recorder import FlightRecorder
from robosac.hal import CameraView, Frame, JointCommand, RobotState
from robosac.recovery import RecoverySettings
from robosac.remote_executor import RemoteExecutor
from robosac.requests import ExecutorSettings
from tests.robosac.fake_robot import JOINTS, FakeRobot

MODULE = "tests.robosac.executor_child_rig"
PERIOD = 0.005
PICTURE = (6, 4)
PATIENCE_S = 20.0
"""This suite runs on machines that are busy with other things."""


class Script(msgspec.Struct, frozen=True):
    """What the robot is to be."""

    journal: str
    refuses: str = ""
    raises_after: int = 0
    """Exchanges until it raises an error nobody expects; 0: never."""
    unconfirmed: bool = False
    silence_s: float = 1e6
    """See `ExecutorSettings.silence`; this machine is busy with other things."""
    probe: str = ""
    """Where to write which modules are loaded."""
    lies_while: str = ""
    """It lies on its side as long as this path exists."""
    ages: tuple[float, float, float] = (5.0, 10.0, 15.0)
    """Of the newest request, s, until the robot holds, damps and stops."""
    writes_s: float = 0.0
    """How long its recordings take to be written at the end, s; 0: nothing is recorded."""


class NotedRobot(FakeRobot):
    """Follows at once, and notes each change of drive with the time."""

    def begin(self, script: Script) -> NotedRobot:
        self.script, self.stops = script, not script.unconfirmed
        self.file = os.open(script.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.said, self.exchanges = "", 0
        return self

    def note(self, word: str) -> None:
        if word != self.said:
            self.said = word
            os.write(self.file, f"{time.monotonic():.6f} {word}\n".encode())

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        self.exchanges += 1
        if self.script.raises_after and self.exchanges > self.script.raises_after:
            raise RuntimeError("a bug in the robot")
        side = bool(self.script.lies_while) and Path(self.script.lies_while).exists()
        self.orientation = (0.6, 0.8, 0.0, 0.0) if side else (1.0, 0.0, 0.0, 0.0)
        # Late or not is not what is tested here.
        state = super().exchange(command, float("inf"))
        self.commands.clear()
        self.note(command.drive.value)
        image = np.full((*PICTURE, 3), self.exchanges // 3 % 256, dtype=np.uint8)
        frame = Frame(state.time, image, self.exchanges // 3)
        return replace(state, camera=CameraView(frame))

    def stop(self) -> bool:
        self.note("off" if self.stops else "off refused")
        return super().stop()


class NotedCustody:
    """Notes when the robot is given back."""

    journal = None

    def __init__(self, robot: NotedRobot) -> None:
        self._robot = robot

    def attach(self, executor: Executor) -> None:
        executor.afterwards.callback(self._robot.note, "released")


class SlowRecorder:
    """Takes its time to write."""

    def __init__(self, robot: NotedRobot) -> None:
        self._robot = robot

    def close(self) -> None:
        time.sleep(self._robot.script.writes_s)
        self._robot.note("recorded")


def build(text: str, gate: EStopGate, take_over: bool) -> BuiltRobot:
    script = msgspec.json.decode(text, type=Script)
    if script.refuses:
        raise ConfigError(script.refuses)
    if script.probe:
        Path(script.probe).write_text("\n".join(sys.modules))
    hold, damp, stop = script.ages
    # Late ticks are this machine's affair; whether they hold a robot is tested elsewhere.
    settings = ExecutorSettings(
        *(hold, damp, stop),
        silence=script.silence_s,
        late_hold=1_000_000,
        arming=ArmingSettings(ramp_s=0.02),
        recovery=RecoverySettings(most_s=600.0) if script.lies_while else None,
    )
    robot = NotedRobot(MonotonicClock()).begin(script)
    built = BuiltRobot(robot, settings, PERIOD, BusStatistics, ("as told",))
    if not script.writes_s:
        return built
    recorder = cast(FlightRecorder, SlowRecorder(robot))
    custody = cast(Custody, NotedCustody(robot))
    return replace(built, custody=custody, record=lambda _: recorder)


def remote(script: Script, within_s: float = PATIENCE_S) -> RemoteExecutor:
    """Start such a process."""
    document = ChildDocument(msgspec.json.encode(script).decode(), 0)
    return RemoteExecutor(ExecutorChild(document, Layout(JOINTS, PICTURE), MODULE), within_s)


def journal(path: Path) -> list[tuple[float, str]]:
    """What was noted: times (s) and words."""
    lines = (line.partition(" ") for line in path.read_text().splitlines())
    return [(float(at), word) for at, _, word in lines]


if __name__ == "__main__":
    sys.exit(main(build))
