"""A row of moteus controllers on one wire: one exchange a tick, registers while configuring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from drivers.errors import ProtocolError
from drivers.moteus import configuration, console
from drivers.moteus.command import Command, Stop, encode
from drivers.moteus.configuration import ServoInfo
from drivers.moteus.console import Difference
from drivers.moteus.fdcanusb import CanFrame
from drivers.moteus.link import CONFIGURE_TIMEOUT_S, AdapterLink
from drivers.moteus.multiplex import Read, Write
from drivers.moteus.readings import (
    REFUSED,
    TAGS,
    Plausibility,
    ReadingTable,
    ServoReadings,
    parse_reading,
)
from drivers.moteus.registers import BROADCAST_ID, REPLY_REQUESTED, Mode, Resolution
from drivers.statistics import BusStatistics
from drivers.wire import Wire


class MoteusBus:
    """The controllers with `ids`, behind an fdcanusb or a moteus UART.

    Args:
        wire: the port; this bus is its only user.
        ids: CAN ids, 1 to 126, each once; their order is the order of every array.
        now: the clock that the wire's deadlines belong to, monotonic seconds.
        checksum: the UART dialect, with a CRC behind every line.
        plausible: what a reading can be; one outside is not taken, and counted.

    Raises:
        ValueError: an id that is out of range or listed twice.
    """

    def __init__(
        self,
        wire: Wire,
        ids: Sequence[int],
        now: Callable[[], float],
        checksum: bool = False,
        plausible: Plausibility | None = None,
    ) -> None:
        if len(set(ids)) != len(ids) or not all(1 <= id < BROADCAST_ID for id in ids):
            raise ValueError(f"ids must be distinct and 1 to 126, got {list(ids)}")
        self._ids = tuple(ids)
        self._link = AdapterLink(wire, now, checksum)
        self._targets = tuple(REPLY_REQUESTED | id for id in ids)
        # A reply goes from the controller (high byte) to the host, which is 0.
        self._senders = [id << 8 for id in ids]
        self._index = {sender: index for index, sender in enumerate(self._senders)}
        self._table = ReadingTable(len(ids), plausible or Plausibility())
        self._asked = 0

    @property
    def ids(self) -> tuple[int, ...]:
        """The controllers' CAN ids, in the order of every array."""
        return self._ids

    @property
    def statistics(self) -> BusStatistics:
        """A snapshot of the counters."""
        self._link.counters.implausible = self._table.implausible
        return self._link.counters.snapshot()

    def exchange(self, command: Command, deadline: float) -> ServoReadings:
        """Command every controller in one write and collect the replies until `deadline` (s).

        A reply to an earlier exchange is known by its tag (`readings.TAGS`) and never taken. A
        lost, damaged or implausible reply never raises: that controller is then not valid.

        Raises:
            ValueError: the command has the wrong shape or is not finite.
            WireClosed: the port is gone.
        """
        link, count = self._link, len(self._ids)
        tag = TAGS[self._asked]
        frames = encode(command, count, tag)
        self._asked = (self._asked + 1) % len(TAGS)
        started = link.now()
        link.settle(deadline)
        link.send(list(zip(self._targets, frames, strict=True)))
        valid = [False] * count
        missing = count
        for received in link.received(deadline):
            if missing == count and self._take_all(received, tag):
                valid, missing = [True] * count, 0
                break
            for frame in received:
                missing -= self._take(frame, tag, valid)
            if not missing:
                break
        if missing:
            link.counters.lost += missing
            link.missed()
        link.counters.exchanged(link.now() - started)
        return self._table.readings(np.array(valid, dtype=np.bool_))

    def last_readings(self) -> ServoReadings:
        """What is known without asking: every value old, none valid."""
        return self._table.readings(np.zeros(len(self._ids), dtype=np.bool_))

    def stop_all(self, attempts: int) -> list[int]:
        """Send stop until every controller was read back in mode 0; return the ids that were not.

        Raises:
            WireClosed: the port is gone.
        """
        unconfirmed = set(self._ids)
        for _ in range(attempts):
            readings = self.exchange(Stop(), self._link.now() + CONFIGURE_TIMEOUT_S)
            stopped = readings.valid & (readings.mode == Mode.STOPPED)
            unconfirmed -= {id for id, done in zip(self._ids, stopped, strict=True) if done}
            if not unconfirmed:
                break
        return [id for id in self._ids if id in unconfirmed]

    def probe(self, attempts: int = 3) -> dict[int, ServoInfo]:
        """Ask every controller who it is; those that do not answer are left out.

        Raises:
            DeviceError: one answers, but not as a moteus would, or its firmware lacks a register
                that every exchange reads.
            WireClosed: the port is gone.
        """
        return configuration.probe(self._link, self._ids, attempts)

    def read(
        self, id: int, register: int, resolution: Resolution = Resolution.FLOAT, attempts: int = 3
    ) -> float:
        """One register's value, in its unit. For configuration: it waits and tries again.

        Raises:
            BusTimeout: no reply. DeviceError: the controller refuses. WireClosed: the port is gone.
        """
        return self.read_many(id, [Read(register, resolution)], attempts)[register]

    def read_many(self, id: int, blocks: Sequence[Read], attempts: int = 3) -> dict[int, float]:
        """Several blocks of registers in one frame, each value in its unit, by register.

        Raises:
            ValueError: request or reply do not fit into a frame. Else as `read`.
        """
        return configuration.read_registers(self._link, id, blocks, attempts)

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
        self.write_many(id, [Write(register, resolution, (value,))], attempts)

    def write_many(self, id: int, blocks: Sequence[Write], attempts: int = 3) -> None:
        """Set several blocks of registers in one frame, in the order given.

        Raises:
            ValueError: they do not fit into a frame. Else as `write`.
        """
        configuration.write_registers(self._link, id, blocks, attempts)

    def rezero(self, id: int, position_rev: float, exact: bool = False) -> float:
        """Tell a stopped controller where its output is; the position read back, revolutions.

        Args:
            id: one of this bus's controllers.
            position_rev: where the output is, revolutions.
            exact: take the position as it is; else only whole turns of the rotor are added, so that
                the encoder's own zero stays.

        Raises:
            ValueError: not one of our ids, or the position is not finite.
            DeviceError: it is not stopped, or it does not read back as it should.
            BusTimeout: no reply. WireClosed: the port is gone.
        """
        index = self._own(id)
        # Forgotten before and not after: who knows what a reply that was lost had done.
        self._table.forget_position(index)
        return configuration.rezero(self._link, id, position_rev, exact)

    def recapture(self, id: int) -> None:
        """Make a stopped controller's set-point start from where and how fast its output is.

        Raises:
            DeviceError: it is not stopped. BusTimeout: no reply. WireClosed: the port is gone.
        """
        configuration.recapture(self._link, id)

    def configuration(self, id: int, keys: Iterable[str]) -> dict[str, float | None]:
        """Options of a controller by name; NaN is a value, None: its firmware has no such option.

        Raises:
            ValueError: not an option's name. BusTimeout: no answer. WireClosed: the port is gone.
        """
        return {key: console.get_option(self._link, id, key) for key in keys}

    def check_configuration(self, id: int, wanted: Mapping[str, float]) -> list[Difference]:
        """Where a controller's options are not what they should be; empty if all are.

        Raises:
            As `configuration`.
        """
        return console.differences(self.configuration(id, wanted), wanted)

    def set_configuration(self, id: int, key: str, value: float) -> None:
        """Change one option of a stopped controller in its memory, and read it back.

        It lasts until the next power cycle unless `save_configuration` follows.

        Raises:
            ValueError: not an option's name or value.
            DeviceError: the controller is not stopped, refuses, or reads back another value.
            BusTimeout: no answer. WireClosed: the port is gone.
        """
        configuration.require_stopped(self._link, id, f"{key} is changed")
        console.set_option(self._link, id, key, value)

    def save_configuration(self, id: int) -> None:
        """Make a stopped controller's options last over a power cycle. The flash wears out.

        Raises:
            DeviceError: it is not stopped, or refuses. BusTimeout: no answer.
            WireClosed: the port is gone.
        """
        configuration.require_stopped(self._link, id, "its configuration is saved")
        console.save(self._link, id)

    def reopen(self) -> None:
        """Open the wire anew after it was gone; the controllers must be configured afresh.

        Raises:
            WireClosed: it is not back.
        """
        self._link.reopen()
        for index in range(len(self._ids)):
            self._table.forget_position(index)

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        self._link.close()

    def _own(self, id: int) -> int:
        if id not in self._ids:
            raise ValueError(f"controller {id} is not on this bus; valid: {list(self._ids)}")
        return self._ids.index(id)

    def _take_all(self, frames: list[CanFrame], tag: int) -> bool:
        """The usual case, all at once: one plausible reply of each, in order."""
        if [frame.arbitration_id for frame in frames] != self._senders:
            return False
        data = b"".join([frame.data for frame in frames])
        return self._table.take_all(data, tag, self._link.now())

    def _take(self, frame: CanFrame, tag: int, valid: list[bool]) -> bool:
        """Take one reply; True if its controller was missing until now."""
        counters = self._link.counters
        index = self._index.get(frame.arbitration_id)
        if index is None:
            counters.corrupt += 1
            return False
        try:
            reading, answered = parse_reading(frame.data)
        except ProtocolError:
            counters.corrupt += 1
            return False
        if answered == REFUSED:
            counters.refused += 1
            return False
        if answered != tag or valid[index]:
            counters.late += 1
            return False
        valid[index] = self._table.take(index, reading, self._link.now())
        return valid[index]
