"""How old the policy was that acted: in transitions it had not learned from, and in seconds. Pure.

Counted at every step, in bins whose width grows with the value, as `robosac.lateness` does.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

BINS_PER_DECADE: Final = 10
_EDGES: Final = tuple(10.0 ** (step / BINS_PER_DECADE) for step in range(-30, 91))
"""Upper edges of the bins: 0.001 to 1e9, ten a decade (26 % each); one more bin is open."""


class _Counted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A histogram as it is written down."""

    bins: dict[str, Annotated[int, Meta(gt=0)]]
    """Counts by the number of their bin; empty bins are left out."""
    largest: Annotated[float, Meta(ge=0)]

    def __post_init__(self) -> None:
        wrong = [name for name in self.bins if name not in _BIN_NAMES]
        if wrong or not math.isfinite(self.largest):
            raise ValueError(f"no such bins {wrong[:3]}, or a largest value {self.largest}")


class _Both(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lag: _Counted
    age_s: _Counted


_BIN_NAMES: Final = frozenset(map(str, range(len(_EDGES) + 1)))


class _Bins:
    """Counts of one kind of value, 0 or more."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.largest = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect.bisect_left(_EDGES, value)] += 1
        self.largest = max(self.largest, value)

    def quantile(self, share: float) -> float:
        """Upper edge of the bin that holds `share` (0 to 1) of all; NaN: nothing was counted."""
        total, reached = self.counts.total(), 0
        if not total:
            return math.nan
        for index in sorted(self.counts):
            reached += self.counts[index]
            if reached >= share * total:
                return min(_EDGES[index] if index < len(_EDGES) else math.inf, self.largest)
        return self.largest

    def merge(self, other: _Bins) -> None:
        self.counts.update(other.counts)
        self.largest = max(self.largest, other.largest)

    def to_dict(self) -> dict[str, Any]:
        bins = {str(index): self.counts[index] for index in sorted(self.counts)}
        return {"bins": bins, "largest": self.largest}

    @classmethod
    def of(cls, counted: _Counted) -> _Bins:
        bins = cls()
        bins.counts = Counter({int(index): count for index, count in counted.bins.items()})
        bins.largest = counted.largest
        return bins


class LagHistogram:
    """Lag (transitions) and age (s) of the policy at each step.

    A quantile is told within a bin's width (26 %) and never too low; the largest is exact.
    """

    def __init__(self) -> None:
        self._lag, self._age = _Bins(), _Bins()

    @property
    def total(self) -> int:
        """Steps that were counted."""
        return self._lag.counts.total()

    def add(self, lag: int, age_s: float) -> None:
        """Count a step.

        Args:
            lag: transitions that were made and that the policy had not learned from, 0 or more.
            age_s: since the policy came, s, 0 or more.

        Raises:
            ValueError: either is negative or no number.
        """
        if not (lag >= 0 and 0.0 <= age_s < math.inf):
            raise ValueError(f"lag {lag} or age {age_s} s is no number of 0 or more")
        self._lag.add(lag)
        self._age.add(age_s)

    def lag(self, share: float) -> float:
        """Lag that `share` (0 to 1) of the steps did not pass, transitions; NaN: no steps."""
        value = self._lag.quantile(share)
        # Lags are whole: a bin from 1.99 to 2.51 holds twos.
        return float(math.floor(value)) if math.isfinite(value) else value

    def age_s(self, share: float) -> float:
        """Age that `share` (0 to 1) of the steps did not pass, s; NaN: no steps."""
        return self._age.quantile(share)

    @property
    def largest_lag(self) -> int:
        """Transitions; 0 before the first step."""
        return int(self._lag.largest)

    @property
    def largest_age_s(self) -> float:
        """Seconds; 0 before the first step."""
        return self._age.largest

    def merge(self, other: LagHistogram) -> None:
        """Add what another counted."""
        self._lag.merge(other._lag)
        self._age.merge(other._age)

    def figures(self) -> dict[str, float | None]:
        """Half, 99 % and the largest of both by name, for metrics; None: no steps."""
        if not self.total:
            return dict.fromkeys(_FIGURES)
        lag = (self.lag(0.5), self.lag(0.99), self._lag.largest)
        age = (self.age_s(0.5), self.age_s(0.99), self._age.largest)
        return dict(zip(_FIGURES, (*lag, *age), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """All counts as plain JSON values."""
        return {"lag": self._lag.to_dict(), "age_s": self._age.to_dict()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LagHistogram:
        """What `to_dict` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            both = msgspec.convert(document, _Both)
        except msgspec.ValidationError as error:
            raise ValueError(f"this is no lag histogram: {error}") from error
        found = cls()
        found._lag, found._age = _Bins.of(both.lag), _Bins.of(both.age_s)
        if found._age.counts.total() != found.total:
            raise ValueError("this is no lag histogram: lags and ages are not equally many")
        return found

    def text(self) -> str:
        """One line."""
        if not self.total:
            return "policy lag: no steps"
        return (
            f"policy lag p50 {self.lag(0.5):,.0f}, p99 {self.lag(0.99):,.0f}, max"
            f" {self.largest_lag:,} transitions; age p50 {self.age_s(0.5):.3g}, p99"
            f" {self.age_s(0.99):.3g}, max {self.largest_age_s:.3g} s; {self.total:,} steps"
        )


_FIGURES: Final = (
    "lag_p50",
    "lag_p99",
    "lag_max",
    "policy_age_p50_s",
    "policy_age_p99_s",
    "policy_age_max_s",
)
