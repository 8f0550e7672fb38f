"""The executor lets single joints go, and never sends them anywhere."""

import numpy as np
import pytest

from robosac.errors import NotArmedError
from robosac.executor import ExecutorSettings
from robosac.hal import Drive
from robosac.states import SafetyState
from robosac.watch import WatchSettings
from tests.robosac.executor_rig import STILL, Rig
from tests.robosac.fake_robot import JOINTS

LAST = np.arange(JOINTS) == JOINTS - 1
QUICK = ExecutorSettings(watch=WatchSettings(undriven_ticks=3))


def test_a_free_joint_reaches_the_robot_as_free_and_where_it_is() -> None:
    rig = Rig().armed()
    rig.executor.free(LAST)
    rig.robot.position[-1] = 0.7
    rig.executor.tick()
    rig.executor.request(STILL)
    rig.executor.tick()
    command = rig.robot.commands[-1]
    assert command.free is not None
    np.testing.assert_array_equal(command.free, LAST)
    assert command.position[-1] == pytest.approx(0.7)
    assert rig.executor.commanded_position[-1] == pytest.approx(0.7)


def test_a_free_joint_may_do_what_would_stop_a_held_one() -> None:
    rig = Rig(QUICK).armed()
    rig.executor.free(np.ones(JOINTS, dtype=np.bool_))
    rig.robot.spin, rig.robot.offset, rig.robot.refuses_drive = 1000.0, 3.0, True
    assert rig.run(20).safety is SafetyState.ACTIVE
    rig.executor.free(np.zeros(JOINTS, dtype=np.bool_))
    assert rig.run(5).safety is SafetyState.FAULT


def test_a_free_joint_must_answer() -> None:
    rig = Rig().armed()
    rig.executor.free(LAST)
    rig.robot.silent = {JOINTS - 1}
    assert rig.run(3).safety is SafetyState.HOLD
    assert rig.run(10).safety is SafetyState.FAULT


def test_damping_leaves_free_joints_free() -> None:
    rig = Rig().armed()
    rig.executor.free(LAST)
    rig.executor.tick()
    rig.run(110, keep_requesting=False)
    assert rig.executor.safety is SafetyState.DAMPED
    command = rig.robot.commands[-1]
    assert command.drive is Drive.DAMP
    assert command.free is not None
    assert command.free[-1]


def test_arming_holds_every_joint() -> None:
    rig = Rig().armed()
    rig.executor.free(LAST)
    rig.executor.tick()
    rig.executor.disarm()
    rig.executor.arm()
    rig.run(1)
    assert rig.robot.commands[-1].free is None


def test_only_an_armed_robot_lets_go() -> None:
    with pytest.raises(NotArmedError):
        Rig().executor.free(LAST)
