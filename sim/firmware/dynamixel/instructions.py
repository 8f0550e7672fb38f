"""Which servo carries an instruction out, and what it answers.

Source: ROBOTIS e-manual, Protocol 2.0, Instruction Details; X series, Status Return Level (68) and
Secondary ID (12).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.dynamixel.constants import (
    BACKUP_RESTORE,
    BACKUP_STORE,
    BROADCAST_ID,
    CLEAR_MULTI_TURN,
    FAST_READ_FIRMWARE,
    FactoryReset,
    Instruction,
    StatusError,
    StatusReturnLevel,
)
from sim.firmware.dynamixel.answer import Answer
from sim.firmware.dynamixel.frames import (
    LONGEST_PACKET,
    FastSlot,
    Packet,
    fast_status,
    status_packet,
)
from sim.firmware.dynamixel.groups import (
    SPAN,
    GroupRead,
    bulk_reads,
    bulk_writes,
    sync_reads,
    sync_writes,
)
from sim.firmware.dynamixel.memory import Refused
from sim.firmware.dynamixel.sensors import Sensors
from sim.firmware.dynamixel.servo import DynamixelServo
from sim.firmware.dynamixel.usual import UsualTick

CLEAR_FIRMWARE = 42
"""From it on a servo knows the clear instruction, and ignores a broadcast reset of everything."""
BACKUP_FIRMWARE = 45
PING_SLOT_S = 3e-3
"""A servo answers a broadcast ping so long after the one with the id before; the vendor's client
reckons with it."""

_EMPTY_STATUS = 11
_FAST = frozenset({Instruction.FAST_SYNC_READ, Instruction.FAST_BULK_READ})
_CHANGES_EEPROM = frozenset({Instruction.FACTORY_RESET, Instruction.CONTROL_TABLE_BACKUP})
_KEPT = {
    FactoryReset.ALL: frozenset[str](),
    FactoryReset.KEEP_ID: frozenset({"id"}),
    FactoryReset.KEEP_ID_AND_BAUD: frozenset({"id", "baud_rate"}),
}


class Instructions:
    """Carries packets out on the servos that hear them.

    Args:
        refresh: brings what servo number i measures up to date in its table.
        usual: what is asked of all servos in each tick is carried out by it, if it can.
        chain: a silent servo in a group read silences those after it.
    """

    def __init__(self, refresh: Callable[[int], None], usual: UsualTick, chain: bool) -> None:
        self._refresh, self._usual, self._chain = refresh, usual, chain

    def execute(self, packet: Packet, hearing: Sequence[DynamixelServo]) -> list[Answer]:
        """The answers to one packet, in their order, of the servos that hear it."""
        if packet.instruction == Instruction.STATUS:
            return []
        if packet.id == BROADCAST_ID:
            return self._broadcast(packet, hearing) if packet.intact else []
        replies: list[tuple[DynamixelServo, bytes]] = []
        delay = 0.0
        for servo in hearing:
            if servo.id == packet.id:
                delay = servo.return_delay_s
                reply = self._direct(servo, packet)
                if reply:
                    replies.append((servo, reply))
            elif servo.shadow == packet.id and packet.intact:
                self._try(servo, packet.instruction, packet.parameters, eeprom=False)
        return [_answer(replies, delay)] if replies else []

    def _direct(self, servo: DynamixelServo, packet: Packet) -> bytes:
        """One servo's answer to a packet for it alone; b"": none."""
        # As they are now: a reboot brings both back to their defaults.
        level, alert = servo.status_return_level, servo.alert
        if packet.intact:
            error, data = self._try(servo, packet.instruction, packet.parameters)
        else:
            error, data = StatusError.CRC, b""
        if level < _level_needed(packet.instruction):
            return b""
        return status_packet(packet.id, error | alert, data)

    def _broadcast(self, packet: Packet, hearing: Sequence[DynamixelServo]) -> list[Answer]:
        match packet.instruction:
            case Instruction.PING:
                return self._ping_all(hearing)
            case Instruction.SYNC_READ if answers := self._usual.read(packet.parameters, hearing):
                return answers
            case Instruction.SYNC_READ | Instruction.FAST_SYNC_READ:
                return self._group_read(packet, sync_reads(packet.parameters), hearing)
            case Instruction.BULK_READ | Instruction.FAST_BULK_READ:
                return self._group_read(packet, bulk_reads(packet.parameters), hearing)
            case Instruction.SYNC_WRITE if self._usual.write(packet.parameters, hearing):
                pass
            case Instruction.SYNC_WRITE:
                self._group_write(sync_writes(packet.parameters), hearing)
            case Instruction.BULK_WRITE:
                self._group_write(bulk_writes(packet.parameters), hearing)
            case Instruction.FACTORY_RESET if packet.parameters == bytes((FactoryReset.ALL,)):
                for servo in hearing:
                    if servo.firmware < CLEAR_FIRMWARE:
                        self._try(servo, packet.instruction, packet.parameters)
            case _:
                for servo in hearing:
                    self._try(servo, packet.instruction, packet.parameters)
        return []

    def _try(
        self, servo: DynamixelServo, instruction: int, parameters: bytes, eeprom: bool = True
    ) -> tuple[int, bytes]:
        """Carry an instruction out; the status error and the parameters of the answer."""
        try:
            return StatusError.NONE, self._carry_out(servo, instruction, parameters, eeprom)
        except Refused as refusal:
            return refusal.error, b""

    def _carry_out(
        self, servo: DynamixelServo, instruction: int, parameters: bytes, eeprom: bool
    ) -> bytes:
        if not eeprom and instruction in _CHANGES_EEPROM:
            raise Refused(StatusError.ACCESS)
        match instruction:
            case Instruction.PING:
                return _identity(servo)
            case Instruction.READ:
                _need(len(parameters) == SPAN.size)
                return self._read(servo, *SPAN.unpack(parameters))
            case Instruction.WRITE:
                servo.write(*_addressed(parameters), eeprom)
            case Instruction.REG_WRITE:
                servo.register_write(*_addressed(parameters), eeprom)
            case Instruction.ACTION:
                servo.action()
            case Instruction.FACTORY_RESET:
                _need(len(parameters) == 1)
                if parameters[0] not in _KEPT:
                    raise Refused(StatusError.DATA_RANGE)
                servo.factory_reset(_KEPT[FactoryReset(parameters[0])])
            case Instruction.REBOOT:
                servo.reboot()
            case Instruction.CLEAR if servo.firmware >= CLEAR_FIRMWARE:
                _need(parameters == CLEAR_MULTI_TURN, StatusError.RESULT_FAIL)
                servo.clear_turns()
            case Instruction.CONTROL_TABLE_BACKUP if servo.firmware >= BACKUP_FIRMWARE:
                _need(parameters in (BACKUP_STORE, BACKUP_RESTORE), StatusError.RESULT_FAIL)
                if parameters == BACKUP_STORE:
                    servo.store_backup()
                else:
                    servo.restore_backup()
            case _:
                raise Refused(StatusError.INSTRUCTION)
        return b""

    def _read(self, servo: DynamixelServo, address: int, length: int) -> bytes:
        if Sensors.concern(address, length):
            self._refresh(servo.index)
        return servo.memory.read(address, length)

    def _ping_all(self, hearing: Sequence[DynamixelServo]) -> list[Answer]:
        """Every servo's answer to a broadcast ping, by rising id."""
        answers: list[Answer] = []
        last = 0
        for id in sorted({servo.id for servo in hearing}):
            servos = [servo for servo in hearing if servo.id == id]
            replies = [
                (servo, status_packet(id, servo.alert, _identity(servo))) for servo in servos
            ]
            answers.append(_answer(replies, (id - last) * PING_SLOT_S))
            last = id
        return answers

    def _group_read(
        self, packet: Packet, reads: Sequence[GroupRead], hearing: Sequence[DynamixelServo]
    ) -> list[Answer]:
        """The answers to a sync or bulk read, in the order of the request."""
        fast = packet.instruction in _FAST
        by_id: dict[int, list[DynamixelServo]] = {}
        for servo in hearing:
            heeds = servo.status_return_level >= StatusReturnLevel.PING_AND_READ
            if heeds and (not fast or servo.firmware >= FAST_READ_FIRMWARE):
                by_id.setdefault(servo.id, []).append(servo)
        if fast:
            return self._fast_read(reads, by_id)
        answers: list[Answer] = []
        for read in reads:
            servos = by_id.get(read.id)
            if servos is None:
                if self._chain:
                    break
                answers.append(Answer(b"", _EMPTY_STATUS + read.length, 0.0))
                continue
            replies = [(servo, self._status(servo, read)) for servo in servos]
            answers.append(_answer(replies, servos[0].return_delay_s))
        return answers

    def _status(self, servo: DynamixelServo, read: GroupRead) -> bytes:
        try:
            data = self._read(servo, read.address, read.length)
        except Refused as refusal:
            return status_packet(read.id, refusal.error | servo.alert)
        return status_packet(read.id, servo.alert, data)

    def _fast_read(
        self, reads: Sequence[GroupRead], by_id: dict[int, list[DynamixelServo]]
    ) -> list[Answer]:
        """The parts of the common answer; the first servo listed sends its header, or nobody."""
        size = sum(read.length + 4 for read in reads)
        if not reads or reads[0].id not in by_id or size > LONGEST_PACKET - _EMPTY_STATUS:
            return []
        slots: list[FastSlot] = []
        speakers: list[DynamixelServo] = []
        for read in reads:
            if read.id not in by_id:
                if self._chain:
                    break
                continue
            servo = by_id[read.id][0]
            try:
                error, data = 0, self._read(servo, read.address, read.length)
            except Refused as refusal:
                error, data = int(refusal.error), bytes(read.length)
            slots.append(FastSlot(read.id, error | servo.alert, data))
            speakers.append(servo)
        parts = zip(speakers, fast_status(size, slots), strict=True)
        return [_answer([(servo, part)], servo.return_delay_s) for servo, part in parts]

    def _group_write(
        self, writes: dict[int, tuple[int, bytes]], hearing: Sequence[DynamixelServo]
    ) -> None:
        """Writes without answer; a refused one leaves no trace."""
        for servo in hearing:
            own = servo.id in writes
            id = servo.id if own else servo.shadow
            if id is not None and id in writes:
                address, data = writes[id]
                try:
                    servo.write(address, data, eeprom=own)
                except Refused:
                    continue


