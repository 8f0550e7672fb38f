"""Framed messages over a connected stream socket, without ever waiting unless told to."""

from __future__ import annotations

import select
import socket
from collections import deque

from robosac.errors import LinkError
from robosac.framing import FrameReader, frame

_CHUNK_BYTES = 1 << 18
_CHUNKS = 4
"""Most that one `receive` reads, so that a flood does not keep its caller from everything else."""


class Stream:
    """One end of a connection; for one thread.

    What cannot be sent at once waits in memory, in order; the owner bounds it by `waiting_bytes`.

    Args:
        connection: a connected stream socket, owned from now on.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._reader = FrameReader()
        self._waiting: deque[memoryview] = deque()
        self.waiting_bytes = 0
        """Bytes that were given to `send` and not yet taken by the operating system."""
        self.closed = False
        """Whether the other end, or this one, is gone: nothing more will come or go."""

    def send(self, payload: bytes) -> None:
        """Frame and queue a message. Raises LinkError: it is too long."""
        self.send_frame(frame(payload))

    def send_frame(self, framed: bytes) -> None:
        """Queue a message that is framed already, and send it if none waits before it."""
        if self.closed:
            return
        is_first = not self._waiting
        self._waiting.append(memoryview(framed))
        self.waiting_bytes += len(framed)
        if is_first:
            self.flush()

    def flush(self) -> None:
        """Hand over what the operating system takes without waiting."""
        try:
            while self._waiting and not self.closed:
                first = self._waiting[0]
                sent = self._socket.send(first)
                self.waiting_bytes -= sent
                if sent == len(first):
                    self._waiting.popleft()
                else:
                    self._waiting[0] = first[sent:]
        except BlockingIOError:
            return
        except OSError:
            # What the other end said before it went can still be read: `receive` finds the end.
            self._drop()

    def receive(self) -> list[bytes]:
        """Messages that are there, without waiting; at the end of the stream `closed` is set.

        What does not come in one call comes in the next.

        Raises:
            LinkError: the stream is damaged or was cut within a message; the channel is closed.
        """
        payloads: list[bytes] = []
        for _ in range(_CHUNKS):
            if self.closed:
                break
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.close()
                if self._reader.unfinished:
                    raise LinkError("the other end went within a message")
                break
            try:
                payloads += self._reader.feed(data)
            except LinkError:
                self.close()
                raise
        return payloads

    def wait(self, seconds: float) -> None:
        """Wait until something may be received, or what waits be sent; at most `seconds`."""
        if self.closed:
            return
        writable = [self._socket] if self._waiting else []
        _, ready, _ = select.select([self._socket], writable, [], seconds)
        if ready:
            self.flush()

    def close(self) -> None:
        """Close this end; safe to call twice."""
        self.closed = True
        self._drop()
        self._socket.close()

    def _drop(self) -> None:
        self._waiting.clear()
        self.waiting_bytes = 0
