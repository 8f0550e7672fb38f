"""Ownership: one owner by name and by device, epochs that only grow, private folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robosac.errors import OwnershipError, RobotError
from robosac.estop import Stop
from robosac.owner import MotorPort, Owner, alive, birth, kill, owners, this_process
from robosac.ownership import Claim, Lease, take
from robosac.run_folder import checked, known_folders, run_folder
from robosac.states import SafetyState
from tests.robosac.executor_rig import Rig

WAIT_S = 20.0


class Site:
    """Folders, and a port under two names."""

    def __init__(self, folder: Path) -> None:
        self.run, self.state = checked(folder / "run"), folder / "state"
        self.port = folder / "ttyUSB0"
        self.port.write_text("")
        self.link = folder / "by-id"
        self.link.symlink_to(self.port)

    def claim(self, robot: str = "dog", device: Path | None = None) -> Claim:
        path = str(device or self.port)
        return Claim(robot, MotorPort("moteus", path, 921600, (1, 2)), (path,))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_robot_has_one_owner_and_is_free_after_it(site: Site) -> None:
    mine = take(site.claim(), site.run, site.state)
    (_, owner), *_ = owners(site.run)[0]
    assert owner == mine.owner
    assert (owner.pid, owner.epoch, owner.motors.ids) == (os.getpid(), 1, (1, 2))
    with pytest.raises(OwnershipError, match=f"owned: .*process {os.getpid()} .*--take-over"):
        take(site.claim(), site.run, site.state)
    mine.release(torque_off=True)
    assert owners(site.run) == ([], [])
    assert take(site.claim(), site.run, site.state).owner.epoch == 2


def test_a_device_under_another_name_is_the_same_device(site: Site) -> None:
    mine = take(site.claim(), site.run, site.state)
    with pytest.raises(OwnershipError, match=r"ttyUSB0 by .*epoch 1"):
        take(site.claim("cat", site.link), site.run, site.state)
    mine.release(torque_off=True)
    take(site.claim("cat", site.link), site.run, site.state).release(torque_off=True)


def test_a_robot_that_was_not_read_back_keeps_its_record(site: Site) -> None:
    take(site.claim(), site.run, site.state).release(torque_off=False)
    assert len(owners(site.run)[0]) == 1
    again = take(site.claim(), site.run, site.state)
    assert again.unconfirmed
    again.release(torque_off=True)
    assert not take(site.claim(), site.run, site.state).unconfirmed


def test_epochs_grow_over_restarts_and_damaged_logs(site: Site) -> None:
    for _ in range(3):
        take(site.claim(), site.run, site.state).release(torque_off=True)
    (log,) = site.state.iterdir()
    log.write_bytes(log.read_bytes()[:-9])
    # As after a restart of the computer, when the run folder is gone.
    for path in site.run.iterdir():
        path.unlink()
    assert take(site.claim(), site.run, site.state).owner.epoch == 4


def test_commands_of_an_older_epoch_are_rejected(site: Site) -> None:
    mine = take(site.claim(), site.run, site.state)
    rig = Rig()
    rig.gate.add(mine.lease)
    rig.armed().run(3)
    Lease(mine.places.epoch).begin(mine.owner.epoch + 1)
    rig.executor.tick()
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.executor.faults[0].fault.detail == (
        "lease lost: epoch 1 is old, the robot was taken at 2"
    )
    assert mine.lease.demand().stop is Stop.CUT


def test_nobody_takes_over_from_himself(site: Site) -> None:
    take(site.claim(), site.run, site.state)
    with pytest.raises(OwnershipError, match="this process itself"):
        take(site.claim(), site.run, site.state, take_over=True)


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(RobotError, match="mode 0755; valid is 0700"):
        checked(tmp_path / "open")
    (tmp_path / "link").symlink_to(tmp_path / "open")
    with pytest.raises(RobotError, match="is not a folder"):
        checked(tmp_path / "link")
    with pytest.raises(RobotError, match="cannot be made"):
        checked(tmp_path / "none" / "deeper")


def test_where_executors_are_looked_for(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    folder = run_folder(environment)
    assert folder == tmp_path / "robosac"
    assert folder in known_folders(environment)
    folder.chmod(0o750)
    assert folder not in known_folders(environment)


def test_a_record_that_cannot_be_read_is_told(site: Site) -> None:
    path = site.run / "dog.owner.json"
    path.write_text("{}")
    assert owners(site.run) == ([], [path])


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def owner_of(pid: int, born: int) -> Owner:
    port = MotorPort("moteus", "/dev/null", 1, (1,))
    return Owner("dog", pid, born, "me", "here", "x", "now", 1, port)


def test_only_the_process_of_the_record_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    born = birth(sleeper.pid)
    assert born is not None
    stranger = owner_of(sleeper.pid, born - 1)
    assert not alive(stranger)
    assert kill(stranger, signal.SIGKILL, 0.0)
    assert sleeper.poll() is None
    mine = owner_of(sleeper.pid, born)
    assert alive(mine)
    assert kill(mine, signal.SIGKILL, WAIT_S)
    assert not alive(mine)
    assert sleeper.wait(WAIT_S) == -signal.SIGKILL
    assert kill(mine, signal.SIGKILL, 0.0)


def test_this_process_is_told_in_full() -> None:
    owner = this_process("dog", 3, MotorPort("dynamixel", "/dev/x", 1, (1,)), "dog.yaml")
    assert alive(owner)
    assert f"process {os.getpid()} (" in str(owner)
    assert "epoch 3" in str(owner)
