import struct

import pytest

from drivers.checksum import crc16, xor8
from drivers.errors import BusTimeout, DeviceError, WireClosed
from drivers.vectornav_port import VectorNavPort
from tests.drivers.scripted_wire import ScriptedWire


def say(body: str) -> bytes:
    return f"${body}*{xor8(body.encode()):02X}\r\n".encode()


def frame(time_ns: int, quaternion: tuple[float, ...] = (0, 0, 0, 1), gyro: float = 0.0) -> bytes:
    body = bytes.fromhex("013101")
    body += struct.pack("<Q4f3f3f", time_ns, *quaternion, gyro, 0, 0, 0, 0, -9.8)
    return b"\xfa" + body + crc16(body).to_bytes(2, "big")


def sensor(command: bytes) -> bytes:
    """A VN-100 that does as it is told, streaming all the while."""
    body = command.decode().strip().lstrip("$").rpartition("*")[0]
    if body == "VNRRG,01":
        body = "VNRRG,01,VN-100T-CR"
    if body == "VNRRG,75":
        body = "VNRRG,75,1,4,01,0131"
    return frame(1) + say(body) + frame(2)[:30]


def test_configure_sends_the_manuals_commands() -> None:
    wire = ScriptedWire(sensor)
    VectorNavPort(wire, wire.now).configure(divisor=4)
    bodies = [line.decode().strip()[1:-3] for line in wire.written]
    assert bodies == [
        *("VNASY,0", "VNRRG,01", "VNWRG,06,0", "VNWRG,75,1,4,01,0131", "VNRRG,75", "VNASY,1")
    ]
    assert wire.written[0] == say("VNASY,0")


def test_configure_tries_again_after_noise() -> None:
    noise = [b"", say("VNERR,03")]
    wire = ScriptedWire(lambda command: noise.pop(0) if noise else sensor(command))
    VectorNavPort(wire, wire.now).configure(divisor=4)
    assert wire.written[:3] == [say("VNASY,0")] * 3


def test_refusal_another_device_and_silence_are_told_apart() -> None:
    wire = ScriptedWire(lambda _: say("VNERR,0C"))
    with pytest.raises(DeviceError, match="insufficient baud rate"):
        VectorNavPort(wire, wire.now).configure(divisor=4)
    wire = ScriptedWire(
        lambda c: sensor(c).replace(say("VNRRG,01,VN-100T-CR"), say("VNRRG,01,GPS"))
    )
    with pytest.raises(DeviceError, match="GPS"):
        VectorNavPort(wire, wire.now).configure(divisor=4)
    wire = ScriptedWire(lambda _: b"")
    with pytest.raises(BusTimeout, match="VNASY,0"):
        VectorNavPort(wire, wire.now).configure(divisor=4)


def test_a_setting_that_was_not_kept_is_told() -> None:
    wire = ScriptedWire(sensor)
    with pytest.raises(DeviceError, match="1,4,01,0131"):
        VectorNavPort(wire, wire.now).configure(divisor=8)


def test_poll_returns_the_newest_once() -> None:
    wire = ScriptedWire(lambda _: b"")
    port = VectorNavPort(wire, wire.now)
    assert port.poll() is None
    wire.time = 3.0
    wire.arrived.extend([frame(1) + frame(2)[:20], frame(2)[20:] + frame(3)[:5]])
    reading = port.poll()
    assert reading is not None
    assert (reading.time, reading.startup_ns) == (3.0, 2)
    assert reading.acceleration == pytest.approx((0.0, 0.0, -9.8))
    assert port.poll() is None


def test_implausible_frames_are_left_out_and_counted() -> None:
    wire = ScriptedWire(lambda _: b"")
    port = VectorNavPort(wire, wire.now)
    wire.arrived.extend([frame(1), frame(2, (0, 0, 0, 0)), frame(3, gyro=float("nan"))])
    reading = port.poll()
    assert reading is not None
    assert reading.startup_ns == 1
    assert (port.statistics.frames, port.statistics.implausible) == (3, 2)


def test_a_closed_wire_is_told() -> None:
    wire = ScriptedWire(lambda _: b"")
    port = VectorNavPort(wire, wire.now)
    port.close()
    with pytest.raises(WireClosed):
        port.poll()


@pytest.mark.parametrize("divisor", [0, 65536])
def test_impossible_divisor(divisor: int) -> None:
    wire = ScriptedWire(sensor)
    with pytest.raises(ValueError, match="divisor"):
        VectorNavPort(wire, wire.now).configure(divisor)
    assert not wire.written
