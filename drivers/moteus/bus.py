"""A row of moteus controllers on one wire: one exchange a tick, registers while configuring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from drivers.errors import BusTimeout, DeviceError, ProtocolError
from drivers.moteus.command import Command, Stop, encode
from drivers.moteus.fdcanusb import CanFrame, LineSplitter, Refused, encode_send, parse_line
from drivers.moteus.multiplex import Read, Write, reply_values
from drivers.moteus.multiplex import encode as encode_subframes
from drivers.moteus.readings import NEVER, ServoReading, ServoReadings, collect, parse_reading
from drivers.moteus.registers import REPLY_REQUESTED, Mode, Register, Resolution
from drivers.wire import Wire

IDLE_S = 0.0005
"""Silence that counts as an idle bus: more than the 0.14 ms of the longest frame, s."""
RESYNC_READS = 4
"""A resynchronisation gives up waiting for silence after so many reads."""
CONFIGURE_TIMEOUT_S = 0.02
"""How long one try outside the control tick waits for its reply, s."""


@dataclass(frozen=True, slots=True)
class BusStatistics:
    """What happened on the wire since the bus was made."""

    exchanges: int = 0
    lost: int = 0
    """Replies that did not arrive before their deadline."""
    late: int = 0
    """Replies that arrived when nobody waited for them any more, or twice."""
    corrupt: int = 0
    """Lines and replies that could not be understood or were not plausible."""
    refused: int = 0
    """Lines the adapter answered with ERR."""
    resyncs: int = 0
    """Times the line was emptied after a lost reply."""


@dataclass(frozen=True, slots=True)
class ServoInfo:
    """Who a controller says it is."""

    model: int
    firmware: int
    """Version as 0xMMmmpp."""
    serial: tuple[int, int, int]


class MoteusBus:
    """The controllers with `ids`, behind an fdcanusb or a moteus UART.

    Args:
        wire: the port; this bus is its only user.
        ids: CAN ids, 1 to 126, each once; their order is the order of every array.
        now: the clock that the wire's deadlines belong to, monotonic seconds.
        checksum: the UART dialect, with a CRC behind every line.

    Raises:
        ValueError: an id that is out of range or listed twice.
    """

    def __init__(
        self,
        wire: Wire,
        ids: Sequence[int],
        now: Callable[[], float],
        checksum: bool = False,
    ) -> None:
        if len(set(ids)) != len(ids) or not all(1 <= id < 127 for id in ids):
            raise ValueError(f"ids must be distinct and 1 to 126, got {list(ids)}")
        self._wire, self._ids, self._now, self._checksum = wire, tuple(ids), now, checksum
        self._targets = tuple(REPLY_REQUESTED | id for id in ids)
        # A reply goes from the controller (high byte) to the host, which is 0.
        self._index = {id << 8: index for index, id in enumerate(ids)}
        self._splitter = LineSplitter()
        self._rows: list[ServoReading] = [NEVER] * len(ids)
        self._times = [-math.inf] * len(ids)
        self._unsettled = False
        self._exchanges = self._lost = self._late = 0
        self._corrupt = self._refused = self._resyncs = 0

    @property
    def ids(self) -> tuple[int, ...]:
        """The controllers' CAN ids, in the order of every array."""
        return self._ids

    @property
    def statistics(self) -> BusStatistics:
        """A snapshot of the counters."""
        return BusStatistics(
            self._exchanges, self._lost, self._late, self._corrupt, self._refused, self._resyncs
        )

    def exchange(self, command: Command, deadline: float) -> ServoReadings:
        """Command every controller in one write and collect the replies until `deadline` (s).

        A lost, damaged or implausible reply never raises: that controller is then not valid.

        Raises:
            ValueError: the command has the wrong shape or is not finite.
            WireClosed: the port is gone.
        """
        frames = encode(command, len(self._ids))
        self._settle(deadline)
        self._send(zip(self._targets, frames, strict=True))
        valid = [False] * len(self._ids)
        for frame in self._frames_until(deadline):
            index = self._index.get(frame.arbitration_id)
            if index is None:
                self._corrupt += 1
            elif self._accept(index, frame.data):
                self._late += valid[index]
                valid[index] = True
                if all(valid):
                    break
        missing = valid.count(False)
        self._exchanges += 1
        self._lost += missing
        self._unsettled = missing > 0
        return collect(self._rows, self._times, valid)

    def last_readings(self) -> ServoReadings:
        """What is known without asking: every value old, none valid."""
        return collect(self._rows, self._times, [False] * len(self._ids))

    def stop_all(self, attempts: int) -> list[int]:
        """Send stop until every controller was read back in mode 0; return the ids that were not.

        Raises:
            WireClosed: the port is gone.
        """
        unconfirmed = set(self._ids)
        for _ in range(attempts):
            readings = self.exchange(Stop(), self._now() + CONFIGURE_TIMEOUT_S)
            stopped = readings.valid & (readings.mode == Mode.STOPPED)
            unconfirmed -= {id for id, done in zip(self._ids, stopped, strict=True) if done}
            if not unconfirmed:
                break
        return [id for id in self._ids if id in unconfirmed]

    def probe(self, attempts: int = 3) -> dict[int, ServoInfo]:
        """Ask every controller who it is; those that do not answer are left out.

        Raises:
            DeviceError: one answers, but not as a moteus would.
            WireClosed: the port is gone.
        """
        found: dict[int, ServoInfo] = {}
        query = encode_subframes(
            (
                Read(Register.MODEL_NUMBER, Resolution.INT32, 2),
                Read(Register.SERIAL_NUMBER_1, Resolution.INT32, 3),
            )
        )
        for id in self._ids:
            try:
                values = self._ask(id, query, attempts)
            except BusTimeout:
                continue
            try:
                model, firmware = (int(values[Register.MODEL_NUMBER + i]) for i in range(2))
                a, b, c = (int(values[Register.SERIAL_NUMBER_1 + i]) for i in range(3))
            except KeyError as error:
                raise DeviceError(f"controller {id} tells no register {error}") from error
            found[id] = ServoInfo(model, firmware, (a, b, c))
        return found

    def read(
        self, id: int, register: int, resolution: Resolution = Resolution.FLOAT, attempts: int = 3
    ) -> float:
        """One register's value, in its unit. For configuration: it waits and tries again.

        Raises:
            BusTimeout: no reply. DeviceError: the controller refuses. WireClosed: the port is gone.
        """
        values = self._ask(id, encode_subframes([Read(register, resolution)]), attempts)
        if register not in values:
            raise DeviceError(f"controller {id} answered without register 0x{register:03x}")
        return values[register]

    def write(
        self,
        id: int,
        register: int,
        value: float,
        resolution: Resolution = Resolution.FLOAT,
        attempts: int = 3,
    ) -> None:
        """Set one register and wait for the acknowledgement. For configuration: it tries again.

        Raises:
            BusTimeout: no reply. DeviceError: the controller refuses. WireClosed: the port is gone.
        """
        self._ask(id, encode_subframes([Write(register, resolution, (value,))]), attempts)

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        self._wire.close()

    def _accept(self, index: int, data: bytes) -> bool:
        try:
            self._rows[index] = parse_reading(data)
        except ProtocolError:
            self._corrupt += 1
            return False
        self._times[index] = self._now()
        return True

    def _ask(self, id: int, query: bytes, attempts: int) -> dict[int, float]:
        for _ in range(attempts):
            deadline = self._now() + CONFIGURE_TIMEOUT_S
            self._settle(deadline)
            self._send([(REPLY_REQUESTED | id, query)])
            for frame in self._frames_until(deadline):
                if frame.arbitration_id != id << 8:
                    self._late += 1
                    continue
                try:
                    values, errors = reply_values(frame.data)
                except ProtocolError:
                    self._corrupt += 1
                    continue
                if errors:
                    raise DeviceError(f"controller {id} refuses: {errors}")
                return values
            self._unsettled = True
        raise BusTimeout(
            f"controller {id} did not answer in {attempts} tries; check power and wiring"
        )

    def _send(self, frames: Iterator[tuple[int, bytes]] | list[tuple[int, bytes]]) -> None:
        checksum = self._checksum
        self._wire.write(b"".join([encode_send(to, data, checksum) for to, data in frames]))

    def _frames_until(self, deadline: float) -> Iterator[CanFrame]:
        """Received frames, as they arrive, until the deadline."""
        while data := self._wire.read(deadline):
            yield from self._frames(data)
            if self._now() >= deadline:
                return

    def _frames(self, data: bytes) -> Iterator[CanFrame]:
        for text in self._splitter.feed(data):
            try:
                line = parse_line(text, self._checksum)
            except ProtocolError:
                self._corrupt += 1
                continue
            if isinstance(line, CanFrame):
                yield line
            elif isinstance(line, Refused):
                self._refused += 1

    def _settle(self, deadline: float) -> None:
        """Take what nobody waited for off the line, so that no old reply passes for a new one.

        Replies carry no sequence number; after a miss the line must therefore fall silent first.
        """
        if data := self._wire.drain():
            self._late += sum(1 for _ in self._frames(data))
        if not self._unsettled:
            return
        self._resyncs += 1
        for _ in range(RESYNC_READS):
            data = self._wire.read(min(deadline, self._now() + IDLE_S))
            if not data:
                break
            self._late += sum(1 for _ in self._frames(data))
        self._splitter.clear()
        self._unsettled = False
