"""A robot without bytes: follows every command at once and fails on request."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from robosac.clock import Clock
from robosac.hal import (
    Drive,
    Fault,
    ImuSample,
    JointCommand,
    JointState,
    Limits,
    RobotState,
)

JOINTS = 8


def make_limits(
    joints: int = JOINTS,
    position: float = 1.0,
    velocity: float = 5.0,
    acceleration: float = 50.0,
    tilt: float = 0.8,
) -> Limits:
    """Symmetric limits: rad, rad/s, rad/s^2."""
    return Limits(
        tuple(f"joint_{index}" for index in range(joints)),
        np.full(joints, -position),
        np.full(joints, position),
        np.full(joints, velocity),
        np.full(joints, acceleration),
        np.full(joints, 3.5),
        np.full(joints, 2.45),
        1.0,
        80.0,
        tilt,
    )


class ManualClock:
    """Time that moves only when it is waited for."""

    def __init__(self) -> None:
        self.time = 100.0
        self.late = 0.0
        """Added once to the next wake-up, s."""

    def now(self) -> float:
        return self.time

    def wait_until(self, deadline: float) -> None:
        self.time = max(self.time, deadline) + self.late
        self.late = 0.0


@dataclass
class FakeRobot:
    """Implements robosac.hal.Robot; the public attributes below are the failure switches."""

    clock: Clock
    limits: Limits = field(default_factory=make_limits)
    silent: set[int] = field(default_factory=set[int])
    """Joints that do not answer."""
    faults: tuple[Fault, ...] = ()
    torque: float = 0.0
    temperature: float = 30.0
    voltage: float = 16.0
    offset: float = 0.0
    """Added to the measured position while driven, rad."""
    spin: float = 0.0
    """Measured velocity, rad/s."""
    refuses_drive: bool = False
    stops: bool = True
    """False: torque is never read back as off."""
    imu_age: float = 0.0
    orientation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    raises: BaseException | None = None
    configure_raises: BaseException | None = None

    def __post_init__(self) -> None:
        joints = len(self.limits.names)
        self.position = np.zeros(joints)
        self.drive = Drive.STOP
        self.commands: list[JointCommand] = []
        self.stop_calls = 0
        self.configured = 0
        self.closed = 0
        self._heard = np.full(joints, -np.inf)

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.limits.names

    def configure(self) -> None:
        self.configured += 1
        if self.configure_raises is not None:
            raise self.configure_raises

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        if self.raises is not None:
            raise self.raises
        assert deadline > self.clock.now()
        self.commands.append(command)
        self.drive = command.drive
        if command.drive is Drive.POSITION:
            free = (
                np.zeros(len(self.position), dtype=np.bool_)
                if command.free is None
                else command.free
            )
            self.position = np.where(free, self.position, command.position)
        return self._state()

    def _state(self) -> RobotState:
        joints, now = len(self.limits.names), self.clock.now()
        valid = np.array([index not in self.silent for index in range(joints)])
        self._heard = np.where(valid, now, self._heard)
        driven = self.drive is not Drive.STOP
        shift = self.offset if driven else 0.0
        one = np.ones(joints)
        state = JointState(
            self._heard.copy(),
            valid,
            self.position + shift,
            self.spin * one,
            self.torque * one,
            self.temperature * one,
            self.voltage * one,
            0.0 * one,
            np.full(joints, driven and not self.refuses_drive),
        )
        imu = ImuSample(
            now - self.imu_age,
            np.array(self.orientation),
            np.zeros(3),
            np.array([0.0, 0.0, 9.81]),
        )
        return RobotState(now, state, imu, None, self.faults)

    def stop(self) -> bool:
        self.stop_calls += 1
        if self.stops:
            self.drive = Drive.STOP
        return self.stops

    def close(self) -> None:
        self.closed += 1
