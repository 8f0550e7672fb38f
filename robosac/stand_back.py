"""Runs a process behind whoever drives the robot; imports nothing that takes time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

NICENESS: Final = 10
"""Added to a process' own."""
AUTOGROUP: Final = Path("/proc/self/autogroup")


def stand_back() -> None:
    """Take ordinary priority, and the lowest share of it: a control loop must never starve.

    Linux gives every session a share of the processor of its own (sched(7), autogroup), and
    niceness counts only within it. Who is started in a new session has its share lowered too; a
    shell's, where somebody starts it by hand, is left alone.
    """
    if hasattr(os, "SCHED_OTHER"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            AUTOGROUP.write_text(f"{NICENESS}", encoding="ascii")
