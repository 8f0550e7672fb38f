"""The controllers' own settings must be those of the robot file before any of them may drive."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from drivers.moteus import Difference
from robosac.errors import RobotError
from robosac.hal import JointCommand
from robosac.robots.controller_options import complaint, wanted_options
from robosac.robots.robot_file import RobotFile
from robosac.robots.sections import Bounds, Controllers
from sim.firmware.moteus.config import MoteusConfig
from sim.firmware.moteus.hooks import HookedMoteusBank
from sim.minitaur import MinitaurTwin
from tests.robosac.robot_contract import Rig
from tests.robosac.test_minitaur import QUIET, build, nominal

ALL = Controllers(
    voltage_mode_control=True, max_current_a=100.0, bounds=Bounds(lower_rad=0.3, upper_rad=3.2)
)


def with_options(controllers: Controllers) -> RobotFile:
    return msgspec.structs.replace(nominal()[0], controllers=controllers)


def reconfigure(twin: MinitaurTwin, index: int, **changes: object) -> None:
    """As by somebody with a console, to last."""
    config: MoteusConfig = replace(twin.bank.configuration(index), **changes)  # type: ignore[arg-type]
    twin.bank.configure(index, config)
    twin.bank.store(index)


def refusal(rig: Rig) -> str:
    with pytest.raises(RobotError) as caught:
        rig.robot.configure()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_wanted_is_in_the_options_own_units() -> None:
    file = with_options(ALL)
    left = wanted_options(file, "front_left_front", 0.0)
    right = wanted_options(file, "front_right_front", 0.1)
    # 8.206 N m/rad and 0.1231 N m s/rad, times 2 pi rad a revolution.
    assert left["servo.pid_position.kp"] == pytest.approx(51.5598, abs=1e-4)
    assert left["servo.pid_position.kd"] == pytest.approx(0.77346, abs=1e-5)
    assert left["servo.default_timeout_s"] == 0.08
    assert left["servo.timeout_mode"] == 12
    assert math.isnan(left["servo.default_velocity_limit"])
    assert left["servo.voltage_mode_control"] == 1
    assert left["servo.max_current_A"] == 100
    assert (left["id.id"], right["id.id"]) == (1, 5)
    # The left motors turn the other way round: there the joint's upper bound is the motor's lower.
    assert left["servopos.position_min"] == pytest.approx(-3.2 / 6.283185, abs=1e-6)
    assert left["servopos.position_max"] == pytest.approx(-0.3 / 6.283185, abs=1e-6)
    assert right["servopos.position_min"] == pytest.approx(0.4 / 6.283185, abs=1e-6)
    assert right["servopos.position_max"] == pytest.approx(3.3 / 6.283185, abs=1e-6)


def test_what_the_robot_file_leaves_out_is_not_looked_at() -> None:
    wanted = wanted_options(with_options(Controllers()), "front_left_front", 0.0)
    assert not {key for key in wanted if key.startswith("servopos") or "max_current" in key}
    assert "servo.voltage_mode_control" not in wanted


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kp_nm_per_rev": 4.0}, "servo.pid_position.kp is 4, wanted 51.5598"),
        ({"kd_nm_s_per_rev": 0.05}, "servo.pid_position.kd is 0.05, wanted 0.773460"),
        ({"default_timeout_s": math.nan}, "servo.default_timeout_s is nan, wanted 0.08"),
        ({"timeout_mode": 10}, "servo.timeout_mode is 10, wanted 12"),
        ({"default_velocity_limit_rev_s": 2.0}, "servo.default_velocity_limit is 2, wanted nan"),
        ({"voltage_mode_control": False}, "servo.voltage_mode_control is 0, wanted 1"),
        ({"max_current_a": 20.0}, "servo.max_current_A is 20, wanted 100"),
        ({"position_min_rev": math.nan}, "servopos.position_min is nan, wanted 0.0477465"),
        ({"position_max_rev": 0.01}, "servopos.position_max is 0.01, wanted 0.509296"),
    ],
)
def test_one_controller_that_differs_is_named_and_nothing_drives(
    change: dict[str, object], says: str
) -> None:
    twin, file = MinitaurTwin(QUIET), with_options(ALL)
    for index, joint in enumerate(file.joint_names):
        wanted = wanted_options(file, joint, 0.0)
        low, high = wanted["servopos.position_min"], wanted["servopos.position_max"]
        reconfigure(twin, index, position_min_rev=low, position_max_rev=high)
    rig = build(twin, file)
    rig.robot.configure()
    reconfigure(twin, 6, **change)
    rig = build(twin, file)
    text = refusal(rig)
    assert f"{says[:-1]}" in text
    assert "(back_right_front)" in text
    assert "conf set OPTION VALUE" in text
    assert "conf write" in text
    assert not rig.tick(JointCommand.stop(8)).joints.driving.any()


def test_what_all_have_in_common_is_said_once() -> None:
    one, other = Difference("a", 1.0, 2.0), Difference("b", None, 0.5)
    text = complaint({"front": [one, other], "rear": [one]})
    assert "a is 1, wanted 2 (every controller); b is unknown to it, wanted 0.5 (front);" in text
    assert complaint({"front": [], "rear": []}) == ""


def test_it_is_looked_at_once_for_each_opening() -> None:
    twin = MinitaurTwin(QUIET)
    rig = build(twin)
    rig.robot.configure()
    reconfigure(twin, 0, kp_nm_per_rev=4.0)
    rig.robot.configure()
    twin.legs.unplug()
    rig.tick(JointCommand.stop(8))
    twin.legs.plug_in()
    assert "servo.pid_position.kp is 4" in refusal(rig)
    assert "servo.pid_position.kp is 4" in refusal(rig), "a refusal must not count as a look"
    reconfigure(twin, 0, kp_nm_per_rev=51.5598)
    rig.robot.configure()


def test_it_is_looked_at_again_after_a_controller_fell_silent() -> None:
    """It may have lost its power, and what was set but never saved with it."""
    twin = MinitaurTwin(QUIET, bank_type=HookedMoteusBank)
    assert isinstance(twin.bank, HookedMoteusBank)
    rig = build(twin)
    rig.robot.configure()
    held = rig.hold(20)
    twin.bank.silence(3, True)
    rig.tick(JointCommand.to(held.joints.position, np.full(8, 2.0)))
    assert not rig.robot.stop()
    twin.bank.silence(3, False)
    reconfigure(twin, 2, kp_nm_per_rev=4.0)
    assert rig.robot.stop()
    assert "back_left_front" in refusal(rig)
