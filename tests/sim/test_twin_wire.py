"""Driver and firmware together over the twin's wire, with and without damage."""

import math

import numpy as np
import pytest

from drivers.errors import WireClosed
from drivers.moteus import Damp, Mode, MoteusBus, PositionCommand, Register, ServoReadings, Stop
from drivers.vectornav.port import VectorNavPort
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig
from sim.firmware.vectornav.sensor import Vn100
from sim.wire import TwinWire
from sim.wire_faults import FaultRates, RandomFaults

IDS = tuple(range(1, 9))
PERIOD = 0.005


class Twin:
    """Eight controllers on shafts that stand still, and an IMU, on one clock."""

    def __init__(self, checksum: bool = False) -> None:
        self.steps = 0
        self.bank = MoteusBank(IDS, MoteusConfig())
        self.sensor = Vn100()
        self.legs = TwinWire(Fdcanusb(self.bank.handle_frame), self)
        self.imu = TwinWire(self.sensor, self)
        self.bus = MoteusBus(self.legs, IDS, self.now, checksum)
        self.position = np.linspace(-0.2, 0.2, 8)
        self._report()

    def now(self) -> float:
        return self.steps * 0.001

    def wait_until(self, deadline: float) -> None:
        while self.now() < deadline - 1e-9:
            self.steps += 1
            self.bank.control(self.position, np.zeros(8), 16.0, 0.001)
            self._report()
            if self.steps % 5 == 0:
                attitude = (0.0, 0.0, 0.0, 1.0)
                self.sensor.sample(self.steps * 1_000_000, attitude, (0, 0, 0), (0, 0, -9.8))

    def tick(self, command: PositionCommand | Stop | Damp) -> ServoReadings:
        self.wait_until((math.floor(self.now() / PERIOD + 1e-6) + 1) * PERIOD)
        return self.bus.exchange(command, self.now() + 0.8 * PERIOD)

    def _report(self) -> None:
        zero = np.zeros(8)
        self.bank.sense(self.position, zero, zero, zero, np.full(8, 25.0), 16.0)


def goto(position: np.ndarray) -> PositionCommand:
    zero, one = np.zeros(8), np.ones(8)
    nan = np.full(8, math.nan)
    return PositionCommand(position, zero, zero, one, one, 3.5 * one, nan, 0.1 * one, nan, -one)


@pytest.mark.parametrize("checksum", [False, True])
def test_both_ends_understand_each_other(checksum: bool) -> None:
    twin = Twin(checksum)
    assert set(twin.bus.probe()) == set(IDS)
    assert twin.bus.stop_all(3) == []
    for _ in range(5):
        twin.tick(goto(twin.position))
    readings = twin.tick(goto(twin.position))
    assert readings.valid.all()
    assert (readings.mode == Mode.POSITION).all()
    np.testing.assert_allclose(readings.position_rev, twin.position, rtol=1e-6)
    np.testing.assert_allclose(readings.voltage_v, 16.0)
    assert twin.bus.read(3, Register.COMMAND_MAXIMUM_TORQUE) == 3.5
    twin.tick(Damp(2.0, 0.1))
    assert set(twin.bank.modes) == {Mode.ZERO_VELOCITY}
    assert twin.bus.stop_all(3) == []
    assert not twin.bank.driving.any()
    assert twin.bus.statistics.lost == twin.bus.statistics.corrupt == 0


def test_an_exchange_takes_no_virtual_time() -> None:
    twin = Twin()
    before = twin.steps
    twin.bus.exchange(Stop(), twin.now() + 0.004)
    assert twin.steps == before


def test_silence_of_the_host_stops_the_motors() -> None:
    twin = Twin()
    for _ in range(5):
        twin.tick(goto(twin.position))
    twin.wait_until(twin.now() + 0.101)
    assert set(twin.bank.modes) == {Mode.TIMEOUT}
    assert (twin.tick(goto(twin.position)).mode == Mode.TIMEOUT).all()


