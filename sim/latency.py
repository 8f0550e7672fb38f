"""Delay lines: what a controller sees of a signal that takes time to arrive."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class DelayLine:
    """The recent past of some channels, one sample a physics step.

    Reading between two samples interpolates linearly, as Tan et al. 2018 (arXiv 1804.10332, section
    IV-B) model the latency of the Minitaur. Only the order of the samples counts, never absolute
    time, so a line that was filled anew repeats to the bit.

    Args:
        channels: values per sample.
        max_delay_steps: longest delay that can be read, in samples.

    Raises:
        ValueError: there is no channel, or the longest delay is negative.
    """

    def __init__(self, channels: int, max_delay_steps: int) -> None:
        if channels < 1 or max_delay_steps < 0:
            raise ValueError(
                f"a delay line needs channels >= 1 and max_delay_steps >= 0, "
                f"got {channels} and {max_delay_steps}"
            )
        self.max_delay_steps = max_delay_steps
        self._length = max_delay_steps + 1
        self._samples: NDArray[np.float64] = np.zeros((self._length, channels))
        self._newest = 0

    def fill(self, value: ArrayLike) -> None:
        """Forget the past: make every sample `value` (a scalar or shape (channels,))."""
        self._samples[:] = value
        self._newest = 0

    def push(self, values: NDArray[np.float64]) -> None:
        """Add the newest sample, shape (channels,); the oldest falls out."""
        self._newest = (self._newest + 1) % self._length
        self._samples[self._newest] = values

    def read(self, delay_steps: float) -> NDArray[np.float64]:
        """Return the signal as it was `delay_steps` samples before the newest; a fresh array.

        Raises:
            ValueError: the delay is negative, not a number, or longer than the line.
        """
        if not 0 <= delay_steps <= self.max_delay_steps:
            raise ValueError(
                f"delay of {delay_steps} steps; this line holds 0 to {self.max_delay_steps}"
            )
        whole = int(delay_steps)
        fraction = delay_steps - whole
        newer = self._samples[(self._newest - whole) % self._length]
        if fraction == 0.0:
            return newer.copy()
        older = self._samples[(self._newest - whole - 1) % self._length]
        return newer + fraction * (older - newer)
