"""The text console. Texts: moteus docs/protocol/diagnostic.md, mjlib persistent_config.cc."""

import math
import struct
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from moteus.moteus import parse_diagnostic_flow_message, parse_diagnostic_message
from moteus.protocol import Register, parse_registers

from drivers.moteus.registers import FaultCode, Mode
from sim.firmware.moteus.console import LONGEST_LINE
from tests.sim.moteus_bench import CONFIG, DT, KP, VOLTS_PER_NM, Bench, goto


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("conf get servo.default_timeout_s", "0.100000\r\n"),
        ("conf get servo.timeout_mode", "12\r\n"),
        ("conf get servo.voltage_mode_control", "1\r\n"),
        ("conf get servopos.position_min", "nan\r\n"),
        ("conf get id.id", "1\r\n"),
        ("conf get motor.Kv", "86.686933\r\n"),
        ("conf get servo.nothing", "ERR error reading\r\n"),
        ("conf get nothing.kp", "ERR unknown group\r\n"),
        ("conf set servo.nothing 1", "ERR error setting\r\n"),
        ("conf set servo.max_current_A much", "ERR error setting\r\n"),
        ("conf set servo.timeout_mode 1.5", "ERR error setting\r\n"),
        ("conf set motor.Kv 0", "ERR error setting\r\n"),
        ("conf set nothing.kp 1", "ERR unknown group\r\n"),
        ("conf set id.id 1", "OK\r\n"),
        ("conf set id.id 2", "ERR error setting\r\n"),
        ("conf", "ERR unknown subcommand\r\n"),
        ("conf dance", "ERR unknown subcommand\r\n"),
        ("conf get", "ERR unknown group\r\n"),
        ("conf set servo.timeout_mode", "ERR error setting\r\n"),
        ("conf enumerate nothing", "ERR unknown group\r\n"),
        ("conf list", "id\r\nmotor\r\nservo\r\nservopos\r\nOK\r\n"),
        (
            "conf enumerate servopos",
            "servopos.position_min nan\r\nservopos.position_max nan\r\nOK\r\n",
        ),
        ("tel stop", "OK\r\n"),
        ("tel get servo_stats", "ERR unknown name\r\n"),
        ("d", "ERR unknown command\r\n"),
        ("d dance", "ERR unknown command\r\n"),
        ("d pos 1 2", "ERR missing p/v/i\r\n"),
        ("d pos 1 2 x", "ERR missing p/v/i\r\n"),
        ("d pos 1 2 3 z1", "ERR unknown option\r\n"),
        ("d within 1 2", "ERR missing min/max/t\r\n"),
        ("d within 1 2 3 s1", "ERR unknown option\r\n"),
        ("d dq 1", "ERR missing d/q current\r\n"),
        ("d exact", "ERR missing index value\r\n"),
        ("dance", "ERR unknown command\r\n"),
    ],
)
def test_answers(line: str, answer: str) -> None:
    assert Bench().say(line) == answer


def test_every_option_can_be_read_and_set_to_what_it_is() -> None:
    bench = Bench()
    *options, done = bench.say("conf enumerate").splitlines()
    assert done == "OK"
    assert len(options) > 15
    for option in options:
        name, value = option.split()
        assert bench.say(f"conf get {name}") == f"{value}\r\n"
        assert bench.say(f"conf set {name} {value}") == "OK\r\n", name
        assert bench.say(f"conf get {name}") == f"{value}\r\n"


def test_options_take_effect_with_the_next_command() -> None:
    bench = Bench()
    bench.drive(goto(0.01))
    bench.say("conf set servo.pid_position.kp 10")
    bench.send(goto(0.01))
    assert bench.run(DT) == pytest.approx(VOLTS_PER_NM * 0.1, rel=1e-5)
    assert bench.mode is Mode.POSITION, "servo options may change while driving"
    bench.say("conf set servo.default_timeout_s 0.5")
    bench.send(goto(0.01, timeout=0))
    bench.run(0.45)
    assert bench.mode is Mode.POSITION
    bench.run(0.06)
    assert bench.mode is Mode.TIMEOUT


