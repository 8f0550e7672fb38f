"""One look as a whole: whose part is asked, and what is kept from tick to tick."""

from __future__ import annotations

import math
from dataclasses import replace

from robosac import watch
from robosac.hal import Fault, JointCommand, JointState, RobotState
from robosac.reasons import Reason
from robosac.watch import Findings, Reaction, WatchMemory, inspect
from tests.robosac.fake_robot import JOINTS, make_limits
from tests.robosac.watch_rig import Watched


def test_what_the_monitor_offers_is_there() -> None:
    assert watch.__all__
    for name in watch.__all__:
        assert hasattr(watch, name), name


def test_findings_are_empty_until_something_is_found() -> None:
    memory = WatchMemory.fresh(JOINTS)
    assert memory.bounds is None
    found = Findings(memory)
    assert (found.reaction, found.reasons) == (Reaction.NONE, Reason.NONE)
    assert (found.faults, found.latching) == ((), ())


def look(robot: Watched, state: RobotState) -> Findings:
    command = JointCommand.to(robot.goal, robot.limits.torque)
    return inspect(state, robot.memory, robot.limits, robot.settings, command)


def state_of(robot: Watched, **more: object) -> RobotState:
    """The joints of the last tick once more."""
    joints: JointState = robot.memory.last
    return replace(RobotState(robot.time, joints, None, None), **more)  # type: ignore[arg-type]


def test_what_a_device_reports_of_itself_cuts_torque() -> None:
    limp = replace(make_limits(), tilt=math.inf)
    robot = Watched(limits=limp)
    robot.tick()
    hot, lost = Fault("motor_fault", "joint_1", "33"), Fault("bus", "line", "gone")
    found = look(robot, state_of(robot, faults=(hot, lost)))
    assert found.reaction is Reaction.FAULT
    assert found.reasons == Reason.FAULT
    assert found.faults[:2] == (hot, lost)
    assert found.latching[:2] == (hot, lost)


def test_a_robot_without_a_body_needs_no_inertial_sensor() -> None:
    robot = Watched(limits=replace(make_limits(), tilt=math.inf))
    robot.tick()
    found = look(robot, state_of(robot))
    assert "imu_stale" not in {fault.name for fault in found.faults}
    assert found.memory.body is robot.memory.body
    robot = Watched()
    robot.tick()
    assert "imu_stale" in {fault.name for fault in look(robot, state_of(robot)).faults}


def test_bounds_are_worked_out_once_and_anew_under_other_limits() -> None:
    robot = Watched(noise=0.001)
    first = robot.tick().memory.bounds
    assert first is not None
    assert first.limits is robot.limits
    assert robot.tick().memory.bounds is first
    robot.limits = make_limits(position=2.0)
    second = robot.tick().memory.bounds
    assert second is not None
    assert second.limits is robot.limits
    assert robot.tick().memory.bounds is second


def test_a_healthy_tick_leaves_the_counters_as_they_are() -> None:
    robot = Watched(noise=0.001)
    robot.tick()
    counters = robot.memory.counters
    assert counters.quiet
    assert robot.tick().memory.counters is counters
    robot.tick(valid=robot.memory.last.valid & False)
    assert robot.memory.counters is not counters
    assert not robot.memory.counters.quiet


def test_joints_and_supply_are_judged_too() -> None:
    robot = Watched()
    robot.tick()
    silent = robot.memory.last.valid & False
    found = [robot.tick(valid=silent) for _ in range(robot.settings.misses_hold)]
    assert found[-1].reaction is Reaction.HOLD
    robot = Watched()
    hot = robot.tick(temperature=90.0 + 0.0 * robot.position)
    assert "over_temperature" in {fault.name for fault in hot.latching}
    assert hot.memory.supply.since == robot.time
