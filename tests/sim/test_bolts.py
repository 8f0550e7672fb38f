"""A twin that is bolted together in its own way moves as ever, and tells it in its own way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.moteus.registers import Mode
from sim.bolts import Bolts, about, product, rotation
from sim.claw import ClawOptions, ClawTwin
from sim.claw_plant import SHAFT_OFFSET_RAD
from sim.firmware.moteus.config import ServoCommand
from sim.minitaur import DRAWN, MinitaurTwin, TwinOptions

FLIPPED = tuple(-sign for sign in DRAWN)


def test_a_quarter_turn_is_what_it_says() -> None:
    quarter = about((0.0, 0.0, 1.0), math.pi / 2.0)
    np.testing.assert_allclose(rotation(quarter) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)
    half = rotation(product(quarter, quarter))
    np.testing.assert_allclose(half @ [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], atol=1e-12)


def test_a_sensor_that_sits_askew_feels_its_own_axes_and_its_bias() -> None:
    quarter = about((0.0, 0.0, 1.0), math.pi / 2.0)
    bolts = Bolts((1.0,), (0.0,), quarter, (0.1, 0.2, 0.3))
    attitude, gyro, force = bolts.sensed((0.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, -9.81))
    # Its x axis is the body's y axis, so that the body's x is its -y.
    np.testing.assert_allclose(gyro, [0.1, -0.8, 0.3], atol=1e-12)
    np.testing.assert_allclose(force, [0.0, 0.0, -9.81], atol=1e-12)
    np.testing.assert_allclose(attitude, [*quarter[1:], quarter[0]], atol=1e-12)
    assert not bolts.square
    assert Bolts((1.0,), (0.5,)).square


@pytest.mark.parametrize(
    ("direction", "zeros", "says"), [((0.5,), (0.0,), "valid are"), ((1.0,), (), "one each")]
)
def test_what_cannot_be_bolted_is_refused(
    direction: tuple[float, ...], zeros: tuple[float, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Bolts(direction, zeros)


def test_a_quadruped_moves_the_same_however_its_motors_sit() -> None:
    zeros = np.linspace(-1.0, 1.0, 8)
    moved: list[np.ndarray] = []
    for bolts in (None, Bolts(FLIPPED, tuple(zeros.tolist()))):
        twin = MinitaurTwin(TwinOptions(bolts=bolts))
        direction = np.array(DRAWN if bolts is None else FLIPPED)
        shift = np.zeros(8) if bolts is None else zeros
        for index in range(8):
            twin.bank.command(
                index, _position(direction[index] * (1.7 + shift[index]) / (2.0 * math.pi))
            )
        twin.clock.wait_until(0.2)
        moved.append(twin.plant.joint_position.copy())
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-6)
    assert np.abs(moved[0] - 1.7).max() < 0.1


def _position(turns: float) -> ServoCommand:
    return ServoCommand(
        Mode.POSITION, position=turns, maximum_torque=3.5, timeout=10.0, accel_limit=-1.0
    )


def test_a_hands_servos_tell_their_own_angles() -> None:
    direction = (-1.0, *(1.0,) * 9)
    zeros = np.array(SHAFT_OFFSET_RAD) + 0.1
    twin = ClawTwin(ClawOptions(bolts=Bolts(direction, tuple(zeros.tolist()))), tuple(range(1, 11)))
    assert twin.ids == tuple(range(1, 11))
    plant = twin.plant
    np.testing.assert_allclose(plant.position, direction * (plant.joint_position + zeros))
    # A push the servo's own way is one against the joint's.
    twin.hang(0)
    before = plant.joint_position[0]
    for _ in range(50):
        torque = np.zeros(10)
        torque[0] = 1.0
        plant.step(torque, 0.002)
    assert plant.joint_position[0] < before - 0.01
    assert plant.velocity[0] == -plant.joint_velocity[0]
    np.testing.assert_allclose(plant.position, direction * (plant.joint_position + zeros))
