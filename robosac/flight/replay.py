"""Decides a recorded session again with today's limiter and monitor, and tells what differs.

Each tick is decided on the recorded past. One that differs therefore does not make those after it
differ too: what is told are decisions, not their consequences.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robosac.course import Course
from robosac.flight.channels import reason_names
from robosac.flight.log import FlightLog, Header
from robosac.flight.row import Row
from robosac.flight.rows import REACTIONS
from robosac.hal import Fault
from robosac.safety import Envelope, Limited
from robosac.states import SafetyState
from robosac.watch import Findings, inspect


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that would be decided otherwise today."""

    sequence: int
    """Of the exchange."""
    time: float
    """Clock time, s."""
    what: str
    """command, velocity, torque, reasons; reaction, monitor_reasons, faults."""
    joint: str
    """Empty: not about one joint."""
    recorded: Any
    """rad, rad/s, N m, or names."""
    today: Any


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay."""

    exchanges: int
    """In the recording."""
    limited: int
    """Decided again by the limiter."""
    inspected: int
    """Decided again by the monitor."""
    skipped: int
    """Not decided again by the limiter: the exchange before was not recorded."""
    differences: tuple[Difference, ...]


class Replay:
    """Today's limiter and monitor, with the bounds and settings of a recording.

    A tick of a recovery is decided under the bounds that were in force in it.

    Args:
        header: of the recording.

    Raises:
        ValueError: its limits or settings cannot be; `run`: the bounds of a recovery.
    """

    def __init__(self, header: Header) -> None:
        self._limits = header.read_limits()
        settings = header.read_executor()
        self._watch = settings.watch
        self._own = Envelope(self._limits, header.read_limiter())
        region = header.read_keep_out()
        self._course = Course(self._own, settings.thermal, region, settings.low_pass)

    def run(self, log: FlightLog) -> Replayed:
        """Decide every exchange of `log` again."""
        reported, found = _faults(log, "reported"), _faults(log, "found")
        differences: list[Difference] = []
        limited = inspected = skipped = 0
        before: Row | None = None
        for record in log.rows:
            row = Row(record)
            recovery = row.recovery(self._own)
            self._course.envelope = self._own if recovery is None else recovery.commanded
            if before is not None and before.sequence + 1 == row.sequence:
                limited += self._limit(row, before, differences)
            else:
                skipped += int(row["limiter.decided"])
            before = row
            if row["monitor.judged"]:
                inspected += 1
                state = row.state(reported[row.sequence])
                limits = self._limits if recovery is None else recovery.watched
                findings = inspect(state, row.watch, limits, self._watch, row.command)
                differences += _compared(row, findings, found[row.sequence])
        return Replayed(len(log.rows), limited, inspected, skipped, tuple(differences))

    def _limit(self, row: Row, before: Row, differences: list[Difference]) -> int:
        """Decide the command of `row` again; 0 where none was decided."""
        if not row["limiter.decided"]:
            return 0
        self._course.resume(row.past)
        measured, dt = before.joints, float(row["timing.dt"])
        torque, _ = self._course.torque(measured, dt)
        if row.before is SafetyState.ACTIVE and row["command.asked"]:
            limited = self._course.follow(row.target, measured.position, dt)
        else:
            limited = self._course.hold(measured.position, dt)
        differences += self._differences(row, limited, torque)
        return 1

    def _differences(
        self, row: Row, limited: Limited, torque: NDArray[np.float64]
    ) -> list[Difference]:
        names = self._limits.names
        pairs = (
            ("command", row["command.position"], limited.position),
            ("velocity", row["limiter.velocity"], limited.velocity),
            ("torque", row["command.max_torque"], torque),
        )
        found = [
            Difference(
                row.sequence, row.time, what, names[joint], float(old[joint]), float(new[joint])
            )
            for what, old, new in pairs
            for joint in np.flatnonzero(_bits(old) != _bits(new))
        ]
        codes = row["limiter.codes"]
        for joint in np.flatnonzero(codes != limited.codes):
            old, new = (reason_names(int(code[joint])) for code in (codes, limited.codes))
            found.append(Difference(row.sequence, row.time, "reasons", names[joint], old, new))
        old, new = reason_names(int(row["limiter.reasons"])), reason_names(limited.reasons.value)
        if old != new:
            found.append(Difference(row.sequence, row.time, "reasons", "", old, new))
        return found


def _compared(row: Row, findings: Findings, faults: tuple[Fault, ...]) -> list[Difference]:
    """How the monitor's findings differ from the recorded ones."""
    old_reaction = REACTIONS[row["monitor.reaction"]]
    pairs = (
        ("reaction", old_reaction.name.lower(), findings.reaction.name.lower()),
        (
            "monitor_reasons",
            reason_names(int(row["monitor.reasons"])),
            reason_names(findings.reasons.value),
        ),
        ("faults", _named(faults), _named(findings.faults)),
    )
    return [
        Difference(row.sequence, row.time, what, "", old, new)
        for what, old, new in pairs
        if old != new
    ]


def _named(faults: tuple[Fault, ...]) -> list[str]:
    return sorted(f"{fault.name} ({fault.source})" for fault in faults)


def _faults(log: FlightLog, kind: str) -> defaultdict[int, tuple[Fault, ...]]:
    """The faults of each exchange."""
    found: defaultdict[int, tuple[Fault, ...]] = defaultdict(tuple)
    for note in log.notes:
        if note.kind == kind:
            found[note.sequence] += (note.fault,)
    return found


def _bits(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The numbers' own bits: a zero of the other sign, or another NaN, is a difference."""
    return np.ascontiguousarray(values).view(np.uint64)
