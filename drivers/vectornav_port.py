"""A VN-100 on its own wire: configured once, then polled for its newest frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from drivers.errors import BusTimeout, DeviceError
from drivers.vectornav import (
    ERRORS,
    FIELDS,
    GROUPS,
    BinaryFrame,
    ImuReading,
    StreamParser,
    encode_command,
)
from drivers.wire import Wire

REPLY_TIMEOUT_S = 0.1
"""How long one try waits for the reply to a command, s."""
DRAIN_READS = 64
"""Most reads in one poll: what has piled up longer ago is taken by the next one."""
NORM_TOLERANCE = 0.01
"""A true attitude's quaternion has length 1 within this."""


@dataclass(frozen=True, slots=True)
class ImuStatistics:
    """What came over the wire since the port was made."""

    frames: int = 0
    skipped_bytes: int = 0
    """Bytes that belonged to no message, damaged frames included."""
    implausible: int = 0
    """Frames with a right checksum, but a value that is not finite or no unit quaternion."""


class VectorNavPort:
    """The sensor on `wire`; `now` is the clock of the wire's deadlines, monotonic seconds."""

    def __init__(self, wire: Wire, now: Callable[[], float]) -> None:
        self._wire, self._now = wire, now
        self._parser = StreamParser()
        self._frames = self._implausible = 0

    @property
    def statistics(self) -> ImuStatistics:
        """A snapshot of the counters."""
        return ImuStatistics(self._frames, self._parser.skipped, self._implausible)

    def configure(self, divisor: int, attempts: int = 3) -> None:
        """Check that this is a VN-100 and make it send our frame at 800 Hz / `divisor`.

        Raises:
            ValueError: a divisor outside 1 to 65535.
            BusTimeout: the sensor does not answer.
            DeviceError: it refuses, does not keep the setting, or is another device.
            WireClosed: the port is gone.
        """
        if not 1 <= divisor <= 0xFFFF:
            raise ValueError(f"the divisor must be 1 to 65535, got {divisor}")
        output = f"75,1,{divisor},{GROUPS:02X},{FIELDS:04X}"
        self._command("VNASY,0", attempts)
        model = self._command("VNRRG,01", attempts)
        if len(model) < 3 or not model[2].startswith("VN-100"):
            raise DeviceError(f"expected a VN-100, found {','.join(model[2:]) or 'no name'!r}")
        self._command("VNWRG,06,0", attempts)
        self._command(f"VNWRG,{output}", attempts)
        kept = self._command("VNRRG,75", attempts)
        if _numbers(kept[1:]) != _numbers(output.split(",")):
            raise DeviceError(f"the sensor keeps output {','.join(kept[1:])}, asked for {output}")
        self._command("VNASY,1", attempts)

    def poll(self) -> ImuReading | None:
        """The newest whole frame that arrived since the last call, or None.

        Raises:
            WireClosed: the port is gone.
        """
        newest: BinaryFrame | None = None
        for _ in range(DRAIN_READS):
            data = self._wire.drain()
            if not data:
                break
            frames, _ = self._parser.feed(data)
            self._frames += len(frames)
            for frame in frames:
                if _plausible(frame):
                    newest = frame
                else:
                    self._implausible += 1
        return None if newest is None else ImuReading(self._now(), *newest)

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        self._wire.close()

    def _command(self, body: str, attempts: int) -> list[str]:
        """Send a command until its echo comes back; return the echo's parts.

        A refusal counts only if it is the last word: noise on the line provokes them too.
        """
        answer: list[str] | None = None
        for _ in range(attempts):
            self._wire.write(encode_command(body))
            answer = self._answer(body, self._now() + REPLY_TIMEOUT_S)
            if answer is not None and answer[0] != "VNERR":
                return answer
        if answer is not None:
            raise DeviceError(f"the sensor refuses {body!r}: {_error_name(answer)}")
        raise BusTimeout(
            f"no answer to {body!r} in {attempts} tries; check the VN-100's port and baud"
        )

    def _answer(self, body: str, deadline: float) -> list[str] | None:
        """The echo of `body`, or an error message, or None if neither came in time."""
        name, *settings = body.split(",")
        register = [] if name == "VNASY" else _numbers(settings[:1])
        while data := self._wire.read(deadline):
            _, messages = self._parser.feed(data)
            for parts in messages:
                if parts[0] == "VNERR":
                    return parts
                if parts[0] == name and _numbers(parts[1 : 1 + len(register)]) == register:
                    return parts
            if self._now() >= deadline:
                break
        return None


def _plausible(frame: BinaryFrame) -> bool:
    values = (*frame.quaternion_xyzw, *frame.angular_velocity, *frame.acceleration)
    norm = math.hypot(*frame.quaternion_xyzw)
    return math.isfinite(sum(values)) and abs(norm - 1.0) < NORM_TOLERANCE


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
