"""What every driver of an inertial sensor must do, whichever sensor it is.

A new driver joins by a rig in imu_rigs and by subclassing ImuContract.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from drivers.errors import BusTimeout, DeviceError, WireClosed
from drivers.imu import ImuFault, ImuReading
from sim.wire_faults import FaultRates, RandomFaults
from tests.drivers.imu_rigs import GRAVITY_NED, Rig, quaternion_wxyz, rotation

PERIOD = 0.005


class ImuContract:
    """Subclasses give the fixture `rig`."""

    def test_it_says_who_it_is_and_streams_at_the_rate_asked_for(self, rig: Rig) -> None:
        identity = rig.imu.configure(rig.divisor)
        assert identity.model, "an identity without a model"
        assert identity.firmware, "an identity without a firmware version"
        assert identity.serial, "an identity without a serial number"
        readings = watch(rig, 500)
        assert len(readings) == 500, "a reading every period"
        statistics = rig.imu.statistics
        assert statistics.rate_hz == pytest.approx(rig.imu.sampling_rate_hz / rig.divisor, rel=0.01)
        assert (statistics.missing, statistics.implausible, statistics.repeated) == (0, 0, 0)
        assert rig.imu.fault is None

    def test_at_rest_and_level_it_feels_9_8_upwards(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        reading = watch(rig, 1)[0]
        assert reading.quaternion_xyzw == pytest.approx((0, 0, 0, 1), abs=1e-6)
        assert reading.acceleration == pytest.approx((0, 0, -9.8), abs=0.01)
        assert reading.angular_velocity == pytest.approx((0, 0, 0), abs=0.01)

    @pytest.mark.parametrize("angles", [(0.7, 0, 0), (0, 0.5, 0), (0, 0, -0.4), (-2.0, 0.3, 0.9)])
    def test_axes_are_front_right_down_in_north_east_down(
        self, rig: Rig, angles: tuple[float, float, float]
    ) -> None:
        rig.attitude, rig.rate = rotation(*angles), np.array([0.3, -0.2, 1.1])
        rig.imu.configure(rig.divisor)
        reading = watch(rig, 1)[0]
        x, y, z, w = reading.quaternion_xyzw
        wanted = quaternion_wxyz(rig.attitude)
        assert abs(np.dot((w, x, y, z), wanted)) == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(reading.angular_velocity, rig.rate, atol=0.01)
        np.testing.assert_allclose(reading.acceleration, -rig.attitude.T @ GRAVITY_NED, atol=0.01)

    def test_the_newest_reading_is_handed_out_once(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        rig.wait(10 * PERIOD)
        reading = rig.imu.poll()
        assert reading is not None
        assert reading.startup_ns == rig.steps // 5 * 5_000_000
        assert rig.imu.poll() is None

    def test_each_reading_has_the_time_it_was_taken_and_the_time_it_was_made(
        self, rig: Rig
    ) -> None:
        rig.imu.configure(rig.divisor)
        readings = watch(rig, 50)
        rig.wait(2.6 * PERIOD)
        late = rig.imu.poll()
        assert late is not None
        for before, after in itertools.pairwise(readings):
            assert before.startup_ns < after.startup_ns
            assert before.measured < after.measured <= after.time
        assert late.time == rig.now()
        assert 0.0 <= late.age <= PERIOD
        assert late.measured - readings[-1].measured == pytest.approx(2 * PERIOD, abs=1e-5)

    def test_silence_is_a_fault_and_no_reading(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        watch(rig, 5)
        rig.every = 0
        assert watch(rig, 8) == []
        assert rig.imu.fault is ImuFault.SILENT
        rig.every = 5
        assert watch(rig, 5)
        assert rig.imu.fault is None

    def test_a_stuck_sensor_is_a_fault_and_its_values_are_withheld(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        watch(rig, 5)
        rig.noise = 0.0
        assert len(watch(rig, 150)) < 110
        assert rig.imu.fault is ImuFault.FROZEN
        assert rig.imu.statistics.frozen > 40
        rig.noise = 1e-3
        assert watch(rig, 5)
        assert rig.imu.fault is None

    def test_a_sensor_that_restarts_by_itself_is_not_trusted_until_configured(
        self, rig: Rig
    ) -> None:
        rig.imu.configure(rig.divisor)
        watch(rig, 400)
        rig.restart()
        assert watch(rig, 20) == []
        assert rig.imu.fault is ImuFault.RESTARTED
        assert rig.imu.statistics.restarts == 1
        rig.imu.configure(rig.divisor)
        assert watch(rig, 20)
        assert rig.imu.fault is None

    def test_another_rate_than_asked_for_is_a_fault(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        rig.every = 10
        assert watch(rig, 500)
        assert rig.imu.fault is ImuFault.OFF_RATE

    @pytest.mark.parametrize("kind", ["drop", "flip", "truncate", "duplicate"])
    def test_damage_costs_readings_but_never_gives_a_wrong_or_old_one(
        self, rig: Rig, kind: str
    ) -> None:
        rig.imu.configure(rig.divisor)
        rig.wire.faults = RandomFaults(FaultRates(**{kind: 0.2}), np.random.default_rng(3))
        readings = watch(rig, 300)
        assert 90 < len(readings) <= 300
        for reading in readings:
            assert reading.quaternion_xyzw == pytest.approx((0, 0, 0, 1), abs=1e-6)
            assert reading.acceleration == pytest.approx((0, 0, -9.8), abs=0.01)
        stamps = [reading.startup_ns for reading in readings]
        assert all(before < after for before, after in itertools.pairwise(stamps))
        rig.wire.faults = None
        rig.wait(1.0)
        rig.imu.poll()
        assert len(watch(rig, 10)) >= 9

    def test_frames_that_did_not_arrive_are_counted(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        watch(rig, 10)
        rig.wire.faults = RandomFaults(FaultRates(drop=1.0), np.random.default_rng(3))
        assert watch(rig, 7) == []
        rig.wire.faults = None
        watch(rig, 5)
        assert rig.imu.statistics.missing == 7

    def test_unplugging_is_told_at_once(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        rig.wire.unplug()
        with pytest.raises(WireClosed):
            rig.imu.poll()
        with pytest.raises(WireClosed):
            rig.imu.configure(rig.divisor)

    @pytest.mark.parametrize("divisor", [0, -1, 65536])
    def test_an_impossible_divisor_is_refused_before_anything_is_sent(
        self, rig: Rig, divisor: int
    ) -> None:
        rig.wire.unplug()
        with pytest.raises(ValueError, match="divisor"):
            rig.imu.configure(divisor)

    def test_something_else_on_the_line_is_told(self, rig: Rig) -> None:
        with pytest.raises((BusTimeout, DeviceError)):
            rig.another().configure(rig.divisor)

    def test_it_finds_a_sensor_at_another_baud(self, rig: Rig) -> None:
        rig.change_baud(921600)
        rig.uart.host_baud = 115200
        rig.imu.configure(rig.divisor)
        assert watch(rig, 5)
        assert rig.uart.host_baud == 921600

    def test_closing_twice_is_harmless(self, rig: Rig) -> None:
        rig.imu.configure(rig.divisor)
        rig.imu.close()
        rig.imu.close()
        with pytest.raises(WireClosed):
            rig.imu.poll()


def watch(rig: Rig, periods: int) -> list[ImuReading]:
    """Poll once a period of 5 ms; the readings."""
    readings: list[ImuReading] = []
    for _ in range(periods):
        rig.wait(PERIOD)
        if (reading := rig.imu.poll()) is not None:
            readings.append(reading)
    return readings
