"""The inertial sensor lies in valid frames, and forgets what a reboot makes it forget."""

import math
from typing import TypeVar

import pytest

from drivers.vectornav.codec import StreamParser, encode_command
from sim.firmware.vectornav.hooks import HookedVn100
from sim.firmware.vectornav.sensor import Vn100

LEVEL = (0.0, 0.0, 0.0, 1.0)
NAN_FREE = (0.1, 0.2, 0.3)


Sensor = TypeVar("Sensor", bound=Vn100)


def started(sensor: Sensor) -> Sensor:
    sensor.receive(encode_command("VNWRG,75,1,4,01,0131"))
    assert b"VNWRG,75" in sensor.transmit()
    return sensor


def frame(sensor: Vn100, seconds: float, force: float = -9.8) -> bytes:
    sensor.sample(round(seconds * 1e9), LEVEL, NAN_FREE, (0.0, 0.0, force))
    return sensor.transmit()


def test_without_a_fault_it_is_the_plain_sensor() -> None:
    plain, hooked = started(Vn100()), started(HookedVn100())
    for tick in range(1, 20):
        assert frame(plain, tick * 0.005) == frame(hooked, tick * 0.005) != b""


@pytest.mark.parametrize("angle", [0.5, -1.0])
def test_a_wrong_attitude_is_valid_and_off_by_what_was_asked(angle: float) -> None:
    sensor = started(HookedVn100())
    sensor.skew(angle)
    ((reading,), _) = StreamParser().feed(frame(sensor, 0.005))
    x, y, z, w = reading.quaternion_xyzw
    assert 2.0 * math.atan2(x, w) == pytest.approx(angle)
    assert (y, z) == (0.0, 0.0)
    assert reading.angular_velocity == pytest.approx(NAN_FREE)


def test_old_values_come_with_the_present_time() -> None:
    sensor = started(HookedVn100())
    sensor.lag(0.02)
    frames = [frame(sensor, tick * 0.005, force=-float(tick)) for tick in range(1, 20)]
    ((reading,), _) = StreamParser().feed(frames[-1])
    assert reading.startup_ns == 95_000_000
    assert reading.acceleration[2] == pytest.approx(-15.0)


def test_a_reboot_ends_the_output_until_it_is_configured_again() -> None:
    sensor = started(HookedVn100())
    assert frame(sensor, 0.005)
    sensor.reboot()
    assert frame(sensor, 0.010) == b""
    started(sensor)
    assert frame(sensor, 0.015)
