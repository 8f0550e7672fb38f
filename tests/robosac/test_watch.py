"""The monitor alone: what it finds, how soon, and that a healthy robot raises no alarm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.hal import ImuSample, JointState
from robosac.watch import Reaction, WatchSettings, lasting
from robosac.watch_body import rest_problem, world_force
from tests.robosac.fake_robot import JOINTS, make_limits
from tests.robosac.watch_rig import PERIOD, Watched, one_of


def test_a_healthy_robot_is_quiet() -> None:
    robot = Watched(noise=0.001)
    for _ in range(400):
        found = robot.tick()
        assert found.faults == ()
        assert found.reaction is Reaction.NONE
        assert found.memory.counters.quiet


def test_a_slow_walk_past_the_limit_is_found_in_two_ticks() -> None:
    robot = Watched()
    tolerance = robot.settings.position_tolerance
    robot.position[2] = 1.0 + tolerance - 0.02
    robot.tick()
    robot.position[2] += 0.03
    assert robot.names() == set()
    found = robot.tick()
    assert [fault.name for fault in found.latching] == ["position_limit"]
    assert "calibration" in found.latching[0].detail


def test_an_impossible_step_is_found_at_once_and_only_there() -> None:
    robot = Watched()
    robot.tick()
    robot.position[2] = 0.5
    found = robot.tick()
    assert {(fault.name, fault.source) for fault in found.latching} == {
        ("impossible_motion", "joint_2")
    }


def test_the_same_step_after_a_long_silence_is_possible() -> None:
    robot = Watched()
    robot.tick()
    robot.time += 0.2
    robot.position[2] = 0.5
    assert robot.names() == set()


def test_positions_that_run_are_overspeed_though_the_speed_reads_zero() -> None:
    robot = Watched()
    robot.tick()
    seen = []
    for _ in range(3):
        # Faster than twice the limit of 5 rad/s and the noise allowed, slower than thrice.
        robot.position = robot.position + 0.16 * np.eye(JOINTS)[2]
        seen.append(robot.names())
    assert seen[0] == set()
    assert seen[1] == {"overspeed"}


def test_a_frozen_encoder_is_found_when_it_is_sent_away() -> None:
    robot = Watched(noise=0.001)
    robot.tick()
    robot.goal = one_of(0.3, 0.0)
    stuck = 0.123
    count, found = 0, None
    for _ in range(60):
        count += 1
        jitter = 0.001 * robot.rng.standard_normal(JOINTS)
        jitter[2] = stuck
        found = robot.tick(position=jitter)
        if found.latching:
            break
    assert found is not None
    assert [fault.name for fault in found.latching] == ["encoder_frozen"]
    assert found.latching[0].source == "joint_2"
    # One tick to see the first reading, then as many as the setting says.
    assert count == robot.settings.freeze_ticks + 1
    assert count * PERIOD <= 0.2


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(-0.099, 0.099), min_size=1, max_size=8))
def test_a_coarse_encoder_at_rest_raises_no_alarm(errors: list[float]) -> None:
    robot = Watched()
    for error in errors:
        robot.goal = np.full(JOINTS, error)
        for _ in range(40):
            assert robot.names() == set()


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(0.0, 0.9), min_size=1, max_size=8))
def test_a_joint_that_stalls_against_an_obstacle_raises_no_alarm(errors: list[float]) -> None:
    robot = Watched(settings=WatchSettings(stalls=True))
    for error in errors:
        robot.goal = np.full(JOINTS, error)
        for _ in range(40):
            assert robot.names() == set()


def test_a_joint_sent_to_both_sides_has_to_move() -> None:
    robot = Watched(settings=WatchSettings(stalls=True))
    robot.tick()
    robot.goal = one_of(0.4, 0.0)
    for _ in range(30):
        assert robot.names() == set()
    robot.goal = one_of(-0.4, 0.0)
    assert robot.until("encoder_frozen") == robot.settings.freeze_ticks // 4


STIFF = WatchSettings(stalls=True, stiffness=2.0)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(0.0, 0.9), min_size=1, max_size=8), st.floats(0.6, 1.2))
def test_a_joint_that_stalls_pushes_and_raises_no_alarm(errors: list[float], share: float) -> None:
    robot = Watched(settings=STIFF)
    before = np.zeros(JOINTS)
    for error in errors:
        robot.goal = np.full(JOINTS, error)
        for _ in range(40):
            # What is read answers the goal of the tick before.
            assert robot.names(torque=share * 2.0 * before) == set()
            before = np.minimum(robot.goal, robot.limits.torque / 2.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_frozen_encoder_is_told_by_a_motor_that_does_not_push(sign: float) -> None:
    robot = Watched(settings=STIFF)
    robot.tick()
    robot.goal = one_of(0.4 * sign, 0.0)
    limp = one_of(0.39 * sign, 0.0)
    assert robot.until("encoder_frozen", torque=limp) == STIFF.limp_ticks


def test_a_motor_pushed_the_other_way_does_not_stand() -> None:
    robot = Watched(settings=STIFF)
    robot.tick()
    robot.goal = one_of(0.4, 0.0)
    assert robot.until("encoder_frozen", torque=one_of(-1.0, 0.0)) == STIFF.limp_ticks


def test_one_push_in_between_is_a_stall() -> None:
    robot = Watched(settings=STIFF)
    robot.tick()
    robot.goal = one_of(0.4, 0.0)
    for tick in range(100):
        torque = 0.8 if tick % STIFF.limp_ticks == 0 else 0.0
        assert robot.names(torque=one_of(torque, 0.0)) == set()


def test_a_motor_of_unknown_torque_is_not_judged_by_it() -> None:
    robot = Watched(settings=STIFF)
    robot.goal = one_of(0.4, 0.0)
    for _ in range(40):
        assert robot.names(torque=np.full(JOINTS, np.nan)) == set()


def test_identical_readings_of_a_fine_encoder_are_a_fault_wherever_it_is_sent() -> None:
    robot = Watched(settings=WatchSettings(identical_ticks=32), noise=0.001)
    for _ in range(100):
        assert robot.names() == set()
    frozen = robot.memory.last.position[2]
    seen: list[set[str]] = []
    for _ in range(32):
        position = robot.rng.normal(0.0, 0.001, JOINTS)
        position[2] = frozen
        seen.append(robot.names(position=position))
    assert seen == [set()] * 31 + [{"encoder_frozen"}]


def test_an_answer_with_old_values_holds_by_their_age_and_counts_nothing_else() -> None:
    robot = Watched()
    robot.tick()
    beyond = one_of(1.0 + robot.settings.position_tolerance + 0.02, 0.0)
    robot.position = beyond
    # A little later than the tick, so that no age lies on a bound to the last bit.
    taken = robot.time + PERIOD + 1e-6
    robot.tick(time=np.full(JOINTS, taken))
    for age in range(1, 7):
        time = np.full(JOINTS, robot.time + PERIOD)
        time[2] = taken
        found = robot.tick(time=time)
        assert {fault.name for fault in found.faults} == ({"joint_stale"} if age > 2 else set())
        assert found.reaction == (0 if age <= 2 else Reaction.HOLD if age <= 5 else Reaction.FAULT)


def test_a_silent_joint_is_lost_and_not_frozen() -> None:
    robot = Watched()
    robot.tick()
    robot.goal = one_of(0.4, 0.0)
    dead = np.arange(JOINTS) != 2
    times = one_of(robot.time, robot.time)
    seen = [
        robot.names(valid=dead, time=np.where(dead, robot.time + PERIOD, times)) for _ in range(10)
    ]
    assert "encoder_frozen" not in set().union(*seen)
    assert [("joint_lost" in names) for names in seen] == [False] * 2 + [True] * 8


@pytest.mark.parametrize(
    ("age", "reaction"), [(0.0099, 0), (0.0101, Reaction.HOLD), (0.0251, Reaction.FAULT)]
)
def test_values_said_to_be_fresh_must_be(age: float, reaction: int) -> None:
    robot = Watched()
    for _ in range(3):
        robot.tick()
    now = robot.time + PERIOD
    found = robot.tick(time=one_of(now - age, now))
    assert found.reaction == reaction


@pytest.mark.parametrize(
    ("volts", "name", "after_s"),
    [
        (7.9, "under_voltage", 0.04),
        (8.5, "under_voltage", 1.0),
        (50.1, "over_voltage", 0.04),
        (49.0, "over_voltage", 1.0),
        (math.nan, "under_voltage", 0.04),
    ],
)
def test_a_supply_out_of_range_cuts_torque_in_time(volts: float, name: str, after_s: float) -> None:
    robot = Watched()
    for _ in range(5):
        assert robot.names() == set()
    count = robot.until(name, voltage=one_of(volts, 16.0))
    assert after_s <= count * PERIOD <= after_s + 2 * PERIOD


def test_short_dips_are_forgiven_and_frequent_ones_are_not() -> None:
    robot = Watched()
    for _ in range(200):
        assert robot.names(voltage=one_of(8.5, 16.0)) == set()
        assert robot.names() == set()
        assert robot.names() == set()
    names: set[str] = set()
    for _ in range(1000):
        names = robot.names(voltage=one_of(8.5, 16.0)) | robot.names(voltage=one_of(8.5, 16.0))
        names |= robot.names()
        if names:
            break
    assert names == {"under_voltage"}


@pytest.mark.parametrize(
    ("celsius", "name", "reaction"),
    [
        (69.9, None, 0),
        (70.0, "motor_warm", 0),
        (77.9, "motor_warm", 0),
        (78.0, "over_temperature", Reaction.FAULT),
        (math.nan, "over_temperature", Reaction.FAULT),
    ],
)
def test_the_temperature_ladder(celsius: float, name: str | None, reaction: int) -> None:
    robot = Watched()
    found = robot.tick(temperature=one_of(celsius, 30.0))
    assert [fault.name for fault in found.faults] == ([] if name is None else [name])
    assert found.reaction == reaction


def test_fast_warming_cuts_torque_before_the_limit_and_slow_does_not() -> None:
    for rate, cut in ((4.0, False), (6.0, True)):
        robot = Watched()
        cuts = []
        for step in range(600):
            warmth = 60.0 + rate * step * PERIOD
            found = robot.tick(temperature=one_of(warmth, 30.0))
            cuts.append(found.reaction is Reaction.FAULT)
        assert any(cuts) is cut


def test_over_temperature_is_not_cleared_before_it_has_cooled() -> None:
    limits, watch = make_limits(), WatchSettings()
    for celsius, refused in ((75.0, True), (70.0, True), (69.9, False), (math.nan, True)):
        joints = JointState.unheard(JOINTS)
        object.__setattr__(joints, "temperature", one_of(celsius, 30.0))
        assert bool(lasting("over_temperature", joints, limits, watch)) is refused
        assert lasting("overspeed", joints, limits, watch) == ""


def imu(**changes: object) -> ImuSample:
    values: dict[str, object] = {
        "time": 1.0,
        "orientation": np.array([1.0, 0.0, 0.0, 0.0]),
        "angular_velocity": np.zeros(3),
        "acceleration": np.array([0.0, 0.0, 9.81]),
    }
    return ImuSample(**(values | changes))  # type: ignore[arg-type]


def tilted(roll: float) -> np.ndarray:
    return np.array([math.cos(roll / 2), math.sin(roll / 2), 0.0, 0.0])


@settings(max_examples=50, deadline=None)
@given(st.floats(-3.0, 3.0))
def test_gravity_is_down_in_the_world_however_the_body_lies(roll: float) -> None:
    felt = np.array([0.0, 9.81 * math.sin(roll), 9.81 * math.cos(roll)])
    sample = imu(orientation=tilted(roll), acceleration=felt)
    np.testing.assert_allclose(world_force(sample), (0.0, 0.0, 9.81), atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"acceleration": np.array([0.0, 0.0, 7.5])}, "feels 7.50"),
        ({"orientation": tilted(0.35)}, "differ by 0.35"),
        ({"angular_velocity": np.array([0.4, 0.4, 0.0])}, "turns by 0.57"),
        ({"acceleration": np.array([0.0, math.nan, 9.8])}, "feels nan"),
        ({"angular_velocity": np.array([math.nan, 0.0, 0.0])}, "turns by nan"),
    ],
)
def test_a_sensor_at_rest(changes: dict[str, object], says: str) -> None:
    problem = rest_problem(imu(**changes), 2.0, 0.3, 0.5)
    assert says in problem
    assert bool(problem) is bool(says)


@pytest.mark.parametrize(
    "bad",
    [
        {"acceleration": np.array([0.0, 0.0, 156.9])},
        {"angular_velocity": np.array([0.0, -34.9, 0.0])},
        {"acceleration": np.array([math.inf, 0.0, 9.8])},
    ],
)
def test_a_row_of_values_at_the_end_of_the_range_holds_then_damps(bad: dict[str, object]) -> None:
    robot = Watched()
    robot.tick()
    robot.imu = bad
    reactions = [robot.tick().reaction for _ in range(6)]
    assert reactions == [0, 1, 1, 1, 2, 2]
    robot.imu = {}
    assert "imu_range" not in robot.names()


def test_an_attitude_that_gravity_contradicts_is_found_in_two_seconds() -> None:
    robot = Watched()
    robot.tick()
    robot.imu = {"orientation": tilted(0.5)}
    count = robot.until("imu_drift")
    assert count * PERIOD < 2.0


@given(st.floats(0.2, 1.5), st.floats(2.0, 10.0))
@settings(max_examples=6, deadline=None)
def test_no_gait_is_taken_for_drift(speed: float, hertz: float) -> None:
    """A body that swings to and fro at `speed` m/s feels far more than that, but not for long."""
    robot = Watched()
    for step in range(400):
        push = speed * math.tau * hertz * math.cos(math.tau * hertz * step * PERIOD)
        robot.imu = {"acceleration": np.array([push, 0.0, 9.81 + push])}
        assert robot.tick().reaction is Reaction.NONE


@pytest.mark.parametrize(
    "bounds",
    [
        {"voltage_min": 10.0, "voltage_sag": 11.0},
        {"voltage_max": 51.0},
        {"stale_hold_s": 0.03},
        {"temperature_trip": 11.0},
    ],
)
def test_bounds_out_of_order_are_refused_not_swapped(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must satisfy"):
        WatchSettings(**bounds)
