"""A line of Dynamixel servos: what the host's bytes do, and the bytes that come back.

Sources: ROBOTIS e-manual, Protocol 2.0. How servos behave whose neighbour is missing from a group
read is not documented and reports differ, so that both ways are offered (`Missing`).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.constants import BAUD_RATES, Instruction
from sim.firmware.dynamixel.answer import Answer
from sim.firmware.dynamixel.control import Drive, ServoControl
from sim.firmware.dynamixel.frames import Packet, PacketParser
from sim.firmware.dynamixel.instructions import Instructions
from sim.firmware.dynamixel.memory import blank_tables
from sim.firmware.dynamixel.sensors import Sensors
from sim.firmware.dynamixel.servo import DynamixelServo, ServoSpec
from sim.firmware.dynamixel.usual import UsualTick

FloatArray = NDArray[np.float64]

BROWN_OUT_V = 5.0
"""Below this the servos' processors reset; assumed."""
HEALTH_PERIOD_S = 0.01
OUTPUT_LIMIT = 1 << 16
"""Bytes kept for a host that does not read; what comes then is lost."""
TIME_TOLERANCE_S = 1e-9
_BITS_PER_BYTE = 10


class Missing(enum.Enum):
    """What the servos listed after a silent one do in a sync or bulk read."""

    SKIP = "skip"
    """They wait until its turn is over, and answer."""
    CHAIN = "chain"
    """They wait for its packet, and so stay silent."""


@dataclass(frozen=True)
class LineOptions:
    """How true to life the line is.

    Attributes:
        missing: see `Missing`.
        timed: answers take their time: bytes at the baud rate, return delay, turnaround.
        host_baud: bit/s that the host uses; servos set otherwise do not hear it. None: any.
        turnaround_s: from an instruction's end to an answer without return delay; assumed.
    """

    missing: Missing = Missing.SKIP
    timed: bool = False
    host_baud: int | None = None
    turnaround_s: float = 40e-6


