"""What single instructions do: registered writes, shadow id, reset, reboot, backup."""

import pytest

from sim.firmware.dynamixel.line import DynamixelLine
from sim.firmware.dynamixel.servo import BOOT_TIME_S, ServoSpec
from tests.sim.dynamixel_bench import (
    ACCESS,
    ACTION,
    BACKUP,
    EVERYBODY,
    FAIL,
    INSTRUCTION,
    OK,
    PING,
    RANGE,
    READ,
    REBOOT,
    REG_WRITE,
    RESET,
    SYNC_WRITE,
    TABLE,
    WRITE,
    Bench,
    instruction,
    span,
    split,
)


def address(name: str) -> bytes:
    return TABLE[name].address.to_bytes(2, "little")


def test_reg_write_waits_for_action() -> None:
    bench = Bench()
    assert bench.ask(REG_WRITE, address("led") + b"\x01")[0] == OK
    assert (bench.read("led"), bench.read("registered_instruction")) == (0, 1)
    assert bench.ask(ACTION)[0] == OK
    assert (bench.read("led"), bench.read("registered_instruction")) == (1, 0)
    assert bench.ask(ACTION)[0] == INSTRUCTION


def test_reg_write_is_checked_when_registered_and_when_carried_out() -> None:
    bench = Bench()
    assert bench.ask(REG_WRITE, address("led") + b"\x02")[0] == RANGE
    assert bench.read("registered_instruction") == 0
    assert bench.ask(REG_WRITE, address("id") + b"\x05")[0] == OK
    bench.set(torque_enable=1)
    assert bench.ask(ACTION)[0] == ACCESS
    assert bench.read("registered_instruction") == 0


def test_action_reaches_everybody() -> None:
    bench = Bench(ServoSpec(1), ServoSpec(2))
    for id in (1, 2):
        assert bench.ask(REG_WRITE, address("led") + b"\x01", id)[0] == OK
    assert bench.say(instruction(EVERYBODY, ACTION)) == b""
    assert [bench.read("led", id) for id in (1, 2)] == [1, 1]


@pytest.mark.parametrize(
    ("level", "answered"), [(0, {PING}), (1, {PING, READ}), (2, {PING, READ, WRITE, ACTION})]
)
def test_status_return_level(level: int, answered: set[int]) -> None:
    bench = Bench()
    bench.set(status_return_level=level)
    parameters = {READ: span(0, 2), WRITE: address("led") + b"\x01"}
    got = {
        code
        for code in (PING, READ, WRITE, ACTION)
        if bench.say(instruction(1, code, parameters.get(code, b"")))
    }
    assert got == answered
    assert bench.line.servo(1).memory["led"] == 1


def test_shadow_id_hears_but_does_not_speak() -> None:
    bench = Bench(ServoSpec(1), ServoSpec(2), ServoSpec(5))
    for id in (1, 2, 5):
        bench.set(id, secondary_id=5)
    error, _ = bench.ask(WRITE, address("led") + b"\x01", id=5)
    assert error == OK
    assert [bench.read("led", id) for id in (1, 2, 5)] == [1, 1, 1]
    for id in (1, 2, 5):
        bench.set(id, secondary_id=100)
    assert bench.say(instruction(100, WRITE, address("led") + b"\x00")) == b""
    assert bench.say(instruction(100, PING)) == b""
    assert [bench.read("led", id) for id in (1, 2, 5)] == [0, 0, 0]
    write = address("led") + b"\x01\x00" + b"\x64\x01"
    assert bench.say(instruction(EVERYBODY, SYNC_WRITE, write)) == b""
    assert [bench.read("led", id) for id in (1, 2, 5)] == [1, 1, 1]


def test_eeprom_cannot_be_written_through_the_shadow_id() -> None:
    bench = Bench()
    bench.set(secondary_id=100, return_delay_time=7)
    for code, parameters in (
        (WRITE, address("return_delay_time") + b"\x00"),
        (REG_WRITE, address("return_delay_time") + b"\x00"),
        (RESET, b"\x01"),
    ):
        assert bench.say(instruction(100, code, parameters)) == b""
    bench.run(BOOT_TIME_S)
    assert bench.read("return_delay_time") == 7
    assert bench.read("registered_instruction") == 0


