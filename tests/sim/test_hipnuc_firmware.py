"""The sensor's end. Frames and commands: HiPNUC's products repository."""

import math
import struct
from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.firmware.hipnuc import Hi91
from sim.firmware.uart import OUTPUT_LIMIT

STEP_NS = 1_000_000
HALF = math.sqrt(0.5)


def ask(sensor: Hi91, command: bytes) -> bytes:
    sensor.receive(command + b"\r\n")
    return sensor.transmit()


def measure(sensor: Hi91, count: int, first: int = 0) -> bytes:
    for index in range(first, first + count):
        sensor.sample(index * STEP_NS, (1, 0, 0, 0), (0, 0, 0), (0, 0, 9.8))
    return sensor.transmit()


def test_it_streams_at_100_hz_from_the_factory() -> None:
    frames = measure(Hi91(), 100)
    assert len(frames) == 10 * 82
    assert frames.startswith(bytes.fromhex("5aa54c00"))


def test_a_frame_byte_for_byte() -> None:
    sensor = Hi91()
    sensor.status = 0x0208
    sensor.sample(1_234_000_000, (HALF, 0, 0, HALF), (math.pi, 0, -math.pi / 2), (-4.9, 0, 9.8))
    frame = sensor.transmit()
    head, crc, body = frame[:4], frame[4:6], frame[6:]
    assert head == bytes.fromhex("5aa54c00")
    assert int.from_bytes(crc, "little") == crc_hqx(body, crc_hqx(head, 0))
    assert body[:12] == bytes.fromhex("91 0802 19 80e6c547 d2040000")
    # -0.5 g, 0, 1 g; 180, 0, -90 deg/s.
    assert body[12:36] == bytes.fromhex("000000bf 00000000 0000803f 00003443 00000000 0000b4c2")
    assert struct.unpack("<3f", body[48:60]) == pytest.approx((0, 0, 90))
    assert struct.unpack("<4f", body[60:]) == pytest.approx((HALF, 0, 0, HALF))


@pytest.mark.parametrize(
    ("quaternion", "angles"),
    [
        ((math.cos(0.2), math.sin(0.2), 0, 0), (0, 0.4, 0)),
        ((math.cos(0.2), 0, math.sin(0.2), 0), (0.4, 0, 0)),
        ((math.cos(0.2), 0, 0, math.sin(0.2)), (0, 0, 0.4)),
        # The vendor's example: roll, pitch and yaw of its quaternion.
        ((-0.485922, -0.149820, 0.038087, 0.860223), (0.227799, 0.212729, -2.137628)),
    ],
)
def test_angles_are_roll_about_front_pitch_about_right(
    quaternion: tuple[float, ...], angles: tuple[float, ...]
) -> None:
    sensor = Hi91()
    sensor.sample(0, quaternion, (0, 0, 0), (0, 0, 9.8))
    sent = struct.unpack("<3f", sensor.transmit()[54:66])
    assert [math.radians(value) for value in sent] == pytest.approx(angles, abs=1e-3)


@pytest.mark.parametrize(("period", "frames"), [(b"0.001", 200), (b"0.005", 40), (b"0", 0)])
def test_the_rate_is_set(period: bytes, frames: int) -> None:
    sensor = Hi91()
    assert ask(sensor, b"LOG HI91 ONTIME " + period) == b"OK\r\n"
    assert len(measure(sensor, 200)) == min(frames * 82, OUTPUT_LIMIT // 82 * 82)


def test_who_it_is() -> None:
    answer = ask(Hi91(), b"LOG VERSION")
    assert answer.startswith(b"PNAME=HI14\r\nAPP_VER=172\r\n")
    assert answer.endswith(b"UUID=TWIN0001\r\nOK\r\n")


def test_on_and_off() -> None:
    sensor = Hi91()
    assert ask(sensor, b"LOG DISABLE") == b"OK\r\n"
    assert measure(sensor, 50) == b""
    assert ask(sensor, b"LOG ENABLE") == b"OK\r\n"
    assert len(measure(sensor, 20, first=50)) >= 82


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"LOG HI91 ONTIME 0.003", b"ERR\r\n"),
        (b"LOG HI91 ONTIME nan", b"ERR\r\n"),
        (b"LOG HI91 ONTIME soon", b"ERR\r\n"),
        (b"LOG", b"ERR\r\n"),
        (b"SERIALCONFIG 12345", b"ERR\r\n"),
        (b"SERIALCONFIG", b"ERR\r\n"),
        (b"SAVECONFIG now", b"ERR\r\n"),
        (b"REBOOT now", b"ERR\r\n"),
        (b"DANCE", b""),
        (b"", b""),
        (b"LOG " + b"9" * 5000, b""),
    ],
)
def test_what_it_does_not_take(command: bytes, answer: bytes) -> None:
    assert ask(Hi91(), command) == answer


def test_baud_and_saving() -> None:
    sensor = Hi91()
    sensor.uart.host_baud = 115200
    assert ask(sensor, b"SERIALCONFIG 460800") == b"OK\r\n"
    assert ask(sensor, b"LOG VERSION") == b""
    sensor.uart.host_baud = 460800
    ask(sensor, b"")
    ask(sensor, b"LOG HI91 ONTIME 0.005")
    assert ask(sensor, b"SAVECONFIG") == b"OK\r\n"
    ask(sensor, b"LOG HI91 ONTIME 0.001")
    measure(sensor, 10)
    assert ask(sensor, b"REBOOT") == b"OK\r\n"
    frames = measure(sensor, 20, first=10)
    assert [struct.unpack_from("<I", frames, 14 + 82 * n)[0] for n in range(4)] == [0, 5, 10, 15]


@given(st.lists(st.binary(max_size=60) | st.from_regex(rb"LOG [A-Z0-9 .]{0,30}\r\n"), max_size=12))
def test_no_bytes_make_it_fall_over(pieces: list[bytes]) -> None:
    sensor = Hi91()
    for piece in pieces:
        sensor.receive(piece)
    ask(sensor, b"")
    assert ask(sensor, b"LOG VERSION").endswith(b"OK\r\n")
