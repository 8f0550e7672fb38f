"""The sensor's end. Commands and errors: VN-100 user manual UM001."""

import math
import struct
from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.firmware.uart import OUTPUT_LIMIT
from sim.firmware.vectornav.sensor import Vn100, Vn100Timing

STEP_NS = 5_000_000
OUTPUT = b"$VNWRG,75,1,4,01,0131*XX\r\n"
HALF = math.sqrt(0.5)


def ask(sensor: Vn100, command: bytes) -> bytes:
    sensor.receive(command)
    return sensor.transmit()


def measure(sensor: Vn100, count: int, first: int = 0) -> bytes:
    for index in range(first, first + count):
        sensor.sample(index * STEP_NS, (0, 0, 0, 1), (0, 0, 0), (0, 0, -9.8))
    return sensor.transmit()


def test_silent_until_configured() -> None:
    sensor = Vn100()
    assert measure(sensor, 10) == b""
    assert ask(sensor, OUTPUT).startswith(b"$VNWRG,75,1,4,01,0131*")
    frames = measure(sensor, 10)
    assert len(frames) == 540
    assert frames.startswith(bytes.fromhex("fa013101"))


def test_a_frame_byte_for_byte() -> None:
    """Time 1 s, quaternion (0, 0, 0, 1), rate (1, -2, 0.5), force (0, 0, -9.75): by hand."""
    sensor = Vn100()
    ask(sensor, OUTPUT)
    sensor.sample(1_000_000_000, (0, 0, 0, 1), (1, -2, 0.5), (0, 0, -9.75))
    frame = sensor.transmit()
    assert frame[:-2] == bytes.fromhex(
        "fa013101 00ca9a3b00000000 000000000000000000000000 0000803f"
        "0000803f 000000c0 0000003f 00000000 00000000 00001cc1"
    )
    assert crc_hqx(frame[1:], 0) == 0


@pytest.mark.parametrize(("divisor", "frames"), [(4, 40), (8, 20), (800, 1)])
def test_rate_is_800_hz_over_the_divisor(divisor: int, frames: int) -> None:
    sensor = Vn100()
    ask(sensor, OUTPUT.replace(b",4,", b",%d," % divisor))
    assert len(measure(sensor, 40)) == frames * 54


def test_pause_and_resume() -> None:
    sensor = Vn100()
    ask(sensor, OUTPUT)
    assert ask(sensor, b"$VNASY,0*XX\r\n") == b"$VNASY,0*4F\r\n"
    assert measure(sensor, 5) == b""
    ask(sensor, b"$VNASY,1*XX\r\n")
    assert len(measure(sensor, 5, first=5)) == 270


def test_registers_read_back() -> None:
    sensor = Vn100()
    ask(sensor, OUTPUT)
    assert ask(sensor, b"$VNRRG,75*XX\n").startswith(b"$VNRRG,75,1,4,01,0131*")
    assert ask(sensor, b"$VNRRG,01*XX\n").startswith(b"$VNRRG,01,VN-100")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"$VNWNV*57", b"$VNWNV*57"),
        (b"$VNRFS*5F", b"$VNRFS*5F"),
        (b"$VNRST*4D", b"$VNRST*4D"),
        (b"$VNKMD,1*47", b"$VNKMD,1*47"),
        (b"$VNKAD,1*4B", b"$VNKAD,1*4B"),
        (b"$VNWRG,07,2*6F", b"$VNWRG,07,2*6F"),
        (b"$VNRRG,30*XX", b"$VNRRG,30,0,0,0,0,1,0,1*6C"),
        (b"$VNRRG,32*XX", b"$VNRRG,32,3,0,0,0,6,1,0,100000000,0*6B"),
        (b"$VNRRG,35*XX", b"$VNRRG,35,1,1,1,1*75"),
        (b"$VNWRG,35,1,0,1,1*71", b"$VNWRG,35,1,0,1,1*71"),
        (b"$VNRRG,11*00", b"$VNERR,03*72"),
    ],
)
def test_the_manuals_dialogues(command: bytes, answer: bytes) -> None:
    assert ask(Vn100(), command + b"\r\n") == answer + b"\r\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"$VNRRG,11*00", b"03"),
        (b"$VNRRG,11", b"03"),
        (b"$VNDANCE*XX", b"04"),
        (b"VNRRG,01*XX", b"04"),
        (b"$VNRRG*XX", b"05"),
        (b"$VNWRG,75,1*XX", b"05"),
        (b"$VNWRG,75,1,4*XX", b"05"),
        (b"$VNWRG,75,1,4,01*XX", b"05"),
        (b"$VNWRG,35,1,1,1*XX", b"05"),
        (b"$VNWRG,75,1,4,01,0131,1*XX", b"06"),
        (b"$VNRRG,35,1*XX", b"06"),
        (b"$VNWRG,26,1,0,0,0,1,0,0,0,1,0*XX", b"06"),
        (b"$VNWNV,1*XX", b"06"),
        (b"$VNWRG,75,1,0,01,0131*XX", b"07"),
        (b"$VNWRG,75,1,4,01,10131*XX", b"07"),
        (b"$VNWRG,75,1,4,01,0133*XX", b"07"),
        (b"$VNWRG,75,4,4,01,0131*XX", b"07"),
        (b"$VNWRG,75,one,4,01,0131*XX", b"07"),
        (b"$VNASY,7*XX", b"07"),
        (b"$VNBOM,1*XX", b"07"),
        (b"$VNWRG,05,250000*XX", b"07"),
        (b"$VNWRG,06,14,3*XX", b"07"),
        (b"$VNWRG,07,3*XX", b"07"),
        (b"$VNWRG,26,1,0,0,0,nan,0,0,0,1*XX", b"07"),
        (b"$VNWRG,26,1,0,0,0,1e60,0,0,0,1*XX", b"07"),
        (b"$VNRRG,99*XX", b"08"),
        (b"$VNRRG,one*XX", b"08"),
        (b"$VNWRG,01,X*XX", b"08"),
        (b"$VNWRG,99,1*XX", b"08"),
        (b"$VNWRG,75,1,1,01,0131*XX", b"0C"),
        (b"$" + b"9" * 5000 + b"*XX", b"02"),
    ],
)
def test_errors(command: bytes, code: bytes) -> None:
    assert ask(Vn100(), command + b"\r\n").startswith(b"$VNERR," + code + b"*")


