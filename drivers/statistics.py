"""What happened on a bus: counters, and a histogram of how long exchanges took."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Final

CYCLE_EDGES_S: Final = tuple(1e-5 * 2 ** (step / 2) for step in range(34))
"""Upper edges of the histogram's bins, s: half octaves, 10 us to 0.9 s; one more bin is open."""


@dataclass(frozen=True, slots=True)
class BusStatistics:
    """A snapshot of a bus's counters since it was made."""

    exchanges: int = 0
    lost: int = 0
    """Replies that did not arrive before their deadline."""
    late: int = 0
    """Replies that arrived when nobody waited for them any more, or twice."""
    corrupt: int = 0
    """Messages that could not be understood: bad checksum, wrong length, unknown sender."""
    implausible: int = 0
    """Messages with a right checksum whose values a device cannot mean."""
    refused: int = 0
    """Messages that a device or adapter answered with an error."""
    resyncs: int = 0
    """Times the line was emptied after a lost reply."""
    cycles: tuple[int, ...] = (0,) * (len(CYCLE_EDGES_S) + 1)
    """Exchanges by duration; bin i holds those up to CYCLE_EDGES_S[i]."""
    longest_s: float = 0.0
    """The longest exchange, s."""

    def cycle_time_s(self, share: float) -> float:
        """Upper edge of the bin that holds the exchange at `share` (0 to 1) of all, s; NaN: none.

        The last bin has no edge: there it is the longest exchange.
        """
        total = sum(self.cycles)
        if not total:
            return float("nan")
        reached = 0
        for edge, count in zip(CYCLE_EDGES_S, self.cycles, strict=False):
            reached += count
            if reached >= share * total:
                return min(edge, self.longest_s)
        return self.longest_s


@dataclass(slots=True)
class BusCounters:
    """The counters themselves; a bus owns one and hands out snapshots."""

    lost: int = 0
    late: int = 0
    corrupt: int = 0
    implausible: int = 0
    refused: int = 0
    resyncs: int = 0
    exchanges: int = 0
    longest_s: float = 0.0
    cycles: list[int] = field(default_factory=lambda: [0] * (len(CYCLE_EDGES_S) + 1))

    def exchanged(self, duration_s: float) -> None:
        """Count one exchange that took `duration_s`."""
        self.exchanges += 1
        self.cycles[bisect.bisect_left(CYCLE_EDGES_S, duration_s)] += 1
        self.longest_s = max(self.longest_s, duration_s)

    def snapshot(self) -> BusStatistics:
        """The counters now."""
        return BusStatistics(
            exchanges=self.exchanges,
            lost=self.lost,
            late=self.late,
            corrupt=self.corrupt,
            implausible=self.implausible,
            refused=self.refused,
            resyncs=self.resyncs,
            cycles=tuple(self.cycles),
            longest_s=self.longest_s,
        )
