"""One end of a connection that carries whole messages; whoever speaks over it owns this view."""

from __future__ import annotations

from typing import Protocol


class Duplex(Protocol):
    """Messages both ways; only `wait` takes time. For one thread."""

    @property
    def closed(self) -> bool:
        """Whether an end is gone: nothing more will come or go."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """Given to `send` and not yet on its way."""
        ...

    def send(self, payload: bytes) -> None:
        """Queue a message; nothing happens once it is closed."""
        ...

    def receive(self) -> list[bytes]:
        """Messages that are there. Raises LinkError: what came is damaged or refused."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait until something may be received; at most `seconds`."""
        ...

    def close(self) -> None:
        """Close this end; safe to call twice."""
        ...
