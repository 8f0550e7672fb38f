"""The device's end of the fdcanusb line protocol.

Speaks both dialects: it answers with checksums from the first line on that carried a right one, as
a moteus on its own UART does. Source: mjbots/fdcanusb README.md and fw/can_manager.cc; moteus
docs/integration/uart.md. Stricter than the adapter: an id that is no number and a length that
CAN-FD does not have are refused, where it would send id 0 and whatever lies behind the data.
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from collections.abc import Callable, Sequence
from functools import lru_cache

from drivers.checksum import crc8

FrameHandler = Callable[[int, bytes], Sequence[tuple[int, bytes]]]
"""Takes (arbitration id, data) and returns the frames that the bus answers."""

_LONGEST_LINE = 512
_SIZES = frozenset((*range(9), 12, 16, 20, 24, 32, 48, 64))
_FLAGS = frozenset("BbFfRr")
_STATUS = "lec=0 dlec=0 err=0 warn=0 busoff=0 pexc=0 tdc=0"
_TIMING = "clk=85000000 np=1 nsjw=16 nts1=55 nts2=29 dp=1 dsjw=5 dts1=10 dts2=6"
_OPTIONS = {
    "can.bitrate": "1000000",
    "can.fd_bitrate": "5000000",
    "can.automatic_retransmission": "1",
    "can.fdcan_frame": "1",
    "can.bitrate_switch": "1",
    "can.restricted_mode": "0",
    "can.bus_monitor": "0",
    "can.termination": "1",
    "can.autostart": "1",
    "can.cancel_all_ms": "50",
}
"""Those of the adapter's options that a host may look at, as shipped."""


class Fdcanusb:
    """Bytes in, bytes out; `handler` stands for everything on the CAN bus."""

    def __init__(self, handler: FrameHandler) -> None:
        self._handler = handler
        self._input = b""
        self._output: list[bytes] = []
        self._checksum = False
        self._bus_on = True
        self._options = dict(_OPTIONS)
        self._stored = dict(_OPTIONS)

    def receive(self, data: bytes) -> None:
        """Bytes from the host; every whole line is carried out at once."""
        lines = (self._input + data).split(b"\n")
        self._input = lines.pop()[-_LONGEST_LINE:]
        for line in lines:
            if not self._usual(line) and (line := line.strip()):
                self._line(line.decode("ascii", errors="replace"))

    def transmit(self) -> bytes:
        """Bytes for the host."""
        if not self._output:
            return b""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def deliver(self, arbitration_id: int, data: bytes) -> None:
        """Tell the host of a frame that was on the bus, whether it asked for one or not."""
        head, tail = _around(arbitration_id)
        line = head + hexlify(data).upper() + tail
        if self._checksum:
            self._say(line.decode("ascii").rstrip())
        else:
            self._output.append(line)

    def _usual(self, line: bytes) -> bool:
        """A plain `can send ID DATA` without the detour; False: another line, or a bad one."""
        if not line.startswith(b"can send ") or self._checksum or not self._bus_on:
            return False
        target, _, text = line[9:].partition(b" ")
        try:
            arbitration_id, data = int(target, 16), unhexlify(text)
        except ValueError:
            return False
        if not data or len(data) not in _SIZES or not 0 <= arbitration_id < 1 << 29:
            return False
        self._output.append(b"OK\r\n")
        for reply_id, reply in self._handler(arbitration_id, data):
            self.deliver(reply_id, reply)
        return True

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
        match text.split():
            case ["can", *words]:
                self._can(words)
            case ["conf", *words]:
                self._conf(words)
            case _:
                self._say("ERR unknown command")

    def _can(self, words: list[str]) -> None:
        match words:
            case ["send" | "std" | "ext", *arguments]:
                self._send(arguments)
            case ["on" | "off" as switch]:
                wanted = switch == "on"
                state = "BusOn" if wanted else "BusOff"
                self._say(f"ERR already in {state}" if wanted == self._bus_on else "OK")
                self._bus_on = wanted
            case ["status" | "config"] if not self._bus_on:
                self._say("ERR not in BusOn")
            case ["status" | "config" as what]:
                self._say(_STATUS if what == "status" else _TIMING)
                self._say("OK")
            case _:
                self._say("ERR unknown subcommand")

    def _conf(self, words: list[str]) -> None:
        options = self._options
        match words:
            case ["get", name] if name in options:
                self._say(options[name])
                self._say("OK")
            case ["set", name, value] if name in options and value.isdecimal():
                options[name] = value
                self._say("OK")
            case ["get" | "set"]:
                self._say("ERR unknown group")
            case ["get" | "set", name, *_] if name.partition(".")[0] != "can":
                self._say("ERR unknown group")
            case ["get", *_]:
                self._say("ERR error reading")
            case ["set", *_]:
                self._say("ERR error setting")
            case ["enumerate", *_]:
                for name, value in options.items():
                    self._say(f"{name} {value}")
                self._say("OK")
            case ["load" | "default" as source]:
                self._options = dict(self._stored if source == "load" else _OPTIONS)
                self._say("OK")
            case ["write"]:
                self._stored = dict(options)
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
            self.deliver(arbitration_id, data)

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
        if len(arguments[1]) % 2:
            return "data invalid length", None
        try:
            data = unhexlify(arguments[1])
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


@lru_cache(maxsize=256)
def _around(arbitration_id: int) -> tuple[bytes, bytes]:
    """What stands before and behind the data of a received frame's line."""
    width = 4 if arbitration_id <= 0xFFFF else 8
    kind = "e" if arbitration_id <= 0x7FF else "E"
    head = f"rcv {arbitration_id:0{width}X} "
    return head.encode("ascii"), f" {kind} B F r x-1\r\n".encode("ascii")
