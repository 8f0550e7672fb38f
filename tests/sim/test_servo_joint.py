"""The servo motors and the plain joints, against closed forms."""

import math

import numpy as np
import pytest

from sim.firmware.dynamixel.control import Drive
from sim.servo_joint import (
    AMBIENT_C,
    MOTORS,
    JointParameters,
    PlainJoints,
    ServoMotorParameters,
    ServoMotors,
)

DT = 0.001
MOTOR = ServoMotorParameters(
    resistance_ohm=5.0,
    torque_constant_nm_a=2.0,
    back_emf_v_s=2.5,
    thermal_resistance_k_w=4.0,
    thermal_time_s=5.0,
)


def drive(
    duty: float,
    limit: float = 1.0,
    low: float = -math.inf,
    high: float = math.inf,
    on: bool = True,
) -> Drive:
    return Drive(*(np.array([value]) for value in (duty, limit, low, high, on)))


def motor_step(drive: Drive, velocity: float = 0.0, supply: float = 12.0) -> ServoMotors:
    motors = ServoMotors([MOTOR])
    motors.step(drive, np.array([velocity]), supply, DT)
    return motors


def test_current_is_what_the_voltage_leaves_after_back_emf() -> None:
    motors = motor_step(drive(0.5), velocity=1.0)
    assert motors.current_a[0] == pytest.approx((6.0 - 2.5) / 5.0)
    assert motors.torque_nm[0] == pytest.approx(2.0 * 0.7)
    assert motors.share[0] == pytest.approx(0.5)


def test_current_loop_departs_from_the_duty_to_keep_its_bounds() -> None:
    assert motor_step(drive(1.0, low=-0.3, high=0.3)).current_a[0] == pytest.approx(0.3)
    assert motor_step(drive(-1.0, low=-0.3, high=0.3)).current_a[0] == pytest.approx(-0.3)
    asked = motor_step(drive(0.0, low=0.4, high=0.4), velocity=-1.0)
    assert asked.current_a[0] == pytest.approx(0.4)
    assert asked.share[0] == pytest.approx((0.4 * 5.0 - 2.5) / 12.0)


def test_current_loop_cannot_do_more_than_supply_and_pwm_limit_allow() -> None:
    assert motor_step(drive(0.0, low=9.0, high=9.0)).current_a[0] == pytest.approx(12.0 / 5.0)
    limited = motor_step(drive(0.0, limit=0.25, low=9.0, high=9.0))
    assert limited.current_a[0] == pytest.approx(3.0 / 5.0)


def test_torque_off_is_an_open_circuit() -> None:
    motors = motor_step(drive(1.0, on=False), velocity=3.0)
    assert (motors.current_a[0], motors.torque_nm[0], motors.share[0]) == (0.0, 0.0, 0.0)


def test_no_supply_gives_no_drive() -> None:
    motors = motor_step(drive(1.0), supply=0.0)
    assert (motors.current_a[0], motors.share[0]) == (0.0, 0.0)


def test_heat() -> None:
    """To 4 K/W times the power, with 5 s."""
    motors = ServoMotors([MOTOR])
    still, hold = np.zeros(1), drive(0.5)
    for _ in range(5_000):
        motors.step(hold, still, 12.0, DT)
    power = 1.2**2 * 5.0
    rise = 4.0 * power
    expected = AMBIENT_C + rise * (1.0 - math.exp(-1.0))
    assert motors.temperature_c[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "volts", "stall_nm", "stall_a", "rpm"),
    [(1020, 12.0, 4.1, 2.3, 46.0), (1050, 24.0, 2.6, 0.7, 52.0)],
)
def test_motors_are_those_of_the_data_sheets(
    model: int, volts: float, stall_nm: float, stall_a: float, rpm: float
) -> None:
    motors = ServoMotors([MOTORS[model]])
    motors.step(drive(1.0), np.zeros(1), volts, DT)
    assert motors.current_a[0] == pytest.approx(stall_a)
    assert motors.torque_nm[0] == pytest.approx(stall_nm)
    motors.step(drive(1.0), np.array([rpm * math.tau / 60]), volts, DT)
    assert motors.torque_nm[0] == pytest.approx(0.0, abs=1e-9)


def run(joints: PlainJoints, torque: float, seconds: float) -> None:
    for _ in range(round(seconds / DT)):
        joints.step(np.array([torque]), DT)


def test_joint_accelerates_by_torque_over_inertia() -> None:
    joints = PlainJoints([JointParameters(0.02, 0.0, 0.0)])
    run(joints, 0.1, 1.0)
    assert joints.velocity[0] == pytest.approx(5.0)
    assert joints.position[0] == pytest.approx(2.5, rel=2e-3)


def test_viscous_friction_sets_the_final_speed() -> None:
    joints = PlainJoints([JointParameters(0.01, 0.1, 0.0)])
    run(joints, 0.2, 3.0)
    assert joints.velocity[0] == pytest.approx(2.0, rel=1e-3)


def test_coulomb_friction_holds_and_brakes_but_never_reverses() -> None:
    joints = PlainJoints([JointParameters(0.01, 0.0, 0.1)])
    run(joints, 0.099, 1.0)
    assert joints.velocity[0] == 0.0
    joints.velocity[0] = -1.0
    speeds: list[float] = []
    for _ in range(150):
        joints.step(np.zeros(1), DT)
        speeds.append(float(joints.velocity[0]))
    assert speeds[49] == pytest.approx(-0.5)
    assert speeds[-1] == 0.0
    assert max(speeds) <= 0.0


def test_load_and_stops() -> None:
    joints = PlainJoints([JointParameters(lower_rad=-0.1, upper_rad=0.2)])
    joints.load_nm[0] = 1.0
    run(joints, 0.0, 1.0)
    assert (joints.position[0], joints.velocity[0]) == (0.2, 0.0)
    joints.load_nm[0] = -1.0
    run(joints, 0.0, 1.0)
    assert (joints.position[0], joints.velocity[0]) == (-0.1, 0.0)
