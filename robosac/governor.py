"""How many gradient updates the environment steps have paid for. Pure."""

from __future__ import annotations

_ROUNDING = 1e-6
"""Sums of a ratio such as 0.1 fall short of whole numbers by less than this."""


class RatioGovernor:
    """Holds updates per environment step to a ratio, from above and from below.

    Nothing is forgotten across a pause: `owed` is a number of updates, not a rate.

    Args:
        ratio: updates for each step, positive.
        owed: updates owed already, as a checkpoint says.
    """

    def __init__(self, ratio: float, owed: float = 0.0) -> None:
        if not ratio > 0.0:
            raise ValueError(f"ratio must be positive, got {ratio}")
        self.ratio = ratio
        self._base = owed
        self._steps = self._made = 0

    @property
    def owed(self) -> float:
        """Updates that the steps so far have paid for and that were not made; below 1 when even."""
        # From whole numbers, so that no error adds up over millions of steps.
        return self._base + self.ratio * self._steps - self._made

    @property
    def may_update(self) -> bool:
        """Whether another update keeps the ratio."""
        return self.owed >= 1.0 - _ROUNDING

    def step(self) -> None:
        """Count an environment step."""
        self._steps += 1

    def updated(self) -> None:
        """Count an update.

        Raises:
            ValueError: the steps have not paid for it.
        """
        if not self.may_update:
            raise ValueError(f"an update was made while {self.owed:.3f} were owed")
        self._made += 1
