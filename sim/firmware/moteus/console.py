"""A controller's text console and the byte stream that carries it through CAN frames.

Source: mjbots/moteus docs/protocol/diagnostic.md and fw/board_debug.cc; mjbots/mjlib
mjlib/micro/command_manager.cc and persistent_config.cc; mjlib/multiplex/micro_server.cc. Not
modelled: telemetry, auxiliary ports, calibration, and giving a controller another id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from drivers.moteus.registers import (
    CONSOLE_CHANNEL,
    STREAM_DATA,
    STREAM_FLOW_DATA,
    STREAM_FLOW_POLL,
    STREAM_POLL,
    STREAM_WRITE,
    Mode,
)
from sim.firmware.moteus.config import ServoCommand
from sim.firmware.moteus.settings import GROUPS

LONGEST_LINE = 99
"""A longer line is thrown away."""
LARGEST_CHUNK = 39
"""Bytes of output in one reply: 64 less the header and the firmware's reserve of 23."""

_OPTION_FIELDS = {
    "p": "kp_scale",
    "d": "kd_scale",
    "i": "ilimit_scale",
    "s": "stop_position",
    "f": "feedforward",
    "t": "timeout",
    "v": "velocity_limit",
    "a": "accel_limit",
    "o": "fixed_voltage",
    "c": "fixed_current",
    "b": "ignore_bounds",
}


class ConsoleServo(Protocol):
    """What the console can do to its controller."""

    def command(self, command: ServoCommand) -> None:
        """Take a command."""
        ...

    def set_output(self, position_rev: float, exact: bool) -> None:
        """Call the output's position another one."""
        ...

    def recapture(self) -> None:
        """Let the set-point start again from the output."""
        ...

    def require_index(self) -> None:
        """Forget what the position is referenced to."""
        ...

    def read_option(self, name: str) -> str | None:
        """An option as text; None: unknown."""
        ...

    def write_option(self, name: str, text: str) -> bool:
        """Change an option in memory; False: unknown, or not a value of it."""
        ...

    def all_options(self) -> Iterable[tuple[str, str]]:
        """Name and value of every option."""
        ...

    def restore(self, stored: bool) -> None:
        """Take all options from flash, or else the firmware's defaults."""
        ...

    def store(self) -> None:
        """Keep all options in flash."""
        ...


