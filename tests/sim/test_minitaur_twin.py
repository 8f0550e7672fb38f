"""The whole twin: latencies on the wire, the motor's own loop, and repetition."""

import numpy as np
import pytest

from drivers.moteus import MoteusBus, PositionCommand
from sim.minitaur import JOINTS, MinitaurTwin, SensorNoise, TwinOptions
from sim.randomisation import Randomisation

NAN = np.full(JOINTS, np.nan)
SIGN = np.repeat([-1.0, 1.0], JOINTS // 2) / (2 * np.pi)
QUIET = SensorNoise(0, 0, 0, 0, 0)


def goal(joints: np.ndarray) -> PositionCommand:
    zero, one = np.zeros(JOINTS), np.ones(JOINTS)
    torque, watchdog = np.full(JOINTS, 3.5), np.full(JOINTS, 0.1)
    return PositionCommand(joints * SIGN, zero, zero, one, one, torque, NAN, watchdog, NAN, -one)


def step_response(options: TwinOptions) -> tuple[float, float]:
    """When a leg moves after its command, in truth and as the host sees it, s."""
    twin = MinitaurTwin(options)
    bus = MoteusBus(twin.legs, range(1, 9), twin.clock.now)
    here = twin.plant.joint_position.copy()
    for _ in range(100):
        twin.clock.wait_until(twin.clock.now() + 0.005)
        bus.exchange(goal(here), twin.clock.now() + 0.004)
    start = twin.clock.now()
    before = bus.exchange(goal(here), start).position_rev / SIGN
    truly = twin.plant.joint_position.copy()
    target = here.copy()
    target[:2] += (-0.2, 0.2)
    bus.exchange(goal(target), start)
    moved = seen = 0.0
    for _ in range(60):
        twin.clock.wait_until(twin.clock.now() + 0.001)
        reading = bus.exchange(goal(target), twin.clock.now())
        now = twin.clock.now() - start
        if not moved and np.abs(twin.plant.joint_position - truly).max() > 0.01:
            moved = now
        if not seen and np.abs(reading.position_rev / SIGN - before).max() > 0.01:
            seen = now
    return moved, seen


@pytest.mark.parametrize("latency", [0.0, 0.007, 0.015, 0.04])
def test_the_host_sees_a_motion_one_sensor_latency_late(latency: float) -> None:
    moved, seen = step_response(TwinOptions(noise=QUIET, sensor_latency_s=latency))
    assert 0 < moved < 0.02
    assert seen - moved == pytest.approx(latency, abs=0.0011)


def test_the_same_seed_repeats_to_the_bit_and_another_does_not() -> None:
    def run(seed: int) -> bytes:
        twin = MinitaurTwin(TwinOptions(randomisation=Randomisation.tan_2018()))
        twin.place(seed)
        bus = MoteusBus(twin.legs, range(1, 9), twin.clock.now)
        rows = []
        for tick in range(60):
            twin.clock.wait_until(twin.clock.now() + 0.005)
            if tick == 20:
                twin.released()
            readings = bus.exchange(goal(np.full(JOINTS, 2.0)), twin.clock.now() + 0.004)
            rows.append(readings.position_rev)
        return np.array(rows).tobytes()

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_a_held_robot_stays_where_it_is_and_a_released_one_stands() -> None:
    twin = MinitaurTwin(TwinOptions())
    bus = MoteusBus(twin.legs, range(1, 9), twin.clock.now)
    held = twin.plant.base_position.copy()
    for tick in range(400):
        twin.clock.wait_until(twin.clock.now() + 0.005)
        bus.exchange(goal(np.full(JOINTS, 2.0)), twin.clock.now() + 0.004)
        if tick == 40:
            np.testing.assert_allclose(twin.plant.base_position, held, atol=1e-3)
            assert twin.released()
    assert 0.18 < twin.plant.base_position[2] < 0.28
    assert twin.plant.tilt < 0.1
