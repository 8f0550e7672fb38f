from collections.abc import Callable

import pytest

from drivers.errors import BusTimeout, DeviceError
from drivers.hipnuc.port import HipnucPort
from drivers.imu import ImuFault, ImuIdentity
from sim.firmware.hipnuc import ATTITUDE_NOT_CONVERGED
from tests.drivers.imu_contract import watch
from tests.drivers.imu_rigs import HipnucRig
from tests.drivers.scripted_wire import ScriptedWire

IDENTITY = b"PNAME=HI14\r\nAPP_VER=172\r\nBL_VER=108\r\nUUID=TEST1234\r\nOK\r\n"
"""As in the vendor's own tests of its Python client."""


def sensor(command: bytes) -> bytes:
    return IDENTITY if command == b"LOG VERSION\r\n" else b"OK\r\n"


def instead(start: bytes, answer: bytes) -> Callable[[bytes], bytes]:
    """That sensor, but with another answer to some commands."""
    return lambda command: answer if command.startswith(start) else sensor(command)


def test_configure_sends_the_vendors_commands() -> None:
    wire = ScriptedWire(sensor)
    identity = HipnucPort(wire, wire.now).configure(divisor=10)
    assert identity == ImuIdentity("HI14", "172", "TEST1234")
    assert wire.written == [
        b"LOG VERSION\r\n",
        b"LOG HI91 ONTIME 0.010\r\n",
        b"LOG ENABLE\r\n",
    ]


def test_it_tries_again_after_silence_and_noise() -> None:
    noise = [b"", b"ERR\r\n"]
    wire = ScriptedWire(lambda command: noise.pop(0) if noise else sensor(command))
    HipnucPort(wire, wire.now).configure(divisor=10)
    assert wire.written[:3] == [b"LOG VERSION\r\n"] * 3


@pytest.mark.parametrize(
    ("answer", "error", "complaint"),
    [
        (lambda _: b"", BusTimeout, "LOG VERSION"),
        (instead(b"LOG HI91", b"ERROR: Invalid value\r\n"), DeviceError, "Invalid value"),
        (instead(b"LOG VERSION", b"OK\r\n"), DeviceError, "expected a HiPNUC"),
        (instead(b"LOG VERSION", b"PNAME=HI14\r\nOK\r\n"), DeviceError, "expected a HiPNUC"),
        (instead(b"LOG VERSION", IDENTITY.replace(b"1234", b"9")), DeviceError, "TEST9"),
        (instead(b"LOG ENABLE", b"NOTOK\r\nBOOK=1\r\n"), BusTimeout, "LOG ENABLE"),
    ],
)
def test_what_does_not_fit_is_told(
    answer: Callable[[bytes], bytes], error: type[Exception], complaint: str
) -> None:
    wire = ScriptedWire(answer)
    with pytest.raises(error, match=complaint):
        HipnucPort(wire, wire.now, serial="TEST1234").configure(divisor=10)


def test_the_second_ok_of_old_firmware_confirms_nothing() -> None:
    """It says OK twice; the second must not stand for the answer to the command after."""
    wire = ScriptedWire(lambda _: b"")

    def answer(command: bytes) -> bytes:
        if command == b"LOG VERSION\r\n":
            wire.after_next_timeout = b"OK\r\n"
            return IDENTITY
        return b""

    wire.answer = answer
    with pytest.raises(BusTimeout, match="LOG HI91"):
        HipnucPort(wire, wire.now).configure(divisor=10)


@pytest.mark.parametrize("divisor", [3, 6, 2000])
def test_a_rate_that_the_sensor_does_not_have(divisor: int) -> None:
    wire = ScriptedWire(sensor)
    with pytest.raises(ValueError, match="divisor"):
        HipnucPort(wire, wire.now).configure(divisor)
    assert not wire.written


def test_a_line_that_is_too_slow_is_told() -> None:
    wire = ScriptedWire(sensor)
    with pytest.raises(DeviceError, match="164000 bit/s"):
        HipnucPort(wire, wire.now).configure(divisor=5)


def test_baud_is_set_on_both_ends() -> None:
    rig = HipnucRig()
    rig.port.configure(5, baud=921600)
    assert rig.uart.host_baud == rig.uart.baud == 921600
    assert len(watch(rig, 20)) == 20
    with pytest.raises(ValueError, match="valid are"):
        rig.port.configure(5, baud=128000)
    with pytest.raises(ValueError, match="reopened"):
        HipnucPort(rig.wire, rig.now, 921600).configure(5, baud=115200)


def test_no_answer_at_any_baud() -> None:
    rig = HipnucRig()
    rig.uart.baud = 12345
    rig.uart.host_baud = 460800
    with pytest.raises(BusTimeout, match="any of"):
        rig.imu.configure(5)


def test_saving() -> None:
    rig = HipnucRig()
    rig.port.configure(5)
    rig.port.save_settings()
    rig.sensor.receive(b"REBOOT\r\n")
    rig.port.configure(5)
    assert len(watch(rig, 5)) == 5


def test_its_clock_runs_over_its_end() -> None:
    rig = HipnucRig()
    rig.steps = 2**32 - 100
    rig.imu.configure(5)
    readings = watch(rig, 40)
    assert len(readings) == 40
    stamps = [reading.startup_ns for reading in readings]
    assert stamps == [stamps[0] + 5_000_000 * n for n in range(40)]
    assert stamps[-1] > 2**32 * 1_000_000
    assert rig.imu.fault is None


def test_an_attitude_that_has_not_converged_is_told() -> None:
    rig = HipnucRig()
    rig.imu.configure(5)
    rig.sensor.status = ATTITUDE_NOT_CONVERGED
    reading = watch(rig, 1)[0]
    assert rig.imu.fault is ImuFault.UNSETTLED
    assert reading.extra["status"] == (ATTITUDE_NOT_CONVERGED,)
    assert reading.extra["temperature_c"] == (25.0,)
    rig.sensor.status = 0
    watch(rig, 1)
    assert rig.imu.fault is None
