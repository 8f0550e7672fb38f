"""A recorded session decided again: nothing differs, and what is made to differ is found."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from robosac.cli import app
from robosac.flight.file import save
from robosac.flight.log import FlightLog, Header, Note, plain
from robosac.flight.reading import load
from robosac.flight.recorder import RecorderSettings
from robosac.flight.replay import Replay, Replayed
from robosac.flight.rows import Kind
from robosac.reasons import Reason
from robosac.recovery import RecoverySettings
from robosac.requests import ExecutorSettings
from robosac.states import SafetyState
from tests.robosac.fake_robot import JOINTS
from tests.robosac.flight_rig import FlightRig, Keeping, wander


def session(folder: Path, seed: int, steps: int, seconds: float = 60.0) -> FlightLog:
    keeping = Keeping()
    parts = ExecutorSettings(recovery=RecoverySettings())
    rig = FlightRig(folder, RecorderSettings(seconds=seconds, tail_s=1e6), parts, save=keeping)
    wander(rig, seed, steps)
    rig.recorder.write("asked")
    rig.recorder.close()
    return keeping.logs[-1]


def replayed(log: FlightLog) -> Replayed:
    return Replay(log.header).run(log)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> FlightLog:
    return session(tmp_path_factory.mktemp("flight"), 3, 60)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(min_value=0, max_value=2**32 - 1), seconds=st.sampled_from([0.3, 60.0]))
def test_any_session_is_decided_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, seed: int, seconds: float
) -> None:
    """With NaN, wrong shapes, late ticks, free joints, faults, arming again, a wrapped ring."""
    log = session(tmp_path_factory.mktemp("flight"), seed, 40, seconds)
    found = replayed(log)
    assert found.differences == ()
    decided = int(log.rows["limiter.decided"].sum())
    assert found.limited + found.skipped == decided
    assert found.skipped <= 1
    assert found.inspected == int(log.rows["monitor.judged"].sum())


def test_the_sessions_hold_what_they_are_meant_to(tmp_path: Path) -> None:
    """Else the property above would say little."""
    kinds: set[int] = set()
    reasons = Reason.NONE
    freed = armed = limited = derated = 0
    faults: set[str] = set()
    for seed in range(4):
        log = session(tmp_path, seed, 80)
        rows = log.rows
        kinds |= set(rows["command.target_kind"].tolist())
        reasons |= Reason(int(np.bitwise_or.reduce(rows["safety.reasons"])))
        freed += int(rows["command.freeing"].sum())
        limited += int(rows["limiter.decided"].sum())
        less = rows["limiter.heat_derated"] | rows["limiter.heat_hot"]
        derated += int((less.any(axis=1) & rows["limiter.decided"]).sum())
        active = list(SafetyState).index(SafetyState.ACTIVE)
        armed += sum(note.name == "active" for note in log.notes)
        assert (rows["safety.before"] == active).any()
        faults |= {note.name for note in log.notes if note.kind == "latched"}
    assert kinds == set(Kind)
    wanted = Reason.SHAPE | Reason.NON_FINITE | Reason.PERIOD | Reason.POSITION | Reason.VELOCITY
    wanted |= Reason.ACCELERATION | Reason.DISTANCE | Reason.STALE | Reason.TILT
    wanted |= Reason.RECOVERING
    assert wanted in reasons
    assert freed > 20
    assert armed > 20
    assert limited > 300
    assert derated > 0
    assert {"motor_fault", "overspeed", "estop", "exception"} <= faults


def test_a_file_is_decided_as_it_was(log: FlightLog, tmp_path: Path) -> None:
    path = tmp_path / "flight.mcap"
    save(log, path)
    assert replayed(load(path)) == replayed(log)


def test_a_recovery_is_decided_under_the_bounds_that_were_in_force(log: FlightLog) -> None:
    rows = log.rows.copy()
    weak = rows["recovery.present"].copy()
    assert weak.any()
    assert not weak.all()
    own = np.array(log.header.limits["torque"])
    assert (rows["recovery.torque"][weak] < own).all()
    rows["recovery.present"] = False
    found = replayed(dataclasses.replace(log, rows=rows)).differences
    assert {difference.what for difference in found} >= {"torque"}
    numbers = {difference.sequence for difference in found}
    assert numbers <= set(rows["timing.sequence"][weak].tolist())


def test_bounds_of_a_recovery_that_cannot_be_are_refused(log: FlightLog) -> None:
    rows = log.rows.copy()
    rows["recovery.velocity"] = np.where(rows["recovery.present"][:, None], -1.0, 0.0)
    with pytest.raises(ValueError, match="velocity"):
        replayed(dataclasses.replace(log, rows=rows))


def first(log: FlightLog, flag: str) -> int:
    """The second row at which `flag` is set, so that the one before is recorded too."""
    return int(np.flatnonzero(log.rows[flag])[1])


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ("command.position", "command"),
        ("limiter.velocity", "velocity"),
        ("command.max_torque", "torque"),
    ],
)
def test_the_last_bit_of_a_number_is_found(log: FlightLog, column: str, what: str) -> None:
    rows = log.rows.copy()
    row = first(log, "limiter.decided")
    value = rows[column][row, 2]
    rows[column][row, 2] = np.nextafter(value, np.inf)
    (found,) = replayed(dataclasses.replace(log, rows=rows)).differences
    assert (found.what, found.joint) == (what, "joint_2")
    assert found.sequence == int(rows["timing.sequence"][row])
    assert found.time == rows["timing.time"][row]
    assert (found.recorded, found.today) == (float(np.nextafter(value, np.inf)), float(value))


def test_reasons_and_findings_that_differ_are_found(log: FlightLog) -> None:
    rows = log.rows.copy()
    row = first(log, "limiter.decided")
    rows["limiter.codes"][row] = 0
    rows["limiter.codes"][row, 1] = Reason.DISTANCE.value
    rows["monitor.reaction"][row] = 3
    rows["monitor.reasons"][row] = Reason.TILT.value
    number = int(rows["timing.sequence"][row])
    note = Note(0.0, number, "found", "made_up", "nobody")
    told = replayed(FlightLog(log.header, rows, (*log.notes, note)))
    found = {(d.what, d.joint): (d.recorded, d.today) for d in told.differences}
    assert found[("reasons", "joint_1")][0] == ["distance"]
    assert found[("reaction", "")][0] == "stop"
    assert found[("monitor_reasons", "")][0] == ["tilt"]
    assert "made_up (nobody)" in found[("faults", "")][0]
    assert {d.sequence for d in told.differences} == {number}


def test_another_limit_decides_otherwise_and_does_not_cascade(log: FlightLog) -> None:
    """As if today's limiter were slower: only some ticks differ, those that were faster."""
    slower = plain(log.header.read_limits())
    slower["velocity"] = [0.5] * JOINTS
    header = msgspec.structs.replace(log.header, limits=slower)
    found = Replay(header).run(log)
    commands = {d.sequence for d in found.differences if d.what == "command"}
    decided = log.rows["limiter.decided"]
    fast = decided & (np.abs(log.rows["limiter.velocity"]) > 0.5 + 1e-9).any(axis=1)
    assert fast.sum() > 10
    assert len(commands) < decided.sum()
    assert any("velocity" in d.today for d in found.differences if d.what == "reasons")


