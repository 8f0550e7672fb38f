"""The fault journal: what is latched survives, what cannot be read counts, one process writes."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from robosac.errors import ArmingError, OwnershipError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.fault_journal import (
    DAMAGED,
    FaultJournal,
    journal_path,
    journals,
    read_journal,
    state_folder,
)
from robosac.hal import Drive, Fault
from robosac.latch import LatchedFault
from robosac.states import SafetyState
from tests.robosac.fake_robot import FakeRobot, ManualClock

FALL = Fault("fell", "imu", "1.2 rad")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path("my/robot", tmp_path / "state")


class Life:
    """One process with a journal."""

    def __init__(self, path: Path) -> None:
        self.clock, self.gate = ManualClock(), EStopGate()
        self.robot = FakeRobot(self.clock)
        self.journal = FaultJournal(path, "me@here", sync=self.sync)
        self.error: OSError | None = None
        self.drives_at_sync: list[Drive] = []
        self.executor = Executor(self.robot, self.clock, self.gate, journal=self.journal)

    def sync(self, handle: int) -> None:
        self.drives_at_sync.append(self.robot.drive)
        if self.error is not None:
            raise self.error
        os.fsync(handle)

    def fault(self) -> None:
        self.robot.faults = (Fault("motor_fault", "joint_0", "38"),)
        self.executor.tick()
        self.robot.faults = ()


def test_a_latched_fault_survives_until_it_is_cleared_by_name(path: Path) -> None:
    first = Life(path)
    first.executor.arm()
    first.fault()
    (latched,) = first.executor.faults
    first.journal.close()

    second = Life(path)
    assert second.executor.safety is SafetyState.FAULT
    assert second.executor.faults == (latched,)
    with pytest.raises(ArmingError, match="motor_fault; clear each by name"):
        second.executor.arm()
    second.executor.clear("motor_fault")
    assert second.executor.safety is SafetyState.DISARMED
    second.journal.close()

    third = Life(path)
    assert not third.executor.faults
    third.executor.arm()
    third.fault()
    assert third.executor.faults[0].id == latched.id + 1
    third.journal.close()


def test_torque_goes_before_the_disk_is_waited_for(path: Path) -> None:
    life = Life(path)
    life.executor.arm()
    life.fault()
    life.executor.tick()
    assert life.drives_at_sync == [Drive.STOP]
    assert [e.fault.name for e in read_journal(path).latched] == ["motor_fault"]
    life.journal.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_refuses_is_told_and_keeps_no_torque_on(path: Path, number: int) -> None:
    life = Life(path)
    life.executor.arm()
    life.error = OSError(number, os.strerror(number))
    life.fault()
    assert life.robot.drive is Drive.STOP
    assert life.executor.torque_off_since is not None
    names = [entry.fault.name for entry in life.executor.faults]
    assert names == ["motor_fault", "fault_not_durable"]
    assert os.strerror(number) in life.executor.faults[1].fault.detail
    with pytest.raises(RobotError, match="stays latched"):
        life.executor.clear("motor_fault")
    assert life.executor.safety is SafetyState.FAULT
    life.error = None
    for name in names:
        life.executor.clear(name)
    assert life.executor.safety is SafetyState.DISARMED
    assert not read_journal(path).latched
    life.journal.close()


def test_an_estop_is_kept_too(path: Path) -> None:
    life = Life(path)
    life.gate.trip("button")
    life.executor.tick()
    life.journal.close()
    again = Life(path)
    assert [str(entry.fault) for entry in again.executor.faults] == ["estop (gate): button"]
    again.executor.clear("estop")
    again.journal.close()


def test_only_one_process_writes(path: Path) -> None:
    life = Life(path)
    with pytest.raises(OwnershipError, match="another process"):
        FaultJournal(path, "you")
    life.journal.close()
    FaultJournal(path, "you").close()


def test_a_line_that_was_cut_off_is_a_fault_until_it_is_cleared(path: Path) -> None:
    journal = FaultJournal(path, "me")
    journal.write_latched([LatchedFault(FALL, 1.0, 1), LatchedFault(FALL, 2.0, 2)])
    journal.close()
    path.write_bytes(path.read_bytes()[:-20])
    text = read_journal(path)
    assert [e.fault.name for e in text.latched] == ["fell", DAMAGED]
    assert "lines [2]" in text.latched[1].fault.detail

    journal = FaultJournal(path, "me")
    assert journal.latched == tuple(text.latched)
    journal.write_latched([LatchedFault(FALL, 3.0, 9)])
    assert [e.id for e in read_journal(path).latched] == [1, 9, 10]
    journal.write_cleared(DAMAGED, journal.latched[1:])
    assert [e.id for e in read_journal(path).latched] == [1, 9]
    journal.close()


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"[]", b'{"event":"other"}', b'{"event":"latch","id":"one"}', b"null"]
)
def test_nonsense_is_damage_and_never_an_empty_journal(path: Path, line: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(line + b"\n")
    assert [e.fault.name for e in read_journal(path).latched] == [DAMAGED]


def test_the_file_is_private_and_found_by_the_robots_name(path: Path) -> None:
    journal = FaultJournal(path, "me")
    journal.write_latched([LatchedFault(FALL, 1.0, 1)])
    journal.close()
    journal.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert journals(path.parent) == {"my/robot": path}


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RobotError, match="state-folder"):
        FaultJournal(tmp_path / "file" / "x.faults.jsonl", "me")


def test_where_state_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/some/state")
    assert state_folder() == Path("/some/state/robosac")
    assert state_folder("/mine") == Path("/mine")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local/state/robosac"
