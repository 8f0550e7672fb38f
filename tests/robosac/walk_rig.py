"""A quadruped without bytes that may lie, its reset, and an attendant who sets it upright."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.hal import Drive, JointCommand, Limits, RobotState
from robosac.keepout import KeepOut
from robosac.recovery import RecoverySettings
from robosac.requests import ExecutorSettings
from robosac.settings import WalkSection
from robosac.tasks.falls import FallCount
from robosac.tasks.legs import joints_from_legs
from robosac.tasks.walk_reset import WalkReset
from tests.robosac.fake_robot import FakeRobot, ManualClock, make_limits

PERIOD = 0.005
STANCE = joints_from_legs(np.zeros(4), np.full(4, 2.0))
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
LEFT = (math.cos(math.pi / 4), -math.sin(math.pi / 4), 0.0, 0.0)
BACK = (0.0, 1.0, 0.0, 0.0)
NOWHERE = (math.nan, math.nan, math.nan, math.nan)
QUICK = WalkSection(
    reset="self", get_up_retries=2, stand_up_s=0.1, settle_s=0.1, get_up_speed_rad_s=5.0
)


def leg_limits() -> Limits:
    """The joints' range of the quadruped, rad; as fast as the robot file has it."""
    base = make_limits(velocity=40.0, acceleration=5000.0, tilt=0.9)
    return Limits(
        base.names,
        np.full(8, 0.5),
        np.full(8, 3.1),
        base.velocity,
        base.acceleration,
        base.torque,
        base.continuous_torque,
        base.continuous_time,
        base.temperature,
        base.tilt,
    )


@dataclass
class WalkRobot(FakeRobot):
    """Calls `told` with each command before it is carried out."""

    told: list[Callable[[JointCommand], None]] = field(
        default_factory=list[Callable[[JointCommand], None]]
    )

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        for listener in self.told:
            listener(command)
        return super().exchange(command, deadline)


@dataclass
class Helper:
    """Sets the robot on its feet, unless told to do otherwise."""

    robot: WalkRobot
    calls: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    helps: bool = True
    drives: list[Drive] = field(default_factory=list[Drive])
    """What the motors did when it came."""

    def place(self, seed: int, faults: tuple[str, ...]) -> None:
        self.calls.append(faults)
        self.drives.append(self.robot.drive)
        if self.helps:
            self.robot.orientation, self.robot.position = UPRIGHT, STANCE.copy()
            self.robot.faults, self.robot.told = (), []

    def released(self) -> bool:
        return True

    def begin(self, seed: int) -> None:
        pass


class WalkRig:
    """Robot, gate, executor, attendant and reset."""

    def __init__(
        self,
        settings: WalkSection = QUICK,
        falls: FallCount | None = None,
        keep_out: KeepOut | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.robot = WalkRobot(self.clock, leg_limits())
        self.robot.position = STANCE.copy()
        self.gate = EStopGate()
        recovery = RecoverySettings() if settings.reset == "self" else None
        parts = ExecutorSettings(recovery=recovery, keep_out=keep_out)
        self.executor = Executor(self.robot, self.clock, self.gate, PERIOD, parts)
        self.helper = Helper(self.robot)
        self.reset = WalkReset(self.executor, self.helper, settings, falls)
