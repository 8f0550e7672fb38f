"""Every instruction of Protocol 2.0 as a function from arguments to the bytes to send. No I/O.

Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0", Instruction Details.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from drivers.dynamixel.constants import (
    BACKUP_RESTORE,
    BACKUP_STORE,
    BROADCAST_ID,
    CLEAR_MULTI_TURN,
    MAX_ID,
    FactoryReset,
    Instruction,
)
from drivers.dynamixel.packet import MAX_PACKET, STATUS_OVERHEAD, Status, encode
from drivers.errors import ProtocolError

_ADDRESS_MAX = 0xFFFF
_SIZE_MAX = MAX_PACKET - STATUS_OVERHEAD


class BulkRead(NamedTuple):
    """What one servo is asked for in a bulk read."""

    id: int
    address: int
    size: int


class BulkWrite(NamedTuple):
    """What one servo is given in a bulk write."""

    id: int
    address: int
    data: bytes


class PingReply(NamedTuple):
    """Who answered a ping."""

    id: int
    model: int
    firmware: int


def ping(id: int) -> bytes:
    """Ask one servo, or all with the broadcast id, for model number and firmware."""
    return encode(id, Instruction.PING)


def parse_ping(status: Status) -> PingReply:
    """The answer to a ping.

    Raises:
        ProtocolError: not three parameters.
    """
    if len(status.parameters) != 3:
        raise ProtocolError(f"a ping is answered with 3 bytes, got {status}")
    model = int.from_bytes(status.parameters[:2], "little")
    return PingReply(status.id, model, status.parameters[2])


def read(id: int, address: int, size: int) -> bytes:
    """Read `size` bytes from `address` of one servo."""
    return encode(_one(id), Instruction.READ, _span(address, size))


def write(id: int, address: int, data: bytes) -> bytes:
    """Write `data` from `address` on; a broadcast is not answered."""
    return encode(id, Instruction.WRITE, _address(address) + _data(data))


def reg_write(id: int, address: int, data: bytes) -> bytes:
    """As `write`, but carried out only at the next `action`."""
    return encode(id, Instruction.REG_WRITE, _address(address) + _data(data))


def action(id: int = BROADCAST_ID) -> bytes:
    """Carry out what `reg_write` left, at all servos at once by default."""
    return encode(id, Instruction.ACTION)


def factory_reset(id: int, what: FactoryReset) -> bytes:
    """Set the control table back to the factory's values and reboot.

    Raises:
        ValueError: everything at every servo, after which all would share one id.
    """
    if id == BROADCAST_ID and what is FactoryReset.ALL:
        raise ValueError("a broadcast factory reset must keep the ids: KEEP_ID, KEEP_ID_AND_BAUD")
    return encode(id, Instruction.FACTORY_RESET, bytes((what,)))


def reboot(id: int) -> bytes:
    """Restart; the only way out of a hardware shutdown. Torque goes off, RAM to its defaults."""
    return encode(id, Instruction.REBOOT)


def clear_multi_turn(id: int) -> bytes:
    """Take the present position back into one turn; refused while the servo moves."""
    return encode(id, Instruction.CLEAR, CLEAR_MULTI_TURN)


def backup_control_table(id: int) -> bytes:
    """Keep a copy of the control table in the servo; torque must be off."""
    return encode(id, Instruction.CONTROL_TABLE_BACKUP, BACKUP_STORE)


def restore_control_table(id: int) -> bytes:
    """Bring back the copy; the servo reboots."""
    return encode(id, Instruction.CONTROL_TABLE_BACKUP, BACKUP_RESTORE)


def sync_read(address: int, size: int, ids: Sequence[int]) -> bytes:
    """The same bytes of several servos: one status packet each, in the order of `ids`."""
    return encode(BROADCAST_ID, Instruction.SYNC_READ, _span(address, size) + _many(ids))


def fast_sync_read(address: int, size: int, ids: Sequence[int]) -> bytes:
    """As `sync_read`, answered with one packet by all (`drivers.dynamixel.fast_reply`)."""
    _check_fast_reply([size] * len(ids))
    return encode(BROADCAST_ID, Instruction.FAST_SYNC_READ, _span(address, size) + _many(ids))


def sync_write(address: int, size: int, data: Mapping[int, bytes]) -> bytes:
    """The same registers of several servos, `size` bytes each; nobody answers.

    Raises:
        ValueError: data of another size, or an id that is out of range.
    """
    _many(list(data))
    for id, values in data.items():
        if len(values) != size:
            raise ValueError(f"servo {id} gets {size} bytes, not {len(values)}")
    body = b"".join([bytes((id,)) + values for id, values in data.items()])
    return encode(BROADCAST_ID, Instruction.SYNC_WRITE, _span(address, size) + body)


def bulk_read(requests: Sequence[BulkRead]) -> bytes:
    """Different bytes of several servos: one status packet each, in the order of `requests`."""
    return encode(BROADCAST_ID, Instruction.BULK_READ, _bulk(requests))


def fast_bulk_read(requests: Sequence[BulkRead]) -> bytes:
    """As `bulk_read`, answered with one packet by all (`drivers.dynamixel.fast_reply`)."""
    _check_fast_reply([request.size for request in requests])
    return encode(BROADCAST_ID, Instruction.FAST_BULK_READ, _bulk(requests))


def bulk_write(requests: Sequence[BulkWrite]) -> bytes:
    """Different registers of several servos; nobody answers."""
    _many([request.id for request in requests])
    parts = [
        bytes((request.id,)) + _span(request.address, len(request.data)) + request.data
        for request in requests
    ]
    return encode(BROADCAST_ID, Instruction.BULK_WRITE, b"".join(parts))


def _bulk(requests: Sequence[BulkRead]) -> bytes:
    _many([request.id for request in requests])
    return b"".join(
        [bytes((request.id,)) + _span(request.address, request.size) for request in requests]
    )


def _one(id: int) -> int:
    if not 0 <= id <= MAX_ID:
        raise ValueError(f"one servo's id is 0 to {MAX_ID}, got {id}")
    return id


def _many(ids: Sequence[int]) -> bytes:
    if not ids or len(set(ids)) != len(ids):
        raise ValueError(f"ids must be distinct and at least one, got {list(ids)}")
    return bytes([_one(id) for id in ids])


def _address(address: int) -> bytes:
    if not 0 <= address <= _ADDRESS_MAX:
        raise ValueError(f"an address is 0 to {_ADDRESS_MAX}, got {address}")
    return address.to_bytes(2, "little")


def _span(address: int, size: int) -> bytes:
    if not 1 <= size <= _SIZE_MAX:
        raise ValueError(f"1 to {_SIZE_MAX} bytes can be asked for, got {size}")
    return _address(address) + size.to_bytes(2, "little")


def _data(data: bytes) -> bytes:
    if not data:
        raise ValueError("at least one byte must be written")
    return data


def _check_fast_reply(sizes: Sequence[int]) -> None:
    total = 8 + sum(size + 4 for size in sizes)
    if total > MAX_PACKET:
        raise ValueError(f"the reply would have {total} bytes, at most {MAX_PACKET} are allowed")
