"""Faults that stay until a person clears each by its name, over a restart too where they are kept.

A fault is latched in memory first, and written down once torque is off: a slow or full disk must
never keep a motor driving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from robosac.hal import Fault


@dataclass(frozen=True, slots=True)
class LatchedFault:
    """A fault with the time it was first seen."""

    fault: Fault
    time: float
    """Clock time, s; by the clock of the process that latched it."""
    id: int = 0
    """Its number among all faults of this executor, or of this robot where they are kept."""


class Journal(Protocol):
    """Where latched faults outlive the process; see `robosac.fault_journal`."""

    @property
    def latched(self) -> tuple[LatchedFault, ...]:
        """What was latched and not cleared when the journal was opened, oldest first."""
        ...

    @property
    def newest_id(self) -> int:
        """The highest number given so far."""
        ...

    def write_latched(self, entries: Sequence[LatchedFault]) -> None:
        """Return once all are on disk. Raises OSError."""
        ...

    def write_cleared(self, name: str, entries: Sequence[LatchedFault]) -> None:
        """Return once it is on disk that these faults called `name` are clear. Raises OSError."""
        ...


class FaultLatch:
    """The latched faults, oldest first; one entry for each name and source.

    Args:
        journal: where they are kept; None: they end with the process.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._entries = [] if journal is None else list(journal.latched)
        self._newest_id = 0 if journal is None else journal.newest_id
        self._unwritten: list[LatchedFault] = []

    @property
    def entries(self) -> tuple[LatchedFault, ...]:
        return tuple(self._entries)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(entry.fault for entry in self._entries)

    @property
    def names(self) -> tuple[str, ...]:
        """Names to clear, in alphabetical order."""
        return tuple(sorted({entry.fault.name for entry in self._entries}))

    def __contains__(self, name: object) -> bool:
        return any(entry.fault.name == name for entry in self._entries)

    def add(self, fault: Fault, time: float) -> None:
        """Remember `fault`, seen at clock time `time` (s); a known one keeps its first time."""
        known = {(entry.fault.name, entry.fault.source) for entry in self._entries}
        if (fault.name, fault.source) not in known:
            self._newest_id += 1
            entry = LatchedFault(fault, time, self._newest_id)
            self._entries.append(entry)
            self._unwritten.append(entry)

    def save(self) -> None:
        """Return once every latched fault is in the journal; without one there is nothing to do.

        Raises:
            OSError: some are not; the next call tries again.
        """
        if self._journal is not None and self._unwritten:
            self._journal.write_latched(self._unwritten)
        self._unwritten = []

    def clear(self, name: str) -> None:
        """Forget every fault called `name`.

        Raises:
            OSError: the journal cannot be written; they all stay latched.
        """
        gone = [entry for entry in self._entries if entry.fault.name == name]
        if self._journal is not None:
            self.save()
            self._journal.write_cleared(name, gone)
        self._entries = [entry for entry in self._entries if entry.fault.name != name]
