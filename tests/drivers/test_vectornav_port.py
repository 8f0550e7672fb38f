import struct
from collections.abc import Callable

import pytest

from drivers.checksum import crc16, xor8
from drivers.errors import BusTimeout, DeviceError, WireClosed
from drivers.imu import ImuFault, ImuIdentity
from drivers.vectornav.codec import Check
from drivers.vectornav.layout import STANDARD, Field, Layout
from drivers.vectornav.port import VectorNavPort
from drivers.vectornav.registers import BAUD, STARTUP_BIAS, VPE_BASIC
from sim.firmware.vectornav.sensor import Vn100, Vn100Timing
from tests.drivers.imu_contract import watch
from tests.drivers.imu_rigs import VectorNavRig, rotation
from tests.drivers.scripted_wire import ScriptedWire

REPLIES = {
    "VNRRG,01": "VNRRG,01,VN-100T-CR",
    "VNRRG,02": "VNRRG,02,7",
    "VNRRG,03": "VNRRG,03,0100012345",
    "VNRRG,04": "VNRRG,04,2.1.0.0",
    "VNRRG,05": "VNRRG,05,115200",
    "VNRRG,75": "VNRRG,75,1,4,01,0131",
    "VNRRG,76": "VNRRG,76,0,0,00",
    "VNRRG,77": "VNRRG,77,2,16,01,0001",
}


def say(body: str) -> bytes:
    return f"${body}*{xor8(body.encode()):02X}\r\n".encode()


def frame(time_ns: int, quaternion: tuple[float, ...] = (0, 0, 0, 1), gyro: float = 0.0) -> bytes:
    body = bytes.fromhex("013101")
    body += struct.pack("<Q4f3f3f", time_ns, *quaternion, gyro, 0, 0, 0, 0, -9.8)
    return b"\xfa" + body + crc16(body).to_bytes(2, "big")


def sensor(command: bytes) -> bytes:
    """A VN-100 that does as it is told, streaming all the while."""
    body = command.decode().strip().lstrip("$").rpartition("*")[0]
    return frame(1) + say(REPLIES.get(body, body)) + frame(2)[:30]


def but(**changed: str) -> Callable[[bytes], bytes]:
    """That sensor, but with other answers to VNRRG of some registers, e.g. r01."""

    def answer(command: bytes) -> bytes:
        register = command[7:9].decode()
        if command.startswith(b"$VNRRG") and f"r{register}" in changed:
            return say(f"VNRRG,{register},{changed[f'r{register}']}")
        return sensor(command)

    return answer


def test_configure_sends_the_manuals_commands() -> None:
    wire = ScriptedWire(sensor)
    identity = VectorNavPort(wire, wire.now).configure(divisor=4)
    assert identity == ImuIdentity("VN-100T-CR", "2.1.0.0", "0100012345", "7")
    bodies = [line.decode().strip()[1:-3] for line in wire.written]
    assert bodies == [
        *("VNASY,0", "VNRRG,01", "VNRRG,04", "VNRRG,03", "VNRRG,02", "VNRRG,05", "VNWRG,06,0"),
        *("VNRRG,76", "VNRRG,77", "VNWRG,77,0,16,01,0001"),
        *("VNWRG,75,1,4,01,0131", "VNRRG,75", "VNASY,1"),
    ]
    assert wire.written[0] == say("VNASY,0")


def test_configure_tries_again_after_noise() -> None:
    noise = [b"", say("VNERR,03")]
    wire = ScriptedWire(lambda command: noise.pop(0) if noise else sensor(command))
    VectorNavPort(wire, wire.now).configure(divisor=4)
    assert wire.written[:3] == [say("VNASY,0")] * 3


def test_an_old_answer_is_not_taken_for_the_new_one() -> None:
    wire = ScriptedWire(sensor)
    port = VectorNavPort(wire, wire.now)
    wire.arrived.append(say("VNRRG,05,9600"))
    assert port.read_register(BAUD) == (115200,)


def test_refusal_another_device_and_silence_are_told_apart() -> None:
    wire = ScriptedWire(lambda _: say("VNERR,0C"))
    with pytest.raises(DeviceError, match="insufficient baud rate"):
        VectorNavPort(wire, wire.now).configure(divisor=4)
    wire = ScriptedWire(lambda _: b"")
    with pytest.raises(BusTimeout, match="VNASY,0"):
        VectorNavPort(wire, wire.now).configure(divisor=4)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (but(r01="VN-200T-CR"), "VN-200T-CR"),
        (but(r01=""), "no name"),
        (but(r04="1.1.128.0"), "too old"),
        (but(r04="beta"), "too old"),
        (but(r03="0100099999"), "expected the VN-100 with serial 100012345"),
        (but(r05="57600"), "need 108000 bit/s"),
        (but(r05="fast"), "nonsense"),
        (but(r75="1,8,01,0131"), "1,4,01,0131"),
    ],
)
def test_what_does_not_fit_is_told(answer: Callable[[bytes], bytes], complaint: str) -> None:
    wire = ScriptedWire(answer)
    with pytest.raises(DeviceError, match=complaint):
        VectorNavPort(wire, wire.now, serial="100012345").configure(divisor=4)


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


def test_a_frame_that_comes_twice_is_handed_out_once() -> None:
    wire = ScriptedWire(lambda _: b"")
    port = VectorNavPort(wire, wire.now)
    wire.arrived.append(frame(5))
    assert port.poll() is not None
    wire.arrived.append(frame(5) + frame(4))
    assert port.poll() is None
    assert port.statistics.repeated == 2


