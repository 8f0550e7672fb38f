"""Asking a VN-100 something and waiting for its answer, while it goes on streaming."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from drivers.errors import BusTimeout, DeviceError, ProtocolError
from drivers.vectornav.codec import BAUDS, ERRORS, Check, StreamParser, encode_command
from drivers.vectornav.registers import (
    BAUD,
    PROTOCOL,
    Register,
    Value,
    format_values,
    parse_values,
    same_values,
)
from drivers.wire import Wire

REPLY_TIMEOUT_S: Final = 0.1
"""How long one try waits for the reply to a command, s."""
DRAIN_READS: Final = 64
"""Most reads before a command to throw away what came earlier."""
_SERIAL_CHECK = 4

OpenAt = Callable[[int], Wire]
"""Opens the sensor's wire at a baud, bit/s; raises WireClosed if it cannot."""


class AsciiLink:
    """The sensor's command channel.

    Attributes:
        wire: may be exchanged for the same sensor's wire at another baud.
        check: how our commands are guarded; the sensor must expect the same.

    Args:
        parser: shared with the reader of the binary frames, for both arrive on one line.
        now: the clock of the wire's deadlines, monotonic seconds.
        open_at: how to open the wire at another baud; None: it cannot be.
    """

    def __init__(
        self,
        wire: Wire,
        parser: StreamParser,
        now: Callable[[], float],
        open_at: OpenAt | None = None,
    ) -> None:
        self.wire, self.check = wire, Check.XOR8
        self._parser, self._now, self._open_at = parser, now, open_at

    def command(self, body: str, attempts: int, timeout_s: float = REPLY_TIMEOUT_S) -> list[str]:
        """Send a command until its echo comes back; return the echo's parts.

        A refusal counts only if it is the last word: noise on the line provokes them too.

        Raises:
            BusTimeout: no answer.
            DeviceError: the sensor refuses.
            WireClosed: the port is gone.
        """
        self._forget()
        answer: list[str] | None = None
        for _ in range(attempts):
            self.wire.write(encode_command(body, self.check))
            answer = self._answer(body, self._now() + timeout_s)
            if answer is not None and answer[0] != "VNERR":
                return answer
        if answer is not None:
            raise DeviceError(f"the sensor refuses {body!r}: {_error_name(answer)}")
        raise BusTimeout(
            f"no answer to {body!r} in {attempts} tries; check the VN-100's port and baud"
        )

    def read(self, register: Register, attempts: int) -> tuple[Value, ...]:
        """What is in a register.

        Raises:
            BusTimeout, DeviceError, WireClosed: as `command`; DeviceError also for values that
                cannot be in it.
        """
        parts = self.command(f"VNRRG,{register.id:02d}", attempts)
        try:
            return parse_values(register, parts[2:])
        except ProtocolError as error:
            raise DeviceError(f"the sensor answers nonsense: {error}") from error

    def write(self, register: Register, values: tuple[Value, ...], attempts: int) -> None:
        """Write a register and make sure that the sensor keeps it.

        Raises:
            ValueError: values that the register does not take.
            BusTimeout, DeviceError, WireClosed: as `command`; DeviceError also if it keeps others.
        """
        text = format_values(register, values)
        self.command(f"VNWRG,{register.id:02d},{text}", attempts)
        kept = self.read(register, attempts)
        if not same_values(values, kept):
            raise DeviceError(
                f"register {register.id} ({register.name}): asked for {text}, the sensor keeps"
                f" {','.join(map(str, kept))}"
            )

    def connect(self, attempts: int) -> None:
        """Reach the sensor, at any baud if the wire can be reopened, and pause its stream.

        Raises:
            BusTimeout, DeviceError, WireClosed: as `command`.
        """
        try:
            self.pause(attempts)
        except BusTimeout:
            if self._open_at is None:
                raise
            self._scan(self._open_at)
            self.pause(attempts)

    def pause(self, attempts: int) -> None:
        """Stop the stream, and find out how the sensor guards its messages.

        Raises:
            BusTimeout, DeviceError, WireClosed: as `command`.
        """
        try:
            self.command("VNASY,0", attempts)
        except DeviceError:
            # A sensor that expects the other check refuses every command as damaged.
            self.check = Check.CRC16 if self.check is Check.XOR8 else Check.XOR8
            self.command("VNASY,0", attempts)

    def set_baud(self, baud: int, attempts: int) -> None:
        """Set the sensor to `baud` (bit/s) and follow it with the wire.

        Raises:
            ValueError: no such baud, or the wire cannot be reopened.
            BusTimeout, DeviceError, WireClosed: as `command`.
        """
        text = format_values(BAUD, (baud,))
        if self._open_at is None:
            raise ValueError("the baud can be set only on a wire that can be reopened")
        if self.read(BAUD, attempts)[0] == baud:
            return
        # UM001 says both that it answers before the change and after: ask again at the new baud.
        with contextlib.suppress(BusTimeout):
            self.command(f"VNWRG,{BAUD.id:02d},{text}", attempts=1)
        self._reopen(self._open_at, baud)
        kept = self.read(BAUD, attempts)[0]
        if kept != baud:
            raise DeviceError(f"the sensor keeps {kept} bit/s, asked for {baud}")

    def set_check(self, check: Check, attempts: int) -> None:
        """Guard messages by `check` from now on (register 30).

        Raises:
            BusTimeout, DeviceError, WireClosed: as `command`.
        """
        values = self.read(PROTOCOL, attempts)
        if values[_SERIAL_CHECK] == check:
            return
        wanted = (*values[:_SERIAL_CHECK], int(check), *values[_SERIAL_CHECK + 1 :])
        self.command(f"VNWRG,{PROTOCOL.id:02d},{format_values(PROTOCOL, wanted)}", attempts=1)
        self.check = check
        kept = self.read(PROTOCOL, attempts)
        if kept != wanted:
            raise DeviceError(f"the sensor keeps check {kept[_SERIAL_CHECK]}, asked for {check}")

    def _scan(self, open_at: OpenAt) -> None:
        """Find the baud at which the sensor answers."""
        for baud in BAUDS:
            self._reopen(open_at, baud)
            # Bytes of the wrong baud may wait in its buffer: a line end makes it drop them.
            self.wire.write(b"\r\n")
            try:
                # Twice, for it may refuse the first because of what came before it.
                self.command("VNASY,0", attempts=2)
            except BusTimeout:
                continue
            except DeviceError:
                # It answers, if only to refuse the wrong check.
                return
            return
        raise BusTimeout(f"no VN-100 answers at any of {sorted(BAUDS)} bit/s")

    def _reopen(self, open_at: OpenAt, baud: int) -> None:
        self.wire.close()
        self._parser.clear()
        self.wire = open_at(baud)

    def _forget(self) -> None:
        """Throw away what came before the question, so that no old answer is taken for a new."""
        for _ in range(DRAIN_READS):
            data = self.wire.drain()
            if not data:
                break
            self._parser.feed(data)

    def _answer(self, body: str, deadline: float) -> list[str] | None:
        """The echo of `body`, or an error message, or None if neither came in time."""
        name, *settings = body.split(",")
        register = _numbers(settings[:1]) if name in ("VNRRG", "VNWRG") else []
        while data := self.wire.read(deadline):
            _, messages = self._parser.feed(data)
            for parts in messages:
                if parts[0] == "VNERR":
                    return parts
                if parts[0] == name and _numbers(parts[1 : 1 + len(register)]) == register:
                    return parts
            if self._now() >= deadline:
                break
        return None


def same_settings(asked: list[str], kept: list[str]) -> bool:
    """Whether two lists of settings mean the same, whatever zeros lead them."""
    return _numbers(asked) == _numbers(kept)


def _error_name(parts: list[str]) -> str:
    try:
        code = int(parts[1], 16)
    except (IndexError, ValueError):
        return f"unreadable error {parts}"
    return f"error {code} ({ERRORS.get(code, 'not in the manual')})"


def _numbers(parts: list[str]) -> list[int | str]:
    """Settings without leading zeros; masks are hexadecimal, and decimals compare so as well."""
    return [int(part, 16) if _is_hex(part) else part for part in parts]


def _is_hex(text: str) -> bool:
    return bool(text) and all(letter in "0123456789abcdefABCDEF" for letter in text)
