"""Packets of Dynamixel Protocol 2.0: framing, byte stuffing and CRC. No I/O.

    FF FF FD 00 | id | length (2) | instruction | parameters | CRC (2)

Length counts everything behind itself. A status packet has instruction 0x55 and an error byte
before its parameters. Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0".
"""

from __future__ import annotations

from typing import Final, NamedTuple

from drivers.checksum import crc16_buypass
from drivers.dynamixel.constants import ALERT, BROADCAST_ID, HEADER, MAX_ID, Instruction
from drivers.errors import ProtocolError

MAX_PACKET: Final = 1024
"""Bytes of the longest packet that is sent or believed; the whole control table fits."""
STATUS_OVERHEAD: Final = 11
"""Bytes of a status packet without parameters."""

_MARK, _STUFFED = b"\xff\xff\xfd", b"\xff\xff\xfd\xfd"
_ID, _LENGTH, _BODY, _ERROR, _PARAMETERS = 4, 5, 7, 8, 9
_CRC_SIZE = 2
_LEAST_LENGTH, _MOST_LENGTH = 4, MAX_PACKET - _BODY
_STATUS, _ERROR_BITS = int(Instruction.STATUS), 0x7F
_NO_PACKET, _INCOMPLETE = 0, -1
"""In place of where a packet ends."""


class Status(NamedTuple):
    """What a servo answered."""

    id: int
    error: int
    """`constants.StatusError`, bits 0 to 6 of the error byte."""
    alert: bool
    """The servo has a hardware error; the instruction may have been carried out all the same."""
    parameters: bytes


def stuff(body: bytes) -> bytes:
    """`body` (instruction and parameters) with FD behind every FF FF FD, so that no header shows.

    The three bytes cannot overlap themselves, so replacing them one after another is exact.
    """
    return body.replace(_MARK, _STUFFED)


def unstuff(body: bytes) -> bytes:
    """The inverse of `stuff`."""
    return body.replace(_STUFFED, _MARK)


def encode(id: int, instruction: Instruction, parameters: bytes = b"") -> bytes:
    """One instruction packet, to be sent in one write: servos give up after a gap of 1.5 ms.

    Raises:
        ValueError: an id that is neither 0 to 252 nor the broadcast id, or too many parameters.
    """
    if not 0 <= id <= MAX_ID and id != BROADCAST_ID:
        raise ValueError(f"an id is 0 to {MAX_ID} or {BROADCAST_ID} for all, got {id}")
    body = stuff(bytes((instruction,)) + parameters)
    length = len(body) + _CRC_SIZE
    if length > _MOST_LENGTH:
        raise ValueError(f"a packet has at most {MAX_PACKET} bytes, this one {length + _BODY}")
    packet = b"".join((HEADER, bytes((id, length & 0xFF, length >> 8)), body))
    return packet + crc16_buypass(packet).to_bytes(_CRC_SIZE, "little")


def decode_status(packet: bytes) -> Status:
    """The status packet that fills all of `packet`.

    Raises:
        ProtocolError: anything else.
    """
    if len(packet) < STATUS_OVERHEAD or not packet.startswith(HEADER):
        raise ProtocolError(f"no status packet: {packet[:32].hex()}")
    if _end(packet, 0) != len(packet):
        raise ProtocolError(f"wrong length or id: {packet[:32].hex()}")
    status = _parse(packet, 0, len(packet))
    if status is None:
        raise ProtocolError(f"wrong checksum or instruction: {packet[:32].hex()}")
    return status


class StatusParser:
    """Finds the status packets in a stream of bytes, wherever it is cut.

    What belongs to no packet is dropped and counted. A header inside a packet proves that one false
    or cut short, since stuffing hides headers in bodies; so garbage never swallows what follows.
    Fast replies are not stuffed; see `drivers.dynamixel.fast_reply`.

    Attributes:
        discarded: bytes that belonged to no packet.
        corrupt: runs of such bytes.
    """

    def __init__(self) -> None:
        self.discarded = 0
        self.corrupt = 0
        self._pending: bytes = b""
        self._in_garbage = False

    def feed(self, data: bytes) -> list[Status]:
        """The packets that `data` completes. Keeps at most MAX_PACKET bytes for the next call."""
        buffer = self._pending + data
        found: list[Status] = []
        at = 0
        while (begin := buffer.find(HEADER, at)) >= 0:
            self._discard(begin - at)
            end = _end(buffer, begin)
            if end == _INCOMPLETE:
                self._pending = buffer[begin:]
                return found
            status = None if end == _NO_PACKET else _parse(buffer, begin, end)
            if status is None:
                self._discard(1)
                at = begin + 1
            else:
                self._in_garbage = False
                found.append(status)
                at = end
        keep = _partial_header(buffer, at)
        self._discard(len(buffer) - at - keep)
        self._pending = buffer[len(buffer) - keep :]
        return found

    @property
    def empty(self) -> bool:
        """Whether no packet has begun."""
        return not self._pending

    def clear(self) -> None:
        """Forget a packet that has begun; the next byte is taken for the first of a new one."""
        self._discard(len(self._pending))
        self._pending = b""
        self._in_garbage = False

    def _discard(self, count: int) -> None:
        if count:
            self.discarded += count
            self.corrupt += not self._in_garbage
            self._in_garbage = True


def _end(buffer: bytes, begin: int) -> int:
    """Where the packet with its header at `begin` ends; _INCOMPLETE: not all here."""
    available = len(buffer)
    if available > begin + _ID and buffer[begin + _ID] > MAX_ID:
        return _NO_PACKET
    if available < begin + _BODY:
        return _INCOMPLETE
    length = buffer[begin + _LENGTH] | buffer[begin + _LENGTH + 1] << 8
    if not _LEAST_LENGTH <= length <= _MOST_LENGTH:
        return _NO_PACKET
    end = begin + _BODY + length
    # The last two bytes of a body and the CRC may look like a header by chance, nothing before.
    if HEADER in buffer[begin + _ID : end - 1]:
        return _NO_PACKET
    return end if end <= available else _INCOMPLETE


def _parse(buffer: bytes, begin: int, end: int) -> Status | None:
    """The status packet in buffer[begin:end]; None where checksum or instruction are wrong."""
    tail = end - _CRC_SIZE
    if buffer[begin + _BODY] != _STATUS:
        return None
    if crc16_buypass(buffer[begin:tail]) != buffer[tail] | buffer[tail + 1] << 8:
        return None
    error = buffer[begin + _ERROR]
    # An error byte of FF may be the first of a mark.
    parameters = unstuff(buffer[begin + _BODY : tail])[_PARAMETERS - _BODY :]
    return Status(buffer[begin + _ID], error & _ERROR_BITS, error >= ALERT, parameters)


def _partial_header(buffer: bytes, at: int) -> int:
    """How many bytes at the end of buffer[at:] may be the beginning of a header."""
    for size in range(len(HEADER), 0, -1):
        if buffer.endswith(HEADER[:size], at):
            return size
    return 0
