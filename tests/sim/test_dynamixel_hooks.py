"""Faults of single servos, which leave their neighbours alone."""

import numpy as np
import pytest

from sim.firmware.dynamixel.hooks import DynamixelHooks
from sim.firmware.dynamixel.servo import BOOT_TIME_S, ServoSpec
from sim.firmware.servo_hooks import ServoHooks
from tests.sim.dynamixel_bench import (
    COUNTS_PER_RAD,
    EVERYBODY,
    FAST_SYNC_READ,
    OK,
    PING,
    READ,
    SYNC_READ,
    Bench,
    instruction,
    span,
    split,
)


def pair() -> tuple[Bench, ServoHooks]:
    bench = Bench(ServoSpec(1), ServoSpec(2), counts=[100, 200])
    return bench, DynamixelHooks(bench.line)


def test_silence() -> None:
    bench, hooks = pair()
    hooks.silence(1, True)
    assert bench.say(instruction(1, PING)) == b""
    assert bench.ask(PING, id=2)[0] == OK
    hooks.silence(1, False)
    assert bench.ask(PING)[0] == OK


def test_silent_servo_drives_on_until_its_watchdog_trips() -> None:
    bench, hooks = pair()
    bench.set(operating_mode=1, torque_enable=1, goal_velocity=50, bus_watchdog=5)
    hooks.silence(1, True)
    bench.run(0.09)
    assert bench.joints.velocity[0] > 0.2
    for _ in range(10):
        bench.run(0.02)
        assert bench.say(instruction(1, PING)) == b""
    hooks.silence(1, False)
    assert bench.read("bus_watchdog") == -1
    assert bench.joints.velocity[0] == pytest.approx(0.0, abs=1e-3)


def test_freeze() -> None:
    bench, hooks = pair()
    hooks.freeze(1, True)
    bench.run(0.02)
    first = bench.read("present_position"), bench.read("realtime_tick")
    bench.turn(300)
    bench.turn(400, 1)
    assert (bench.read("present_position"), bench.read("realtime_tick")) == first
    assert bench.read("present_position", 2) == 400
    bench.set(led=1)
    assert bench.read("led") == 1
    hooks.freeze(1, False)
    assert bench.read("present_position") == 300


def test_skew() -> None:
    bench, hooks = pair()
    hooks.skew(1, 50 / COUNTS_PER_RAD)
    assert bench.read("present_position") == 150
    hooks.skew(1, 0.0)
    assert bench.read("present_position") == 100


def test_lag() -> None:
    bench, hooks = pair()
    hooks.lag(1, 0.1)
    seen: list[int] = []
    for step in range(30):
        bench.turn(1000 + 10 * step)
        bench.run(0.009)
        seen.append(bench.read("present_position"))
    assert seen[-1] == pytest.approx(1000 + 10 * 19, abs=10)
    hooks.lag(1, 0.0)
    assert bench.read("present_position") == pytest.approx(1290, abs=1)


def test_hold_lets_the_neighbour_overtake() -> None:
    bench, hooks = pair()
    hooks.hold(1, 0.05)
    request = instruction(EVERYBODY, SYNC_READ, span(132, 4) + b"\x01\x02")
    assert [id for id, _, _ in split(bench.say(request))] == [2]
    bench.run(0.049)
    assert bench.line.transmit() == b""
    bench.run(0.001)
    assert [id for id, _, _ in split(bench.line.transmit())] == [1]


def test_garble() -> None:
    bench, hooks = pair()
    whole = bench.say(instruction(1, READ, span(0, 60)))
    hooks.garble(1, np.random.default_rng(0))
    noise = bench.say(instruction(1, READ, span(0, 60)))
    assert len(noise) == len(whole)
    assert noise[:4] != whole[:4]
    fast = bench.say(instruction(EVERYBODY, FAST_SYNC_READ, span(132, 4) + b"\x02\x01"))
    assert (len(fast), fast[8:14]) == (24, b"\x00\x02\xc8\x00\x00\x00")
    assert bench.ask(PING, id=2)[0] == OK
    hooks.garble(1, None)
    assert bench.ask(PING)[0] == OK


def test_reboot() -> None:
    bench, hooks = pair()
    bench.set(torque_enable=1)
    hooks.reboot(1)
    bench.run(0.1)
    assert bench.say(instruction(1, PING)) == b""
    assert bench.ask(PING, id=2)[0] == OK
    bench.run(BOOT_TIME_S)
    assert bench.read("torque_enable") == 0


def test_sag_is_measured_and_below_the_processors_voltage_reboots() -> None:
    bench, hooks = pair()
    bench.set(torque_enable=1)
    hooks.sag(9.0)
    bench.run(0.02)
    assert bench.ask(PING)[0] == 0x80
    assert bench.read("present_input_voltage") == 90
    assert bench.line.servo(1).motion.torque
    hooks.sag(3.0)
    bench.run(0.01)
    assert bench.say(instruction(EVERYBODY, PING)) == b""
    hooks.sag(None)
    bench.run(BOOT_TIME_S + 0.02)
    assert bench.ask(PING)[0] == OK
    assert [bench.read("torque_enable", id) for id in (1, 2)] == [0, 0]


def test_ids_are_those_of_the_start() -> None:
    bench, hooks = pair()
    assert hooks.ids == (1, 2)
    bench.set(id=9)
    hooks.silence(1, True)
    assert bench.say(instruction(9, PING)) == b""
    with pytest.raises(KeyError):
        hooks.silence(9, True)