@pytest.mark.parametrize(
    ("option", "id", "baud"), [(0xFF, 1, 1), (0x01, 9, 1), (0x02, 9, 3)], ids=hex
)
def test_factory_reset(option: int, id: int, baud: int) -> None:
    bench = Bench(ServoSpec(9, firmware=45))
    bench.set(9, return_delay_time=0, operating_mode=4, led=1)
    assert bench.ask(RESET, bytes([option]), id=9) == (OK, b"")
    bench.run(BOOT_TIME_S)
    assert bench.read("baud_rate", id) == baud
    assert bench.read("return_delay_time", id) == 250
    assert bench.read("operating_mode", id) == 3
    assert bench.read("led", id) == 0
    assert bench.read("firmware_version", id) == 45
    assert bench.ask(RESET, b"\x03", id)[0] == RANGE


def test_broadcast_reset_of_everything_is_ignored_from_firmware_42_on() -> None:
    bench = Bench(ServoSpec(9), ServoSpec(8, firmware=41))
    assert bench.say(instruction(EVERYBODY, RESET, b"\xff")) == b""
    bench.run(BOOT_TIME_S)
    assert [servo.id for servo in bench.line.servos] == [9, 1]
    assert bench.say(instruction(EVERYBODY, RESET, b"\x01")) == b""
    bench.run(BOOT_TIME_S)
    assert [bench.read("baud_rate", id) for id in (9, 1)] == [1, 1]


def test_reboot_is_answered_and_then_silent_for_a_while() -> None:
    bench = Bench()
    bench.set(led=1, return_delay_time=0, torque_enable=1, position_p_gain=5)
    assert bench.ask(REBOOT) == (OK, b"")
    for _ in range(9):
        bench.run(BOOT_TIME_S / 10)
        assert bench.say(instruction(1, PING)) == b""
    bench.run(BOOT_TIME_S / 10)
    assert bench.ask(PING)[0] == OK
    names = ("led", "return_delay_time", "torque_enable", "position_p_gain")
    assert [bench.read(name) for name in names] == [0, 0, 0, 800]


def test_realtime_tick_counts_ms_and_wraps() -> None:
    now = [0.0]
    line = DynamixelLine([ServoSpec(1)], lambda: now[0])
    for time, tick in ((1.234, 1234), (32.767, 32767), (32.768, 0), (40.0, 40_000 - 32_768)):
        now[0] = time
        line.receive(instruction(1, READ, span(120, 2)))
        ((_, _, data),) = split(line.transmit())
        assert int.from_bytes(data, "little") == tick
    bench = Bench()
    assert bench.ask(REBOOT)[0] == OK
    bench.run(BOOT_TIME_S + 0.05)
    assert bench.read("realtime_tick") == 50


def test_backup_and_restore() -> None:
    bench = Bench()
    assert bench.ask(BACKUP, b"\x02CTRL")[0] == FAIL
    assert bench.read("backup_ready") == 0
    bench.set(torque_enable=1)
    assert bench.ask(BACKUP, b"\x01CTRL")[0] == FAIL
    bench.set(torque_enable=0, return_delay_time=3)
    assert bench.ask(BACKUP, b"\x03CTRL")[0] == FAIL
    assert bench.ask(BACKUP, b"\x01CTRL") == (OK, b"")
    assert bench.read("backup_ready") == 1
    bench.set(return_delay_time=9, operating_mode=4, led=1)
    assert bench.ask(BACKUP, b"\x02CTRL") == (OK, b"")
    assert bench.say(instruction(1, PING)) == b""
    bench.run(BOOT_TIME_S)
    assert bench.read("return_delay_time") == 3
    assert bench.read("operating_mode") == 3
    assert (bench.read("led"), bench.read("backup_ready")) == (0, 1)


def test_startup_configuration_brings_the_tuning_back() -> None:
    bench = Bench()
    bench.set(startup_configuration=2, position_p_gain=321, profile_velocity=44, led=1)
    bench.set(indirect_address_7=132)
    assert bench.ask(BACKUP, b"\x01CTRL")[0] == OK
    assert bench.ask(REBOOT)[0] == OK
    bench.run(BOOT_TIME_S)
    names = ("position_p_gain", "profile_velocity", "indirect_address_7", "led")
    assert [bench.read(name) for name in names] == [321, 44, 132, 0]


def test_startup_configuration_may_switch_torque_on() -> None:
    bench = Bench(counts=[777])
    bench.set(startup_configuration=1)
    assert bench.ask(REBOOT)[0] == OK
    bench.run(BOOT_TIME_S - 0.01)
    assert not bench.line.servo(1).motion.torque
    bench.run(0.5)
    assert bench.read("torque_enable") == 1
    assert bench.counts() == pytest.approx(777, abs=1)
