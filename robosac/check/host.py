"""This computer: room on its disk, its clocks, its processors' governor."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from robosac.check.place import Place
from robosac.check.row import Level, Row, judged, on_a_twin
from robosac.check.system import System

FREE_RED_BYTES: Final = 500_000_000
"""Room for a short run."""
FREE_AMBER_BYTES: Final = 5_000_000_000
"""Room for hours with pictures."""
RESOLUTION_S: Final = 1e-6
"""Coarsest monotonic clock that a loop keeps time by, s."""
WAIT_S: Final = 0.001
LEAST_PASSED_S: Final = 0.999 * WAIT_S
"""A double of a large monotonic time is coarser than nothing."""
WALL_SLACK_S: Final = 300.0
"""So far may the wall clock be behind a file's time, s: clocks are set, and files copied."""
PERFORMANCE: Final = "performance"
GOVERNOR: Final = "processor governor"


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """How the clocks are."""

    resolution_s: float
    """Of the monotonic clock."""
    passed_s: float
    """By the monotonic clock, while `WAIT_S` was waited for."""
    wall_s: float
    """Since 1970."""
    newest_s: float
    """When the newest of the files was written, by itself, since 1970."""
    newest: str = ""
    """Which that is."""


def disk_row(folder: str, free_bytes: int) -> Row:
    """Room in the file system of `folder`."""
    valid = f"at least {FREE_RED_BYTES / 1e9:g} GB, better {FREE_AMBER_BYTES / 1e9:g} GB"
    level = Level.GREEN if free_bytes >= FREE_AMBER_BYTES else Level.AMBER
    if free_bytes < FREE_RED_BYTES:
        level = Level.RED
    found = f"{free_bytes / 1e9:.1f} GB free in {folder}"
    return judged("disk", level, found, valid, "remove old runs, or set run_root elsewhere")


def clock_row(facts: ClockFacts) -> Row:
    """Whether time goes on, finely enough, and the wall clock is not before our own files."""
    valid = f"a monotonic clock of {1e6 * RESOLUTION_S:g} us or finer, and the right day"
    if not facts.passed_s >= LEAST_PASSED_S:
        found = f"the monotonic clock went on by {facts.passed_s} s in {WAIT_S} s"
        return judged("clock", Level.RED, found, valid, "another computer")
    behind = facts.newest_s - facts.wall_s
    if behind > WALL_SLACK_S:
        found = f"the wall clock is {behind / 3600.0:.1f} h before {facts.newest} was written"
        return judged("clock", Level.RED, found, valid, "sudo timedatectl set-ntp true")
    level = Level.GREEN if facts.resolution_s <= RESOLUTION_S else Level.AMBER
    found = f"monotonic, {1e9 * facts.resolution_s:.0f} ns; the wall clock is after every file"
    return judged("clock", level, found, valid, "another clock source of the kernel")


def governor_row(place: Place, found: Iterable[str]) -> Row:
    """The processors' governors; none: the system tells none."""
    valid = f"{PERFORMANCE} on every processor"
    remedy = f"sudo cpupower frequency-set -g {PERFORMANCE}"
    kinds = sorted(set(found))
    if place is Place.IN_PROCESS:
        return on_a_twin(GOVERNOR, "virtual time", valid)
    if not kinds:
        unknown = "unknown: this system tells none"
        return judged(GOVERNOR, Level.AMBER, unknown, valid, "look into the firmware's settings")
    level = Level.GREEN if kinds == [PERFORMANCE] else Level.AMBER
    return judged(GOVERNOR, level, ", ".join(kinds), valid, remedy)


def free_bytes(folder: Path) -> int:
    """Room for what will be written into `folder`, which need not be there yet. Raises OSError."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def probe_clock(system: System, files: Iterable[Path]) -> ClockFacts:
    """Wait for a millisecond, and look at the times of `files`; those that are gone do not count.

    Raises:
        OSError: a file cannot be looked at.
    """
    before = system.clock.now()
    system.clock.wait_until(before + WAIT_S)
    passed = system.clock.now() - before
    times = {path: path.stat().st_mtime for path in files if path.exists()}
    newest = max(times, key=times.__getitem__, default=None)
    return ClockFacts(
        resolution_s=system.resolution_s(),
        passed_s=passed,
        wall_s=system.wall().timestamp(),
        newest_s=0.0 if newest is None else times[newest],
        newest="" if newest is None else newest.name,
    )


def probe_governors(sysfs: Path) -> tuple[str, ...]:
    """The governor of each processor; none where the kernel has no such setting."""
    folders = sorted((sysfs / "devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    return tuple(path.read_text().strip() for path in folders)
