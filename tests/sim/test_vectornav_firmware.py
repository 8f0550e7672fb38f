"""The sensor's end. Commands and errors: VN-100 user manual UM001."""

import pytest

from sim.firmware.vectornav import OUTPUT_LIMIT, Vn100

STEP_NS = 5_000_000
OUTPUT = b"$VNWRG,75,1,4,01,0131*XX\r\n"


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
    ("command", "code"),
    [
        (b"$VNRRG,11*00", b"03"),
        (b"$VNRRG,11", b"03"),
        (b"$VNDANCE*XX", b"04"),
        (b"$VNWRG,75,1,4*XX", b"05"),
        (b"$VNWRG,75,1,4,01,0131,1*XX", b"06"),
        (b"$VNWRG,75,1,0,01,0131*XX", b"07"),
        (b"$VNASY,7*XX", b"07"),
        (b"$VNRRG,99*XX", b"08"),
        (b"$VNWRG,01,X*XX", b"08"),
    ],
)
def test_errors(command: bytes, code: bytes) -> None:
    assert ask(Vn100(), command + b"\r\n").startswith(b"$VNERR," + code + b"*")


def test_a_host_that_does_not_read_costs_bounded_memory() -> None:
    sensor = Vn100()
    ask(sensor, OUTPUT)
    assert OUTPUT_LIMIT - 54 < len(measure(sensor, 1000)) <= OUTPUT_LIMIT
