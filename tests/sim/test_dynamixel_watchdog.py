"""The bus watchdog: what feeds it, and how a servo stops."""

import pytest

from tests.sim.dynamixel_bench import (
    CURRENT,
    CURRENT_POSITION,
    EVERYBODY,
    EXTENDED,
    OK,
    PING,
    PWM,
    RANGE,
    READ,
    SYNC_WRITE,
    VELOCITY,
    Bench,
    instruction,
    span,
)


def spinning(bench: Bench, watchdog: int) -> None:
    bench.set(operating_mode=VELOCITY, torque_enable=1, goal_velocity=50, bus_watchdog=watchdog)


@pytest.mark.parametrize("setting", [1, 5, 127])
def test_watchdog_trips_after_its_time(setting: int) -> None:
    bench = Bench()
    spinning(bench, setting)
    bench.run(setting * 0.02)
    assert bench.line.servo(1).memory["bus_watchdog"] == setting
    bench.run(0.001)
    assert bench.line.servo(1).memory["bus_watchdog"] == -1
    assert bench.ask(READ, span(98, 1)) == (OK, b"\xff")


@pytest.mark.parametrize(
    "packet",
    [
        instruction(1, PING),
        instruction(77, PING),
        instruction(EVERYBODY, SYNC_WRITE, b"\x41\x00\x01\x00\x07\x01"),
        instruction(77, READ, span(132, 4)),
    ],
)
def test_any_instruction_packet_feeds_the_watchdog(packet: bytes) -> None:
    bench = Bench()
    spinning(bench, 2)
    for _ in range(10):
        bench.run(0.039)
        bench.say(packet)
    assert bench.line.servo(1).memory["bus_watchdog"] == 2


def test_what_is_no_instruction_packet_does_not_feed_it() -> None:
    packet = bytearray(instruction(77, PING))
    packet[-1] ^= 1
    for noise in (bytes(packet), instruction(1, 0x55, b"\x00"), b"\xff" * 30):
        bench = Bench()
        spinning(bench, 2)
        bench.run(0.03)
        bench.say(noise)
        bench.run(0.012)
        assert bench.line.servo(1).memory["bus_watchdog"] == -1


def test_watchdog_sleeps_while_torque_is_off() -> None:
    bench = Bench()
    bench.set(bus_watchdog=1)
    bench.run(1.0)
    assert bench.read("bus_watchdog") == 1
    bench.set(torque_enable=1)
    bench.run(0.02)
    assert bench.read("bus_watchdog") == 1
    bench.run(0.021)
    assert bench.read("bus_watchdog") == -1


@pytest.mark.parametrize(
    ("mode", "goal", "value"),
    [
        (VELOCITY, "goal_velocity", 100),
        (EXTENDED, "goal_position", 20_000),
        (CURRENT_POSITION, "goal_position", 20_000),
        (CURRENT, "goal_current", 100),
        (PWM, "goal_pwm", 300),
    ],
)
def test_tripped_servo_stops_and_stays_until_a_new_goal(mode: int, goal: str, value: int) -> None:
    bench = Bench()
    bench.set(operating_mode=mode, torque_enable=1, bus_watchdog=2)
    bench.write(goal, value)
    bench.run(0.04)
    before = bench.counts()
    assert before > 5
    bench.run(1.0)
    stopped = bench.counts()
    for name in ("goal_position", "goal_velocity", "goal_current", "goal_pwm"):
        assert bench.write(name, 10) == RANGE
    assert bench.write("bus_watchdog", 5) == RANGE
    bench.run(0.5)
    assert bench.read("torque_enable") == 1
    assert bench.counts() == pytest.approx(stopped, abs=2)
    bench.set(bus_watchdog=0)
    bench.run(0.5)
    assert bench.counts() == pytest.approx(stopped, abs=2)
    bench.write(goal, value)
    bench.run(0.2)
    assert bench.counts() > stopped + 5


def test_watchdog_stop_does_not_follow_the_profile() -> None:
    bench = Bench()
    bench.set(operating_mode=EXTENDED, profile_velocity=20, torque_enable=1, bus_watchdog=5)
    bench.set(goal_position=20_000)
    bench.run(0.101)
    assert bench.line.servo(1).memory["bus_watchdog"] == -1
    assert bench.read("velocity_trajectory") == 0
    assert not bench.read("moving_status") & 2


def test_reboot_clears_the_watchdog() -> None:
    bench = Bench()
    spinning(bench, 1)
    bench.run(0.1)
    bench.reboot()
    assert bench.read("bus_watchdog") == 0
