"""Arming by itself: every check with its bound, and how stiffness rises."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from robosac.arming import ArmingSettings, bring_up, not_ready, refusal, refuse_arming
from robosac.errors import ArmingError, NotArmedError
from robosac.estop import EStopGate
from robosac.hal import Drive, Fault, ImuSample, JointCommand, JointState, Limits, RobotState
from robosac.states import SafetyState
from robosac.watch import Findings, Reaction, WatchMemory, body_tilt
from tests.robosac.fake_robot import make_limits

JOINTS = 3
LIMITS = make_limits(JOINTS)
SETTINGS = ArmingSettings()
PERIOD = 0.005
FINE = Findings(WatchMemory.fresh(JOINTS))
UPRIGHT = (1.0, 0.0, 0.0, 0.0)


def tilted(angle: float) -> tuple[float, float, float, float]:
    """A body rolled by `angle`, rad."""
    return math.cos(angle / 2.0), math.sin(angle / 2.0), 0.0, 0.0


def imu(
    age: float = 0.0, orientation: tuple[float, ...] = UPRIGHT, force: float = 9.81
) -> ImuSample:
    return ImuSample(-age, np.array(orientation), np.zeros(3), np.array([0.0, 0.0, force]))


def robot(
    sample: ImuSample | None = None, faults: tuple[Fault, ...] = (), **joints: object
) -> RobotState:
    """At time 0, at rest in the middle, with everything well but what is given for joint 1."""
    values: dict[str, np.ndarray] = {
        "time": np.zeros(JOINTS),
        "valid": np.ones(JOINTS, dtype=np.bool_),
        "position": np.zeros(JOINTS),
        "velocity": np.zeros(JOINTS),
        "torque": np.zeros(JOINTS),
        "temperature": np.full(JOINTS, 30.0),
        "voltage": np.full(JOINTS, 16.0),
        "power": np.zeros(JOINTS),
        "driving": np.ones(JOINTS, dtype=np.bool_),
    }
    for name, value in joints.items():
        values[name][1] = value
    return RobotState(0.0, JointState(**values), sample or imu(), None, faults)


def ready(state: RobotState, before: RobotState | None = None, limits: Limits = LIMITS) -> str:
    return not_ready(state, before or robot(), limits, SETTINGS)


def test_a_robot_at_rest_is_ready_and_may_be_armed() -> None:
    assert ready(robot()) == ""
    assert refusal(robot(), LIMITS, SETTINGS) == ""


@pytest.mark.parametrize(
    ("joint", "says"),
    [
        ({"valid": False}, "answers: none from joint_1; every joint must answer"),
        ({"time": -0.041}, "age: values of joint_1 0.041 s; valid is up to 0.04 s"),
        ({"time": math.nan}, "age: values of joint_1 nan s"),
        ({"position": math.nan}, "position: .* is not finite"),
        ({"velocity": 0.501}, "rest: joint_1 0.501 rad/s; valid is 0.5"),
        ({"velocity": -0.501}, "rest: joint_1 0.501"),
        ({"velocity": math.nan}, "rest: joint_1 nan"),
        ({"position": 0.035}, "position: two readings differ by joint_1 0.035 rad"),
        ({"position": -0.035}, "position: two readings differ by joint_1 0.035 rad"),
    ],
)
def test_what_may_come_right_by_waiting(joint: dict[str, float], says: str) -> None:
    assert re.match(says, ready(robot(None, (), **joint)))


@pytest.mark.parametrize(
    "joint", [{"velocity": 0.5}, {"position": math.radians(2.0)}, {"time": -0.04}]
)
def test_at_the_bound_it_is_ready(joint: dict[str, float]) -> None:
    assert ready(robot(None, (), **joint)) == ""


@pytest.mark.parametrize("safety", SafetyState)
def test_the_states_from_which_arming_may_begin(safety: SafetyState) -> None:
    gate = EStopGate()
    if safety in (SafetyState.ACTIVE, SafetyState.HOLD):
        with pytest.raises(NotArmedError, match=rf"arm\(\) while {safety.value}; valid after"):
            refuse_arming(safety, (), gate)
    elif safety is SafetyState.FAULT:
        with pytest.raises(ArmingError, match="latched faults: fell, hot; clear each by name"):
            refuse_arming(safety, ("fell", "hot"), gate)
    else:
        refuse_arming(safety, (), gate)


def test_two_readings_are_needed() -> None:
    assert not_ready(robot(), None, LIMITS, SETTINGS) == "position: a second reading is needed"


def test_the_inertial_sample_must_be_young_where_there_is_a_body() -> None:
    assert ready(robot(imu(age=0.04))) == ""
    assert (
        ready(robot(imu(age=0.041))) == "imu: newest sample is 0.041 s old; valid is up to 0.04 s"
    )
    none = dataclasses.replace(robot(), imu=None)
    assert ready(none).startswith("imu: newest sample is inf s old")
    assert ready(none, limits=make_limits(JOINTS, tilt=math.inf)) == ""


def test_what_the_inertial_sensor_feels_must_be_rest() -> None:
    assert ready(robot(imu(force=11.8))) == ""
    assert ready(robot(imu(force=11.82))).endswith("; let it rest, or calibrate it")
    assert ready(robot(imu(force=11.82))).startswith("imu: ")


def test_a_fallen_robot_is_told_so_whatever_its_sensor_feels() -> None:
    fallen = robot(imu(orientation=tilted(0.81)))
    assert ready(fallen) == ""
    assert refusal(fallen, LIMITS, SETTINGS) == (
        "tilt: 0.81 rad; valid is up to 0.80 rad; set it upright"
    )
    leaning = robot(imu(orientation=tilted(0.79)))
    assert ready(leaning).startswith("imu: ")
    assert refusal(leaning, LIMITS, SETTINGS) == ""


def test_tilt_at_its_bound_is_allowed_and_without_a_body_there_is_none() -> None:
    leaning = imu(orientation=tilted(0.5))
    exact = dataclasses.replace(LIMITS, tilt=body_tilt(leaning))
    assert refusal(robot(leaning), exact, SETTINGS) == ""
    assert ready(robot(leaning), limits=exact).startswith("imu: ")
    nobody = make_limits(JOINTS, tilt=math.inf)
    assert refusal(robot(imu(orientation=tilted(3.0))), nobody, SETTINGS) == ""
    assert refusal(dataclasses.replace(robot(), imu=None), LIMITS, SETTINGS) == ""


def test_a_robot_with_faults_is_refused_with_all_of_them() -> None:
    faults = (Fault("a", "b", "c"), Fault("d", "e", "f"))
    assert refusal(robot(faults=faults), LIMITS, SETTINGS) == "faults: a (b): c; d (e): f"


@pytest.mark.parametrize(
    ("joint", "says"),
    [
        ({"position": 1.09}, "position: joint_1 at 1.090 rad; valid is -1.000 to 1.000 rad; move"),
        ({"position": -1.09}, "position: joint_1 at -1.090 rad"),
        ({"temperature": 80.0}, "temperature: joint_1 80.000 degrees C; valid is below 80; let it"),
        ({"temperature": math.nan}, "temperature: joint_1 nan"),
        ({"voltage": 8.99}, "voltage: joint_1 sees 9.0 V; valid is 9.0 to 48.0 V"),
        ({"voltage": 48.1}, "voltage: joint_1 sees 48.1 V"),
        ({"voltage": math.nan}, "voltage: joint_1 sees nan V"),
    ],
)
def test_what_forbids_arming(joint: dict[str, float], says: str) -> None:
    assert refusal(robot(None, (), **joint), LIMITS, SETTINGS).startswith(says)


@pytest.mark.parametrize(
    "joint",
    [
        {"position": 1.087},
        {"position": -1.087},
        {"temperature": 79.9},
        {"voltage": 9.0},
        {"voltage": 48.0},
    ],
)
def test_within_the_bounds_it_may_be_armed(joint: dict[str, float]) -> None:
    assert refusal(robot(None, (), **joint), LIMITS, SETTINGS) == ""


def test_the_limit_tolerance_includes_its_end() -> None:
    settings = dataclasses.replace(SETTINGS, limit_tolerance=0.25)
    assert refusal(robot(position=1.25), LIMITS, settings) == ""


class Script:
    """An exchange that answers as told, by the count of calls so far, and keeps the commands."""

    def __init__(self, answer: Callable[[int], tuple[RobotState, Findings]]) -> None:
        self.answer = answer
        self.commands: list[JointCommand] = []

    def __call__(self, command: JointCommand) -> tuple[RobotState, Findings]:
        self.commands.append(command)
        return self.answer(len(self.commands))

    def bring_up(self, period: float = PERIOD, **settings: float) -> np.ndarray:
        return bring_up(self, LIMITS, dataclasses.replace(SETTINGS, **settings), period)


def test_stiffness_rises_evenly_at_the_present_position() -> None:
    script = Script(lambda _: (robot(position=0.3), FINE))
    goal = script.bring_up(ramp_s=0.02)
    assert (goal == [0.0, 0.3, 0.0]).all()
    before, ramp = script.commands[:2], script.commands[2:]
    assert [command.drive for command in before] == [Drive.STOP] * 2
    assert [command.drive for command in ramp] == [Drive.POSITION] * 4
    assert [command.stiffness.tolist() for command in ramp] == [
        [s] * 3 for s in (0.25, 0.5, 0.75, 1)
    ]
    for command in ramp:
        assert (command.position == goal).all()
        assert not command.velocity.any()
        assert not command.torque.any()
        assert (command.damping == 1.0).all()
        assert (command.max_torque == 2.45).all()


def test_the_torque_allowed_is_the_smaller_of_peak_and_continuous() -> None:
    script = Script(lambda _: (robot(), FINE))
    weak = dataclasses.replace(LIMITS, torque=np.full(JOINTS, 1.5))
    bring_up(script, weak, SETTINGS, PERIOD)
    assert (script.commands[-1].max_torque == 1.5).all()


def test_the_goal_is_no_window_into_the_state() -> None:
    state = robot()
    goal = Script(lambda _: (state, FINE)).bring_up()
    state.joints.position[0] = 0.01
    assert goal[0] == 0.0


def test_a_ramp_shorter_than_a_period_takes_one_tick() -> None:
    script = Script(lambda _: (robot(), FINE))
    script.bring_up(ramp_s=0.001)
    assert len(script.commands) == 3
    assert (script.commands[-1].stiffness == 1.0).all()


def test_it_waits_as_long_as_it_is_told_and_says_for_what() -> None:
    silent = Script(lambda _: (robot(valid=False), FINE))
    with pytest.raises(ArmingError, match=r"answers: none from joint_1.*; waited 0.05 s"):
        silent.bring_up(timeout_s=0.05)
    assert len(silent.commands) == 10
    with pytest.raises(ArmingError, match="answers"):
        silent.bring_up(timeout_s=0.0)
    assert len(silent.commands) == 12, "two readings are the least"


def test_readings_are_compared_with_the_one_before() -> None:
    drifting = Script(lambda count: (robot(position=0.03 * count), FINE))
    drifting.bring_up(motion=math.inf)
    jumping = Script(lambda count: (robot(position=0.1 * (count == 1)), FINE))
    jumping.bring_up()
    assert [command.drive for command in jumping.commands[:4]] == [Drive.STOP] * 3 + [
        Drive.POSITION
    ]


def test_what_forbids_arming_ends_it_before_the_ramp() -> None:
    script = Script(lambda _: (robot(temperature=81.0), FINE))
    with pytest.raises(ArmingError, match="temperature"):
        script.bring_up()
    assert len(script.commands) == 2


@pytest.mark.parametrize("moved", [0.035, -0.035, math.nan])
def test_motion_while_stiffness_rises_ends_it(moved: float) -> None:
    script = Script(lambda count: (robot(position=moved if count == 5 else 0.0), FINE))
    with pytest.raises(ArmingError, match=r"motion: joint_1 (0\.035|nan) rad .* up to 0\.035 rad"):
        script.bring_up()
    assert len(script.commands) == 5


def test_motion_up_to_its_bound_is_allowed() -> None:
    script = Script(lambda count: (robot(position=0.25 if count > 2 else 0.0), FINE))
    script.bring_up(motion=0.25)


@pytest.mark.parametrize(("reaction", "ends"), [(Reaction.HOLD, False), (Reaction.DAMP, True)])
def test_the_monitor_ends_it_from_damping_on(reaction: Reaction, ends: bool) -> None:
    found = Findings(
        WatchMemory.fresh(JOINTS),
        reaction,
        faults=(Fault("fell", "imu", "1 rad"), Fault("x", "y", "z")),
    )
    script = Script(lambda count: (robot(), found if count > 2 else FINE))
    if ends:
        with pytest.raises(ArmingError, match=r"^fell \(imu\): 1 rad; x \(y\): z$"):
            script.bring_up()
    else:
        script.bring_up()


@pytest.mark.parametrize("joint", [{"driving": False}, {"valid": False}])
def test_every_motor_must_answer_that_it_drives(joint: dict[str, bool]) -> None:
    script = Script(lambda count: (robot(None, (), **joint) if count > 2 else robot(), FINE))
    with pytest.raises(ArmingError, match="drive: not every motor"):
        script.bring_up()


def test_the_bounds_are_those_of_the_safety_document() -> None:
    assert dataclasses.asdict(SETTINGS) == {
        "timeout_s": 2.0,
        "ramp_s": 0.1,
        "motion": math.radians(2.0),
        "still": 0.5,
        "rest_s": 0.1,
        "limit_tolerance": math.radians(5.0),
        "start_tolerance": math.radians(1.5),
        "voltage_min": 9.0,
        "voltage_max": 48.0,
        "joint_age_s": 0.04,
        "imu_age_s": 0.04,
        "imu_force": 2.0,
        "imu_turn": 0.3,
        "imu_rate": 0.5,
    }


def swinging(
    speeds: list[float],
) -> tuple[Callable[[JointCommand], tuple[RobotState, Findings]], list[Drive]]:
    """A robot whose joint 1 has these speeds (rad/s), tick by tick, and then rests."""
    drives: list[Drive] = []
    at = [0.0]

    def exchange(command: JointCommand) -> tuple[RobotState, Findings]:
        number = len(drives)
        speed = speeds[number] if number < len(speeds) else 0.0
        drives.append(command.drive)
        at[0] += speed * PERIOD
        now = PERIOD * number
        state = robot(position=at[0], velocity=speed)
        joints = dataclasses.replace(state.joints, time=np.full(JOINTS, now))
        assert state.imu is not None
        sample = dataclasses.replace(state.imu, time=now)
        return dataclasses.replace(state, time=now, joints=joints, imu=sample), FINE

    return exchange, drives


def test_a_leg_that_swings_is_not_taken_to_rest_where_it_turns() -> None:
    swing = [2.0 * math.cos(2.0 * math.pi * tick * PERIOD / 0.4) for tick in range(160)]
    exchange, drives = swinging(swing)
    bring_up(exchange, LIMITS, SETTINGS, PERIOD)
    off = drives.index(Drive.POSITION)
    # It rested for the whole time before anything drove it.
    assert off >= len(swing) + round(SETTINGS.rest_s / PERIOD)


def test_a_leg_that_creeps_far_after_a_motion_is_not_at_rest() -> None:
    exchange, drives = swinging([1.0] * 10 + [0.45] * 400)
    with pytest.raises(ArmingError, match=r"rest: for .* after a motion"):
        bring_up(exchange, LIMITS, SETTINGS, PERIOD)
    assert set(drives) == {Drive.STOP}


def test_a_robot_at_rest_is_armed_at_once() -> None:
    exchange, drives = swinging([])
    bring_up(exchange, LIMITS, SETTINGS, PERIOD)
    assert drives.index(Drive.POSITION) == 2


@pytest.mark.parametrize(("beyond_deg", "armed"), [(1.4, True), (1.6, False), (4.9, False)])
def test_a_joint_that_stands_outside_would_jump_inside_and_is_refused(
    beyond_deg: float, armed: bool
) -> None:
    exchange, drives = swinging([])

    def outside(command: JointCommand) -> tuple[RobotState, Findings]:
        state, findings = exchange(command)
        position = state.joints.position + LIMITS.upper + math.radians(beyond_deg)
        joints = dataclasses.replace(state.joints, position=position)
        return dataclasses.replace(state, joints=joints), findings

    if armed:
        bring_up(outside, LIMITS, SETTINGS, PERIOD)
        return
    with pytest.raises(ArmingError, match="move it inside by hand"):
        bring_up(outside, LIMITS, SETTINGS, PERIOD)
    assert set(drives) == {Drive.STOP}
