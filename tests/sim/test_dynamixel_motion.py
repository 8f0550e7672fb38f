"""What a servo does with its motor: modes, profiles, moving flags."""

import pytest

from sim.firmware.dynamixel.servo import ServoSpec
from sim.servo_joint import JointParameters
from tests.sim.dynamixel_bench import (
    CURRENT,
    CURRENT_POSITION,
    EXTENDED,
    FREE,
    OK,
    POSITION,
    PWM,
    VELOCITY,
    WRITE,
    Bench,
)


def test_position_mode_goes_to_its_goal_and_holds_it() -> None:
    bench = Bench(counts=[2000])
    bench.set(torque_enable=1, goal_position=2500)
    bench.run(1.0)
    assert bench.read("present_position") == pytest.approx(2500, abs=4)
    assert bench.read("moving") == 0
    assert bench.read("moving_status") & 1


def test_nothing_moves_without_torque() -> None:
    bench = Bench(counts=[2000])
    bench.set(goal_position=3000)
    bench.run(0.5)
    assert bench.counts() == pytest.approx(2000)
    assert bench.read("present_pwm") == bench.read("present_current") == 0


def test_torque_on_sets_off_for_a_goal_written_before() -> None:
    """Trap: a goal that is not the present position is pursued at once."""
    bench = Bench(counts=[2000])
    bench.set(goal_position=3000, torque_enable=1)
    bench.run(0.02)
    assert bench.counts() > 2010


def test_velocity_mode() -> None:
    bench = Bench()
    bench.set(operating_mode=VELOCITY, torque_enable=1)
    bench.run(0.2)
    assert bench.counts() == pytest.approx(0.0, abs=0.01)
    for goal in (100, -60):
        bench.set(goal_velocity=goal)
        bench.run(1.5)
        assert bench.read("present_velocity") == pytest.approx(goal, abs=2)
        assert bench.read("velocity_trajectory") == goal
        assert bench.read("moving") == 1


def test_velocity_mode_heeds_profile_acceleration() -> None:
    bench = Bench(joint=FREE)
    bench.set(operating_mode=VELOCITY, profile_acceleration=10, torque_enable=1)
    bench.set(goal_velocity=100)
    bench.run(0.32)
    # t = 64 ms * V / A: half of the 640 ms that 100 takes.
    assert bench.read("velocity_trajectory") == pytest.approx(50, abs=1)


def test_current_mode_gives_the_current_asked_for() -> None:
    bench = Bench(joint=JointParameters(coulomb_nm=2.0))
    bench.set(operating_mode=CURRENT, goal_current=0, torque_enable=1)
    for goal in (200, -300):
        bench.set(goal_current=goal)
        bench.run(0.01)
        assert bench.read("present_current") == pytest.approx(goal, abs=1)


def test_trap_current_and_pwm_goals_wake_up_at_their_limits() -> None:
    """The manual: a change of mode resets both goals to the limits; torque-on then drives."""
    for mode in (CURRENT, PWM):
        bench = Bench(joint=FREE)
        bench.set(operating_mode=mode, torque_enable=1)
        bench.run(0.05)
        assert bench.counts() > 10


def test_current_based_position_mode_keeps_the_current() -> None:
    bench = Bench(joint=JointParameters(coulomb_nm=1.5))
    bench.set(operating_mode=CURRENT_POSITION, goal_current=100, torque_enable=1)
    bench.set(goal_position=100_000)
    bench.run(0.1)
    assert bench.read("present_current") == pytest.approx(100, abs=1)
    bench.set(goal_position=-100_000)
    bench.run(0.1)
    assert bench.read("present_current") == pytest.approx(-100, abs=1)
    assert bench.counts() == pytest.approx(0.0)


def test_current_limited_current_follows_a_goal_written_under_way() -> None:
    bench = Bench(joint=JointParameters(coulomb_nm=1.5))
    bench.set(operating_mode=CURRENT_POSITION, goal_current=100, torque_enable=1)
    bench.set(goal_position=100_000, goal_current=50)
    bench.run(0.1)
    assert bench.read("present_current") == pytest.approx(50, abs=1)


def test_pwm_mode() -> None:
    bench = Bench()
    bench.set(operating_mode=PWM, goal_pwm=200, torque_enable=1)
    bench.run(0.5)
    assert bench.read("present_pwm") == 200


def test_goal_pwm_limits_the_output_of_the_other_modes() -> None:
    bench = Bench()
    bench.set(operating_mode=EXTENDED, goal_pwm=150, torque_enable=1, goal_position=50_000)
    bench.run(0.2)
    assert bench.read("present_pwm") == 150
    assert bench.read("present_velocity") > 0


