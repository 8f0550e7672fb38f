"""Hardware errors: what shuts a servo down, and what brings it back."""

import pytest

from drivers.dynamixel.constants import HardwareError
from sim.firmware.dynamixel.health import OVERLOAD_TIME_S
from sim.firmware.dynamixel.servo import BOOT_TIME_S
from sim.servo_joint import JointParameters
from tests.sim.dynamixel_bench import (
    ALERT,
    FAIL,
    OK,
    PING,
    READ,
    Bench,
    instruction,
    span,
    split,
)


def assert_shut_down(bench: Bench, error: HardwareError) -> None:
    """Alert in every answer, torque off and not to be switched on, until a reboot."""
    ((_, alert, _),) = split(bench.say(instruction(1, PING)))
    assert alert == ALERT
    assert bench.read("hardware_error_status") & error
    assert bench.read("torque_enable") == 0
    assert bench.write("torque_enable", 1) == ALERT | FAIL
    assert bench.read("torque_enable") == 0
    assert bench.write("led", 1) == ALERT | OK
    bench.run(0.5)
    assert bench.read("hardware_error_status") & error


def test_overload_shuts_down() -> None:
    bench = Bench(joint=JointParameters(upper_rad=0.02))
    bench.set(torque_enable=1, goal_position=4000)
    bench.run(OVERLOAD_TIME_S - 0.05)
    assert bench.read("torque_enable") == 1
    bench.run(0.2)
    assert_shut_down(bench, HardwareError.OVERLOAD)
    bench.reboot()
    assert bench.ask(PING)[0] == OK
    assert bench.read("hardware_error_status") == 0
    assert bench.write("torque_enable", 1) == OK


def test_a_stall_within_a_small_goal_pwm_is_no_overload() -> None:
    bench = Bench(joint=JointParameters(upper_rad=0.02))
    bench.set(goal_pwm=300, torque_enable=1, goal_position=4000)
    bench.run(2.0 * OVERLOAD_TIME_S)
    assert bench.read("hardware_error_status") == 0


def test_overheating_shuts_down_and_stays_after_cooling() -> None:
    bench = Bench()
    bench.set(torque_enable=1)
    bench.motors.temperature_c[:] = 80.9
    bench.run(0.03)
    assert bench.read("present_temperature") == 81
    bench.motors.temperature_c[:] = 25.0
    bench.run(0.03)
    assert bench.read("present_temperature") == 25
    assert_shut_down(bench, HardwareError.OVERHEATING)


@pytest.mark.parametrize("supply", [9.0, 16.5])
def test_voltage_error_is_told_but_by_default_shuts_nothing_down(supply: float) -> None:
    bench = Bench()
    bench.set(torque_enable=1)
    bench.supply = supply
    bench.run(0.02)
    assert bench.read("present_input_voltage") == round(10 * supply)
    assert bench.ask(PING)[0] == ALERT
    assert bench.read("hardware_error_status") == HardwareError.INPUT_VOLTAGE
    assert bench.read("torque_enable") == 1
    bench.supply = 12.0
    bench.run(0.02)
    assert bench.ask(PING)[0] == OK


def test_voltage_error_in_the_shutdown_mask() -> None:
    bench = Bench()
    bench.set(shutdown=1, torque_enable=1)
    bench.supply = 9.0
    bench.run(0.02)
    bench.supply = 12.0
    bench.run(0.02)
    assert_shut_down(bench, HardwareError.INPUT_VOLTAGE)


def test_errors_left_out_of_the_mask_shut_nothing_down() -> None:
    bench = Bench(joint=JointParameters(upper_rad=0.02))
    bench.set(shutdown=0, torque_enable=1, goal_position=4000)
    bench.run(OVERLOAD_TIME_S + 0.1)
    assert bench.read("torque_enable") == 1
    assert bench.ask(PING)[0] == ALERT


@pytest.mark.parametrize("error", [HardwareError.ELECTRICAL_SHOCK, HardwareError.MOTOR_ENCODER])
def test_injected_errors(error: HardwareError) -> None:
    bench = Bench()
    bench.set(torque_enable=1)
    bench.line.servo(1).health.inject(error)
    bench.run(0.02)
    assert bench.read("hardware_error_status") == error
    assert bench.read("torque_enable") == (error is HardwareError.MOTOR_ENCODER)
    assert bench.ask(READ, span(0, 2))[0] == ALERT
    bench.reboot()
    assert bench.read("hardware_error_status") == 0


def test_goal_does_not_switch_a_shut_down_servo_on() -> None:
    bench = Bench()
    bench.set(drive_mode=8)
    bench.line.servo(1).health.inject(HardwareError.ELECTRICAL_SHOCK)
    bench.run(0.02)
    assert bench.write("goal_position", 300) == ALERT
    assert bench.read("torque_enable") == 0


def test_brown_out_reboots() -> None:
    bench = Bench()
    bench.set(torque_enable=1, position_p_gain=5)
    bench.supply = 4.0
    bench.run(0.005)
    assert bench.say(instruction(1, PING)) == b""
    bench.supply = 12.0
    bench.run(BOOT_TIME_S - 0.01)
    assert bench.say(instruction(1, PING)) == b""
    bench.run(0.02)
    assert bench.ask(PING)[0] == OK
    assert (bench.read("torque_enable"), bench.read("position_p_gain")) == (0, 800)
    assert bench.read("realtime_tick") < 20