class DynamixelLine:
    """Servos on one wire; a `sim.wire.Device`. Arrays have shape (n,), in the order of `specs`.

    Args:
        position_rad: where the shafts are as power comes on; None: at 0.

    Attributes:
        host_baud: as in the options; may be changed at any time.
        sag_v: the supply is at most so much; may be changed at any time.
        servos: may be looked into; the id of each may have changed since.
    """

    def __init__(
        self,
        specs: Sequence[ServoSpec],
        now: Callable[[], float],
        options: LineOptions | None = None,
        position_rad: FloatArray | None = None,
    ) -> None:
        self.options = options or LineOptions()
        self.host_baud = self.options.host_baud
        self.sag_v = math.inf
        count = len(specs)
        self._control = ServoControl(count)
        at = np.zeros(count) if position_rad is None else position_rad
        self._control.observe(at, np.zeros(count))
        tables = blank_tables(spec.model for spec in specs)
        self.servos = tuple(
            DynamixelServo(spec, table, self._control, index, now)
            for index, (spec, table) in enumerate(zip(specs, tables, strict=True))
        )
        self._sensors = Sensors(self.servos, tables, self._control, now)
        at_once = not self.options.timed
        usual = UsualTick(self.servos, tables, self._control, self._sensors, at_once)
        chain = self.options.missing is Missing.CHAIN
        self._instructions = Instructions(self._sensors.refresh, usual, chain)
        self._now, self._powered = now, True
        self._parser = PacketParser()
        self._output: list[tuple[float, int, bytes]] = []
        self._waiting = self._sent = 0
        self._free_at = 0.0
        self._health_at = now()

    def receive(self, data: bytes) -> None:
        """Bytes from the host; every whole packet is carried out at once."""
        now = self._now()
        for packet in self._parser.feed(data, now):
            self._packet(packet, now)

    def transmit(self) -> bytes:
        """Bytes for the host that have come by now."""
        output = self._output
        if not output:
            return b""
        due = self._now() + TIME_TOLERANCE_S
        pieces: list[bytes] = []
        while output and output[0][0] <= due:
            pieces.append(heappop(output)[2])
        data = b"".join(pieces)
        self._waiting -= len(data)
        return data

    def control(
        self, position_rad: FloatArray, velocity_rad_s: FloatArray, supply_v: float, dt: float
    ) -> Drive:
        """One step of `dt` (s) of every servo; the result is valid until the next.

        Args:
            position_rad, velocity_rad_s: of the shafts.
            supply_v: at the servos' connectors.
        """
        powered = min(supply_v, self.sag_v) >= BROWN_OUT_V
        if powered != self._powered:
            self._powered = powered
            for servo in self.servos:
                servo.set_power(powered)
        now = self._now()
        for servo in self.servos:
            servo.tick(now)
        drive = self._control.step(position_rad, velocity_rad_s, dt)
        if now - self._health_at >= HEALTH_PERIOD_S - TIME_TOLERANCE_S:
            self._check_health(now - self._health_at)
            self._health_at = now
        return drive

    def power_cycle(self, position_rad: FloatArray) -> None:
        """Switch every servo off and on, the shafts being at `position_rad` when it is on again.

        What was on its way is lost; nobody waits for the servos to boot.
        """
        self._parser = PacketParser()
        self._output.clear()
        self._waiting = 0
        self._control.observe(position_rad, np.zeros(len(self.servos)))
        for servo in self.servos:
            servo.power_cycle()
        self._free_at = self._health_at = self._now()

    def sense(
        self, current_a: FloatArray, share: FloatArray, temperature_c: FloatArray, supply_v: float
    ) -> None:
        """Set what the servos measure from now on; see `Sensors.set`."""
        self._sensors.set(current_a, share, temperature_c, min(supply_v, self.sag_v))

    @property
    def state(self) -> FloatArray:
        """Velocity (counts/s) and position (counts) of each servo in its frame, shape (2, n)."""
        return self._control.state[:2]

    def uncounted(self, position_rad: FloatArray) -> FloatArray:
        """`state`, were the encoders as fine as one likes and the shafts at `position_rad`.

        What is told late lies between two of these: of whole counts, the one in between would be
        rounded to whichever is nearer, and the delay of a slow motion to whole steps.
        """
        return np.stack((self._control.v, self._control.uncounted(position_rad)))

    def tell(self, state: FloatArray | None) -> None:
        """Let servos tell this `state` (shape (2, n)) from now on; None: the present one."""
        self._sensors.late = state

    @property
    def baud_rate(self) -> int:
        """What the first servo is set to, bit/s."""
        return BAUD_RATES[self.servos[0].baud_rate]

    def servo(self, id: int) -> DynamixelServo:
        """The servo whose id is `id` now.

        Raises:
            KeyError: there is none.
        """
        for servo in self.servos:
            if servo.id == id:
                return servo
        raise KeyError(f"no servo has id {id}; there are {[servo.id for servo in self.servos]}")

    def _check_health(self, dt: float) -> None:
        sensors = self._sensors
        rows = zip(
            self.servos,
            sensors.temperature_c.tolist(),
            sensors.share.tolist(),
            self._control.v.tolist(),
            strict=True,
        )
        for servo, temperature, share, speed in rows:
            servo.check_health(sensors.supply_v, temperature, share, speed, dt)

    def _hearing(self) -> list[DynamixelServo]:
        """The servos that a packet reaches."""
        servos = [servo for servo in self.servos if servo.awake and not servo.faults.silent]
        baud = self.host_baud
        if baud is not None:
            servos = [servo for servo in servos if BAUD_RATES[servo.baud_rate] == baud]
        return servos

    def _packet(self, packet: Packet, now: float) -> None:
        hearing = self._hearing()
        if packet.intact and packet.instruction != Instruction.STATUS:
            for servo in hearing:
                servo.heard_at = now
        self._send(self._instructions.execute(packet, hearing), packet.size, now)

    def _send(self, answers: Sequence[Answer], request_size: int, now: float) -> None:
        """Put answers onto the wire, at once or each in its time."""
        timed = self.options.timed
        clock = max(now, self._free_at) + self._seconds(request_size) if timed else now
        for answer in answers:
            if timed:
                clock += self.options.turnaround_s + answer.delay_s + self._seconds(answer.size)
            if answer.data and self._waiting + len(answer.data) <= OUTPUT_LIMIT:
                self._waiting += len(answer.data)
                self._sent += 1
                heappush(self._output, (clock + answer.hold_s, self._sent, answer.data))
        self._free_at = clock

    def _seconds(self, size: int) -> float:
        """How long `size` bytes take."""
        return size * _BITS_PER_BYTE / (self.host_baud or self.baud_rate)