def test_a_motor_option_changed_while_driving_is_fault_41() -> None:
    bench = Bench()
    bench.say("conf set motor.resistance_ohm 0.2")
    assert bench.mode is Mode.STOPPED
    bench.drive(goto())
    assert bench.say("conf set motor.resistance_ohm 0.186") == "OK\r\n"
    assert (bench.mode, bench.fault) == (Mode.FAULT, FaultCode.CONFIG_CHANGED)


def test_only_what_was_written_survives() -> None:
    bench = Bench()
    bench.say("conf set servo.max_current_A 7")
    assert bench.say("conf load") == "OK\r\n"
    assert bench.say("conf get servo.max_current_A") == "100.000000\r\n"
    bench.say("conf set servo.max_current_A 7")
    assert bench.say("conf write") == "OK\r\n"
    bench.bank.power_cycle()
    assert bench.say("conf get servo.max_current_A") == "7.000000\r\n"
    assert bench.say("conf default") == "OK\r\n"
    assert bench.say("conf get servo.pid_position.kp") == "4.000000\r\n"
    bench.say("conf load")
    assert bench.say("conf get servo.pid_position.kp") == f"{CONFIG.kp_nm_per_rev:f}\r\n"


def test_driving_by_hand_has_no_watchdog_unless_asked_for() -> None:
    bench = Bench()
    bench.say("d pos 0.01 0 3.5 a-1 d0")
    bench.run(0.012)
    bench.run(5.0)
    assert bench.mode is Mode.POSITION
    assert bench.run(DT) == pytest.approx(VOLTS_PER_NM * KP * 0.01, rel=1e-5)
    bench.say("d pos 0.01 0 3.5 a-1 t0.2")
    bench.run(0.21)
    assert bench.mode is Mode.TIMEOUT


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("d pos nan 0 1", Mode.POSITION),
        ("d zero 0 0 1", Mode.ZERO_VELOCITY),
        ("d tmt 0 0 1", Mode.TIMEOUT),
        ("d within -1 1 2 p0.5 f0.1 t1", Mode.STAY_WITHIN),
        ("d brake", Mode.BRAKE),
        ("d dq 0 1", Mode.CURRENT),
    ],
)
def test_modes_by_hand(line: str, mode: Mode) -> None:
    bench = Bench()
    assert bench.say(line) == "OK\r\n"
    bench.run(0.02)
    assert bench.mode is mode
    assert bench.say("d stop") == "OK\r\n"
    assert bench.mode is Mode.STOPPED


def test_the_zero_by_hand() -> None:
    bench = Bench()
    bench.sense(position_rev=0.3)
    assert bench.say("d exact 2") == "OK\r\n"
    assert bench.read_float(0x01) == 2.0
    assert bench.say("d nearest 5.1") == "OK\r\n"
    assert bench.read_float(0x01) == 5.0
    assert bench.say("d rezero") == "OK\r\n"
    assert bench.read_float(0x01) == 0.0
    assert bench.say("d req-reindex") == "OK\r\n"
    assert bench.read_float(0x01) == pytest.approx(0.3)
    assert bench.say("d recapture") == "OK\r\n"


def test_a_line_too_long_is_thrown_away() -> None:
    bench = Bench()
    assert bench.say("conf get id.id" + " " * LONGEST_LINE) == ""
    assert bench.say("conf get id.id") == "1\r\n"


def test_a_question_before_the_last_answer_was_fetched_is_ignored() -> None:
    bench = Bench()
    for line in (b"conf get id.id\n", b"conf get servo.kp\n"):
        bench.bank.handle_frame(1, bytes([0x40, 1, len(line)]) + line)
    assert bench.send(b"\x42\x01\x30")[:6] == b"\x41\x01\x031\r\n"
    assert bench.send(b"\x42\x01\x30")[:3] == b"\x41\x01\x00"