@pytest.mark.parametrize("kind", ["drop", "flip", "truncate", "duplicate"])
def test_damage_costs_replies_but_never_truth(kind: str) -> None:
    """One line in twenty damaged: values that are told as valid are still right.

    A turned bit may turn a hexadecimal digit into another one: only the checksum dialect can tell.
    """
    twin = Twin(checksum=True)
    faults = RandomFaults(FaultRates(**{kind: 0.05}), np.random.default_rng(7))
    twin.legs.faults = faults
    heard = 0
    for index in range(400):
        twin.position = np.linspace(-0.2, 0.2, 8) + 0.001 * index
        readings = twin.tick(goto(twin.position))
        assert (readings.time[readings.valid] >= twin.now() - PERIOD).all()
        np.testing.assert_allclose(
            readings.position_rev[readings.valid], twin.position[readings.valid], atol=1e-6
        )
        heard += int(readings.valid.sum())
    assert faults.damaged > 300
    assert heard > 0.8 * 400 * 8
    twin.legs.faults = None
    assert twin.bus.stop_all(5) == []


def test_late_replies_are_counted_and_not_believed() -> None:
    twin = Twin()
    twin.tick(Stop())
    held = Fdcanusb(twin.bank.handle_frame)
    delayed = TwinWire(held, twin)
    bus = MoteusBus(delayed, IDS, twin.now)
    original, held.transmit = held.transmit, lambda: b""
    assert not bus.exchange(Stop(), twin.now() + 0.002).valid.any()
    old, held.transmit = original(), original
    assert old
    twin.position = twin.position + 1.0
    twin._report()
    held._output.append(old)
    readings = bus.exchange(Stop(), twin.now() + 0.004)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, twin.position, atol=1e-6)
    assert bus.statistics.late == 8


def test_unplugging_is_told_and_reopening_heals() -> None:
    twin = Twin()
    twin.tick(goto(twin.position))
    twin.legs.unplug()
    with pytest.raises(WireClosed, match="unplugged"):
        twin.tick(goto(twin.position))
    with pytest.raises(WireClosed, match="unplugged"):
        twin.legs.reopen()
    twin.wait_until(twin.now() + 0.2)
    twin.legs.plug_in()
    with pytest.raises(WireClosed):
        twin.tick(Stop())
    twin.legs.reopen()
    assert twin.tick(Stop()).valid.all()


def test_imu_over_the_wire() -> None:
    twin = Twin()
    imu = VectorNavPort(twin.imu, twin.now)
    imu.configure(divisor=4)
    assert imu.poll() is None
    twin.wait_until(twin.now() + 0.0505)
    reading = imu.poll()
    assert reading is not None
    assert reading.time == twin.now()
    assert reading.startup_ns == twin.steps // 5 * 5_000_000
    assert reading.acceleration == pytest.approx((0, 0, -9.8))


@pytest.mark.parametrize("kind", ["drop", "flip", "truncate", "duplicate"])
def test_imu_recovers_from_damage(kind: str) -> None:
    twin = Twin()
    imu = VectorNavPort(twin.imu, twin.now)
    imu.configure(divisor=4)
    twin.imu.faults = RandomFaults(FaultRates(**{kind: 0.3}), np.random.default_rng(3))
    readings = []
    for _ in range(200):
        twin.wait_until(twin.now() + PERIOD)
        if (reading := imu.poll()) is not None:
            assert reading.quaternion_xyzw == (0.0, 0.0, 0.0, 1.0)
            readings.append(reading.startup_ns)
    assert len(readings) > 80
    assert readings == sorted(readings)


def test_random_faults_repeat_from_their_seed() -> None:
    def damaged(seed: int) -> list[bytes]:
        twin = Twin()
        rates = FaultRates(drop=0.2, flip=0.2, truncate=0.2, duplicate=0.2)
        twin.legs.faults = RandomFaults(rates, np.random.default_rng(seed))
        return [twin.tick(Stop()).valid.tobytes() for _ in range(20)]

    assert damaged(5) == damaged(5)
    assert damaged(5) != damaged(6)
