"""States for the monitor, one a tick, that tests change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from robosac.hal import Drive, ImuSample, JointCommand, JointState, Limits, RobotState
from robosac.watch import Findings, WatchMemory, WatchSettings, inspect
from tests.robosac.fake_robot import JOINTS, make_limits

PERIOD = 0.005


@dataclass
class Watched:
    """A robot at rest whose every value can be changed for the next tick."""

    settings: WatchSettings = field(default_factory=WatchSettings)
    limits: Limits = field(default_factory=make_limits)
    time: float = 10.0
    noise: float = 0.0
    """Added to positions, differently in every tick, rad."""

    def __post_init__(self) -> None:
        self.memory = WatchMemory.fresh(JOINTS)
        self.rng = np.random.default_rng(0)
        self.goal = np.zeros(JOINTS)
        self.position = np.zeros(JOINTS)
        self.imu: dict[str, Any] = {}

    def tick(self, **changes: Any) -> Findings:
        """One tick with the joints' values changed as named."""
        self.time += PERIOD
        one = np.ones(JOINTS)
        jitter = self.noise * self.rng.standard_normal(JOINTS)
        joints = JointState(
            self.time * one,
            one > 0,
            self.position + jitter,
            0 * one,
            0 * one,
            30.0 * one,
            16.0 * one,
            0 * one,
            one > 0,
        )
        joints = replace(joints, **changes)
        imu = ImuSample(
            self.time, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 9.81])
        )
        state = RobotState(self.time, joints, replace(imu, **self.imu), None)
        command = JointCommand.to(self.goal, self.limits.torque)
        assert command.drive is Drive.POSITION
        found = inspect(state, self.memory, self.limits, self.settings, command)
        self.memory = found.memory
        return found

    def names(self, **changes: Any) -> set[str]:
        """What one tick finds."""
        return {fault.name for fault in self.tick(**changes).faults}

    def until(self, name: str, most: int = 2000, **changes: Any) -> int:
        """How many ticks pass until `name` is found."""
        for count in range(1, most + 1):
            if name in self.names(**changes):
                return count
        raise AssertionError(f"{name} was not found in {most} ticks")


def one_of(value: float, other: float, place: int = 2) -> np.ndarray:
    """`other` everywhere but at `place`, where it is `value`."""
    array = np.full(JOINTS, other)
    array[place] = value
    return array
