"""Rows about this computer: disk, clocks, governor, rights and keys, from fakes in a folder."""

import datetime
import os
from dataclasses import replace
from pathlib import Path

import pytest

from robosac.check import host, keys, rights
from robosac.check.host import ClockFacts, clock_row, disk_row, governor_row, probe_clock
from robosac.check.keys import KeyFacts, certificates_row, keepalive_row
from robosac.check.place import Place
from robosac.check.rights import RightsFacts, probe_rights, rights_rows
from robosac.check.row import Level
from robosac.check.system import System
from robosac.link.keys import issue, make_authority
from robosac.link.peers import Peer, Role
from robosac.realtime import CAP_IPC_LOCK, CAP_SYS_NICE
from tests.robosac.check.facts import FakeSystem
from tests.robosac.fake_robot import ManualClock

CLOCK = ClockFacts(1e-9, 0.001, 2e9, 1e9, "robot.yaml")
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NO_KEY = KeyFacts("")


@pytest.mark.parametrize(
    ("free", "expected"),
    [(5_000_000_000, Level.GREEN), (4_999_999_999, Level.AMBER), (499_999_999, Level.RED)],
)
def test_room_on_the_disk(free: int, expected: Level) -> None:
    assert disk_row("runs", free).level is expected


def test_a_folder_that_is_still_to_be_made_counts_where_it_will_be(tmp_path: Path) -> None:
    assert host.free_bytes(tmp_path / "a" / "b") > 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Level.GREEN),
        ({"passed_s": 0.0}, Level.RED),
        ({"passed_s": float("nan")}, Level.RED),
        ({"resolution_s": 0.015}, Level.AMBER),
        ({"newest_s": 2e9 + 299.0}, Level.GREEN),
        ({"newest_s": 2e9 + 301.0}, Level.RED),
    ],
)
def test_clocks(change: dict[str, float], expected: Level) -> None:
    assert clock_row(replace(CLOCK, **change)).level is expected  # type: ignore[arg-type]


def test_a_clock_before_our_own_files_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "calibration.yaml"
    path.write_text("")
    os.utime(path, (2e9, 2e9))
    early = datetime.datetime.fromtimestamp(2e9, datetime.UTC) - DAY
    system = System(clock=ManualClock(), wall=lambda: early)
    row = clock_row(probe_clock(system, [path, tmp_path / "gone"]))
    assert row.level is Level.RED
    assert "calibration.yaml" in row.found
    later = System(clock=ManualClock(), wall=lambda: early + 2 * DAY)
    assert clock_row(probe_clock(later, [path])).level is Level.GREEN


def test_a_clock_that_stands_is_found_out() -> None:
    class Stands(ManualClock):
        def wait_until(self, deadline: float) -> None:
            del deadline

    assert clock_row(probe_clock(System(clock=Stands()), [])).level is Level.RED
    assert clock_row(probe_clock(System(), [])).level is Level.GREEN


def test_the_governor_of_every_processor(tmp_path: Path) -> None:
    fake = FakeSystem(tmp_path)
    assert governor_row(Place.REAL, host.probe_governors(fake.sysfs)).level is Level.GREEN
    fake.governor(1, "powersave")
    row = governor_row(Place.REAL, host.probe_governors(fake.sysfs))
    assert (row.level, row.found) == (Level.AMBER, "performance, powersave")
    assert "cpupower" in row.remedy
    none = governor_row(Place.REAL, host.probe_governors(tmp_path / "elsewhere"))
    assert none.level is Level.AMBER
    assert "unknown" in none.found
    assert governor_row(Place.IN_PROCESS, ()).level is Level.TWIN


@pytest.mark.parametrize(
    ("priority", "locked", "mask", "expected"),
    [
        ("50", "unlimited", 0, [Level.GREEN, Level.GREEN]),
        ("49", "8388608", 0, [Level.AMBER, Level.AMBER]),
        ("0", "0", 1 << CAP_SYS_NICE, [Level.GREEN, Level.AMBER]),
        ("0", "0", 1 << CAP_IPC_LOCK, [Level.AMBER, Level.GREEN]),
        ("unlimited", "unlimited", 0, [Level.GREEN, Level.GREEN]),
    ],
)
def test_real_time_rights(
    tmp_path: Path, priority: str, locked: str, mask: int, expected: list[Level]
) -> None:
    fake = FakeSystem(tmp_path)
    fake.limit(priority, locked)
    fake.capabilities(mask)
    rows = rights_rows(Place.REAL, 50, probe_rights(fake.proc))
    assert [row.level for row in rows] == expected
    assert [row.name for row in rows] == [rights.PRIORITY, rights.MEMORY]


def test_rights_that_nobody_asks_for() -> None:
    none = RightsFacts(0, False, 0, False)
    assert {row.level for row in rights_rows(Place.REAL, 0, none)} == {Level.GREEN}
    assert {row.level for row in rights_rows(Place.IN_PROCESS, 50, none)} == {Level.TWIN}


def test_this_computer_tells_its_rights() -> None:
    assert len(rights_rows(Place.REAL, 50, probe_rights(Path("/proc")))) == 2


def test_the_keepalive_key(tmp_path: Path) -> None:
    assert keepalive_row(keys.probe_keepalive(None)).level is Level.GREEN
    path = tmp_path / "keepalive.key"
    assert keepalive_row(keys.probe_keepalive(str(path))).level is Level.RED
    path.write_bytes(b"k" * 32)
    path.chmod(0o600)
    assert keepalive_row(keys.probe_keepalive(str(path))).level is Level.GREEN
    path.chmod(0o640)
    row = keepalive_row(keys.probe_keepalive(str(path)))
    assert (row.level, "0640" in row.found) == (Level.RED, True)
    path.chmod(0o600)
    path.write_bytes(b"short")
    assert keepalive_row(keys.probe_keepalive(str(path))).level is Level.RED


def laboratory(folder: Path, days: int = 365) -> Path:
    make_authority(folder / "lab", NOW)
    return issue(folder / "lab", Peer(Role.ROBOT, "one"), (), days, NOW)


def level_of(folder: Path, now: datetime.datetime) -> Level:
    return certificates_row(keys.probe_certificates(folder, now)).level


def test_certificates_by_their_age(tmp_path: Path) -> None:
    folder = laboratory(tmp_path)
    assert level_of(folder, NOW) is Level.GREEN
    assert level_of(folder, NOW + 340 * DAY) is Level.AMBER
    assert level_of(folder, NOW + 366 * DAY) is Level.RED
    assert level_of(folder, NOW - DAY) is Level.RED


def test_keys_that_others_could_read_or_that_do_not_match(tmp_path: Path) -> None:
    folder = laboratory(tmp_path)
    (folder / "private.key").chmod(0o644)
    assert level_of(folder, NOW) is Level.RED
    (folder / "private.key").chmod(0o600)
    other = issue(tmp_path / "lab", Peer(Role.ROBOT, "two"), (), 365, NOW)
    (folder / "private.key").write_bytes((other / "private.key").read_bytes())
    row = certificates_row(keys.probe_certificates(folder, NOW))
    assert row.level is Level.RED
    assert "is not the key of" in row.found
    assert level_of(tmp_path / "nowhere", NOW) is Level.RED
    assert certificates_row(NO_KEY).level is Level.GREEN
