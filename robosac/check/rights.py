"""Real-time rights: whether the executor's process may be first, and keep its memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from robosac.check.place import Place
from robosac.check.row import Level, Row, judged, on_a_twin
from robosac.realtime import CAP_IPC_LOCK, CAP_SYS_NICE, capable

PRIORITY, MEMORY = "real-time priority", "locked memory"
UNLIMITED: Final = "unlimited"
_REMEDY: Final = "/etc/security/limits.d: {} (docs/hardware.md), then log in anew"


@dataclass(frozen=True, slots=True)
class RightsFacts:
    """What the system lets this process do."""

    priority: int
    """Highest priority of SCHED_FIFO; 0: none."""
    any_priority: bool
    """It may take any, whatever the limit (CAP_SYS_NICE)."""
    locked_bytes: int | None
    """How much memory may be locked; None: all."""
    any_memory: bool
    """It may lock all, whatever the limit (CAP_IPC_LOCK)."""


def rights_rows(place: Place, wanted: int, facts: RightsFacts) -> tuple[Row, Row]:
    """Both rows; without the rights the executor runs all the same, less punctually.

    Args:
        place: where the robot is.
        wanted: the setting `executor.realtime_priority`; 0: nothing is asked for.
        facts: what the system lets us do.
    """
    first, kept = f"SCHED_FIFO up to {wanted}", "all memory may be locked"
    if place is Place.IN_PROCESS:
        return on_a_twin(PRIORITY, "virtual time", first), on_a_twin(MEMORY, "virtual time", kept)
    if wanted == 0:
        none = "none is asked for (executor.realtime_priority 0)"
        return (
            judged(PRIORITY, Level.GREEN, none, first, ""),
            judged(MEMORY, Level.GREEN, none, kept, ""),
        )
    return _priority(wanted, first, facts), _memory(kept, facts)


def probe_rights(proc: Path) -> RightsFacts:
    """What /proc tells of this process. Raises OSError or ValueError: it tells nothing of it."""
    limits = {
        line[:26].strip(): line[26:].split()[0]
        for line in (proc / "self/limits").read_text().splitlines()[1:]
    }
    locked = limits["Max locked memory"]
    priority = limits["Max realtime priority"]
    return RightsFacts(
        priority=99 if priority == UNLIMITED else int(priority),
        any_priority=capable(CAP_SYS_NICE, proc),
        locked_bytes=None if locked == UNLIMITED else int(locked),
        any_memory=capable(CAP_IPC_LOCK, proc),
    )


def _priority(wanted: int, valid: str, facts: RightsFacts) -> Row:
    if facts.any_priority:
        return judged(PRIORITY, Level.GREEN, "any (CAP_SYS_NICE)", valid, "")
    level = Level.GREEN if facts.priority >= wanted else Level.AMBER
    return judged(
        PRIORITY, level, f"up to {facts.priority}", valid, _REMEDY.format("@GROUP - rtprio 60")
    )


def _memory(valid: str, facts: RightsFacts) -> Row:
    if facts.any_memory or facts.locked_bytes is None:
        return judged(MEMORY, Level.GREEN, UNLIMITED, valid, "")
    found = f"only {facts.locked_bytes // 1024} KiB"
    return judged(MEMORY, Level.AMBER, found, valid, _REMEDY.format("@GROUP - memlock unlimited"))
