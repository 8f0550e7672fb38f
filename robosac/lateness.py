"""How late a loop woke up, counted in bins whose width grows with the lateness."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from typing import Final

BINS_PER_DECADE: Final = 10
SHORTEST_S: Final = 1e-6
DECADES: Final = 7
EDGES_S: Final = tuple(
    SHORTEST_S * 10 ** (step / BINS_PER_DECADE) for step in range(DECADES * BINS_PER_DECADE + 1)
)
"""Upper edges of the bins, s: 1 us to 10 s, ten a decade; one more bin is open."""
BINS: Final = len(EDGES_S) + 1


class LatenessHistogram:
    """Counts of lateness; a quantile is told within a bin's width (26 %), the largest exactly.

    Args:
        counts: of an earlier histogram, one for each of `BINS` bins.
        longest_s: its largest lateness, s.

    Raises:
        ValueError: another number of bins.
    """

    def __init__(self, counts: Iterable[int] | None = None, longest_s: float = 0.0) -> None:
        self.counts = [0] * BINS if counts is None else [int(count) for count in counts]
        if len(self.counts) != BINS:
            raise ValueError(f"a lateness histogram has {BINS} bins, got {len(self.counts)}")
        self.longest_s = longest_s

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def add(self, lateness_s: float) -> None:
        """Count one wake-up; early ones count as punctual.

        Raises:
            ValueError: not a number.
        """
        if math.isnan(lateness_s):
            raise ValueError("a lateness must be a number")
        self.counts[bisect.bisect_left(EDGES_S, lateness_s)] += 1
        self.longest_s = max(self.longest_s, lateness_s)

    def quantile_s(self, share: float) -> float:
        """Upper edge of the bin that holds `share` (0 to 1) of all, s; NaN: nothing was counted."""
        total = self.total
        if not total:
            return math.nan
        reached = 0
        for edge, count in zip(EDGES_S, self.counts, strict=False):
            reached += count
            if reached >= share * total:
                return min(edge, self.longest_s)
        return self.longest_s
