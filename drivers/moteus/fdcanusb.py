"""The fdcanusb adapter's line protocol, seen from the host. No I/O.

Host lines end with a newline; the device answers each with `OK` or `ERR <text>` and sends `rcv`
lines whenever a frame arrives, before or after that `OK`. On its own UART a moteus speaks the same
protocol with a checksum ` *XX` behind every line. Source: mjbots/fdcanusb README.md, moteus
docs/integration/uart.md.
"""

from __future__ import annotations

from binascii import unhexlify
from typing import NamedTuple

from drivers.checksum import crc8
from drivers.errors import ProtocolError

LONGEST_LINE = 512
"""No line of the protocol is longer, bytes; more without a newline is garbage."""


class CanFrame(NamedTuple):
    """A frame received from the bus."""

    arbitration_id: int
    data: bytes


class Accepted(NamedTuple):
    """The adapter queued our frame for the bus; whether it was delivered is not known."""


class Refused(NamedTuple):
    """The adapter did not take our line."""

    reason: str


Line = CanFrame | Accepted | Refused

_ACCEPTED = Accepted()


def encode_send(arbitration_id: int, data: bytes, checksum: bool = False) -> bytes:
    """The line that puts a frame on the bus."""
    line = f"can send {arbitration_id:04x} {data.hex()}"
    if not checksum:
        return (line + "\n").encode("ascii")
    summed = (line + " ").encode("ascii")
    return b"%b*%02X\n" % (summed, crc8(summed))


def parse_line(line: bytes, checksum: bool = False) -> Line:
    """One line from the device, without its line end; flags behind the data are not looked at.

    Raises:
        ProtocolError: not a line of the protocol, or its checksum is wrong or missing.
    """
    if checksum:
        line = _without_checksum(line)
    if line == b"OK":
        return _ACCEPTED
    if line.startswith(b"rcv "):
        parts = line.split(b" ", 3)
        try:
            return CanFrame(int(parts[1], 16), unhexlify(parts[2]))
        except (ValueError, IndexError) as error:
            raise ProtocolError(f"damaged rcv line {line!r}: {error}") from error
    if line.startswith(b"ERR"):
        return Refused(line[3:].decode("ascii", errors="replace").strip())
    raise ProtocolError(f"neither rcv, OK nor ERR: {line!r}")


class LineSplitter:
    """Cuts a byte stream into lines; what is not yet a whole line waits for more."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends; empty lines are left out."""
        pieces = (self._rest + data).split(b"\n")
        self._rest = pieces.pop()[-LONGEST_LINE:]
        return [line for piece in pieces if (line := piece.rstrip(b"\r"))]

    def clear(self) -> None:
        """Forget an unfinished line."""
        self._rest = b""


def _without_checksum(line: bytes) -> bytes:
    """Check and cut ` *XX`; the CRC covers everything before the star."""
    head, star, digits = line.rpartition(b"*")
    try:
        right = bool(star) and len(digits) == 2 and int(digits, 16) == crc8(head)
    except ValueError:
        right = False
    if not right:
        raise ProtocolError(f"wrong or missing checksum: {line!r}")
    return head.removesuffix(b" ")