def test_a_factory_fresh_sensor_is_quietened() -> None:
    rig = VectorNavRig(Vn100(saved={}))
    rig.wait(0.5)
    rig.imu.configure(4)
    skipped = rig.imu.statistics.skipped_bytes
    assert len(watch(rig, 100)) == 100
    assert rig.imu.statistics.skipped_bytes == skipped


def test_baud_is_set_on_both_ends() -> None:
    rig = VectorNavRig(Vn100(timing=Vn100Timing(uart=True)))
    rig.port.configure(4, baud=921600)
    assert rig.uart.host_baud == rig.uart.baud == 921600
    assert len(watch(rig, 50)) == 50
    rig.port.configure(4, baud=921600)
    with pytest.raises(ValueError, match="valid are"):
        rig.port.configure(4, baud=250000)
    fixed = VectorNavPort(rig.wire, rig.now)
    with pytest.raises(ValueError, match="reopened"):
        fixed.configure(4, baud=115200)
    with pytest.raises(ValueError, match="configure"):
        fixed.write_register(BAUD, (115200,))


def test_no_answer_at_any_baud() -> None:
    rig = VectorNavRig()
    rig.sensor.uart.baud = 12345
    rig.uart.host_baud = 115200
    with pytest.raises(BusTimeout, match="any of"):
        rig.imu.configure(4)


@pytest.mark.parametrize("wanted", Check)
@pytest.mark.parametrize("found", Check)
def test_either_check_is_found_and_the_wanted_one_set(found: Check, wanted: Check) -> None:
    rig = VectorNavRig(Vn100(saved={6: "0", 30: f"0,0,0,0,{found},0,1"}))
    port = VectorNavPort(rig.wire, rig.now, check=wanted)
    port.configure(4)
    rig.imu = port
    assert len(watch(rig, 20)) == 20
    rig.sensor.receive(b"$VNRRG,30*XX\r\n")
    answer = rig.wire.drain()
    assert f",{int(wanted)},0,1*".encode() in answer
    assert len(answer.strip().rpartition(b"*")[2]) == (2 if wanted is Check.XOR8 else 4)


def test_more_fields_come_as_extra() -> None:
    rig = VectorNavRig()
    layout = Layout(*STANDARD.fields, Field.IMU_TEMPERATURE)
    port = VectorNavPort(rig.wire, rig.now, layout=layout)
    port.configure(8)
    rig.imu, rig.every = port, 10
    assert watch(rig, 10)[0].extra == {"temperature_c": (25.0,)}


def test_registers_are_read_back() -> None:
    rig = VectorNavRig()
    rig.imu.configure(4)
    rig.port.write_register(VPE_BASIC, (1, 0, 1, 1))
    assert rig.port.read_register(VPE_BASIC) == (1, 0, 1, 1)
    rig.port.write_register(STARTUP_BIAS, (0.012345678, -0.5, 0.0))
    assert rig.port.read_register(STARTUP_BIAS) == pytest.approx((0.012346, -0.5, 0.0))
    assert len(watch(rig, 10)) == 10
    wire = ScriptedWire(but(r35="1,1,1,1"))
    forgetful = VectorNavPort(wire, wire.now)
    with pytest.raises(DeviceError, match="asked for"):
        forgetful.write_register(VPE_BASIC, (1, 0, 1, 1))


def test_tare_makes_the_present_attitude_zero() -> None:
    rig = VectorNavRig()
    rig.attitude = rotation(1.0, 0.2, 0.1)
    rig.imu.configure(4)
    watch(rig, 1)
    rig.port.tare()
    rig.port.set_gyro_bias()
    assert abs(watch(rig, 1)[0].quaternion_xyzw[3]) == pytest.approx(1.0, abs=1e-6)


def test_settings_are_saved_and_survive_a_reset() -> None:
    rig = VectorNavRig(Vn100(timing=Vn100Timing(flash_write_s=0.5, boot_s=1.0)))
    rig.imu.configure(4)
    rig.port.write_register(VPE_BASIC, (1, 2, 1, 1))
    rig.port.save_settings()
    assert rig.now() == pytest.approx(0.5, abs=0.02)
    rig.port.reset()
    assert rig.now() == pytest.approx(1.5, abs=0.3)
    assert rig.port.read_register(VPE_BASIC) == (1, 2, 1, 1)
    assert watch(rig, 5) == []
    rig.imu.configure(4)
    assert len(watch(rig, 5)) == 5
    assert rig.imu.fault is None


def test_the_factorys_settings_come_back_with_the_factorys_baud() -> None:
    rig = VectorNavRig()
    rig.port.configure(4, baud=460800)
    rig.port.write_register(VPE_BASIC, (1, 2, 1, 1))
    rig.port.restore_factory()
    assert rig.uart.host_baud == 115200
    assert rig.port.read_register(VPE_BASIC) == (1, 1, 1, 1)
    rig.imu.configure(4)
    assert len(watch(rig, 5)) == 5


def test_a_sensor_that_does_not_come_back_is_told() -> None:
    rig = VectorNavRig(Vn100(timing=Vn100Timing(boot_s=60.0)))
    port = VectorNavPort(rig.wire, rig.now)
    port.configure(4)
    with pytest.raises(BusTimeout):
        port.reset()


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


def test_a_fault_is_told_while_nobody_polls() -> None:
    rig = VectorNavRig()
    rig.imu.configure(4)
    rig.wait(0.03)
    assert rig.imu.fault is ImuFault.SILENT
    assert rig.imu.poll() is not None
    assert rig.imu.fault is None
