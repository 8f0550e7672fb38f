"""The hand's twin: ten servos behind one wire, in virtual time."""

import hashlib
import math
from typing import assert_type

import numpy as np
import pytest

from drivers.wire import Wire
from sim.claw import FINGER_IDS, VALVE_ID, ClawOptions, ClawTwin
from sim.firmware.servo_hooks import ServoHooks
from sim.servo_joint import PlainJoints, ServoPlant
from tests.sim.dynamixel_bench import (
    EVERYBODY,
    OK,
    PING,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    instruction,
    span,
    split,
)

TICK = 0.01


def ask(twin: ClawTwin, packet: bytes) -> list[tuple[int, int, bytes]]:
    twin.servos.write(packet)
    return split(twin.servos.read(twin.clock.now() + 0.005))


def goals(values: dict[int, int]) -> bytes:
    body = b"".join(bytes([id]) + goal.to_bytes(4, "little") for id, goal in values.items())
    return instruction(EVERYBODY, SYNC_WRITE, span(116, 4) + body)


def torque_on(twin: ClawTwin) -> None:
    for id in FINGER_IDS:
        assert ask(twin, instruction(id, WRITE, b"\x40\x00\x01")) == [(id, OK, b"")]


def readings(twin: ClawTwin) -> dict[int, int]:
    request = instruction(EVERYBODY, SYNC_READ, span(132, 4) + bytes((*FINGER_IDS, VALVE_ID)))
    return {id: int.from_bytes(data, "little", signed=True) for id, _, data in ask(twin, request)}


def test_it_is_a_wire_with_hooks_and_a_plant() -> None:
    twin = ClawTwin()
    wire: Wire = twin.servos
    hooks: ServoHooks = twin.faults
    plant: ServoPlant = twin.joints
    assert_type(twin.joints, PlainJoints)
    assert wire.drain() == b""
    assert hooks.ids == twin.ids
    assert plant.position.shape == (10,)


def test_everybody_answers_the_roll_call() -> None:
    found = ask(ClawTwin(), instruction(EVERYBODY, PING))
    assert [id for id, _, _ in found] == [10, 11, 12, 20, 21, 22, 30, 31, 32, 50]
    assert {data for _, _, data in found} == {(1050).to_bytes(2, "little") + b"\x30"}


def test_fingers_begin_straight_ahead() -> None:
    """ROBEL's calibration: base joints at a quarter turn, the others at half a turn."""
    assert readings(ClawTwin()) == dict(
        zip((*FINGER_IDS, VALVE_ID), [1024, 2048, 2048] * 3 + [2048], strict=True)
    )


def test_fingers_follow_their_goals_and_the_valve_rests() -> None:
    twin = ClawTwin()
    torque_on(twin)
    wanted = {id: 2048 + 10 * id for id in FINGER_IDS}
    for _ in range(150):
        twin.servos.write(goals(wanted))
        readings(twin)
        twin.clock.wait_until(twin.clock.now() + TICK)
    found = readings(twin)
    for id, goal in wanted.items():
        assert found[id] == pytest.approx(goal, abs=6)
    assert found[VALVE_ID] == 2048
    assert twin.joints.position[0] == pytest.approx(found[10] * math.tau / 4096, abs=1e-3)


def test_supply_is_measured() -> None:
    twin = ClawTwin(ClawOptions(supply_v=23.4))
    packet = instruction(10, 2, span(144, 2))
    assert ask(twin, packet) == [(10, OK, (234).to_bytes(2, "little"))]


def test_power_cut_and_return() -> None:
    twin = ClawTwin()
    torque_on(twin)
    twin.supply_v = 0.0
    twin.clock.wait_until(0.1)
    twin.servos.write(instruction(10, PING))
    assert twin.servos.read(twin.clock.now() + 0.01) == b""
    twin.supply_v = 24.0
    twin.clock.wait_until(twin.clock.now() + 0.6)
    assert not twin.line.servo(10).motion.torque
    assert ask(twin, instruction(10, PING))[0][0] == 10


def test_equal_runs_are_equal_to_the_bit() -> None:
    def digest() -> str:
        twin, rng, sha = ClawTwin(), np.random.default_rng(0), hashlib.sha256()
        torque_on(twin)
        request = instruction(EVERYBODY, SYNC_READ, span(120, 27) + bytes(FINGER_IDS))
        for _ in range(40):
            goal = rng.integers(1500, 2500, 9).tolist()
            twin.servos.write(goals(dict(zip(FINGER_IDS, goal, strict=True))))
            twin.clock.wait_until(twin.clock.now() + TICK)
            twin.servos.write(request)
            sha.update(twin.servos.drain())
        return sha.hexdigest()

    assert digest() == digest()
