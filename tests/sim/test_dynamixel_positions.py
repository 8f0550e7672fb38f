"""Where a servo counts its positions from: wraps, homing offset, reverse mode."""

import pytest

from sim.firmware.dynamixel.servo import BOOT_TIME_S, ServoSpec
from tests.sim.dynamixel_bench import (
    CLEAR,
    CURRENT,
    CURRENT_POSITION,
    EXTENDED,
    FAIL,
    OK,
    POSITION,
    PWM,
    VELOCITY,
    Bench,
)

CLEAR_TURNS = b"\x01DXL\x22"


def test_with_torque_off_the_position_is_continuous_in_every_mode() -> None:
    for mode in (POSITION, EXTENDED, VELOCITY):
        bench = Bench(counts=[100])
        bench.set(operating_mode=mode)
        for counts in (5000, -9000):
            bench.turn(counts)
            assert bench.read("present_position") == counts


def test_torque_on_wraps_in_position_mode_only() -> None:
    for mode, expected in ((POSITION, 5000 - 4096), (EXTENDED, 5000), (CURRENT_POSITION, 5000)):
        bench = Bench()
        bench.set(operating_mode=mode)
        bench.turn(5000)
        bench.set(goal_position=expected, torque_enable=1)
        assert bench.read("present_position") == expected


def test_entering_position_mode_wraps_and_leaving_it_does_not() -> None:
    bench = Bench(ServoSpec(1))
    bench.turn(-100)
    bench.set(operating_mode=EXTENDED)
    assert bench.read("present_position") == -100
    bench.set(operating_mode=POSITION)
    assert bench.read("present_position") == 4096 - 100


def test_reboot_and_power_up_wrap_in_every_mode() -> None:
    bench = Bench(counts=[4096 * 3 + 7])
    assert bench.read("present_position") == 7
    bench.set(operating_mode=EXTENDED)
    bench.turn(4096 * 7 + 8)
    assert bench.read("present_position") == 4096 * 4 + 8
    bench.reboot()
    assert bench.read("present_position") == 8
    bench.turn(4096 * 8 + 9)
    bench.supply = 0.0
    bench.run(0.01)
    bench.supply = 12.0
    bench.run(BOOT_TIME_S + 0.01)
    assert bench.read("present_position") == 9


def test_wrap_at_torque_on_is_a_jump_by_a_turn() -> None:
    """A goal that was near before torque-on is a whole turn away after it."""
    bench = Bench()
    bench.turn(4100)
    assert bench.read("present_position") == 4100
    bench.set(goal_position=4090, torque_enable=1)
    bench.run(0.05)
    assert bench.read("present_position") > 10


def test_homing_offset_and_its_rule_in_position_mode() -> None:
    bench = Bench(counts=[500])
    for offset, shown in ((1024, 1524), (-1024, -524), (1025, 500), (-1025, 500), (0, 500)):
        bench.set(homing_offset=offset)
        assert bench.read("present_position") == shown
    bench.set(homing_offset=20_000)
    assert bench.read("present_position") == 500
    bench.set(operating_mode=EXTENDED)
    assert bench.read("present_position") == 20_500
    bench.set(operating_mode=POSITION)
    assert bench.read("present_position") == 500


def test_goals_are_counted_with_the_homing_offset() -> None:
    bench = Bench(counts=[500])
    bench.set(homing_offset=1000, torque_enable=1, goal_position=1600)
    bench.run(0.5)
    assert bench.counts() == pytest.approx(600, abs=3)


def test_reverse_mode_turns_everything_round_but_not_the_homing_offset() -> None:
    bench = Bench(counts=[1000])
    bench.set(operating_mode=EXTENDED, drive_mode=1)
    assert bench.read("present_position") == 4096 - 1000
    bench.set(homing_offset=50)
    assert bench.read("present_position") == 4096 - 1000 + 50
    bench.set(torque_enable=1, goal_position=4096 - 1000 + 50 + 400)
    bench.run(0.03)
    assert bench.read("present_velocity") > 0
    assert bench.joints.velocity[0] < 0
    assert bench.read("present_pwm") > 0
    bench.run(1.0)
    assert bench.counts() == pytest.approx(600, abs=3)


@pytest.mark.parametrize("mode", [CURRENT, PWM])
def test_reverse_mode_turns_current_and_pwm_round(mode: int) -> None:
    bench = Bench()
    bench.set(operating_mode=mode, drive_mode=1, goal_pwm=300, goal_current=200, torque_enable=1)
    bench.run(0.01)
    assert bench.joints.velocity[0] < 0
    assert bench.read("present_current") > 0
    assert bench.read("present_velocity") > 0


def test_clear_takes_a_resting_servo_back_into_one_turn() -> None:
    bench = Bench()
    bench.set(operating_mode=EXTENDED)
    bench.turn(4096 * 5 + 20)
    bench.set(goal_position=4096 * 5 + 20, torque_enable=1)
    bench.run(0.1)
    assert bench.ask(CLEAR, b"\x01DXL") == (FAIL, b"")
    assert bench.ask(CLEAR, CLEAR_TURNS) == (OK, b"")
    assert bench.read("present_position") == bench.read("goal_position") == 20
    bench.run(0.5)
    assert bench.counts() == pytest.approx(4096 * 5 + 20, abs=1)


def test_clear_fails_while_it_moves() -> None:
    bench = Bench()
    bench.set(operating_mode=VELOCITY, torque_enable=1, goal_velocity=100)
    bench.run(0.3)
    assert bench.ask(CLEAR, CLEAR_TURNS) == (FAIL, b"")
