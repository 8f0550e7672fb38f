"""What the probes read this computer by; tests give another root and other clocks."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from robosac.clock import Clock, MonotonicClock


def _resolution_s() -> float:
    return time.get_clock_info("monotonic").resolution


def _utc() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class System:
    """Roots of the kernel's file systems, and the clocks."""

    proc: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    clock: Clock = field(default_factory=MonotonicClock)
    resolution_s: Callable[[], float] = _resolution_s
    """Of the monotonic clock, s."""
    wall: Callable[[], datetime.datetime] = _utc
    """The wall clock, with its time zone: a label, and the age of files."""
    pid: int = field(default_factory=os.getpid)

    def today(self) -> datetime.date:
        """The wall clock's day, where this computer is."""
        return self.wall().astimezone().date()
