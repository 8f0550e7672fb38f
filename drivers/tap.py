"""A wire that tells somebody what goes over it, and is otherwise the wire it wraps."""

from __future__ import annotations

from collections.abc import Callable

from drivers.wire import Wire

Listener = Callable[[float, str, bool, bytes], None]
"""(time s, port, to the device?, bytes). It is called in the tick: quick, and it must not raise."""


class TappedWire:
    """A `Wire` whose bytes `listener` hears too; nothing else about it differs.

    Bytes to the device are told before they are sent, so that what made a port fail is heard as
    well; bytes from it as soon as they are read.

    Args:
        wire: what is wrapped, and owned from now on.
        port: its name, for the listener.
        listener: hears every byte.
        now: the clock, s.
    """

    def __init__(self, wire: Wire, port: str, listener: Listener, now: Callable[[], float]) -> None:
        self._wire, self._port, self._listener, self._now = wire, port, listener, now

    def write(self, data: bytes) -> None:
        self._listener(self._now(), self._port, True, data)
        self._wire.write(data)

    def read(self, deadline: float) -> bytes:
        return self._heard(self._wire.read(deadline))

    def drain(self) -> bytes:
        return self._heard(self._wire.drain())

    def reopen(self) -> None:
        self._wire.reopen()

    def close(self) -> None:
        self._wire.close()

    def _heard(self, data: bytes) -> bytes:
        if data:
            self._listener(self._now(), self._port, False, data)
        return data