@pytest.mark.parametrize(
    ("mode", "told", "left"), [(0, False, b"14"), (1, True, b"14"), (2, True, b"0")]
)
def test_error_modes(mode: int, told: bool, left: bytes) -> None:
    sensor = Vn100(saved={30: f"0,0,0,0,1,0,{mode}"})
    assert bool(ask(sensor, b"$VNDANCE*XX\r\n")) is told
    assert ask(sensor, b"$VNRRG,06*XX\r\n").startswith(b"$VNRRG,06," + left + b"*")


def test_sixteen_bit_check() -> None:
    sensor = Vn100(saved={6: "0", 30: "0,0,0,0,3,0,1"})
    digits = b"%04X" % crc_hqx(b"VNRRG,07", 0)
    answer = b"$VNRRG,07,40*%04X\r\n" % crc_hqx(b"VNRRG,07,40", 0)
    assert ask(sensor, b"$VNRRG,07*" + digits + b"\r\n") == answer
    assert ask(sensor, b"$VNRRG,11*73\r\n").startswith(b"$VNERR,03*")
    assert ask(sensor, b"$VNRRG,07*XXXX\r\n") == answer


def test_a_factory_fresh_sensor_sends_ymr_at_40_hz_beside_binary() -> None:
    sensor = Vn100(saved={})
    assert ask(sensor, OUTPUT).startswith(b"$VNERR,0C*"), "no room beside ASCII at 115200 bit/s"
    ask(sensor, b"$VNWRG,05,921600*XX\r\n")
    ask(sensor, OUTPUT)
    for index in range(200):
        sensor.sample(index * STEP_NS, (0, 0, HALF, HALF), (0.1, -0.2, 0.3), (0.5, 0, -9.8))
    stream = sensor.transmit()
    assert stream.count(b"$VNYMR,") == 40
    assert stream.count(bytes.fromhex("fa013101")) == 200
    line = stream[stream.index(b"$") :].splitlines()[0]
    assert line.startswith(
        b"$VNYMR,+090.000,+000.000,+000.000,+00.0000,+00.0000,+00.0000,+00.500,+00.000,-09.800,"
        b"+00.100000,-00.200000,+00.300000*"
    )


@pytest.mark.parametrize(
    ("kind", "line"), [(1, b"$VNYPR,+000.000,+000.000,+000.000*"), (2, b"$VNQTN,+0.000000,")]
)
def test_other_ascii_measurements(kind: int, line: bytes) -> None:
    sensor = Vn100(saved={6: str(kind), 7: "200"})
    assert measure(sensor, 3).count(line) == 3


