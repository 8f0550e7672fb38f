"""The DC motor against the constants published with Tan et al. 2018 (pybullet `motor.py`)."""

from __future__ import annotations

import numpy as np
import pytest

from sim.actuator import DcMotor

ON, OFF = np.ones(8, dtype=np.bool_), np.zeros(8, dtype=np.bool_)
DT = 0.001

# (supply V, speed rad/s, torque N m), by hand: I = (V - 0.0954 w) / 0.186, then the table
# |I| 0 10 20 30 40 50 60 A -> 0 1.0 1.9 2.45 3.0 3.25 3.5 N m.
CURVE = [
    (16.0, 0.0, 3.5),  # stall: 86.0 A, saturated
    (16.0, 50.0, 3.5),  # 60.4 A
    (16.0, 100.0, 2.7102),  # 34.73 A
    (16.0, 150.0, 0.9086),  # 9.086 A
    (14.0, 50.0, 3.2406),  # 49.62 A
    (14.0, 100.0, 2.1186),  # 23.978 A
    (16.8, 100.0, 2.9468),  # 39.03 A
    (16.8, 150.0, 1.3048),  # 13.387 A
]


@pytest.mark.parametrize(("supply", "speed", "expected"), CURVE)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_torque_over_speed(supply: float, speed: float, expected: float, sign: float) -> None:
    torque = DcMotor(8).step(np.full(8, sign * supply), np.full(8, sign * speed), ON, DT)
    np.testing.assert_allclose(torque, sign * expected, rtol=0.002)


@pytest.mark.parametrize(("supply", "no_load"), [(14.0, 146.75), (16.0, 167.71), (16.8, 176.10)])
def test_no_torque_at_the_no_load_speed(supply: float, no_load: float) -> None:
    motor = DcMotor(8)
    assert motor.step(np.full(8, supply), np.full(8, no_load * 0.999), ON, DT)[0] > 0
    assert motor.step(np.full(8, supply), np.full(8, no_load * 1.001), ON, DT)[0] < 0


def test_power_is_heat_plus_work_on_the_linear_part_of_the_table() -> None:
    # 5 A at 20 rad/s: V = 0.186 * 5 + 0.0954 * 20; the table's first slope is 0.1 N m/A.
    motor = DcMotor(8)
    torque = motor.step(np.full(8, 0.186 * 5 + 0.0954 * 20), np.full(8, 20.0), ON, DT)
    np.testing.assert_allclose(motor.current_a, 5.0)
    np.testing.assert_allclose(torque, 0.5)
    np.testing.assert_allclose(motor.power_w, 0.186 * 25 + 0.0954 * 20 * 5)


def test_braking_returns_power() -> None:
    motor = DcMotor(8)
    motor.step(np.full(8, 4.0), np.full(8, 100.0), ON, DT)
    assert (motor.power_w < 0).all()


def test_a_motor_that_does_not_drive_only_drags() -> None:
    motor = DcMotor(8)
    motor.configure(viscous=0.03)
    torque = motor.step(np.full(8, 16.0), np.full(8, 10.0), OFF, DT)
    np.testing.assert_allclose(torque, -0.3)
    assert not motor.current_a.any()
    assert not motor.power_w.any()


def test_strength_scales_the_torque_but_not_the_current() -> None:
    weak, nominal = DcMotor(8), DcMotor(8)
    weak.configure(strength=0.8)
    volts, still = np.full(8, 3.0), np.zeros(8)
    np.testing.assert_allclose(
        weak.step(volts, still, ON, DT), 0.8 * nominal.step(volts, still, ON, DT)
    )
    np.testing.assert_array_equal(weak.current_a, nominal.current_a)


@pytest.mark.parametrize("dt", [0.001, 0.0005, 0.002])
def test_the_cut_off_comes_after_one_second_above_the_threshold(dt: float) -> None:
    motor, volts, steps = DcMotor(8), np.zeros(8), 0
    volts[3] = 16.0
    while not motor.overheated.any():
        motor.step(volts, np.zeros(8), ON, dt)
        steps += 1
        assert steps * dt < 2.0
    assert steps * dt == pytest.approx(1.0, rel=0.002)
    assert motor.overheated.tolist() == [index == 3 for index in range(8)]
    assert motor.step(volts, np.zeros(8), ON, dt)[3] == 0.0
    motor.reset()
    assert motor.step(volts, np.zeros(8), ON, dt)[3] == 3.5


def test_one_moment_below_the_threshold_starts_the_count_anew() -> None:
    motor, full, rest = DcMotor(8), np.full(8, 16.0), np.zeros(8)
    for _ in range(3):
        for _ in range(990):
            motor.step(full, rest, ON, DT)
        motor.step(rest, rest, ON, DT)
    assert not motor.overheated.any()


def test_just_below_the_threshold_it_runs_for_ever() -> None:
    motor = DcMotor(8)
    volts = np.full(8, 0.186 * 29.9)
    for _ in range(3000):
        motor.step(volts, np.zeros(8), ON, DT)
    assert not motor.overheated.any()


@pytest.mark.parametrize("bad", [{"strength": 0.0}, {"strength": -1.0}, {"viscous": -0.01}])
def test_impossible_motors_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        DcMotor(8).configure(**bad)
