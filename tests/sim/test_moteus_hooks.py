"""Single controllers of the legs' bus fail; their neighbours do not notice."""

import math
from typing import Any

import numpy as np
import pytest

from drivers.moteus import Mode, MoteusBus, PositionCommand, ServoReadings, Stop
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.moteus.bank import MoteusBank
from sim.firmware.moteus.hooks import BOOT_S, HookedMoteusBank
from sim.firmware.servo_hooks import ReadingFaults
from sim.wire import TwinWire
from sim.worlds import _LateReplies

IDS = (1, 2, 3)
PERIOD = 0.005


class Rig:
    """Three controllers on shafts that are turned by hand, 0.1 revolutions apart."""

    def __init__(self, bank_type: type[MoteusBank] = HookedMoteusBank) -> None:
        self.time = 0.0
        self.bank: Any = bank_type(IDS)
        adapter = Fdcanusb(self.bank.handle_frame)
        device = (
            _LateReplies(adapter, adapter, self.bank)
            if isinstance(self.bank, HookedMoteusBank)
            else adapter
        )
        self.wire = TwinWire(device, self)
        self.bus = MoteusBus(self.wire, IDS, self.now)
        self.position = np.array([0.1, 0.2, 0.3])
        self.supply_v = 16.0
        self._due = 0.0
        self._sense()

    def now(self) -> float:
        return self.time

    def wait_until(self, deadline: float) -> None:
        while self.time < deadline - 1e-9:
            self.time += 0.001
            self.bank.control(self.position, np.zeros(3), self.supply_v, 0.001)
            self._sense()

    def tick(self, count: int = 1) -> ServoReadings:
        readings = self.bus.last_readings()
        for _ in range(count):
            self._due += PERIOD
            self.wait_until(self._due)
            readings = self.bus.exchange(hold(self.position), self._due + 0.8 * PERIOD)
        return readings

    def _sense(self) -> None:
        zero = np.zeros(3)
        self.bank.sense(self.position, zero, zero, zero, np.full(3, 30.0), self.supply_v)


def hold(position: np.ndarray) -> PositionCommand:
    zero, one, nan = np.zeros(3), np.ones(3), np.full(3, math.nan)
    return PositionCommand(position, zero, zero, one, one, one, nan, 0.1 * one, nan, -one)


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.tick(5)
    return rig


def test_without_a_fault_it_is_the_plain_bank() -> None:
    plain, hooked = Rig(MoteusBank), Rig()
    for _ in range(30):
        first, second = plain.tick(), hooked.tick()
        for name in ("mode", "position_rev", "torque_nm", "voltage_v", "valid"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_a_silent_controller_is_alone_and_its_watchdog_stops_it(rig: Rig) -> None:
    rig.bank.silence(2, True)
    silent_since = rig.bank.time
    readings = rig.tick(40)
    assert readings.valid.tolist() == [True, False, True]
    assert rig.bank.modes == (Mode.POSITION, Mode.TIMEOUT, Mode.POSITION)
    assert rig.bank.last_frame[2] == pytest.approx(silent_since)
    assert 0.09 < rig.bank.last_position[2] - rig.bank.last_frame[2] <= 0.101
    rig.bank.silence(2, False)
    assert rig.tick().valid.all()


def test_a_broadcast_passes_a_silent_controller_by(rig: Rig) -> None:
    rig.bank.silence(2, True)
    replies = rig.bank.handle_frame(0x807F, bytes.fromhex("010000 1100"))
    assert [sender >> 8 for sender, _ in replies] == [1, 3]
    assert rig.bank.modes == (Mode.STOPPED, Mode.POSITION, Mode.STOPPED)


def test_a_frozen_controller_tells_old_values_in_fresh_frames(rig: Rig) -> None:
    rig.bank.freeze(2, True)
    rig.tick()
    rig.position = rig.position + 0.01
    readings = rig.tick(5)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [0.11, 0.2, 0.31], atol=1e-6)
    rig.bank.freeze(2, False)
    np.testing.assert_allclose(rig.tick().position_rev, rig.position, atol=1e-6)


def test_a_skewed_controller_is_off_by_what_was_asked(rig: Rig) -> None:
    # Little enough for the driver to believe it.
    rig.bank.skew(1, 0.02 * math.pi)
    np.testing.assert_allclose(rig.tick().position_rev, [0.11, 0.2, 0.3], atol=1e-6)
    rig.bank.skew(1, 0.0)
    np.testing.assert_allclose(rig.tick().position_rev, [0.1, 0.2, 0.3], atol=1e-6)


