"""What was sent and is not yet safe at the other end. Pure."""

from __future__ import annotations

from collections import deque


class Outbox:
    """Framed transitions by sequence number, without gaps, until a checkpoint holds them.

    In memory only: a durable store may take its place.
    """

    def __init__(self, first: int = 0) -> None:
        self._frames: deque[bytes] = deque()
        self._first = first
        self.bytes = 0
        """Memory that the frames take."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def next_sequence(self) -> int:
        """The only sequence number that `add` takes."""
        return self._first + len(self._frames)

    def add(self, sequence: int, framed: bytes) -> None:
        """Keep a frame. Raises ValueError: it is not the next one."""
        if sequence != self.next_sequence:
            raise ValueError(f"transition {sequence} does not follow {self.next_sequence - 1}")
        self._frames.append(framed)
        self.bytes += len(framed)

    def forget(self, sequence: int) -> None:
        """Drop everything up to and with `sequence`; it is safe elsewhere.

        Raises:
            ValueError: nothing with that number was ever added.
        """
        if sequence >= self.next_sequence:
            raise ValueError(
                f"{sequence} is called safe; the last sent is {self.next_sequence - 1}"
            )
        while self._first <= sequence:
            self.bytes -= len(self._frames.popleft())
            self._first += 1

    def after(self, sequence: int) -> list[bytes]:
        """The frames that follow `sequence`.

        Raises:
            ValueError: some of them were forgotten.
        """
        if sequence < self._first - 1:
            raise ValueError(f"transitions after {sequence} are gone; kept are {self._first} on")
        return [f for s, f in enumerate(self._frames, self._first) if s > sequence]
