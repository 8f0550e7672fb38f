"""A socket beside every executor by which any shell can stop it, and read back that it did.

A thread of the process that owns the robot serves it. The thread only trips the gate, reads what
the executor last said, and passes orders on; it works while everything else in there hangs, as long
as Python runs at all. For the rest there is `robosac.stop_now`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from robosac.errors import ProtocolError
from robosac.estop import EStopGate
from robosac.latch import LatchedFault
from robosac.listening import ListeningThread
from robosac.states import SafetyState

MAX_LINE: Final = 4096
SILENCE_S: Final = 2.0
"""A client that says nothing for so long is let go, s."""
MOST_CLIENTS: Final = 32
_CREDENTIALS: Final = struct.Struct("3i")
"""pid, uid, gid; unix(7), SO_PEERCRED."""


class Stoppable(Protocol):
    """What of an `Executor` another thread may use."""

    @property
    def safety(self) -> SafetyState: ...

    @property
    def faults(self) -> tuple[LatchedFault, ...]: ...

    @property
    def torque_off_since(self) -> float | None: ...

    def order_clear(self, name: str) -> None: ...


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line that a client sends."""

    do: str
    """trip, status, reset, clear."""
    reason: str = ""
    """Of a trip."""
    name: str = ""
    """Of the faults to clear."""
    epoch: int | None = None
    """Whom a reset or clear is meant for: with another owner's it is refused."""


_ORDER: Final = msgspec.json.Decoder(Order)
_ANSWER: Final = msgspec.json.Decoder(dict[str, Any])


class StopServer:
    """Serves one executor's socket until `close`.

    Args:
        path: of the socket; what lies there is replaced, so hold the robot's lock first.
        gate: the executor's.
        executor: what is stopped and asked.
        epoch: of the lease.

    Raises:
        OSError: the socket cannot be made.
    """

    def __init__(self, path: Path, gate: EStopGate, executor: Stoppable, epoch: int) -> None:
        self._path, self._gate, self._executor, self._epoch = path, gate, executor, epoch
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
            path.chmod(0o600)
            self._listener.listen(MOST_CLIENTS)
        except OSError:
            self._listener.close()
            raise
        self._listener.setblocking(False)
        self._clients: dict[socket.socket, tuple[bytearray, float]] = {}
        self._thread = ListeningThread("stop-socket", self._listen)
        self._thread.start()

    def close(self) -> None:
        """End the thread and remove the socket; safe to call twice."""
        if self._thread.closed:
            return
        self._thread.close()
        # Whoever owns the robot next may have a socket of the same name by the second call.
        self._path.unlink(missing_ok=True)

    def _listen(self, wake: int) -> None:
        with selectors.DefaultSelector() as selector, self._listener:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(SILENCE_S):
                    if key.fileobj == wake:
                        self._drop_all(selector)
                        return
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    else:
                        assert isinstance(key.fileobj, socket.socket)
                        self._hear(selector, key.fileobj)
                self._drop_silent(selector)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if len(self._clients) >= MOST_CLIENTS or not _ours(client):
            client.close()
            return
        client.setblocking(False)
        self._clients[client] = bytearray(), time.monotonic()
        selector.register(client, selectors.EVENT_READ)

    def _hear(self, selector: selectors.BaseSelector, client: socket.socket) -> None:
        """Read what has come, answer whole lines, drop who has gone or says too much."""
        text, _ = self._clients[client]
        try:
            data = client.recv(MAX_LINE)
            text += data
            while (end := text.find(b"\n")) >= 0:
                answer = self._answer(bytes(text[:end]))
                del text[: end + 1]
                client.send(msgspec.json.encode(answer) + b"\n")
            gone = not data or len(text) > MAX_LINE
        except OSError:
            gone = True
        if gone:
            self._drop(selector, client)
        else:
            self._clients[client] = text, time.monotonic()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            order = parse_order(line)
        except ProtocolError as error:
            return {"error": str(error)}
        if order.do == "trip":
            self._gate.trip(order.reason or "robosac estop")
        elif order.do in ("reset", "clear"):
            if order.epoch != self._epoch:
                return {"error": f"epoch {order.epoch} is old; the robot's is {self._epoch}"}
            if order.do == "reset":
                self._gate.reset()
            else:
                self._executor.order_clear(order.name)
        elif order.do != "status":
            return {"error": f"unknown order {order.do!r}; valid are trip, status, reset, clear"}
        return self._status()

    def _status(self) -> dict[str, Any]:
        # The gate first: torque that is off after it was tripped stays off.
        tripped, reason = self._gate.tripped, self._gate.reason
        executor = self._executor
        return {
            "epoch": self._epoch,
            "tripped": tripped,
            "reason": reason,
            "torque_off": executor.torque_off_since is not None,
            "safety": executor.safety.value,
            "faults": [
                {"id": entry.id, "name": entry.fault.name, "source": entry.fault.source}
                for entry in executor.faults
            ],
        }

    def _drop(self, selector: selectors.BaseSelector, client: socket.socket) -> None:
        selector.unregister(client)
        del self._clients[client]
        client.close()

    def _drop_silent(self, selector: selectors.BaseSelector) -> None:
        oldest = time.monotonic() - SILENCE_S
        for client in [c for c, (_, heard) in self._clients.items() if heard < oldest]:
            self._drop(selector, client)

    def _drop_all(self, selector: selectors.BaseSelector) -> None:
        for client in list(self._clients):
            self._drop(selector, client)


def ask(path: Path, order: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """Send one order to the socket at `path` and return what it answers.

    Raises:
        OSError: nobody is there, or there is no answer within `timeout_s` (s; a TimeoutError).
        ValueError: it answers something else, or that it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        deadline = time.monotonic() + timeout_s
        client.settimeout(timeout_s)
        client.connect(str(path))
        client.sendall(msgspec.json.encode(order) + b"\n")
        text = b""
        while not text.endswith(b"\n"):
            client.settimeout(max(0.001, deadline - time.monotonic()))
            data = client.recv(MAX_LINE)
            if not data or len(text) > 16 * MAX_LINE:
                raise ValueError(f"{path} closed without an answer")
            text += data
    return parse_answer(text)


def parse_order(line: bytes) -> Order:
    """The order of a line. Raises ProtocolError: it is none."""
    try:
        return _ORDER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not an order: {error}") from error


def parse_answer(text: bytes) -> dict[str, Any]:
    """What the server answered. Raises ValueError: it is no answer, or a refusal."""
    try:
        answer = _ANSWER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not an answer: {error}") from error
    if "error" in answer:
        raise ValueError(str(answer["error"]))
    return answer


def _ours(client: socket.socket) -> bool:
    """Whether the same user, or root, is at the other end."""
    with contextlib.suppress(OSError):
        data = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return _CREDENTIALS.unpack(data)[1] in (os.getuid(), 0)
    return False
