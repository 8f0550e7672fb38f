"""Faults that stay until a person clears each by its name."""

from __future__ import annotations

from dataclasses import dataclass

from robosac.hal import Fault


@dataclass(frozen=True, slots=True)
class LatchedFault:
    """A fault with the time it was first seen."""

    fault: Fault
    time: float
    """Clock time, s."""


class FaultLatch:
    """The latched faults, oldest first; one entry for each name and source."""

    def __init__(self) -> None:
        self._entries: list[LatchedFault] = []

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
            self._entries.append(LatchedFault(fault, time))

    def clear(self, name: str) -> None:
        """Forget every fault called `name`."""
        self._entries = [entry for entry in self._entries if entry.fault.name != name]
