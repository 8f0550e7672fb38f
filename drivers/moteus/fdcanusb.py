"""The fdcanusb adapter's line protocol, seen from the host. No I/O.

Host lines end with a newline; the device answers each with `OK` or `ERR <text>` and sends `rcv`
lines whenever a frame arrives, before or after that `OK`. On its own UART a moteus speaks the same
protocol with a checksum ` *XX` behind every line. Source: mjbots/fdcanusb README.md, moteus
docs/integration/uart.md.
"""

from __future__ import annotations

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
    if checksum:
        line += " "
        line += f"*{crc8(line.encode('ascii')):02X}"
    return line.encode("ascii") + b"\n"


def parse_line(line: bytes, checksum: bool = False) -> Line:
    """One line from the device, without its line end; flags behind the data are not looked at.

    Raises:
        ProtocolError: not a line of the protocol, or its checksum is wrong or missing.
    """
    text = line.decode("ascii", errors="replace")
    if checksum:
        text = _without_checksum(text)
    if text.startswith("rcv "):
        parts = text.split(" ", 3)
        try:
            return CanFrame(int(parts[1], 16), bytes.fromhex(parts[2]))
        except (ValueError, IndexError) as error:
            raise ProtocolError(f"damaged rcv line {text!r}: {error}") from error
    if text == "OK":
        return _ACCEPTED
    if text.startswith("ERR"):
        return Refused(text[3:].strip())
    raise ProtocolError(f"neither rcv, OK nor ERR: {text!r}")


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


def _without_checksum(text: str) -> str:
    """Check and cut ` *XX`; the CRC covers everything before the star."""
    head, star, digits = text.rpartition("*")
    try:
        right = bool(star) and int(digits, 16) == crc8(head.encode("ascii"))
    except ValueError:
        right = False
    if not right:
        raise ProtocolError(f"wrong or missing checksum: {text!r}")
    return head.removesuffix(" ")
