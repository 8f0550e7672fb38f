"""What every Robot must do; subclass it and give a `rig` fixture. The rule is in the message."""

import math
from dataclasses import dataclass

import numpy as np

from robosac.clock import Clock
from robosac.hal import Drive, JointCommand, Robot, RobotState


@dataclass
class Rig:
    """A robot and the clock its deadlines belong to."""

    robot: Robot
    clock: Clock
    period: float = 0.005

    def tick(self, command: JointCommand) -> RobotState:
        """One exchange, a period after the last."""
        now = self.clock.now()
        self.clock.wait_until(now + self.period)
        return self.robot.exchange(command, self.clock.now() + 0.8 * self.period)

    def hold(self, ticks: int) -> RobotState:
        """Hold the present position."""
        here = self.tick(JointCommand.stop(len(self.robot.joint_names))).joints.position
        command = JointCommand.to(here, self.robot.limits.torque)
        for _ in range(ticks - 1):
            self.tick(command)
        return self.tick(command)


class RobotContract:
    """Inherit, and define `rig`."""

    def test_arrays_follow_the_joint_names(self, rig: Rig) -> None:
        rig.robot.configure()
        joints = rig.tick(JointCommand.stop(len(rig.robot.joint_names))).joints
        for name in joints.__dataclass_fields__:
            shape = getattr(joints, name).shape
            assert shape == (len(rig.robot.joint_names),), f"{name} must follow joint_names"
        assert rig.robot.limits.names == rig.robot.joint_names

    def test_configure_leaves_torque_off(self, rig: Rig) -> None:
        rig.robot.configure()
        state = rig.tick(JointCommand.stop(len(rig.robot.joint_names)))
        assert not state.joints.driving.any(), "configure() must not let a motor drive"

    def test_every_value_tells_its_age(self, rig: Rig) -> None:
        rig.robot.configure()
        before = rig.clock.now()
        state = rig.tick(JointCommand.stop(len(rig.robot.joint_names)))
        assert state.joints.valid.all()
        assert (state.joints.time >= before).all(), "a fresh value must carry the time it arrived"
        if math.isfinite(rig.robot.limits.tilt):
            assert state.imu is not None, "a robot that can fall must tell its attitude"
            assert state.imu.time <= state.time

    def test_a_commanded_position_is_held(self, rig: Rig) -> None:
        rig.robot.configure()
        state = rig.hold(40)
        assert state.joints.driving.all()
        moved = rig.tick(JointCommand.to(state.joints.position, rig.robot.limits.torque))
        assert np.abs(moved.joints.position - state.joints.position).max() < 0.05

    def test_stop_is_confirmed_by_reading_back(self, rig: Rig) -> None:
        rig.robot.configure()
        rig.hold(10)
        assert rig.robot.stop(), "stop() must confirm that torque is off"
        state = rig.tick(JointCommand.stop(len(rig.robot.joint_names)))
        assert not state.joints.driving.any()

    def test_damping_drives_without_a_position(self, rig: Rig) -> None:
        rig.robot.configure()
        state = rig.hold(10)
        command = JointCommand.damp(len(rig.robot.joint_names), rig.robot.limits.torque)
        assert command.drive is Drive.DAMP
        for _ in range(5):
            state = rig.tick(command)
        assert state.joints.driving.all()
        assert not state.faults

    def test_closing_twice_is_harmless(self, rig: Rig) -> None:
        rig.robot.close()
        rig.robot.close()