class Console:
    """Bytes in and out, for one controller."""

    def __init__(self, servo: ConsoleServo) -> None:
        self._servo = servo
        self._input = b""
        self._output = b""
        self._packet = 0
        self._unacknowledged: bytes | None = None

    def handle(self, data: bytes, wanted: bool) -> bytes:
        """Take a stream subframe, the only one in its frame; the subframe that answers it.

        Output leaves the console only if an answer is `wanted`. b"": malformed.
        """
        if len(data) < 3 or data[1] != CONSOLE_CHANNEL:
            return b""
        kind, size = data[0], data[2]
        if kind == STREAM_WRITE and len(data) >= 3 + size:
            self._receive(data[3 : 3 + size])
            return self._plain(LARGEST_CHUNK) if wanted else b""
        if kind == STREAM_POLL and wanted:
            return self._plain(size)
        if kind == STREAM_FLOW_POLL and wanted and len(data) >= 4:
            return self._flow(acknowledged=size, limit=data[3])
        return b""

    def _plain(self, limit: int) -> bytes:
        chunk = self._output[: min(limit, LARGEST_CHUNK)]
        if chunk:
            self._output = self._output[len(chunk) :]
            self._unacknowledged = None
        return bytes([STREAM_DATA, CONSOLE_CHANNEL, len(chunk)]) + chunk

    def _flow(self, acknowledged: int, limit: int) -> bytes:
        """The packet that was not acknowledged again, or else the next one."""
        chunk = self._unacknowledged
        if chunk is None or acknowledged == self._packet:
            if chunk is not None:
                self._output = self._output[len(chunk) :]
            self._packet = (self._packet + 1) & 0xFF
            chunk = self._output[: min(limit, LARGEST_CHUNK)]
            self._unacknowledged = chunk or None
        return bytes([STREAM_FLOW_DATA, CONSOLE_CHANNEL, self._packet, len(chunk)]) + chunk

    def _receive(self, data: bytes) -> None:
        *lines, self._input = (self._input + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            # A command that comes before the last answer was fetched is ignored.
            if line and len(line) <= LONGEST_LINE and not self._output:
                answer = self._line(line.decode("ascii", errors="replace"))
                self._output = answer.encode("ascii", errors="replace")
        self._input = self._input[: LONGEST_LINE + 1]

    def _line(self, line: str) -> str:
        match line.split():
            case ["conf", *words]:
                return self._conf(words)
            case ["d", *words]:
                return self._debug(words)
            case ["tel", "stop" | "text"]:
                return "OK\r\n"
            case ["tel", *_]:
                return "ERR unknown name\r\n"
            case _:
                return "ERR unknown command\r\n"

    def _conf(self, words: list[str]) -> str:
        servo = self._servo
        match words:
            case ["get" | "set"]:
                return "ERR unknown group\r\n"
            case ["get" | "set", name, *_] if name.partition(".")[0] not in GROUPS:
                return "ERR unknown group\r\n"
            case ["get", name]:
                value = servo.read_option(name)
                return "ERR error reading\r\n" if value is None else f"{value}\r\n"
            case ["set", name, value]:
                return "OK\r\n" if servo.write_option(name, value) else "ERR error setting\r\n"
            case ["get", *_]:
                return "ERR error reading\r\n"
            case ["set", *_]:
                return "ERR error setting\r\n"
            case ["enumerate", group] if group not in GROUPS:
                return "ERR unknown group\r\n"
            case ["enumerate", *group]:
                chosen = tuple(f"{name}." for name in group or GROUPS)
                listed = [(k, v) for k, v in servo.all_options() if k.startswith(chosen)]
                return "".join(f"{name} {value}\r\n" for name, value in listed) + "OK\r\n"
            case ["list"]:
                return "".join(f"{group}\r\n" for group in GROUPS) + "OK\r\n"
            case ["load" | "default" as source]:
                servo.restore(stored=source == "load")
                return "OK\r\n"
            case ["write"]:
                servo.store()
                return "OK\r\n"
            case _:
                return "ERR unknown subcommand\r\n"

    def _debug(self, words: list[str]) -> str:
        match words:
            case ["stop"]:
                self._servo.command(ServoCommand())
            case ["brake"]:
                self._servo.command(ServoCommand(Mode.BRAKE))
            case ["pos" | "tmt" | "zero" | "within" as mode, *rest]:
                return self._drive(mode, rest)
            case ["dq", d, q] if _number(d) is not None and _number(q) is not None:
                self._servo.command(
                    ServoCommand(Mode.CURRENT, d_current=float(d), q_current=float(q))
                )
            case ["dq", *_]:
                return "ERR missing d/q current\r\n"
            case ["exact" | "index", value] if _number(value) is not None:
                self._servo.set_output(float(value), exact=True)
            case ["exact" | "index", *_]:
                return "ERR missing index value\r\n"
            case ["nearest" | "rezero", *rest]:
                value = _number(rest[0]) if rest else None
                self._servo.set_output(0.0 if value is None else value, exact=False)
            case ["recapture"]:
                self._servo.recapture()
            case ["req-reindex"]:
                self._servo.require_index()
            case _:
                return "ERR unknown command\r\n"
        return "OK\r\n"

    def _drive(self, what: str, words: list[str]) -> str:
        """`d pos` and its kin: three numbers and options of one letter; no watchdog unless `t`."""
        within = what == "within"
        numbers = [_number(word) for word in words[:3]]
        if len(numbers) < 3 or None in numbers:
            return "ERR missing min/max/t\r\n" if within else "ERR missing p/v/i\r\n"
        first, second, torque = (float(word) for word in words[:3])
        fields = {"timeout": math.nan, "maximum_torque": torque}
        names = ("lower_bound", "upper_bound") if within else ("position", "velocity")
        fields |= dict(zip(names, (first, second), strict=True))
        for word in words[3:]:
            value, field = _number(word[1:]), _OPTION_FIELDS.get(word[0])
            if field is None or value is None or (within and word[0] not in "pditfb"):
                return "ERR unknown option\r\n"
            fields[field] = value
        modes = {
            "pos": Mode.POSITION,
            "tmt": Mode.TIMEOUT,
            "zero": Mode.ZERO_VELOCITY,
            "within": Mode.STAY_WITHIN,
        }
        self._servo.command(ServoCommand(modes[what])._replace(**fields))
        return "OK\r\n"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
