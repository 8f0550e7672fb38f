"""The hand's twin driven by bytes: packets of our own, joint angles in, readings out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.claw import FINGER_IDS, VALVE_ID, ClawTwin
from tests.sim.dynamixel_bench import (
    CURRENT_POSITION,
    EVERYBODY,
    OK,
    SYNC_READ,
    SYNC_WRITE,
    TABLE,
    WRITE,
    instruction,
    span,
    split,
)

TICK = 0.01
ALL_IDS = (*FINGER_IDS, VALVE_ID)
COUNTS_PER_RAD = 4096 / math.tau
# ROBEL: a base joint's shaft is at a quarter turn, every other joint's at half a turn.
OFFSET = np.array([math.pi / 2, math.pi, math.pi] * 3 + [math.pi])


def ask(twin: ClawTwin, packet: bytes) -> list[tuple[int, int, bytes]]:
    twin.servos.write(packet)
    return split(twin.servos.read(twin.clock.now() + 0.005))


def write(twin: ClawTwin, id: int, **values: int) -> None:
    """Write registers in the order given; each must be accepted."""
    for name, value in values.items():
        register = TABLE[name]
        data = value.to_bytes(register.size, "little", signed=register.signed)
        packet = instruction(id, WRITE, register.address.to_bytes(2, "little") + data)
        assert ask(twin, packet) == [(id, OK, b"")], (id, name, value)


def hold(twin: ClawTwin, ids: Iterable[int] = FINGER_IDS) -> None:
    """Let servos hold where they are, with the preset's stiffness, in the hand's own mode."""
    options = twin.options
    gain = options.preset.position_p_gain(options.model)
    for id in ids:
        write(twin, id, operating_mode=CURRENT_POSITION, position_p_gain=gain, torque_enable=1)


def send_goals(twin: ClawTwin, ids: Sequence[int], shafts_rad: Sequence[float]) -> None:
    """Goal positions for some servos, in one packet without answer."""
    body = b"".join(
        bytes([id]) + round(shaft * COUNTS_PER_RAD).to_bytes(4, "little", signed=True)
        for id, shaft in zip(ids, shafts_rad, strict=True)
    )
    twin.servos.write(instruction(EVERYBODY, SYNC_WRITE, span(116, 4) + body))


def readings(twin: ClawTwin, address: int = 132, size: int = 4) -> dict[int, int]:
    """One register of each servo, by id."""
    request = instruction(EVERYBODY, SYNC_READ, span(address, size) + bytes(ALL_IDS))
    return {id: int.from_bytes(data, "little", signed=True) for id, _, data in ask(twin, request)}


def wait(twin: ClawTwin, seconds: float) -> None:
    twin.clock.wait_until(twin.clock.now() + seconds)


def move(twin: ClawTwin, fingers_rad: Sequence[float], seconds: float) -> None:
    """Lead the fingers to joint angles, shape (9,), within `seconds`; goals at 100 Hz."""
    start: NDArray[np.float64] = twin.plant.joint_position[:9].copy()
    ticks = round(seconds / TICK)
    for tick in range(ticks):
        share = min(1.0, (tick + 1) / (0.7 * ticks))
        target = start + share * (np.asarray(fingers_rad) - start) + OFFSET[:9]
        send_goals(twin, FINGER_IDS, target.tolist())
        wait(twin, TICK)


def sweep(twin: ClawTwin) -> float:
    """Lower the fingers beside the lobes and take them sideways, one way; how far the valve turns.

    Positive: counter-clockwise as seen from above, rad.
    """
    before = twin.plant.valve_angle
    move(twin, [0.45, -0.9, 0.9] * 3, 0.4)
    move(twin, [0.45, -0.1, 0.1] * 3, 0.4)
    move(twin, [-0.45, -0.1, 0.1] * 3, 0.7)
    return twin.plant.valve_angle - before
