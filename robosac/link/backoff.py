"""When the next attempt may begin. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackoffSettings:
    """Times between the beginnings of two attempts.

    Raises:
        ValueError: a number that makes no sense.
    """

    first_s: float = 0.1
    """After the first attempt and after every success, s."""
    factor: float = 2.0
    """By how much it grows with every attempt that came to nothing."""
    longest_s: float = 5.0
    """s"""
    jitter: float = 0.3
    """Drawn apart by up to this part of it, either way, so that robots do not all come at once."""

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s or self.factor < 1 or not 0 <= self.jitter < 1:
            raise ValueError(
                f"back-off {self}: 0 < first_s <= longest_s, factor >= 1, 0 <= jitter < 1"
            )


class Backoff:
    """Attempts that come to nothing are made ever less often.

    Args:
        settings: see there.
        uniform: draws from [0, 1).
    """

    def __init__(self, settings: BackoffSettings, uniform: Callable[[], float]) -> None:
        self._settings, self._uniform = settings, uniform
        self._failures = 0
        self._due: float | None = None

    def waits_s(self, now: float) -> float:
        """Time until the next attempt may begin at time `now` (s); 0: it may."""
        return 0.0 if self._due is None else max(0.0, self._due - now)

    def begin(self, now: float) -> None:
        """An attempt begins at time `now`, s."""
        settings = self._settings
        try:
            grown = settings.first_s * settings.factor**self._failures
        except OverflowError:
            grown = settings.longest_s
        spread = 1.0 + settings.jitter * (2.0 * self._uniform() - 1.0)
        self._due = now + min(grown, settings.longest_s) * spread
        self._failures += 1

    def succeed(self) -> None:
        """The attempt came to something: the next one counts as a first."""
        self._failures = 0
