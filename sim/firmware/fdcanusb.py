"""The device's end of the fdcanusb line protocol.

Speaks both dialects: it answers with checksums from the first line on that carried a right one, as
a moteus on its own UART does. Source: mjbots/fdcanusb README.md and fw/can_manager.cc; moteus
docs/integration/uart.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.checksum import crc8

FrameHandler = Callable[[int, bytes], Sequence[tuple[int, bytes]]]
"""Takes (arbitration id, data) and returns the frames that the bus answers."""

_LONGEST_LINE = 512
_SIZES = frozenset((*range(9), 12, 16, 20, 24, 32, 48, 64))
_FLAGS = frozenset("BbFfRr")


class Fdcanusb:
    """Bytes in, bytes out; `handler` stands for everything on the CAN bus."""

    def __init__(self, handler: FrameHandler) -> None:
        self._handler = handler
        self._input = b""
        self._output: list[bytes] = []
        self._checksum = False
        self._bus_on = True

    def receive(self, data: bytes) -> None:
        """Bytes from the host; every whole line is carried out at once."""
        lines = (self._input + data).split(b"\n")
        self._input = lines.pop()[-_LONGEST_LINE:]
        for line in lines:
            if line := line.strip():
                self._line(line.decode("ascii", errors="replace"))

    def transmit(self) -> bytes:
        """Bytes for the host."""
        if not self._output:
            return b""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def _line(self, text: str) -> None:
        if "*" in text:
            text, _, digits = text.rpartition("*")
            if digits.upper() != f"{crc8(text.encode('ascii', errors='replace')):02X}":
                self._say("ERR checksum")
                return
            self._checksum = True
        elif self._checksum:
            self._say("ERR checksum")
            return
        words = text.split()
        if words[:2] == ["can", "send"] and len(words) == 4:
            self._send(words[2:])
        elif words[:1] == ["can"]:
            self._can(words[1:])
        elif words[:1] == ["conf"]:
            self._say("OK" if len(words) > 1 else "ERR unknown subcommand")
        else:
            self._say("ERR unknown command")

    def _can(self, words: list[str]) -> None:
        match words:
            case ["send" | "std" | "ext", *arguments]:
                self._send(arguments)
            case ["on" | "off" as switch]:
                self._bus_on = switch == "on"
                self._say("OK")
            case ["status" | "config"]:
                self._say("OK")
            case _:
                self._say("ERR unknown subcommand")

    def _send(self, arguments: list[str]) -> None:
        problem, frame = self._parse_send(arguments)
        if frame is None:
            self._say(f"ERR {problem}")
            return
        self._say("OK")
        for arbitration_id, data in self._handler(*frame):
            width = 4 if arbitration_id <= 0xFFFF else 8
            kind = "e" if arbitration_id <= 0x7FF else "E"
            self._say(f"rcv {arbitration_id:0{width}X} {data.hex().upper()} {kind} B F r x-1")

    def _parse_send(self, arguments: list[str]) -> tuple[str, tuple[int, bytes] | None]:
        """What is wrong with the arguments of a send, or the frame."""
        if not self._bus_on:
            return "not in BusOn state", None
        if len(arguments) < 2:
            return "insufficient options", None
        if any(not _FLAGS.issuperset(flags) for flags in arguments[2:]):
            return "unknown flag", None
        try:
            arbitration_id = int(arguments[0], 16)
        except ValueError:
            return "bad id", None
        if not 0 <= arbitration_id < 1 << 29:
            return "bad id", None
        try:
            data = bytes.fromhex(arguments[1])
        except ValueError:
            return "invalid data", None
        if len(data) not in _SIZES:
            return "data invalid length", None
        return "", (arbitration_id, data)

    def _say(self, text: str) -> None:
        if self._checksum:
            text += " "
            text += f"*{crc8(text.encode('ascii')):02X}"
        self._output.append(text.encode("ascii") + b"\r\n")