def test_flow_control_repeats_until_acknowledged() -> None:
    bench = Bench()
    text = b"conf get id.id\n"
    bench.bank.handle_frame(1, bytes([0x40, 1, len(text)]) + text)
    first = bench.send(bytes([0x44, 1, 0, 48]))
    assert first[:7] == b"\x43\x01\x01\x031\r\n"
    assert bench.send(bytes([0x44, 1, 0, 48])) == first
    assert bench.send(bytes([0x44, 1, 1, 48]))[:4] == b"\x43\x01\x02\x00"
    assert bench.send(bytes([0x42, 1, 48]))[:3] == b"\x41\x01\x00"


def test_output_leaves_only_with_a_reply() -> None:
    bench = Bench()
    text = b"conf get id.id\n"
    bench.bank.handle_frame(1, bytes([0x40, 1, len(text)]) + text)
    assert bench.bank.handle_frame(1, b"\x42\x01\x30") == []
    assert bench.send(b"\x42\x01\x30")[:6] == b"\x41\x01\x031\r\n"


@pytest.mark.parametrize("frame", ["40", "4001", "40010531", "400205", "420230", "440100"])
def test_malformed_stream_frames_are_answered_by_nothing(frame: str) -> None:
    assert Bench().send(bytes.fromhex(frame)) == b""


def test_the_makers_client_understands_the_stream() -> None:
    bench = Bench()
    text = b"conf get id.id\n"
    bench.bank.handle_frame(1, bytes([0x40, 1, len(text)]) + text)
    frame = SimpleNamespace(data=bench.send(bytes([0x42, 1, 48])))
    assert parse_diagnostic_message(frame, 1) == b"1\r\n"
    bench.bank.handle_frame(1, bytes([0x40, 1, len(text)]) + text)
    frame = SimpleNamespace(data=bench.send(bytes([0x44, 1, 0, 48])))
    assert parse_diagnostic_flow_message(frame, 1) == (b"1\r\n", 1)


def test_the_makers_client_understands_every_register() -> None:
    bench = Bench()
    bench.sense(position_rev=0.25, velocity_rev_s=-1.0, torque_nm=0.5, temperature_c=30.0)
    values = parse_registers(bench.send(bytes.fromhex("11001f01130d 1507 110c"))).response
    assert values[Register.POSITION] == 0.25
    assert values[Register.VELOCITY] == -1.0
    assert values[Register.TORQUE] == 0.5
    assert values[Register.VOLTAGE] == 16.0
    assert values[Register.TEMPERATURE] == 30.0
    assert values[Register.HOME_STATE] == 1
    uuid = parse_registers(bench.send(bytes.fromhex("1804D002 11D802"))).response
    assert uuid[Register.UUID_MASK_CAPABLE] == 1
    assert uuid[Register.UUID1] == 0x150 << 16 | 1


@given(st.lists(st.binary(max_size=61), max_size=6))
def test_no_bytes_upset_the_console(pieces: list[bytes]) -> None:
    bench = Bench()
    for piece in pieces:
        bench.bank.handle_frame(1, bytes([0x40, 1, len(piece)]) + piece)
        reply = bench.send(bytes([0x42, 1, 61]))
        assert reply[:2] == b"\x41\x01"
        assert 0 <= reply[2] <= 39
        assert math.isfinite(bench.run(DT))


commands = st.sampled_from(["conf get ", "conf set ", "d pos ", "d within ", "d ", "tel ", ""])
words = st.lists(
    st.sampled_from(["servo.timeout_mode", "motor.Kv", "0.1", "nan", "-1", "inf", "t0", "p2", "x"]),
    max_size=5,
)


@example([("conf set ", ["motor.Kv", "inf"])])
@given(st.lists(st.tuples(commands, words), max_size=4))
def test_no_line_upsets_the_controller(lines: list[tuple[str, list[str]]]) -> None:
    bench = Bench()
    for command, arguments in lines:
        bench.say(command + " ".join(arguments))
        assert math.isfinite(bench.run(0.012))
        assert len(struct.pack("<b", bench.mode)) == 1
