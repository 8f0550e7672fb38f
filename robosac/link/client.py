"""A robot's or viewer's end of the link: one connection at a time, made anew when told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc

from robosac.errors import LinkError, LinkRefused
from robosac.link.addresses import Address
from robosac.link.backoff import Backoff
from robosac.link.credentials import client_credentials
from robosac.link.endpoint import Caps, Endpoint
from robosac.link.guard import require_safe
from robosac.link.key_folder import KeyFolder
from robosac.link.limits import SESSION, WATCH, LinkLimits, client_options
from robosac.link.peers import Role

JOIN_S: Final = 2.0
"""Longest time that `close` waits for the link's thread, s."""
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


class LinkClient:
    """Looks like `robosac.duplex.Duplex`; nothing waits except `wait` and `close`. Thread-safe.

    A connection that ended stays `closed` until `connect` begins another; what waited to be sent is
    gone with it, so keep it until the other end has acknowledged it.

    Args:
        address: of the learner.
        keys: a robot's or a viewer's; None: only for loopback.
        backoff: when the next attempt may begin.
        clock: monotonic seconds, for the back-off.
        limits: sizes and times; the server's.
        role: what to be where there are no keys that say so.

    Raises:
        ConfigError: keys are missing or a learner's.
    """

    def __init__(
        self,
        address: Address,
        keys: KeyFolder | None,
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
        limits: LinkLimits | None = None,
        role: Role = Role.ROBOT,
    ) -> None:
        require_safe(address, keys)
        self.address = address
        self._credentials = None if keys is None else client_credentials(keys)
        self._role = role if keys is None else keys.peer.role
        self._limits = limits or LinkLimits()
        self._backoff, self._clock = backoff, clock
        self._connection = _Connection(self._caps())
        self._connection.end("not connected yet")

    @property
    def connected(self) -> bool:
        """Whether the server has let us in."""
        return self._connection.greeted and not self._connection.closed

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, and everything that came over it was received."""
        return self._connection.closed

    @property
    def ended(self) -> str:
        """Why the newest connection ended; empty while it has not."""
        return self._connection.ended

    @property
    def waiting_bytes(self) -> int:
        """Bytes given to `send` and not yet handed to the network."""
        return self._connection.waiting_bytes

    @property
    def retry_in_s(self) -> float:
        """Time until `connect` begins another attempt, s."""
        return self._backoff.waits_s(self._clock())

    def connect(self) -> bool:
        """Begin to connect where that is due, and do nothing else; whether an attempt began.

        Takes some hundred microseconds where it does: a thread is started.
        """
        old = self._connection
        if not old.closed:
            return False
        if old.heard:
            old.heard = False
            self._backoff.succeed()
        now = self._clock()
        if self._backoff.waits_s(now) > 0:
            return False
        self._backoff.begin(now)
        self._connection = connection = _Connection(self._caps())
        connection.start(self._open_channel, self._role, self._limits)
        return True

    def send(self, payload: bytes) -> None:
        """See `Endpoint.send`; while it connects, messages wait. Raises LinkError for a viewer."""
        if self._role is Role.VIEWER:
            raise LinkError("a viewer only watches; nothing may be sent")
        self._connection.send(payload)

    def receive(self) -> list[bytes]:
        """See `Endpoint.receive`."""
        return self._connection.receive()

    def wait(self, seconds: float) -> None:
        """See `Endpoint.wait`; on a closed connection it returns at once."""
        self._connection.wait(seconds)

    def flush(self) -> None:
        """See `Endpoint.flush`."""

    def close(self, linger_s: float = 0.0) -> None:
        """End the connection; safe to call twice.

        Args:
            linger_s: longest time to wait until what waits is sent and the server has ended, s.
        """
        self._connection.close(linger_s)
        self._connection.join()

    def _caps(self) -> Caps:
        limits = self._limits
        return Caps(limits.up_bytes, limits.waiting_bytes, limits.received_bytes)

    def _open_channel(self) -> grpc.Channel:
        options = client_options(self._limits)
        if self._credentials is None:
            return grpc.insecure_channel(self.address.target, options)
        return grpc.secure_channel(self.address.target, self._credentials, options)


class _Connection(Endpoint):
    """One attempt and what comes of it, with the thread that reads."""

    def __init__(self, caps: Caps) -> None:
        super().__init__(caps, self._cancel)
        self.greeted = False
        """Whether the server has let us in."""
        self.heard = False
        """Whether a message has come, so that the attempt counts as a success."""
        self._call: Any = None
        self._call_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(
        self, open_channel: Callable[[], grpc.Channel], role: Role, limits: LinkLimits
    ) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(
            target=self._run, args=(open_channel, role, limits), name="link-client", daemon=True
        )
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread, at most JOIN_S."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _run(
        self, open_channel: Callable[[], grpc.Channel], role: Role, limits: LinkLimits
    ) -> None:
        why, error = "the server ended the connection", None
        try:
            with open_channel() as channel:
                self._read(channel, WATCH if role is Role.VIEWER else SESSION, limits)
        except grpc.RpcError as failure:
            why, error = _explain(failure)
        finally:
            # Also after an error that nobody expected, which threading.excepthook tells of.
            self.end(why, error)

    def _read(self, channel: grpc.Channel, method: str, limits: LinkLimits) -> None:
        """Keep up one call until its end. Raises grpc.RpcError."""
        call: Any = channel.stream_stream(method)(self._outgoing(), wait_for_ready=False)
        with self._call_lock:
            self._call = call
        if self._ended:
            # Closed before there was a call that could be cancelled.
            call.cancel()
            return
        late = threading.Timer(limits.handshake_s, self._give_up, (limits.handshake_s,))
        late.daemon = True
        late.start()
        try:
            call.initial_metadata()
        finally:
            late.cancel()
        self.greeted = not call.done()
        for sealed in call:
            self.heard = True
            if not self.deliver(sealed):
                call.cancel()
                return

    def _outgoing(self) -> Iterator[bytes]:
        while (sealed := self.take()) is not None:
            yield sealed

    def _give_up(self, seconds: float) -> None:
        self.end(f"the server did not let us in within {seconds:g} s")
        self._cancel()

    def _cancel(self) -> None:
        with self._call_lock:
            call = self._call
        if call is not None:
            call.cancel()


def _explain(failure: grpc.RpcError) -> tuple[str, LinkError | None]:
    """Why a call ended, and what its owner is told by an error."""
    code = getattr(failure, "code", lambda: None)()
    details = getattr(failure, "details", lambda: None)() or ""
    text = " ".join(str(details).split())[:500]
    if code in _REFUSALS:
        return text, LinkRefused(f"the learner refused: {text}")
    return f"the connection was lost: {text or code}", None
