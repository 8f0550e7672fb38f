"""A wire whose far end is a script, on a clock that only reading moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from drivers.errors import WireClosed


class ScriptedWire:
    """Answers every write with what `answer` makes of it; `late` bytes wait for the next look.

    Attributes:
        written: what was sent, one entry a write.
        time: the clock, s; a read that finds nothing moves it to its deadline.
    """

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.written: list[bytes] = []
        self.time = 0.0
        self.arrived: deque[bytes] = deque()
        self.after_next_timeout = b""
        self.open = True

    def now(self) -> float:
        return self.time

    def write(self, data: bytes) -> None:
        self._check()
        self.written.append(data)
        if reply := self.answer(data):
            self.arrived.append(reply)

    def read(self, deadline: float) -> bytes:
        if data := self.drain():
            return data
        self.time = max(self.time, deadline)
        if self.after_next_timeout:
            self.arrived.append(self.after_next_timeout)
            self.after_next_timeout = b""
        return b""

    def drain(self) -> bytes:
        self._check()
        return self.arrived.popleft() if self.arrived else b""

    def reopen(self) -> None:
        self.arrived.clear()
        self.open = True

    def close(self) -> None:
        self.open = False

    def _check(self) -> None:
        if not self.open:
            raise WireClosed("the scripted wire is closed")