def test_fields_of_other_groups() -> None:
    sensor = Vn100()
    ask(sensor, b"$VNWRG,76,1,4,15,0001,0010,0006*XX\r\n")
    sensor.sample(1_000_000_000, (HALF, 0, 0, HALF), (0, 0, 0), (0, 0, -9.8))
    frame = sensor.transmit()
    assert frame.startswith(bytes.fromhex("fa15 0100 1000 0600"))
    values = struct.unpack("<Qf3f4f", frame[8:-2])
    assert values == pytest.approx((1_000_000_000, 25.0, 0, 0, 90.0, HALF, 0, 0, HALF), abs=1e-4)
    assert crc_hqx(frame[1:], 0) == 0


def test_polled_output() -> None:
    sensor = Vn100()
    ask(sensor, b"$VNWRG,75,0,4,01,0131*XX\r\n")
    assert measure(sensor, 5) == b""
    assert len(ask(sensor, b"$VNBOM,1*XX\r\n")) == 54


def test_what_is_saved_comes_back_and_the_clock_begins_anew() -> None:
    sensor = Vn100()
    ask(sensor, OUTPUT + b"$VNWNV*57\r\n$VNWRG,35,1,2,1,1*XX\r\n")
    measure(sensor, 100)
    ask(sensor, b"$VNRST*4D\r\n")
    frames = measure(sensor, 2, first=100)
    assert [struct.unpack_from("<Q", frames, at)[0] for at in (4, 58)] == [0, STEP_NS]
    assert b",1,1,1,1*" in ask(sensor, b"$VNRRG,35*XX\r\n")
    ask(sensor, b"$VNRFS*5F\r\n")
    assert ask(sensor, b"$VNRRG,75*XX\r\n").startswith(b"$VNRRG,75,0,0,00*")
    assert ask(sensor, b"$VNRRG,06*XX\r\n").startswith(b"$VNRRG,06,14*")


def test_booting_and_writing_the_flash_take_their_time() -> None:
    sensor = Vn100(timing=Vn100Timing(flash_write_s=0.5, boot_s=1.0))
    ask(sensor, OUTPUT)
    assert ask(sensor, b"$VNWNV*57\r\n") == b""
    assert ask(sensor, b"$VNASY,1*XX\r\n") == b""
    assert measure(sensor, 100) == b""
    answers = measure(sensor, 1, first=100)
    assert answers.startswith(b"$VNWNV*57\r\n$VNASY,1*")
    assert ask(sensor, b"$VNRST*4D\r\n") == b"$VNRST*4D\r\n"
    assert ask(sensor, b"$VNASY,1*XX\r\n") == b""
    assert measure(sensor, 200, first=101) == b""
    assert len(measure(sensor, 10, first=301)) == 540


def test_another_baud_gives_rubbish_both_ways() -> None:
    sensor = Vn100()
    sensor.uart.host_baud = 115200
    assert ask(sensor, b"$VNWRG,05,460800*XX\r\n").startswith(b"$VNWRG,05,460800*")
    assert ask(sensor, b"$VNRRG,01*XX\r\n") == b""
    sensor.uart.host_baud = 460800
    assert ask(sensor, b"\r\n").startswith(b"$VNERR,03*"), "what came before was no command"
    assert ask(sensor, b"$VNRRG,05*XX\r\n").startswith(b"$VNRRG,05,460800*")


def test_bytes_leave_at_the_baud() -> None:
    sensor = Vn100(timing=Vn100Timing(uart=True))
    ask(sensor, b"$VNWRG,05,57600*XX\r\n")
    ask(sensor, b"$VNWRG,75,1,16,01,0131*XX\r\n")
    measure(sensor, 16)
    # A frame of 54 bytes begins at 80 ms; 5 ms carry 28 of its bytes.
    assert [len(measure(sensor, 1, first=at)) for at in range(16, 20)] == [0, 28, 26, 0]


def test_a_host_that_does_not_read_costs_bounded_memory() -> None:
    sensor = Vn100()
    ask(sensor, OUTPUT)
    assert OUTPUT_LIMIT - 54 < len(measure(sensor, 1000)) <= OUTPUT_LIMIT


@given(
    st.lists(
        st.binary(max_size=60)
        | st.from_regex(rb"\$VN(RRG|WRG|ASY|BOM|TAR|WNV),[0-9A-F,.]{0,30}\*XX\r\n"),
        max_size=12,
    )
)
def test_no_bytes_make_it_fall_over(pieces: list[bytes]) -> None:
    sensor = Vn100()
    for piece in pieces:
        sensor.receive(piece)
    ask(sensor, b"\r\n")
    assert b"$VNRRG,01,VN-100T-CR*" in ask(sensor, b"$VNRRG,01*XX\r\n$VNRRG,01*XXXX\r\n")
