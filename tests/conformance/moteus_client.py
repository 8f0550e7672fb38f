"""The vendor's own moteus client on a port of a served twin, in either dialect."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import moteus
from moteus.fdcanusb_device import FdcanusbDevice

from sim.pty_port import PtyPort

T = TypeVar("T")
PATIENCE_S = 10.0
"""Nothing here takes a second; in the adapter's dialect the client would wait for ever."""
IDS = range(1, 9)


@contextlib.asynccontextmanager
async def client(path: str, checksum: bool) -> AsyncIterator[Any]:
    """The client's transport on a port.

    It takes a port without the adapter's USB ids for a controller's own UART, and then wants a
    checksum behind every line; the adapter's dialect has to be forced on it.
    """
    device: Any = FdcanusbDevice(path)
    if not checksum:
        device._is_fdcanusb, device._checksum_active = True, False
    transport = moteus.TransportWrapper(device)
    try:
        yield transport
    finally:
        transport.close()
        # The reader was told to end; let it.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(device._reader_task, PATIENCE_S)


def drive(path: str, checksum: bool, script: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Run `script` with the client's transport and return what it returns."""

    async def whole() -> T:
        async with client(path, checksum) as transport:
            return await script(transport)

    return asyncio.run(asyncio.wait_for(whole(), PATIENCE_S))


def line_sent(command: Any, checksum: bool = False) -> bytes:
    """The line that the client puts on the wire for a command of its own."""
    port = PtyPort()

    async def send(transport: Any) -> bytes:
        sending = asyncio.ensure_future(transport.cycle([command]))
        line = b""
        while not line.endswith(b"\n"):
            await asyncio.sleep(0.001)
            line += port.read()
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        return line

    try:
        return drive(port.path, checksum, send)
    finally:
        port.close()
