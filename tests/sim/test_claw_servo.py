"""The servo's presets: stiffness by P gain, damping, and what a loaded or commanded shaft does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.claw import VALVE_ID, ClawOptions, ClawTwin
from sim.claw_plant import VALVE
from sim.claw_servo import (
    IDENTIFIED,
    PRESETS,
    ROBEL,
    ServoPreset,
    back_emf_damping_nm_s_rad,
    stiffness_per_p_gain_nm_rad,
)
from sim.engine import mujoco
from sim.servo_joint import MOTORS
from tests.sim.claw_bench import hold, readings, send_goals, wait, write

TO_CURRENT = 126, 2


def test_stiffness_of_a_p_gain_is_that_of_the_firmware_s_law() -> None:
    # 885 counts of PWM are the whole supply, which is the stall torque: 2.6 N m at 24 V.
    expected = 800 / 128 * (4096 / math.tau) / 885 * 2.6
    assert 800 * stiffness_per_p_gain_nm_rad(MOTORS[1050]) == pytest.approx(expected)
    # OP3's identified stiffness is that of an XM430-W350 (4.1 N m) at its default gain, 900.
    assert IDENTIFIED.position_p_gain(1020) == pytest.approx(900, rel=0.01)
    assert {model: ROBEL.position_p_gain(model) for model in (1050, 1030, 1020)} == {
        1050: 134,
        1030: 116,
        1020: 85,
    }


def test_stiffness_beyond_the_register_is_refused() -> None:
    with pytest.raises(ValueError, match="16383"):
        ServoPreset(300.0, 0.1, 0.001, 0.0, True).position_p_gain(1050)


def test_damping_is_back_emf_and_the_rest() -> None:
    assert back_emf_damping_nm_s_rad(MOTORS[1050]) == pytest.approx(2.6 / 5.445, rel=1e-3)
    for model in (1050, 1030, 1020):
        motor = IDENTIFIED.motor(model)
        passive = IDENTIFIED.passive_damping_nm_s_rad(model)
        assert passive + back_emf_damping_nm_s_rad(motor) == pytest.approx(1.084)
    assert ROBEL.motor(1050).back_emf_v_s == 0.0
    assert ROBEL.passive_damping_nm_s_rad(1050) == 0.1


@pytest.mark.parametrize("model", [1050, 1030, 1020])
@pytest.mark.parametrize("preset", PRESETS)
def test_loaded_shaft_gives_way_by_load_over_stiffness(preset: str, model: int) -> None:
    twin = ClawTwin(ClawOptions(preset=PRESETS[preset], model=model))
    twin.plant.reset()
    twin.line.power_cycle(twin.plant.position)
    hold(twin, [VALVE_ID])
    stiffness = PRESETS[preset].stiffness_nm_rad
    load = 0.06 * stiffness
    found = []
    # From either side, so that the gear's friction cancels.
    for sign in (1.0, -1.0):
        twin.plant.data.qfrc_applied[VALVE] = sign * load
        wait(twin, 1.5)
        found.append(twin.plant.joint_position[VALVE])
    assert 2 * load / (found[0] - found[1]) == pytest.approx(stiffness, rel=0.05)


@pytest.mark.parametrize("preset", PRESETS)
def test_step_response_is_that_of_stiffness_damping_and_inertia(preset: str) -> None:
    """A base joint against the closed form of a second-order system."""
    twin = ClawTwin(ClawOptions(preset=PRESETS[preset]))
    hold(twin)
    wait(twin, 0.5)
    start, goal = twin.plant.joint_position[0], 0.1  # more would saturate the stiff one
    mass = np.zeros((10, 10))
    mujoco.mj_fullM(twin.plant.model, twin.plant.data, mass)
    inertia = mass[0, 0]
    send_goals(twin, [10], [math.pi / 2 + goal])
    path: list[float] = []
    for _ in range(600):
        wait(twin, 0.002)
        path.append(twin.plant.joint_position[0] - start)
    # The finger hangs: its weight pulls it back, like one more spring.
    stiffness = PRESETS[preset].stiffness_nm_rad * (goal - start) / path[-1]
    assert stiffness / PRESETS[preset].stiffness_nm_rad == pytest.approx(1.06, abs=0.06)
    damping = PRESETS[preset].damping_nm_s_rad / (2 * math.sqrt(stiffness * inertia))
    root = math.sqrt(1 - damping**2)
    peak = math.pi / (math.sqrt(stiffness / inertia) * root)
    overshoot = math.exp(-math.pi * damping / root)
    assert 0.002 * (1 + int(np.argmax(path))) == pytest.approx(peak, rel=0.1)
    assert max(path) / path[-1] - 1 == pytest.approx(overshoot, abs=0.05)


def test_speed_is_that_of_the_motor() -> None:
    """52 rpm without load, and somewhat less against the gear's damping."""
    twin = ClawTwin()
    twin.plant.reset()
    twin.line.power_cycle(twin.plant.position)
    write(twin, VALVE_ID, operating_mode=16, torque_enable=1, goal_pwm=885)
    wait(twin, 1.0)
    # 2.6 - 0.4775 w - 0.1 w - 0.03 = 0
    assert twin.plant.velocity[VALVE] == pytest.approx(2.57 / 0.5775, rel=1e-2)


def test_goal_current_limits_the_torque_of_a_stalled_servo() -> None:
    twin = ClawTwin()
    twin.plant.jam_valve(True)
    hold(twin, [VALVE_ID])
    write(twin, VALVE_ID, goal_current=100)
    send_goals(twin, [VALVE_ID], [float(twin.plant.position[VALVE]) + 1.0])
    wait(twin, 0.1)
    # 134 mA of the 700 mA that make 2.6 N m.
    assert twin.motors.torque_nm[VALVE] == pytest.approx(2.6 * 0.134 / 0.7, rel=1e-2)
    assert readings(twin, *TO_CURRENT)[VALVE_ID] == 100
    write(twin, VALVE_ID, goal_current=500)
    wait(twin, 0.1)
    assert twin.motors.torque_nm[VALVE] == pytest.approx(2.6 * 0.67 / 0.7, rel=1e-2)


def test_weaker_motor_is_less_stiff() -> None:
    twin = ClawTwin()
    twin.plant.reset()
    twin.line.power_cycle(twin.plant.position)
    twin.motors.configure(0.5)
    hold(twin, [VALVE_ID])
    twin.plant.data.qfrc_applied[VALVE] = 1.0
    wait(twin, 1.5)
    gave_way = twin.plant.joint_position[VALVE]
    assert 1.0 / gave_way == pytest.approx(0.5 * IDENTIFIED.stiffness_nm_rad, rel=0.05)