def _identity(servo: DynamixelServo) -> bytes:
    """What a ping is answered with: model number and firmware version."""
    return bytes((*servo.memory.data[0:2], servo.firmware))


def _answer(replies: Sequence[tuple[DynamixelServo, bytes]], delay_s: float) -> Answer:
    """What goes out in the turn of one id.

    Several servos that share it talk at once, and then a low bit wins.
    """
    servo, data = replies[0]
    if servo.faults.garble is not None:
        data = servo.faults.garble.bytes(len(data))
    for _, other in replies[1:]:
        longest = max(len(data), len(other))
        pairs = zip(data.ljust(longest, b"\xff"), other.ljust(longest, b"\xff"), strict=True)
        data = bytes(a & b for a, b in pairs)
    return Answer(data, len(data), delay_s, servo.faults.hold_s)


def _level_needed(instruction: int) -> StatusReturnLevel:
    """The status return level from which on an instruction is answered."""
    if instruction == Instruction.PING:
        return StatusReturnLevel.PING
    if instruction == Instruction.READ:
        return StatusReturnLevel.PING_AND_READ
    return StatusReturnLevel.ALL


def _need(right: bool, error: StatusError = StatusError.DATA_LENGTH) -> None:
    if not right:
        raise Refused(error)


def _addressed(parameters: bytes) -> tuple[int, bytes]:
    """Address and data of a write."""
    _need(len(parameters) > 2)
    return parameters[0] | parameters[1] << 8, parameters[2:]