def test_a_missing_exchange_is_skipped_not_guessed(log: FlightLog) -> None:
    row = first(log, "limiter.decided")
    rows = np.delete(log.rows, row - 1)
    whole, found = replayed(log), replayed(dataclasses.replace(log, rows=rows))
    assert found.skipped == whole.skipped + 1
    assert found.differences == ()


def test_limits_that_cannot_be_are_refused(log: FlightLog) -> None:
    for change in ({"lower": [2.0] * JOINTS}, {"upper": "high"}, {"velocity": [None] * JOINTS}):
        limits = {**log.header.limits, **change}
        with pytest.raises(ValueError, match="imits"):
            Replay(msgspec.structs.replace(log.header, limits=limits))
    assert Header.__struct_config__.frozen


class TestCommand:
    def run(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["replay", *arguments])
        return result.exit_code, result.output

    @pytest.fixture
    def log(self, log: FlightLog) -> FlightLog:
        """A short one."""
        begin = first(log, "limiter.decided") - 2
        rows = log.rows[begin : begin + 40].copy()
        numbers = set(rows["timing.sequence"].tolist())
        notes = tuple(note for note in log.notes if note.sequence in numbers)
        return dataclasses.replace(log, rows=rows, notes=notes)

    def test_nothing_differs(self, log: FlightLog, tmp_path: Path) -> None:
        path = tmp_path / "flight.mcap"
        save(log, path)
        code, output = self.run(str(path))
        assert code == 0
        assert "no differences" in output
        code, output = self.run(str(path), "--json")
        document = json.loads(output)
        assert code == 0
        assert document["robot"] == "fake"
        assert document["reason"].endswith("asked")
        assert document["differences"] == []
        assert document["exchanges"] == len(log.rows)
        assert document["limited"] > 0

    def test_something_differs(self, log: FlightLog, tmp_path: Path) -> None:
        rows = log.rows.copy()
        rows["command.position"][first(log, "limiter.decided"), 0] = np.nan
        path = tmp_path / "flight.mcap"
        save(dataclasses.replace(log, rows=rows), path)
        code, output = self.run(str(path))
        assert code == 1
        assert "command joint_0: recorded nan" in output
        assert "1 differences (command 1)" in output
        code, output = self.run(str(path), "--json")
        assert code == 1
        assert json.loads(output)["counts"] == {"command": 1}
        assert json.loads(output)["differences"][0]["recorded"] == "NaN"

    def test_a_file_that_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "flight.mcap"
        path.write_text("no")
        code, output = self.run(str(path))
        assert code == 1
        assert output.count("\n") == 1
        assert "not a whole flight recording" in output
