"""Controller and motor together against the published law, written here a second time.

pwm = clip(kp (goal - q) - kd dq, +-1); I = (pwm V - Kt dq) / R; torque by the measured table, with
q and dq 3 ms old in the first term. Source: pybullet `motor.py` and `minitaur_motor_model_v2.py`
(Tan et al. 2018, arXiv 1804.10332).
"""

import math

import numpy as np
import pytest

from drivers.moteus.command import PositionCommand, encode
from drivers.moteus.readings import TAGS
from sim.actuator import DcMotor
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig
from sim.latency import DelayLine

KP, KD, KT, R = 1.0, 0.015, 0.0954, 0.186
AMPS = [0, 10, 20, 30, 40, 50, 60]
TORQUES = [0, 1.0, 1.9, 2.45, 3.0, 3.25, 3.5]
TURN = 2 * math.pi
DT = 0.001


def published(error: float, speed: float, true_speed: float, supply: float) -> float:
    """Torque, N m."""
    pwm = max(-1.0, min(1.0, KP * error - KD * speed))
    current = (pwm * supply - KT * true_speed) / R
    return math.copysign(float(np.interp(abs(current), AMPS, TORQUES)), current)


class MotorLoop:
    """One motor behind its controller, as the twin wires them."""

    def __init__(self, supply: float) -> None:
        gain = 16.0 * KT / R * TURN
        self.supply = supply
        config = MoteusConfig(kp_nm_per_rev=KP * gain, kd_nm_s_per_rev=KD * gain)
        self.bank = MoteusBank((1,), config)
        self.motor = DcMotor(1)
        # A controller leaves STOPPED by way of a few ms of enabling.
        for _ in range(20):
            self.command(0.0)
            self.torque(0.0, 0.0, 0.0)

    def command(self, goal: float) -> None:
        """Send a goal, rad, as the robot does."""
        zero, one, none = np.zeros(1), np.ones(1), np.full(1, math.nan)
        command = PositionCommand(
            np.array([goal / TURN]), zero, zero, one, one, 100 * one, none, none, none, -one
        )
        self.bank.handle_frame(0x8001, encode(command, 1, TAGS[0])[0])

    def torque(self, angle: float, speed: float, true_speed: float) -> float:
        """One step: what the controller reads, and how fast the motor really turns."""
        voltage = self.bank.control(
            np.array([angle / TURN]), np.array([speed / TURN]), self.supply, DT
        )
        return float(self.motor.step(voltage, np.array([true_speed]), self.bank.driving, DT)[0])


@pytest.mark.parametrize("error", [-2.0, -0.5, -0.1, -0.02, 0.02, 0.1, 0.3, 0.9, 2.0])
@pytest.mark.parametrize("speed", [-40.0, -5.0, 0.0, 5.0, 40.0])
def test_the_torque_is_the_published_one(error: float, speed: float) -> None:
    loop = MotorLoop(16.0)
    loop.command(error)
    found = loop.torque(0.0, speed, speed)
    assert found == pytest.approx(published(error, speed, speed, 16.0), rel=0.02, abs=0.01)


@pytest.mark.parametrize("supply", [14.0, 16.0, 16.8])
def test_full_voltage_gives_the_torque_speed_curve(supply: float) -> None:
    loop = MotorLoop(supply)
    loop.command(50.0)
    for speed in np.linspace(0.0, supply / KT, 20):
        expected = published(50.0, 0.0, float(speed), supply)
        assert loop.torque(0.0, 0.0, float(speed)) == pytest.approx(expected, rel=0.02, abs=0.01)


@pytest.mark.parametrize("latency_steps", [0, 3, 10])
def test_the_step_response_is_the_published_one(latency_steps: int) -> None:
    inertia, goal = 2e-3, 0.3
    loop, line = MotorLoop(16.0), DelayLine(2, latency_steps)
    loop.command(goal)
    angle = speed = angle_published = speed_published = 0.0
    past = [(0.0, 0.0)] * (latency_steps + 1)
    path, path_published = [], []
    for _ in range(90):
        seen_angle, seen_speed = line.read(latency_steps)
        speed += loop.torque(seen_angle, seen_speed, speed) / inertia * DT
        angle += speed * DT
        line.push(np.array([angle, speed]))
        old_angle, old_speed = past[0]
        torque = published(goal - old_angle, old_speed, speed_published, 16.0)
        speed_published += torque / inertia * DT
        angle_published += speed_published * DT
        past = [*past[1:], (angle_published, speed_published)]
        path.append(angle)
        path_published.append(angle_published)
    # Within 2 % of the step, everywhere along it.
    assert np.abs(np.array(path) - path_published).max() < 0.02 * goal
    first = np.flatnonzero(np.array(path) > 0.0)[0]
    assert first == 0, "the command itself is not delayed, only what the controller reads"


def test_a_late_reading_overshoots_more() -> None:
    def overshoot(latency_steps: int) -> float:
        loop, line = MotorLoop(16.0), DelayLine(2, latency_steps)
        loop.command(0.3)
        angle = speed = highest = 0.0
        for _ in range(90):
            seen_angle, seen_speed = line.read(latency_steps)
            speed += loop.torque(seen_angle, seen_speed, speed) / 2e-3 * DT
            angle += speed * DT
            line.push(np.array([angle, speed]))
            highest = max(highest, angle)
        return highest / 0.3 - 1.0

    assert overshoot(0) < overshoot(3) < overshoot(10)
