"""Falls within a while: so many in a row are no accident, and a person must look."""

from __future__ import annotations

from collections import deque

from robosac.requests import interval


class FallCount:
    """Counts falls.

    Args:
        most: so many are too many. Three in 60 s: hazard 18 of the safety reference.
        within_s: s
    """

    def __init__(self, most: int = 3, within_s: float = 60.0) -> None:
        self._most, self._within_s = most, within_s
        self._times: deque[float] = deque(maxlen=most)

    def note(self, now: float) -> None:
        """The robot fell at clock time `now` (s)."""
        self._times.append(now)

    def too_many(self, now: float) -> bool:
        """True while `most` falls lie within the last `within_s` seconds."""
        full = len(self._times) == self._most
        return full and interval(self._times[0], now) <= self._within_s

    def forget(self) -> None:
        """A person has looked."""
        self._times.clear()
