"""The device's end of the VN-100's protocol: binary and ASCII output, and the commands.

Source: VN-100 user manual UM001. Not modelled: the filter behind the attitude (it is given), so the
settings of registers 25, 26, 32, 35, 74 and 84 are kept but change no measurement; a second port.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sim.firmware.uart import Uart
from sim.firmware.vectornav.output import Measurement, ascii_body
from sim.firmware.vectornav.registers import (
    ASYNC_TYPE,
    BAD_PARAMETER,
    BINARY_OUTPUTS,
    Refused,
    count,
)
from sim.firmware.vectornav.settings import Settings

LONGEST_LINE = 256
QUIET: Mapping[int, str] = {ASYNC_TYPE: "0"}
"""Saved settings of a sensor whose ASCII measurements were switched off for good."""

_BUFFER_OVERFLOW, _BAD_CHECKSUM, _BAD_COMMAND = 2, 3, 4
_BYPASS = (b"XX", b"XXXX")
"""Letters X in place of the check switch its test off (UM001, 3.8.1)."""


@dataclass(frozen=True)
class Vn100Timing:
    """What takes time; all off, the sensor answers at once."""

    uart: bool = False
    """Bytes leave no faster than the baud."""
    flash_write_s: float = 0.0
    """How long writing the settings takes; nothing is answered or measured meanwhile."""
    boot_s: float = 0.0
    """How long it is deaf and silent after a reset."""


INSTANT = Vn100Timing()


class Vn100:
    """One sensor; `sample` is called at the rate at which it measures, and is its clock.

    Args:
        saved: registers in its flash that are not the factory's.
        timing: what takes time.

    Attributes:
        uart: its end of the line.
    """

    def __init__(self, saved: Mapping[int, str] = QUIET, timing: Vn100Timing = INSTANT) -> None:
        self._settings, self._timing = Settings(saved), timing
        self._now_ns = self._epoch_ns = self._boot_until_ns = self._flash_until_ns = 0
        self._booting = False
        self._latest = Measurement(0, (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
        self._deferred: list[Callable[[], None]] = []
        self._commands: dict[str, Callable[[list[str]], str | None]] = {
            "$VNRRG": self._settings.read,
            "$VNWRG": self._write,
            "$VNASY": self._pause,
            "$VNBOM": self._poll_output,
            "$VNWNV": self._save,
            "$VNRFS": self._restore,
            "$VNRST": self._reset,
            "$VNTAR": self._tare,
            "$VNSGB": _only_echo("VNSGB"),
            "$VNKMD": _switch("VNKMD"),
            "$VNKAD": _switch("VNKAD"),
        }
        self.uart = Uart(self._settings.baud, timing.uart)
        self._start()

    def sample(
        self,
        time_ns: int,
        quaternion_xyzw: Sequence[float],
        angular_velocity: Sequence[float],
        acceleration: Sequence[float],
    ) -> None:
        """A measurement at `time_ns` since the twin's start, in FRD axes and an NED world.

        It is sent if an output is on and due. Units: rad/s, m/s^2 with gravity.
        """
        self.uart.pass_time(time_ns - self._now_ns)
        self._now_ns = time_ns
        if self._booting and not self._boots_on(time_ns):
            return
        if time_ns < self._flash_until_ns:
            return
        while self._deferred and time_ns >= self._flash_until_ns:
            self._deferred.pop(0)()
        if self._tare_xyzw is not None:
            quaternion_xyzw = _product(self._tare_xyzw, quaternion_xyzw)
        startup_ns = time_ns - self._epoch_ns
        self._latest = Measurement(startup_ns, quaternion_xyzw, angular_velocity, acceleration)
        if self._output_on:
            self._send_due(startup_ns)

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        if self._booting and self._timing.boot_s:
            return
        *lines, rest = (self._input + self.uart.heard(data)).split(b"\n")
        self._input = rest[-LONGEST_LINE:]
        for line in lines:
            if line := line.strip():
                self._do(partial(self._line, line))

    def transmit(self) -> bytes:
        """Bytes for the host."""
        return self.uart.transmit()

    def _start(self) -> None:
        """Power on."""
        self._settings.load()
        self.uart.baud = self._settings.baud
        self._output_on = True
        self._tare_xyzw: Sequence[float] | None = None
        self._input = b""
        self._deferred.clear()

    def _boots_on(self, time_ns: int) -> bool:
        """Whether a sensor that was reset is up again; its clock begins with the first sample."""
        if self._boot_until_ns < self._epoch_ns:
            self._epoch_ns = time_ns
            self._boot_until_ns = time_ns + round(self._timing.boot_s * 1e9)
        self._booting = time_ns < self._boot_until_ns
        return not self._booting

    def _send_due(self, startup_ns: int) -> None:
        settings = self._settings
        for output in settings.outputs.values():
            if output.due(startup_ns):
                self.uart.say(output.frame(self._latest))
        if settings.ascii_clock is not None and settings.ascii_clock.due(startup_ns):
            self._answer(ascii_body(settings.async_header, self._latest))

    def _do(self, action: Callable[[], None]) -> None:
        """Now, or once the flash is written."""
        if self._now_ns < self._flash_until_ns:
            self._deferred.append(action)
        else:
            action()

    def _line(self, line: bytes) -> None:
        if len(line) > LONGEST_LINE:
            self._refuse(_BUFFER_OVERFLOW)
            return
        body, star, digits = line.rpartition(b"*")
        if not star or (digits not in _BYPASS and digits.upper() != self._check(body[1:])):
            self._refuse(_BAD_CHECKSUM)
            return
        name, *parts = body.decode("ascii", errors="replace").split(",")
        command = self._commands.get(name)
        if command is None:
            self._refuse(_BAD_COMMAND)
            return
        try:
            answer = command(parts)
        except Refused as refusal:
            self._refuse(refusal.code)
            return
        if answer is not None:
            self._answer(answer)

    def _write(self, parts: list[str]) -> None:
        """The answer to a new baud still leaves at the old one."""
        self._answer(self._settings.write(parts))
        self.uart.baud = self._settings.baud

    def _pause(self, parts: list[str]) -> str:
        if parts not in (["0"], ["1"]):
            raise Refused(BAD_PARAMETER)
        self._output_on = parts == ["1"]
        return f"VNASY,{parts[0]}"

    def _poll_output(self, parts: list[str]) -> None:
        """One frame of binary output 1 to 3, now."""
        count(parts, 1)
        if parts[0] not in ("1", "2", "3"):
            raise Refused(BAD_PARAMETER)
        output = self._settings.outputs[BINARY_OUTPUTS[int(parts[0]) - 1]]
        self.uart.say(output.frame(self._latest))

    def _save(self, parts: list[str]) -> None:
        """It answers when the flash is written (UM001, 5.1.3)."""
        count(parts, 0)
        self._settings.save()
        self._flash_until_ns = self._now_ns + round(self._timing.flash_write_s * 1e9)
        self._do(partial(self._answer, "VNWNV"))

    def _restore(self, parts: list[str]) -> None:
        count(parts, 0)
        self._settings.forget()
        self._restart("VNRFS")

    def _reset(self, parts: list[str]) -> None:
        count(parts, 0)
        self._restart("VNRST")

    def _restart(self, answer: str) -> None:
        """Answer first, then start anew (UM001, 5.1.5)."""
        self._answer(answer)
        self._start()
        self._booting, self._boot_until_ns, self._epoch_ns = True, -1, 0

    def _tare(self, parts: list[str]) -> str:
        """Make the present attitude the zero: the world is turned, the axes are not."""
        count(parts, 0)
        x, y, z, w = self._latest.quaternion_xyzw
        undo = (-x, -y, -z, w)
        before = self._tare_xyzw
        self._tare_xyzw = undo if before is None else _product(undo, before)
        return "VNTAR"

    def _refuse(self, code: int) -> None:
        mode = self._settings.error_mode
        if mode == 2:
            self._settings.stop_ascii()
        if mode:
            self._answer(f"VNERR,{code:02X}")

    def _answer(self, body: str) -> None:
        data = body.encode("ascii", errors="replace")
        self.uart.say(b"$%b*%b\r\n" % (data, self._check(data)))

    def _check(self, body: bytes) -> bytes:
        """The check's digits, as register 30 wants them."""
        return b"%04X" % crc_hqx(body, 0) if self._settings.crc16 else b"%02X" % _xor(body)


def _only_echo(name: str) -> Callable[[list[str]], str]:
    """A command without parameters that changes nothing that is modelled."""

    def command(parts: list[str]) -> str:
        count(parts, 0)
        return name

    return command


def _switch(name: str) -> Callable[[list[str]], str]:
    """A command that takes 0 or 1 and changes nothing that is modelled."""

    def command(parts: list[str]) -> str:
        count(parts, 1)
        if parts[0] not in ("0", "1"):
            raise Refused(BAD_PARAMETER)
        return f"{name},{parts[0]}"

    return command


def _xor(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
    return value


def _product(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float, float]:
    """Hamilton product of two quaternions (x, y, z, w)."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )
