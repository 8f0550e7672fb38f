"""The bus on a bad wire: late, damaged, doubled and swapped replies, noise, refusals."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel import TorqueOff
from drivers.dynamixel.readings import WINDOWS
from drivers.dynamixel.servo_clocks import AGREE
from drivers.dynamixel.telemetry import UNKNOWN
from tests.drivers.dynamixel_rig import IDS, RAD, TICK, TickRig, without_telemetry
from tests.drivers.scripted_servos import status_bytes


def late_reply(rig: TickRig, id: int, position: int) -> bytes:
    """What servo `id` would have answered to the last sync read."""
    address, size = (int.from_bytes(rig.wire.written[-1][i : i + 2], "little") for i in (8, 10))
    rig.place(id, position)
    return status_bytes(id, bytes(rig.servos.memory[id][address : address + size]))


def late_in_careful_exchange(rig: TickRig) -> bytes:
    """Lose two exchanges, and return what servo 11 would have said in the second one."""
    without_telemetry(rig)
    rig.servos.silent = {10, 11, 12}
    without_telemetry(rig)
    without_telemetry(rig)
    rig.servos.silent = set()
    return late_reply(rig, 11, 2020)


@pytest.mark.parametrize("when", ["before", "with", "after silence"])
def test_a_late_reply_with_the_right_id_is_never_fresh(when: str) -> None:
    rig = TickRig()
    without_telemetry(rig)
    rig.servos.silent = {10, 11, 12}
    without_telemetry(rig)
    late = late_reply(rig, 11, 2020)
    if when == "before":
        rig.wire.arrived.append(late)
    elif when == "after silence":
        rig.wire.after_next_timeout = late
    else:
        rig.hook(lambda _: late)
    late_before = rig.bus.statistics.late
    readings = without_telemetry(rig)
    assert not readings.valid.any()
    assert readings.position_rad[1] == pytest.approx(2000 * RAD)
    assert rig.bus.statistics.late == late_before + 1


def test_late_replies_are_known_by_their_length_and_then_by_their_order() -> None:
    rig = TickRig()
    late = late_in_careful_exchange(rig)
    rig.hook(lambda reply: late + reply)
    for age in range(1, len(WINDOWS)):
        assert rig.tick().valid.all(), f"{age} ticks old"
    rig.place(11, 2021)
    assert not rig.tick().valid.any(), "as long as the fresh ones: doubt, so nothing is believed"


@pytest.mark.parametrize("alone", [False, True])
def test_a_late_reply_in_the_place_of_a_lost_one_is_known_by_its_clock(alone: bool) -> None:
    rig = TickRig()
    late = late_in_careful_exchange(rig)
    rig.place(11, 2030)
    for _ in range(len(WINDOWS) - 1):
        assert without_telemetry(rig).valid.all()
    before = rig.bus.statistics.late

    def replace(reply: bytes) -> bytes:
        size = len(reply) // 3
        packets = [reply[at : at + size] for at in range(0, len(reply), size)]
        return late if alone else b"".join([late if p[4] == 11 else p for p in packets])

    rig.hook(replace)
    readings = without_telemetry(rig)
    assert readings.valid.tolist() == [not alone, False, not alone]
    assert readings.position_rad[1] == pytest.approx(2030 * RAD)
    assert rig.bus.statistics.late == before + 1


def test_a_servo_that_was_restarted_is_believed_again() -> None:
    rig = TickRig()
    without_telemetry(rig)
    without_telemetry(rig)
    rig.hook(lambda reply: reply[: len(reply) // 3])
    for _ in range(10):
        without_telemetry(rig)
    rig.hook(lambda reply: reply)
    rig.servos.now = lambda: rig.wire.time + 7.0
    seen = [bool(without_telemetry(rig).valid.all()) for _ in range(AGREE + 1)]
    assert seen == [False] * (AGREE - 1) + [True] * 2


def test_a_stalled_line_that_answers_everything_at_once_is_not_believed_too_early() -> None:
    rig = TickRig()
    without_telemetry(rig)
    stalled: list[bytes] = []

    def stall(reply: bytes) -> bytes:
        stalled.append(reply)
        return b""

    rig.hook(stall)
    for _ in range(7):
        assert not without_telemetry(rig).valid.any()
    rig.place(10, 1020)
    rig.hook(lambda reply: b"".join(stalled) + reply)
    readings = rig.tick()
    assert readings.valid.all()
    assert readings.position_rad[0] == pytest.approx(1020 * RAD)
    assert rig.bus.statistics.late >= 21


@pytest.mark.parametrize("disorder", ["twice the same", "twice different", "swapped"])
def test_order_and_repetition(disorder: str) -> None:
    rig = TickRig()

    def change(reply: bytes) -> bytes:
        size = len(reply) // 3
        first, rest = reply[:size], reply[size:]
        if disorder == "swapped":
            return rest + first
        return reply + (reply[-size:] if disorder == "twice the same" else first[:9] + rest[9:])

    rig.hook(change if disorder != "twice different" else lambda reply: reply + other)
    rig.place(12, 3005)
    other = status_bytes(12, bytes(rig.servos.memory[12][120:136])[:-4] + bytes(4))
    readings = without_telemetry(rig)
    assert readings.valid.all() == (disorder != "swapped" and disorder != "twice different")
    if disorder == "swapped":
        assert not readings.valid.any()


@given(st.data())
def test_no_damaged_reply_is_believed(data: st.DataObject) -> None:
    rig = TickRig()
    at = data.draw(st.integers(0, 68))
    bit = data.draw(st.integers(0, 7))

    def flip(reply: bytes) -> bytes:
        damaged = bytearray(reply)
        damaged[at] ^= 1 << bit
        return bytes(damaged)

    rig.hook(flip)
    readings = without_telemetry(rig)
    assert readings.valid.sum() == 2
    true = np.array([1000, 2000, 3000]) * RAD
    assert np.isnan(readings.position_rad[~readings.valid]).all()
    np.testing.assert_allclose(readings.position_rad[readings.valid], true[readings.valid])
    rig.hook(lambda reply: reply)
    assert rig.tick().valid.all()
    assert rig.bus.statistics.corrupt == 1


@given(st.binary(max_size=80))
def test_arbitrary_answers_never_raise(noise: bytes) -> None:
    rig = TickRig()
    rig.hook(lambda _: noise)
    assert not without_telemetry(rig).valid.any()
    rig.hook(lambda reply: noise + reply)
    rig.tick(seconds=0.1)
    assert rig.tick().valid.sum() >= 2


def test_a_strangers_answer_is_corrupt() -> None:
    rig = TickRig()
    rig.hook(lambda reply: status_bytes(77, bytes(12)) + reply)
    assert without_telemetry(rig).valid.all()
    assert rig.bus.statistics.corrupt == 1


@pytest.mark.parametrize(
    ("position", "velocity", "effort", "believed"),
    [
        (1600, 0, 0, False),
        (1160, 0, 0, True),
        (1000, 1043, 0, False),
        (1000, -1042, 0, True),
        (1000, 0, 2387, False),
        (1000, 0, -2386, True),
    ],
)
def test_a_right_checksum_is_not_enough(
    position: int, velocity: int, effort: int, believed: bool
) -> None:
    # 25 rad/s for 10 ms, and 0.05 rad: 195 counts. 25 rad/s: 1042 counts. 2 * 1193 counts.
    rig = TickRig()
    without_telemetry(rig)
    rig.place(10, position, velocity, effort)
    readings = without_telemetry(rig)
    assert readings.valid.tolist() == [believed, True, True]
    assert rig.bus.statistics.implausible == (not believed)
    if not believed:
        assert readings.position_rad[0] == pytest.approx(1000 * RAD)


def test_a_servo_that_was_turned_a_revolution_is_believed_again_in_time() -> None:
    rig = TickRig()
    without_telemetry(rig)
    rig.place(10, 1000 + 4096)
    seen = [bool(rig.tick().valid[0]) for _ in range(40)]
    assert not seen[0]
    assert seen[-1]


@pytest.mark.parametrize("fast", [False, True])
def test_alert_and_refusal_are_never_lost(fast: bool) -> None:
    rig = TickRig(fast=fast)
    rig.servos.error[11] = 0x80
    rig.servos.set(11, 70, 1, 0x20)
    readings = rig.tick()
    assert readings.valid.all(), "an alert does not spoil the values"
    assert readings.alert.tolist() == [False, True, False]
    rig.tick()
    readings = rig.tick()
    assert readings.telemetry.hardware_error.tolist() == [UNKNOWN, 0x20, UNKNOWN]
    rig.servos.error[11] = 0x00
    assert not rig.tick().alert.any()


def test_a_refused_read_is_no_reading() -> None:
    rig = TickRig()
    rig.hook(lambda reply: reply.replace(reply[: len(reply) // 3], status_bytes(10, b"", 0x87)))
    readings = without_telemetry(rig)
    assert readings.valid.tolist() == [False, True, True]
    assert readings.error.tolist() == [7, 0, 0]
    assert readings.alert.tolist() == [True, False, False]
    assert (rig.bus.statistics.refused, rig.bus.statistics.lost) == (1, 0)


def test_a_line_in_disorder_gets_its_goals_but_is_not_believed() -> None:
    rig = TickRig()
    rig.servos.silent = set(IDS)
    without_telemetry(rig)
    rig.servos.silent = set()
    rig.wire.written.clear()

    def babble(deadline: float) -> bytes:
        rig.wire.time += 0.0001
        return b"babble"

    rig.wire.read = babble
    readings = without_telemetry(rig, TorqueOff())
    assert not readings.valid.any()
    assert [packet[7] for packet in rig.wire.written] == [0x83]


def test_a_babbling_line_cannot_hold_the_tick() -> None:
    rig = TickRig()
    reads = 0

    def babble(deadline: float) -> bytes:
        nonlocal reads
        reads += 1
        rig.wire.time += 0.001
        return b"\xff\xff\xfd\x00\x01\xff\x00"

    rig.wire.read = babble
    rig.tick(seconds=0.005)
    assert reads <= 12
    assert rig.bus.statistics.corrupt >= 1


class BadWire:
    """Spoils one reply in ten: drops, flips, cuts, doubles, readdresses, or brings it later.

    What is late comes one to seven ticks later, before the fresh replies of that tick.
    """

    def __init__(self, rig: TickRig, seed: int) -> None:
        self.rig, self.random = rig, random.Random(seed)
        self.held: list[tuple[int, bytes]] = []
        self.tick = 0
        rig.wire.answer = self.answer

    def answer(self, packet: bytes) -> bytes:
        reply = self.rig.servos.answer(packet)
        if packet[7] != 0x82:
            return reply
        sizes = [11 + int.from_bytes(packet[10:12], "little")] * len(IDS)
        due = b"".join(data for when, data in self.held if when <= self.tick)
        self.held = [(when, data) for when, data in self.held if when > self.tick]
        out, at = due, 0
        for size in sizes:
            out += self.spoil(reply[at : at + size])
            at += size
        return out

    def spoil(self, reply: bytes) -> bytes:
        if self.random.random() >= 0.1:
            return reply
        kind = self.random.choice(("drop", "flip", "cut", "double", "readdress", "late"))
        at = self.random.randrange(len(reply))
        if kind == "late":
            self.held.append((self.tick + self.random.randint(1, 7), reply))
        return {
            "flip": reply[:at]
            + bytes([reply[at] ^ 1 << self.random.randrange(8)])
            + reply[at + 1 :],
            "cut": reply[:at],
            "double": reply * 2,
            "readdress": reply[:4] + bytes([self.random.choice(IDS)]) + reply[5:],
        }.get(kind, b"")


@pytest.mark.parametrize("seed", range(4))
def test_nothing_stale_or_wrong_is_ever_called_valid(seed: int) -> None:
    rig = TickRig()
    wire = BadWire(rig, seed)
    heard = 0
    for tick in range(1000):
        wire.tick = tick
        # Positions that need no stuffing, tell the tick, and move slowly enough to be plausible.
        true = [1000 + 300 * place + tick % 128 for place in range(len(IDS))]
        for id, position in zip(IDS, true, strict=True):
            rig.place(id, position)
        readings = without_telemetry(rig)
        positions = np.rint(readings.position_rad / RAD)
        assert (positions[readings.valid] == np.array(true)[readings.valid]).all(), tick
        assert (readings.time[~readings.valid] < rig.wire.time - TICK / 2).all(), tick
        heard += int(readings.valid.sum())
    assert heard > 2300, "most of 3000 readings come through"
    counted = rig.bus.statistics
    assert min(counted.lost, counted.late, counted.corrupt, counted.resyncs) > 0


def test_a_position_out_of_reach_is_told_once_and_not_kept() -> None:
    rig = TickRig()
    for _ in range(3):
        assert not without_telemetry(rig).jumped.any()
    rig.place(11, 2000 + 782)
    readings = without_telemetry(rig)
    assert readings.jumped.tolist() == [False, True, False], "1.2 rad in 10 ms"
    assert readings.valid.tolist() == [True, False, True]
    assert readings.position_rad[1] == pytest.approx(2000 * RAD)
    assert not rig.bus.last_readings().jumped.any()
    rig.place(11, 2000)
    readings = without_telemetry(rig)
    assert readings.valid.all()
    assert not readings.jumped.any()


def test_what_a_stalled_computer_stamps_too_late_is_no_jump() -> None:
    rig = TickRig()
    without_telemetry(rig)

    def stall(reply: bytes) -> bytes:
        rig.wire.time += 0.1
        return reply

    rig.hook(stall)
    without_telemetry(rig)
    rig.hook(lambda reply: reply)
    rig.place(11, 2000 + 782)
    readings = without_telemetry(rig)
    assert not readings.jumped.any(), "it may have moved while we stood still"


def test_an_answer_with_old_values_is_told_and_not_kept() -> None:
    rig = TickRig()
    for _ in range(3):
        assert not without_telemetry(rig).old.any()
    taken = rig.wire.time
    rig.servos.now = lambda: taken
    readings = without_telemetry(rig)
    assert readings.old.all()
    assert not readings.valid.any()
    assert (readings.time < rig.wire.time - TICK / 2).all()
