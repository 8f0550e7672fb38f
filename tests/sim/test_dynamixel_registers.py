"""The control table as a host meets it: access rules, status errors, what instructions do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.dynamixel.control_table import TABLES, Access, Area
from sim.firmware.dynamixel.servo import ServoSpec
from tests.sim.dynamixel_bench import (
    ACCESS,
    BACKUP,
    CLEAR,
    INSTRUCTION,
    LENGTH,
    LIMIT,
    OK,
    RANGE,
    READ,
    REG_WRITE,
    RESET,
    TABLE,
    WRITE,
    Bench,
    instruction,
    span,
)


def address(name: str) -> bytes:
    return TABLE[name].address.to_bytes(2, "little")


@pytest.mark.parametrize("model", TABLES)
def test_defaults_of_every_model(model: int) -> None:
    bench = Bench(ServoSpec(1, model))
    for register in TABLES[model].registers:
        if register.default is not None and register.name not in ("baud_rate", "backup_ready"):
            error, data = bench.ask(READ, span(register.address, register.size))
            assert error == OK
            value = int.from_bytes(data, "little", signed=register.signed)
            assert value == register.default, register.name


def test_goals_wake_up_at_rest_and_at_their_limits() -> None:
    bench = Bench(counts=[1234])
    assert bench.read("goal_position") == 1234
    assert bench.read("goal_velocity") == 0
    assert bench.read("goal_pwm") == bench.read("pwm_limit")
    assert bench.read("goal_current") == bench.read("current_limit")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("id", 253, RANGE),
        ("operating_mode", 2, RANGE),
        ("drive_mode", 2, RANGE),
        ("shutdown", 2, RANGE),
        ("homing_offset", 1_044_480, RANGE),
        ("pwm_limit", 886, RANGE),
        ("torque_enable", 2, RANGE),
        ("status_return_level", 3, RANGE),
        ("bus_watchdog", -1, RANGE),
        ("profile_velocity", 32768, RANGE),
        ("goal_position", 1_048_576, RANGE),
        ("indirect_address_1", 63, RANGE),
        ("indirect_address_1", 662, RANGE),
        ("goal_position", 4096, LIMIT),
        ("goal_position", -1, LIMIT),
        ("goal_velocity", 201, LIMIT),
        ("goal_velocity", -201, LIMIT),
        ("model_number", 1, ACCESS),
        ("hardware_error_status", 0, ACCESS),
        ("present_position", 0, ACCESS),
        ("goal_position", 4095, OK),
        ("goal_velocity", -200, OK),
        ("shutdown", 61, OK),
        ("homing_offset", -1_044_479, OK),
    ],
)
def test_values_refused_and_taken(name: str, value: int, error: int) -> None:
    bench = Bench()
    before = bench.read(name)
    assert bench.write(name, value) == error
    assert bench.read(name) == (value if error == OK else before)


def test_limit_registers_bound_the_goals() -> None:
    bench = Bench()
    bench.set(pwm_limit=400, current_limit=300, velocity_limit=50)
    bench.set(min_position_limit=1000, max_position_limit=2000)
    for goal, limit in (("goal_pwm", 400), ("goal_current", 300), ("goal_velocity", 50)):
        for sign in (1, -1):
            assert bench.write(goal, sign * (limit + 1)) == LIMIT
            assert bench.write(goal, sign * limit) == OK
    assert [bench.write("goal_position", goal) for goal in (999, 1000, 2000, 2001)] == [
        LIMIT,
        OK,
        OK,
        LIMIT,
    ]
    for mode in (4, 5):
        bench.set(operating_mode=mode, goal_position=-1_048_575)


def test_eeprom_is_locked_while_torque_is_on() -> None:
    bench = Bench()
    bench.set(torque_enable=1)
    for register in TABLES[1020].registers:
        if register.area is Area.EEPROM and register.access is Access.RW:
            value = bench.read(register.name)
            assert bench.write(register.name, value) == ACCESS, register.name
    assert bench.write("led", 1) == OK
    bench.set(torque_enable=0)
    assert bench.write("return_delay_time", 0) == OK


@pytest.mark.parametrize(
    ("at", "length", "error"),
    [
        (116, 2, LENGTH),
        (117, 4, LENGTH),
        (116, 3, LENGTH),
        (116, 5, LENGTH),
        (116, 6, ACCESS),
        (14, 1, ACCESS),
        (148, 4, ACCESS),
        (300, 1, ACCESS),
        (661, 2, ACCESS),
        (662, 1, ACCESS),
        (65535, 1, ACCESS),
    ],
)
def test_writes_that_fill_no_whole_registers(at: int, length: int, error: int) -> None:
    bench = Bench()
    assert bench.ask(WRITE, at.to_bytes(2, "little") + bytes(length))[0] == error


def test_writes_over_several_registers_are_all_or_none() -> None:
    bench = Bench()
    both = address("profile_acceleration") + (10).to_bytes(4, "little")
    assert bench.ask(WRITE, both + (32768).to_bytes(4, "little"))[0] == RANGE
    assert bench.read("profile_acceleration") == 0
    assert bench.ask(WRITE, both + (20).to_bytes(4, "little"))[0] == OK
    assert (bench.read("profile_acceleration"), bench.read("profile_velocity")) == (10, 20)


def test_reads_of_gaps() -> None:
    """Only a read of nothing but undefined addresses is refused; gaps inside one are zero."""
    bench = Bench()
    error, data = bench.ask(READ, span(0, 148))
    assert (error, len(data)) == (OK, 148)
    assert data[14:20] == bytes(6)
    for at, length in ((14, 6), (300, 10), (660, 3), (662, 1), (0, 0), (0, 65535), (65535, 65535)):
        assert bench.ask(READ, span(at, length)) == (ACCESS, b"")


def test_parameters_of_the_wrong_length() -> None:
    bench = Bench()
    for parameters in (b"", b"\x74", b"\x74\x00", b"\x74\x00\x04", b"\x74\x00\x04\x00\x00"):
        assert bench.ask(READ, parameters)[0] == LENGTH
    for parameters in (b"", b"\x74", b"\x74\x00"):
        assert bench.ask(WRITE, parameters)[0] == LENGTH
        assert bench.ask(REG_WRITE, parameters)[0] == LENGTH
    for parameters in (b"", b"\x01\x02"):
        assert bench.ask(RESET, parameters)[0] == LENGTH


def test_unknown_instructions() -> None:
    bench = Bench()
    known = {1, 2, 3, 4, 5, 6, 8, 0x10, 0x20, 0x55}
    for code in set(range(256)) - known:
        assert bench.ask(code) == (INSTRUCTION, b"")
    assert bench.say(instruction(1, 0x55)) == b""
    old = Bench(ServoSpec(1, firmware=41))
    assert old.ask(CLEAR, b"\x01DXL\x22")[0] == INSTRUCTION
    assert old.ask(BACKUP, b"\x01CTRL")[0] == INSTRUCTION


def test_xl430_has_no_current() -> None:
    bench = Bench(ServoSpec(1, 1060))
    assert bench.write("goal_current", 1) == ACCESS
    assert [bench.write("operating_mode", mode) for mode in (0, 1, 3, 4, 5, 16)] == [
        RANGE,
        OK,
        OK,
        OK,
        RANGE,
        OK,
    ]


def test_indirect_data_reads_and_writes_what_it_points_to() -> None:
    bench = Bench(counts=[2079])
    for i in range(4):
        bench.set(**{f"indirect_address_{1 + i}": 132 + i, f"indirect_address_{29 + i}": 116 + i})
    bench.set(indirect_address_5=65)
    at = address("indirect_data_1")
    assert bench.ask(READ, at + b"\x05\x00") == (OK, bytes.fromhex("1F08000000"))
    assert bench.ask(WRITE, address("indirect_data_29") + (1024).to_bytes(4, "little"))[0] == OK
    assert bench.read("goal_position") == 1024
    assert bench.ask(WRITE, address("indirect_data_5") + b"\x01")[0] == OK
    assert bench.read("led") == 1


def test_indirect_data_keeps_the_rules_of_its_target() -> None:
    bench = Bench()
    for i in range(3):
        bench.set(**{f"indirect_address_{1 + i}": 116 + i})
    at = address("indirect_data_1")
    # Three of four bytes are mapped, the fourth is its own: the register is not filled.
    assert bench.ask(WRITE, at + bytes(4))[0] == LENGTH
    bench.set(indirect_address_4=119)
    assert bench.ask(WRITE, at + (4096).to_bytes(4, "little"))[0] == LIMIT
    bench.set(indirect_address_1=132)
    assert bench.ask(WRITE, at + b"\x00")[0] == LENGTH
    bench.set(indirect_address_1=146)
    assert bench.ask(WRITE, at + b"\x00")[0] == ACCESS


def test_indirect_data_is_memory_until_it_is_mapped() -> None:
    bench = Bench()
    every = bytes(range(28))
    assert bench.ask(WRITE, address("indirect_data_1") + every)[0] == OK
    assert bench.ask(READ, span(224, 28)) == (OK, every)


@settings(deadline=None, max_examples=150)
@given(
    writes=st.lists(
        st.tuples(
            st.sampled_from([0, *range(7, 70), *range(98, 120), 168, 224]), st.binary(max_size=8)
        ),
        max_size=12,
    )
)
def test_lawful_state_whatever_is_written(writes: list[tuple[int, bytes]]) -> None:
    """Every register that a host can write stays within its own bounds."""
    bench = Bench(ServoSpec(1))
    for at, data in writes:
        bench.say(instruction(bench.line.servos[0].id, WRITE, at.to_bytes(2, "little") + data))
    bench.run(0.002)
    memory = bench.line.servos[0].memory
    assert memory["operating_mode"] in (0, 1, 3, 4, 5, 16)
    for register in TABLES[1020].registers:
        low, high = register.minimum, register.maximum
        if register.access is Access.RW and low is not None and high is not None:
            assert low <= memory[register.name] <= high
