"""The fast way through a tick does what the general one does, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from sim.firmware.dynamixel import line
from sim.firmware.dynamixel.answer import Answer
from sim.firmware.dynamixel.frames import crc16
from sim.firmware.dynamixel.hooks import DynamixelHooks
from sim.firmware.dynamixel.line import LineOptions
from sim.firmware.dynamixel.servo import DynamixelServo, ServoSpec
from sim.firmware.dynamixel.usual import UsualTick
from tests.sim.dynamixel_bench import (
    CURRENT_POSITION,
    EVERYBODY,
    OK,
    SYNC_READ,
    SYNC_WRITE,
    Bench,
    crc,
    instruction,
    span,
    split,
)
from tests.sim.dynamixel_traffic import Traffic

IDS = (10, 11, 12, 50)
EVENTS = 200


class OneByOne(UsualTick):
    """Nothing is usual."""

    def write(self, parameters: bytes, hearing: Sequence[DynamixelServo]) -> bool:
        return False

    def read(self, parameters: bytes, hearing: Sequence[DynamixelServo]) -> list[Answer]:
        return []


class Counting(UsualTick):
    """Tells how often it was of use."""

    used = 0

    def write(self, parameters: bytes, hearing: Sequence[DynamixelServo]) -> bool:
        done = super().write(parameters, hearing)
        Counting.used += done
        return done

    def read(self, parameters: bytes, hearing: Sequence[DynamixelServo]) -> list[Answer]:
        answers = super().read(parameters, hearing)
        Counting.used += bool(answers)
        return answers


def bench_of(
    kind: type[UsualTick],
    monkeypatch: pytest.MonkeyPatch,
    models: Sequence[int] = (1050,) * 4,
    options: LineOptions | None = None,
) -> Bench:
    with monkeypatch.context() as patch:
        patch.setattr(line, "UsualTick", kind)
        specs = [ServoSpec(id, model) for id, model in zip(IDS, models, strict=True)]
        return Bench(*specs, options=options, counts=(1900, 2100, 2000, 5000))


def state(bench: Bench) -> list[object]:
    """Everything that tells two lines apart."""
    motors, joints = bench.motors, bench.joints
    arrays = (joints.position, joints.velocity, motors.current_a, motors.share, motors.torque_nm)
    servos = [
        (bytes(servo.memory.data), servo.motion.stopped, servo.heard_at, servo.awake)
        for servo in bench.line.servos
    ]
    return [*servos, *(array.tobytes() for array in arrays)]


@pytest.mark.parametrize(
    ("seed", "models", "timed"),
    [
        *((seed, (1050,) * 4, False) for seed in range(4)),
        (4, (1050,) * 4, True),
        (5, (1020, 1020, 1060, 1030), False),
    ],
)
def test_both_ways_do_the_same_whatever_happens(
    seed: int, models: Sequence[int], timed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = LineOptions(timed=timed)
    fast, general = (bench_of(kind, monkeypatch, models, options) for kind in (Counting, OneByOne))
    hooks = DynamixelHooks(fast.line), DynamixelHooks(general.line)
    traffic, before = Traffic(IDS, seed), Counting.used
    for _ in range(EVENTS):
        event = traffic.next()
        assert event(fast, hooks[0]) == event(general, hooks[1])
        assert state(fast) == state(general)
    assert Counting.used - before > EVENTS / 10, "the fast way was hardly taken"


def holding(kind: type[UsualTick], monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = bench_of(kind, monkeypatch)
    for id in IDS:
        bench.set(id, operating_mode=CURRENT_POSITION, position_p_gain=800, torque_enable=1)
    return bench


def goals(address: int, size: int, *values: int, ids: Sequence[int] = IDS) -> bytes:
    body = b"".join(
        bytes((id,)) + value.to_bytes(size, "little", signed=True)
        for id, value in zip(ids, values, strict=True)
    )
    return instruction(EVERYBODY, SYNC_WRITE, span(address, size) + body)


def trip_a_watchdog(bench: Bench) -> None:
    bench.set(11, bus_watchdog=1)
    bench.run(0.03)


def let_two_share_an_id(bench: Bench) -> None:
    bench.set(12, torque_enable=0)
    assert bench.write("id", 10, 12) == OK


def let_one_not_answer(bench: Bench) -> None:
    bench.set(11, status_return_level=0)


def cut_a_profile_short(bench: Bench) -> None:
    bench.set(11, profile_velocity=20, goal_position=900)
    bench.run(0.05)
    bench.set(11, profile_velocity=0)


def end_a_profile(bench: Bench) -> None:
    bench.set(11, profile_velocity=200, profile_acceleration=50, goal_position=1900)
    bench.run(1.0)
    assert not bench.read("moving", 11)
    bench.set(11, profile_velocity=0)


def end_a_profile_with_feedforward(bench: Bench) -> None:
    bench.set(11, feedforward_2nd_gain=16383)
    end_a_profile(bench)


def say_what_must_be_stuffed(bench: Bench) -> None:
    bench.set(11, goal_position=int.from_bytes(b"\xff\xff\xfd\xff", "little", signed=True))


def write_by_a_second_id(bench: Bench) -> None:
    bench.set(11, torque_enable=0)
    bench.set(11, secondary_id=7)
    bench.say(goals(116, 4, 1000, 1000, 1000, 1000, ids=(10, 7, 12, 50)))


@pytest.mark.parametrize(
    "happen",
    [
        trip_a_watchdog,
        let_two_share_an_id,
        let_one_not_answer,
        cut_a_profile_short,
        end_a_profile,
        end_a_profile_with_feedforward,
        say_what_must_be_stuffed,
        write_by_a_second_id,
    ],
)
def test_both_ways_go_on_alike(
    happen: Callable[[Bench], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, general = (holding(kind, monkeypatch) for kind in (Counting, OneByOne))
    happen(fast)
    happen(general)
    ids = [servo.id for servo in fast.line.servos]
    read = instruction(EVERYBODY, SYNC_READ, span(116, 31) + bytes(dict.fromkeys(ids)))
    for most in (90, 120):
        ticks = (
            goals(102, 2, most, 80, 70, 60, ids=ids) + read,
            goals(116, 4, 1950, 2000, 2100, most * 10, ids=ids) + read,
        )
        for tick in (read, *ticks):
            assert fast.say(tick) == general.say(tick)
            fast.run(0.005)
            general.run(0.005)
            assert state(fast) == state(general)


def test_a_usual_tick_takes_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, before = holding(Counting, monkeypatch), Counting.used
    data = goals(102, 2, 90, 90, 90, 90) + goals(116, 4, 1900, 2100, 2000, 900)
    heard = bench.say(data + instruction(EVERYBODY, SYNC_READ, span(120, 16) + bytes(IDS)))
    assert Counting.used - before == 3
    assert [(id, error) for id, error, _ in split(heard)] == [(id, 0) for id in IDS]
    bench.run(1.5)
    assert bench.joints.position * 4096 / 6.283185307179586 == pytest.approx(
        [1900, 2100, 2000, 900 + 4096], abs=10
    )


def test_a_repeated_goal_sets_a_stopped_servo_off_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = holding(Counting, monkeypatch)
    bench.say(goals(116, 4, 1000, 1000, 1000, 1000))
    bench.set(11, bus_watchdog=1)
    bench.run(0.021)
    servo = bench.line.servo(11)
    assert servo.motion.stopped
    bench.set(11, bus_watchdog=0)
    assert servo.motion.stopped
    bench.say(goals(116, 4, 1000, 1000, 1000, 1000))
    assert not servo.motion.stopped
    bench.run(1.5)
    assert bench.counts(1) == pytest.approx(1000, abs=10)


def test_one_goal_out_of_range_stops_only_its_servo(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = holding(Counting, monkeypatch)
    bench.say(goals(102, 2, 50, 2000, 60, 70))
    assert [bench.read("goal_current", id) for id in IDS] == [50, 689, 60, 70]


@pytest.mark.parametrize("length", range(9))
def test_two_bytes_at_a_time_give_the_same_sum(length: int) -> None:
    data = bytes(range(91, 91 + length))
    assert crc16(data) == crc(data)
    assert crc16(data[1:], crc16(data[:1])) == crc(data)