def test_a_lagging_controller_tells_the_past(rig: Rig) -> None:
    rig.bank.lag(3, 0.02)
    start = rig.position.copy()
    for step in range(40):
        rig.position = start + 0.001 * step
        rig.tick()
    # Of the last tick: no time has passed since.
    lag = rig.bus.last_readings().position_rev - rig.position
    np.testing.assert_allclose(lag, [0.0, 0.0, -0.004], atol=1e-6)


def test_a_slow_controllers_answer_comes_late_and_whole(rig: Rig) -> None:
    query = bytes.fromhex("1100")
    (reply,) = rig.bank.handle_frame(0x8001, query)
    rig.bank.hold(1, 0.012)
    assert rig.bank.handle_frame(0x8001, query) == []
    assert len(rig.bank.handle_frame(0x8002, query)) == 1
    rig.wait_until(rig.time + 0.011)
    assert rig.bank.late_frames() == []
    rig.wait_until(rig.time + 0.002)
    assert rig.bank.late_frames() == [reply]
    assert rig.bank.late_frames() == []
    rig.bank.hold(1, 0.0)
    assert rig.tick(5).valid.all()


def test_a_late_answer_reaches_the_host_as_any_other(rig: Rig) -> None:
    rig.bank.hold(1, 0.02)
    rig.wire.write(b"can send 8001 1100\n")
    assert rig.wire.drain() == b"OK\r\n"
    assert rig.wire.read(rig.time + 0.018) == b""
    assert rig.wire.read(rig.time + 0.004).startswith(b"rcv 0100 21000A")


@pytest.mark.parametrize("seconds", [0.001, 0.0045, 0.006, 0.008, 0.012, 0.020])
def test_a_slow_controllers_answer_is_never_taken_for_a_fresh_one(rig: Rig, seconds: float) -> None:
    """An exchange waits 4 ms of its 5 ms period: what comes later answers nothing any more."""
    rig.bank.hold(1, seconds)
    before, heard = rig.bus.statistics.late, 0
    for _ in range(200):
        rig.position = rig.position + 0.001
        readings = rig.tick()
        valid = readings.valid
        assert valid[1:].all()
        np.testing.assert_allclose(readings.position_rev[valid], rig.position[valid], atol=1e-6)
        assert (readings.time[valid] > rig.time - PERIOD).all()
        heard += int(valid[0])
    late = rig.bus.statistics.late - before
    if seconds < 0.004:
        assert (heard, late) == (200, 0)
    else:
        assert heard == 0
        assert late >= 200 - math.ceil(seconds / PERIOD), "all but those still on their way"


def test_garbage_of_one_controller_is_nobody_elses(rig: Rig) -> None:
    rig.bank.garble(2, np.random.default_rng(0))
    corrupt = rig.bus.statistics.corrupt
    readings = rig.tick(5)
    assert readings.valid.tolist() == [True, False, True]
    assert rig.bus.statistics.corrupt > corrupt
    rig.bank.garble(2, None)
    assert rig.tick(2).valid.all()


def test_a_rebooted_controller_is_stopped_and_silent_while_it_boots(rig: Rig) -> None:
    rig.bank.reboot(3)
    assert rig.bank.modes == (Mode.POSITION, Mode.POSITION, Mode.STOPPED)
    readings = rig.tick(math.floor(BOOT_S / PERIOD) - 1)
    assert readings.valid.tolist() == [True, True, False]
    readings = rig.tick(2)
    assert readings.valid.all()
    assert readings.mode.tolist()[:2] == [Mode.POSITION] * 2


def test_a_sagging_supply_trips_every_driven_controller(rig: Rig) -> None:
    rig.bank.sag(3.0)
    readings = rig.tick(2)
    assert (readings.mode == Mode.FAULT).all()
    np.testing.assert_allclose(readings.voltage_v, 3.0)
    rig.bank.sag(None)
    assert (rig.tick().mode == Mode.FAULT).all()
    rig.bus.exchange(Stop(), rig.time + 0.004)
    np.testing.assert_allclose(rig.tick(4).voltage_v, 16.0)
    assert (rig.tick().mode == Mode.POSITION).all()


def test_an_unknown_id_is_an_error(rig: Rig) -> None:
    with pytest.raises(KeyError):
        rig.bank.silence(9, True)


def test_faults_of_readings_combine() -> None:
    faults = ReadingFaults()
    assert faults.none
    faults.lag_s, faults.offset = 1.0, 10.0
    assert [faults.read(t, (t, 0.0)) for t in (0.0, 0.5, 1.0, 1.5)] == [
        (10.0, 0.0), (10.0, 0.0), (10.0, 0.0), (10.5, 0.0),
    ]  # fmt: skip
    faults.frozen = True
    assert faults.read(2.0, (2.0, 0.0)) == faults.read(3.0, (3.0, 0.0)) == (11.0, 0.0)
