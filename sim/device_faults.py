"""A whole device that fails, seen from its wire: nothing of what it says is understood here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from sim.wire import Device


class FaultyDevice:
    """`device`, failing as its attributes say; without a fault its bytes pass unchanged.

    A sensor that speaks by itself and a line of servos fail alike. What the device says in one
    `transmit` counts as one saying.

    Args:
        device: the good end.
        now: the twin's clock, s.
        rng: makes the garbage.

    Attributes:
        off: it neither hears nor says anything.
        stuck: it repeats its last saying in place of every new one.
        garbage: it says as many random bytes as it would have said true ones.
        behind: every saying waits until the host has spoken again, so that a reply is the one to
            the request before.
        slow_s: everything it says comes so late, s.
    """

    def __init__(self, device: Device, now: Callable[[], float], rng: np.random.Generator) -> None:
        self.off = self.stuck = self.garbage = self.behind = False
        self.slow_s = 0.0
        self._device, self._now, self._rng = device, now, rng
        self._last = b""
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._before: list[bytes] = []

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        if self.off:
            return
        if self._before:
            self._say(b"".join(self._before))
            self._before.clear()
        self._device.receive(data)

    def transmit(self) -> bytes:
        """Bytes for the host that come out by now."""
        if data := self._device.transmit():
            self._take(data)
        if not self._waiting:
            return b""
        now = self._now()
        out: list[bytes] = []
        while self._waiting and self._waiting[0][0] <= now:
            out.append(self._waiting.popleft()[1])
        return b"".join(out)

    def _take(self, data: bytes) -> None:
        """One saying of the device."""
        if self.off:
            return
        if self.stuck and self._last:
            data = self._last
        else:
            self._last = data
        if self.garbage:
            data = self._rng.bytes(len(data))
        if self.behind:
            self._before.append(data)
        else:
            self._say(data)

    def _say(self, data: bytes) -> None:
        due = self._now() + self.slow_s
        if self._waiting:
            due = max(due, self._waiting[-1][0])
        self._waiting.append((due, data))
