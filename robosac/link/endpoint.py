"""One end of one connection as two threads see it: its owner's, and those that move its bytes.

To its owner it looks like `robosac.duplex.Duplex`. Knows no gRPC.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from robosac.errors import LinkError, LinkFull, ProtocolError
from robosac.link.envelope import LENGTH_BYTES, SHARED_BYTES, Opener, Sealer

_OBJECT_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Caps:
    """Bytes that an end takes; see `robosac.link.limits.LinkLimits`."""

    message: int
    """Longest message sent."""
    waiting: int
    received: int


class Endpoint:
    """Messages that wait to be sent, and messages that were received. Thread-safe.

    The owner calls `send`, `receive`, `wait`, `close` and reads the rest; a transport calls `take`,
    `deliver` and `end`.

    Args:
        caps: sizes.
        on_close: called once when the owner closes it, by the owner's thread.
    """

    def __init__(self, caps: Caps, on_close: Callable[[], None] = lambda: None) -> None:
        self._caps, self._on_close = caps, on_close
        self._lock = threading.Lock()
        self._to_send = threading.Condition(self._lock)
        self._to_read = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = self._taken_bytes = 0
        self._received: deque[bytes] = deque()
        self._received_bytes = 0
        self._sealer, self._opener = Sealer(), Opener()
        self._ended = self._closed = self._draining = False
        self._error: LinkError | None = None
        self._told = False
        self.ended = ""
        """Why it ended; empty while it has not."""

    # The owner's side.

    @property
    def closed(self) -> bool:
        """Whether nothing more will come or go; what came before is told by `receive` first."""
        with self._lock:
            return self._closed or (self._ended and not self._received)

    @property
    def waiting_bytes(self) -> int:
        """Bytes given to `send` and not yet handed to the network."""
        with self._lock:
            return self._waiting_bytes + self._taken_bytes

    def send(self, payload: bytes) -> None:
        """Queue a message; waits for nothing. On a closed end it does nothing.

        Raises:
            LinkFull: too much waits already; the message was not taken.
            LinkError: it is too long.
        """
        if len(payload) > self._caps.message:
            raise LinkError(
                f"message of {len(payload)} bytes; at most {self._caps.message} may be sent"
            )
        with self._lock:
            if self._ended:
                return
            waiting = self._waiting_bytes + self._taken_bytes
            if waiting + len(payload) > self._caps.waiting:
                raise LinkFull(f"{waiting} bytes wait to be sent; at most {self._caps.waiting} may")
            self._waiting.append(payload)
            self._waiting_bytes += len(payload)
            self._to_send.notify()

    def flush(self) -> None:
        """Nothing is left to do: a thread of the link sends what waits."""

    def receive(self) -> list[bytes]:
        """Messages that have come, without waiting.

        Raises:
            ProtocolError: what came next was damaged. LinkRefused: the other end refuses us.
                Either is told once, after every message that came before it.
        """
        with self._lock:
            payloads = list(self._received)
            self._received.clear()
            self._received_bytes = 0
            self._room.notify_all()
            if not payloads and self._error is not None and not self._told:
                self._told = True
                raise self._error
            return payloads

    def wait(self, seconds: float) -> None:
        """Wait until something may be received or the end has come; at most `seconds`."""
        with self._lock:
            self._to_read.wait_for(lambda: self._received or self._ended, seconds)

    def close(self, linger_s: float = 0.0) -> None:
        """Close this end; safe to call twice. Waits at most `linger_s` until everything is sent."""
        if linger_s > 0:
            with self._lock:
                self._draining = True
                self._to_send.notify_all()
                self._to_read.wait_for(lambda: self._ended, linger_s)
        with self._lock:
            again, self._closed = self._closed, True
            self._received.clear()
            self._received_bytes = 0
        self.end("closed here")
        if not again:
            self._on_close()

    # The transport's side.

    @property
    def error(self) -> LinkError | None:
        """What it ended with; None: nothing was wrong, or it has not ended."""
        return self._error

    def take(self, timeout_s: float | None = None) -> bytes | None:
        """Wait for the next envelope to send; None: there will be none.

        What was taken before counts as handed over from now on.

        Raises:
            TimeoutError: there is none within `timeout_s`.
        """
        with self._lock:
            self._taken_bytes = 0
            if not self._to_send.wait_for(
                lambda: self._waiting or self._ended or self._draining, timeout_s
            ):
                raise TimeoutError
            if self._ended or not self._waiting:
                return None
            payloads = [self._waiting.popleft()]
            size = len(payloads[0]) + LENGTH_BYTES
            while self._waiting and size + len(self._waiting[0]) + LENGTH_BYTES <= SHARED_BYTES:
                payloads.append(self._waiting.popleft())
                size += len(payloads[-1]) + LENGTH_BYTES
            self._taken_bytes = sum(map(len, payloads))
            self._waiting_bytes -= self._taken_bytes
        return self._sealer.seal(payloads)

    def deliver(self, sealed: bytes) -> bool:
        """Open an envelope and keep its messages; waits while too much is kept. False: it is over.

        A damaged one ends the connection.
        """
        try:
            payloads = self._opener.open(sealed)
        except ProtocolError as error:
            self.end(str(error), error)
            return False
        # The shortest message takes this much, too.
        size = sum(map(len, payloads)) + _OBJECT_BYTES * len(payloads)
        with self._lock:
            self._room.wait_for(
                lambda: (
                    self._ended
                    or not self._received
                    or self._received_bytes + size <= self._caps.received
                )
            )
            if self._ended:
                return False
            self._received.extend(payloads)
            self._received_bytes += size
            self._to_read.notify_all()
        return True

    def end(self, why: str, error: LinkError | None = None) -> None:
        """Nothing more comes or goes; the first reason is kept. `error` is raised by `receive`."""
        with self._lock:
            if self._ended:
                return
            self._ended, self.ended, self._error = True, why, error
            self._waiting.clear()
            self._waiting_bytes = self._taken_bytes = 0
            for condition in (self._to_send, self._to_read, self._room):
                condition.notify_all()
