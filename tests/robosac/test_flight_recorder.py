"""The newest seconds are whole when something goes wrong, and the robot never notices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.errors import ArmingError
from robosac.flight.log import FlightLog
from robosac.flight.recorder import RecorderSettings
from robosac.flight.ring import BusRing, Chunk, TickRing
from robosac.flight.row import Row
from robosac.hal import Drive, Fault
from robosac.states import SafetyState
from robosac.ticks import Unobserved
from tests.robosac.executor_rig import PERIOD
from tests.robosac.fake_robot import JOINTS
from tests.robosac.flight_rig import FlightRig, Keeping, Waiting, full_disk, wander


def kept(rig: FlightRig, keeping: Keeping) -> FlightLog:
    """What is written on demand."""
    rig.recorder.write("asked")
    assert rig.recorder.flush(30.0)
    return keeping.logs[-1]


def rows(log: FlightLog) -> list[Row]:
    return [Row(record) for record in log.rows]


def test_a_latched_fault_is_written_whole_with_what_followed(tmp_path: Path) -> None:
    keeping = Keeping()
    settings = RecorderSettings(seconds=1.0, tail_s=0.05)
    rig = FlightRig(tmp_path, settings, save=keeping).armed()
    rig.run(20)
    rig.robot.faults = (Fault("motor_fault", "joint_1", "code 33"),)
    rig.run(1)
    assert rig.executor.safety is SafetyState.FAULT
    rig.run(20, keep_requesting=False)
    rig.recorder.close()
    (log,) = keeping.logs
    assert log.header.reason == "motor_fault"
    assert rig.recorder.written[0].name.endswith("-motor_fault.mcap")
    assert rig.told == [f"flight recorder: {rig.recorder.written[0]} (motor_fault)"]
    states = [row["safety.after"] for row in rows(log)]
    assert log.rows["timing.sequence"].tolist() == list(range(len(log.rows)))
    fault = states.index(list(SafetyState).index(SafetyState.FAULT))
    assert len(states) - fault >= 10
    latched = [note for note in log.notes if note.kind == "latched"]
    assert [(note.name, note.source, note.sequence) for note in latched] == [
        ("motor_fault", "joint_1", fault)
    ]
    entered = [note.name for note in log.notes if note.kind == "entered"]
    assert entered == ["arming", "active", "fault"]


def test_arming_reset_damping_and_stop_are_recorded_too(tmp_path: Path) -> None:
    keeping = Keeping()
    rig = FlightRig(tmp_path, save=keeping).armed()
    rig.run(3)
    rig.executor.disarm()
    log = kept(rig, keeping)
    before = [row.before for row in rows(log)]
    assert before[0] is SafetyState.ARMING
    assert before.count(SafetyState.ACTIVE) == 3
    assert before[-1] is SafetyState.DAMPED
    drives = [row.command.drive for row in rows(log)]
    assert drives[:2] == [Drive.STOP, Drive.STOP]
    assert drives[-1] is Drive.DAMP
    # Every exchange with the robot is in it.
    assert [c.drive for c in rig.robot.commands] == drives


def test_a_row_tells_what_was_asked_limited_and_measured(tmp_path: Path) -> None:
    keeping = Keeping()
    rig = FlightRig(tmp_path, save=keeping).armed()
    goal = np.linspace(-2.0, 2.0, JOINTS)
    rig.executor.request(goal)
    tick = rig.executor.tick()
    assert tick.decision is not None
    assert tick.decision.limited is not None
    row = rows(kept(rig, keeping))[-1]
    assert (row["command.requested"] == goal).all()
    assert (row.command.position == tick.executed).all()
    assert (row["limiter.velocity"] == tick.velocity).all()
    assert (row["limiter.codes"] == tick.decision.limited.codes).all()
    assert (row.joints.position == tick.state.joints.position).all()
    assert row.time == tick.time
    imu, told = row.state().imu, tick.state.imu
    assert imu is not None
    assert told is not None
    assert imu.time == told.time
    assert (imu.orientation == told.orientation).all()


def test_the_ring_keeps_the_newest_seconds(tmp_path: Path) -> None:
    keeping = Keeping()
    rig = FlightRig(tmp_path, RecorderSettings(seconds=0.5, tail_s=0.0), save=keeping).armed()
    rig.run(900)
    rig.robot.raises = RuntimeError("the bus is on fire")
    with pytest.raises(RuntimeError):
        rig.run(1)
    rig.recorder.close()
    (log,) = keeping.logs
    times = log.rows["timing.time"]
    assert log.header.reason == "exception"
    assert times[-1] - times[0] >= 0.5
    assert np.diff(times) == pytest.approx(PERIOD)
    assert (np.diff(log.rows["timing.sequence"]) == 1).all()
    assert len(log.rows) < 900


def test_a_fault_without_another_tick_is_written(tmp_path: Path) -> None:
    """An error is raised on and nobody ticks again; patience runs out by the wall clock."""
    keeping = Keeping()
    rig = FlightRig(tmp_path, RecorderSettings(seconds=1.0, tail_s=5.0), save=keeping).armed()
    rig.gate.trip("test")
    rig.run(1, keep_requesting=False)
    assert rig.recorder.flush(30.0)
    assert [log.header.reason for log in keeping.logs] == ["estop"]


def test_an_e_stop_while_arming_is_written(tmp_path: Path) -> None:
    keeping = Keeping()
    rig = FlightRig(tmp_path, save=keeping)
    rig.robot.silent = {1}

    def trip(*_: object) -> None:
        rig.gate.trip("test")

    original = rig.robot.exchange
    rig.robot.exchange = lambda command, deadline: (trip(), original(command, deadline))[1]
    with pytest.raises(ArmingError):
        rig.executor.arm()
    rig.recorder.close()
    (log,) = keeping.logs
    assert log.header.reason == "estop"
    assert len(log.rows) == 1


def test_a_fault_while_writing_is_written_as_well(tmp_path: Path) -> None:
    keeping = Keeping()
    slow = Waiting(keeping)
    rig = FlightRig(tmp_path, save=slow).armed()
    rig.recorder.latched(Fault("first", "test", ""), rig.clock.now())
    rig.run(2)
    assert slow.begun.wait(30.0)
    rig.recorder.latched(Fault("second", "test", ""), rig.clock.now())
    rig.run(2)
    slow.go_on.set()
    rig.recorder.close()
    assert [log.header.reason for log in keeping.logs] == ["first", "second"]


def test_faults_that_wait_for_the_writer_share_one_recording(tmp_path: Path) -> None:
    keeping = Keeping()
    slow = Waiting(keeping)
    settings = RecorderSettings(seconds=2.0, tail_s=0.1)
    rig = FlightRig(tmp_path, settings, save=slow).armed()
    rig.recorder.write("first")
    assert slow.begun.wait(30.0)
    for name in ("second", "third", "second"):
        rig.recorder.latched(Fault(name, "test", ""), rig.clock.now())
        # Its own tail is over: it is ready when the next one comes.
        rig.run(40)
    last = rig.clock.now()
    slow.go_on.set()
    rig.recorder.close()
    _, together = keeping.logs
    assert together.header.reason == "second, third"
    assert len([note for note in together.notes if note.kind == "latched"]) == 3
    assert together.rows["timing.time"][-1] == pytest.approx(last, abs=2 * PERIOD)
    assert rig.told == [line for line in rig.told if "begins" not in line]


def test_a_fault_that_has_left_memory_before_it_was_written_is_told(tmp_path: Path) -> None:
    slow = Waiting(Keeping())
    settings = RecorderSettings(seconds=0.5, tail_s=0.0)
    rig = FlightRig(tmp_path, settings, save=slow).armed()
    rig.recorder.write("first")
    assert slow.begun.wait(30.0)
    rig.recorder.latched(Fault("second", "test", ""), rig.clock.now())
    rig.run(900)
    slow.go_on.set()
    rig.recorder.close()
    (told,) = rig.recorder.failures
    assert "after its first fault" in told


def test_a_full_disk_is_told_and_the_loop_goes_on(tmp_path: Path) -> None:
    rig = FlightRig(tmp_path, save=full_disk).armed()
    for count in (1, 2):
        rig.recorder.write("asked")
        assert rig.recorder.flush(30.0)
        assert rig.run(3).safety is SafetyState.ACTIVE
        assert len(rig.told) == count
        assert "No space left on device" in rig.told[-1]
    assert rig.recorder.written == []


def test_a_writer_that_crashes_is_told_and_the_next_fault_is_written(tmp_path: Path) -> None:
    keeping = Keeping()
    crashes = [ZeroDivisionError("in the writer")]

    def save(log: FlightLog, path: Path) -> None:
        if crashes:
            raise crashes.pop()
        keeping(log, path)

    rig = FlightRig(tmp_path, save=save).armed()
    rig.recorder.write("first")
    assert rig.recorder.flush(30.0)
    assert "ZeroDivisionError" in rig.told[0]
    assert kept(rig, keeping).header.reason == "asked"
    assert rig.run(2).safety is SafetyState.ACTIVE


def test_a_recorder_that_cannot_record_is_told_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = FlightRig(tmp_path, save=Keeping()).armed()

    def broken(*_: object) -> None:
        raise ValueError("a row is full")

    monkeypatch.setattr(rig.recorder, "_keep", broken)
    assert rig.run(5).safety is SafetyState.ACTIVE
    assert rig.told == rig.recorder.failures
    assert len(rig.told) == 1
    assert "stopped recording" in rig.told[0]


def test_recorded_or_not_a_session_is_the_same(tmp_path: Path) -> None:
    recorded, plain = (FlightRig(tmp_path, save=Keeping()) for _ in range(2))
    plain.executor.observer = Unobserved()
    for rig in (recorded, plain):
        wander(rig, 7, 40)
    assert len(recorded.robot.commands) == len(plain.robot.commands)
    for one, other in zip(recorded.robot.commands, plain.robot.commands, strict=True):
        assert one.position.tobytes() == other.position.tobytes()
        assert one.max_torque.tobytes() == other.max_torque.tobytes()


def test_the_newest_pictures_are_kept_once_each(tmp_path: Path) -> None:
    keeping = Keeping()
    settings = RecorderSettings(seconds=1.0, pictures=3)
    rig = FlightRig(tmp_path, settings, save=keeping).armed()
    for _ in range(5):
        rig.eye.look()
        rig.run(2)
    assert [frame.sequence for frame in kept(rig, keeping).frames] == [3, 4, 5]


def test_only_the_newest_recordings_stay(tmp_path: Path) -> None:
    def touch(log: FlightLog, path: Path) -> None:
        path.write_bytes(b"x")

    rig = FlightRig(tmp_path, RecorderSettings(seconds=1.0, files=2), save=touch).armed()
    mine = tmp_path / "notes.txt"
    mine.write_text("not a recording")
    for number in range(4):
        rig.recorder.write(f"number {number}")
        assert rig.recorder.flush(30.0)
    found = sorted(tmp_path.glob("*.mcap"))
    assert found == rig.recorder.written[2:]
    assert mine.exists()


def test_closing_twice_and_writing_at_the_end(tmp_path: Path) -> None:
    keeping = Keeping()
    rig = FlightRig(tmp_path, RecorderSettings(seconds=1.0, at_close=True), save=keeping).armed()
    rig.run(3)
    rig.recorder.close()
    rig.recorder.close()
    assert [log.header.reason for log in keeping.logs] == ["close"]


@pytest.mark.parametrize(
    "values", [{"seconds": 0.0}, {"seconds": float("nan")}, {"tail_s": -1.0}, {"files": 0}]
)
def test_settings_that_cannot_be(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="recorder"):
        RecorderSettings(**values)  # type: ignore[arg-type]


@given(
    st.lists(st.binary(max_size=40), max_size=60),
    st.integers(min_value=1, max_value=100),
    st.integers(min_value=1, max_value=20),
)
def test_a_ring_of_bytes_keeps_a_whole_newest_part(
    sent: list[bytes], capacity: int, entries: int
) -> None:
    ring = BusRing(capacity, entries)
    for number, data in enumerate(sent):
        ring.add(float(number), ("a", "b")[number % 2], number % 3 == 0, data)
    found = list(ring.copy().chunks())
    whole = [
        Chunk(float(number), ("a", "b")[number % 2], number % 3 == 0, data[-capacity:])
        for number, data in enumerate(sent)
    ]
    assert found == whole[len(whole) - len(found) :]
    # Nothing is dropped that there was room for; one place is lost to the copy itself.
    room = [sum(map(len, sent[number:])) <= capacity for number in range(len(sent))]
    assert len(found) >= min(sum(room), entries - 1)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_ring_of_rows_hands_out_whole_ones_in_order(tmp_path: Path, size: int) -> None:
    rig = FlightRig(tmp_path, save=Keeping()).armed()
    tick = rig.run(1)
    assert tick.decision is not None
    ring = TickRing(size, JOINTS)
    for count in range(1, 3 * size + 2):
        ring.add(tick, tick.decision)
        # Once all are in use, the oldest is where the next one is written.
        first = 0 if count < size else count + 1 - size
        assert ring.copy()["timing.sequence"].tolist() == list(range(first, count))