def test_supply_voltage_and_speed_of_the_data_sheet() -> None:
    """XM430-W350: 46 rpm without load at 12 V; 2.3 A stalled."""
    bench = Bench(joint=FREE)
    bench.set(operating_mode=PWM, goal_pwm=885, torque_enable=1)
    bench.run(2.0)
    assert bench.read("present_velocity") * 0.229 == pytest.approx(46.0, rel=0.02)
    stalled = Bench(joint=JointParameters(coulomb_nm=10.0))
    stalled.set(operating_mode=PWM, goal_pwm=885, torque_enable=1)
    stalled.run(0.1)
    assert stalled.read("present_current") * 2.69e-3 == pytest.approx(2.3, rel=0.01)


def test_integral_gain_removes_what_friction_leaves() -> None:
    bench = Bench(counts=[2000], joint=JointParameters(coulomb_nm=0.3))
    bench.set(torque_enable=1, goal_position=2004)
    bench.run(1.0)
    assert bench.read("present_position") == 2000
    bench.set(position_i_gain=2000)
    bench.run(3.0)
    assert bench.read("present_position") == pytest.approx(2004, abs=1)


def test_feedforward_brings_the_set_point_nearer() -> None:
    """First gain: PWM for the set-point's speed, so that it lags less behind."""
    lags: list[float] = []
    for gain in (0, 400):
        bench = Bench(joint=FREE)
        bench.set(profile_velocity=50, feedforward_1st_gain=gain, torque_enable=1)
        bench.set(goal_position=4000)
        bench.run(1.0)
        lags.append(abs(bench.read("position_trajectory") - bench.read("present_position")))
    assert lags[1] < 0.7 * lags[0]


def test_changing_the_mode_resets_gains_profile_and_goals() -> None:
    bench = Bench(counts=[300])
    bench.set(position_p_gain=1, velocity_i_gain=2, feedforward_1st_gain=3, profile_velocity=4)
    bench.set(profile_acceleration=5, goal_pwm=6, goal_current=7, goal_position=8)
    bench.set(operating_mode=POSITION)
    assert bench.read("position_p_gain") == 1
    bench.set(operating_mode=CURRENT_POSITION)
    names = ("position_p_gain", "velocity_i_gain", "feedforward_1st_gain", "profile_velocity")
    assert [bench.read(name) for name in names] == [800, 1920, 0, 0]
    names = ("profile_acceleration", "goal_pwm", "goal_current", "goal_position")
    assert [bench.read(name) for name in names] == [0, 885, 1193, 300]


def test_profile_leads_the_set_point() -> None:
    bench = Bench(joint=FREE)
    bench.set(profile_velocity=100, profile_acceleration=20, torque_enable=1, goal_position=4000)
    assert bench.read("moving") == 1
    bench.run(1.0)
    assert bench.read("moving_status") >> 4 & 3 == 3
    assert bench.read("moving_status") & 2
    assert bench.read("velocity_trajectory") == 100
    assert bench.read("position_trajectory") == pytest.approx(1000 * 1.5633 * 0.84, rel=0.01)
    # t3 = distance / v + t1 = 2.56 s + 0.32 s
    bench.run(2.88 - 1.0 - 0.01)
    assert bench.read("moving_status") & 2
    bench.run(0.02)
    assert not bench.read("moving_status") & 2
    assert bench.read("position_trajectory") == 4000


def test_time_based_profile() -> None:
    bench = Bench(joint=FREE)
    bench.set(drive_mode=4, profile_velocity=1000, profile_acceleration=200, torque_enable=1)
    bench.set(goal_position=2000)
    bench.run(0.99)
    assert bench.read("moving_status") & 2
    bench.run(0.02)
    assert not bench.read("moving_status") & 2


def test_following_error() -> None:
    bench = Bench(joint=JointParameters(upper_rad=0.01))
    bench.set(torque_enable=1, goal_position=2000)
    bench.run(0.1)
    assert bench.read("moving_status") & 0b1001 == 0b1000


def test_torque_on_by_goal() -> None:
    bench = Bench(counts=[100])
    bench.set(drive_mode=8, goal_velocity=10)
    assert bench.read("torque_enable") == 0
    bench.set(goal_position=300)
    assert bench.read("torque_enable") == 1
    old = Bench(ServoSpec(1, firmware=44))
    old.set(drive_mode=8, goal_position=300)
    assert old.read("torque_enable") == 0


def test_writes_at_full_tilt_change_nothing_by_themselves() -> None:
    """The same goal again and again is the usual tick: the set-point rests."""
    bench = Bench(counts=[1000])
    bench.set(torque_enable=1, profile_velocity=50, goal_position=2000)
    for _ in range(200):
        bench.run(0.01)
        bench.write("goal_position", 2000)
    assert bench.read("position_trajectory") == 2000
    assert bench.ask(WRITE, b"\x74\x00" + (2000).to_bytes(4, "little")) == (OK, b"")
