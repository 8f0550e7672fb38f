"""The vendor's own Dynamixel client on a port of a served twin."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

from dynamixel_sdk import COMM_SUCCESS, PortHandler, Protocol2PacketHandler, port_handler

LATENCY_MS = 100
"""The client waits twice that for an answer; 16 as it comes, too short for a busy computer."""
TRIES = 100
STATUS_SIZE = 11


class Client:
    """The client with its port, so that calls need only what differs.

    Everything that the vendor's packet handler offers is there under its own name, as a call that
    returns what the servo said and has seen to it that this was no error.
    """

    def __init__(self, port: PortHandler) -> None:
        self.port, self.handler = port, Protocol2PacketHandler()

    def ask(self, name: str, *arguments: Any) -> Any:
        """A call with an answer: the value if there is one; no error must be told."""
        *value, result, error = getattr(self.handler, name)(self.port, *arguments)
        assert result == COMM_SUCCESS, f"{name}: {self.handler.getTxRxResult(result)}"
        assert error == 0, f"{name}: {self.handler.getRxPacketError(error)}"
        return value[0] if value else None

    def refused(self, name: str, *arguments: Any) -> int:
        """A call that is answered with an error: its number."""
        *_, result, error = getattr(self.handler, name)(self.port, *arguments)
        assert result == COMM_SUCCESS, f"{name}: {self.handler.getTxRxResult(result)}"
        return error

    def tell(self, name: str, *arguments: Any) -> None:
        """A call after which the client does not listen."""
        result = getattr(self.handler, name)(self.port, *arguments)
        assert result == COMM_SUCCESS, f"{name}: {self.handler.getTxRxResult(result)}"

    def let_pass(self) -> None:
        """Wait for the answer that the client does not wait for, or it takes it for the next."""
        size = 0
        while size < STATUS_SIZE:
            size += len(self.port.readPort(STATUS_SIZE))

    def ping_until_back(self, id: int) -> int:
        """Ping a servo that restarts; how many pings were not answered."""
        for missed in range(TRIES):
            _, result, error = self.handler.ping(self.port, id)
            if result == COMM_SUCCESS:
                assert error == 0
                return missed
        raise AssertionError(f"servo {id} has not come back")

    def group(self, kind: Callable[..., Any], *arguments: Any) -> Any:
        """One of the client's groups."""
        return kind(self.port, self.handler, *arguments)


@contextlib.contextmanager
def client(path: str, baud: int) -> Iterator[Client]:
    """The client on the port `path` for as long as the block lasts."""
    port = PortHandler(path)
    with patch.object(port_handler, "LATENCY_TIMER", LATENCY_MS):
        assert port.openPort()
        assert port.setBaudRate(baud)
        try:
            yield Client(port)
        finally:
            port.closePort()


def counts(value: int) -> Sequence[int]:
    """Four bytes as the client wants them."""
    return list(value.to_bytes(4, "little", signed=True))
