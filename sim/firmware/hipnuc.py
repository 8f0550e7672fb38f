"""The device's end of a HiPNUC inertial sensor: HI91 frames at a rate, and its text commands.

Source: HiPNUC's products repository (Apache-2.0): c/hipnuc and python/src/hipnuc/serial_device.py.
Assumed, for it is documented nowhere in public: the wording of refusals.
"""

from __future__ import annotations

import math
import struct
from binascii import crc_hqx
from collections.abc import Callable, Sequence

from sim.firmware.uart import Uart

SAMPLING_RATE_HZ = 1000
LONGEST_LINE = 128
TEMPERATURE_C, PRESSURE_PA = 25, 101325.0
IDENTITY = ("PNAME=HI14", "APP_VER=172", "BL_VER=108", "UUID=TWIN0001")
ATTITUDE_NOT_CONVERGED = 1 << 7

_BODY = struct.Struct("<BHbfI3f3f3f3f4f")
_G = 9.8
_PERIODS_MS = (1, 2, 4, 5, 10, 20, 50, 100, 200, 500, 1000)
_BAUDS = (4800, 9600, 19200, 38400, 57600, 115200, 230400, 256000, 460800, 921600)
_FACTORY_BAUD, _FACTORY_PERIOD_MS = 115200, 10


class Hi91:
    """One sensor; `sample` is called at the rate at which it measures, and is its clock.

    Args:
        paced: bytes leave no faster than the baud.

    Attributes:
        uart: its end of the line.
        status: the main status that its frames carry.
    """

    def __init__(self, paced: bool = False) -> None:
        self._saved = (_FACTORY_BAUD, _FACTORY_PERIOD_MS)
        self.uart = Uart(_FACTORY_BAUD, paced)
        self.status = 0
        self._now_ns = self._epoch_ns = 0
        self._epoch_due = False
        self._commands: dict[str, Callable[[list[str]], bool]] = {
            "LOG": self._log,
            "SERIALCONFIG": self._set_baud,
            "SAVECONFIG": self._save,
            "REBOOT": self._reboot,
        }
        self._start()

    def sample(
        self,
        time_ns: int,
        quaternion_wxyz: Sequence[float],
        angular_velocity: Sequence[float],
        acceleration: Sequence[float],
    ) -> None:
        """A measurement at `time_ns` since the twin's start, in RFU axes and an ENU world.

        It is sent if output is on and one is due. Units: rad/s, m/s^2 with gravity.
        """
        self.uart.pass_time(time_ns - self._now_ns)
        self._now_ns = time_ns
        if self._epoch_due:
            self._epoch_ns, self._epoch_due = time_ns, False
        time_ms = (time_ns - self._epoch_ns) // 1_000_000
        if not self._output_on or not self._period_ms or time_ms < self._due_ms:
            return
        late = time_ms - self._due_ms
        self._due_ms = (self._due_ms if late < self._period_ms else time_ms) + self._period_ms
        body = _BODY.pack(
            *(0x91, self.status, TEMPERATURE_C, PRESSURE_PA, time_ms % (1 << 32)),
            *(value / _G for value in acceleration),
            *(math.degrees(value) for value in angular_velocity),
            *(0.0, 0.0, 0.0),
            *_roll_pitch_yaw_deg(quaternion_wxyz),
            *quaternion_wxyz,
        )
        head = b"\x5a\xa5" + struct.pack("<H", len(body))
        self.uart.say(head + struct.pack("<H", crc_hqx(body, crc_hqx(head, 0))) + body)

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        *lines, rest = (self._input + self.uart.heard(data)).split(b"\n")
        self._input = rest[-LONGEST_LINE:]
        for line in lines:
            if len(line) <= LONGEST_LINE:
                self._line(line.decode("ascii", errors="replace").split())

    def transmit(self) -> bytes:
        """Bytes for the host."""
        return self.uart.transmit()

    def _start(self) -> None:
        self.uart.baud, self._period_ms = self._saved
        self._output_on = True
        self._due_ms = 0
        self._input = b""

    def _line(self, words: list[str]) -> None:
        """A command; one that it does not know it leaves unanswered."""
        command = self._commands.get(words[0]) if words else None
        if command is not None and not command(words[1:]):
            self._say("ERR")

    def _log(self, words: list[str]) -> bool:
        match words:
            case ["VERSION"]:
                self._say(*IDENTITY, "OK")
            case ["ENABLE" | "DISABLE" as switch]:
                self._output_on = switch == "ENABLE"
                self._say("OK")
            case ["HI91", "ONTIME", seconds]:
                period_ms = _milliseconds(seconds)
                if period_ms and period_ms not in _PERIODS_MS:
                    return False
                self._period_ms, self._due_ms = period_ms, 0
                self._say("OK")
            case _:
                return False
        return True

    def _set_baud(self, words: list[str]) -> bool:
        if len(words) != 1 or not words[0].isdecimal() or int(words[0]) not in _BAUDS:
            return False
        self._say("OK")
        self.uart.baud = int(words[0])
        return True

    def _save(self, words: list[str]) -> bool:
        if words:
            return False
        self._saved = (self.uart.baud, self._period_ms)
        self._say("OK")
        return True

    def _reboot(self, words: list[str]) -> bool:
        if words:
            return False
        self._say("OK")
        self._start()
        self._epoch_due = True
        return True

    def _say(self, *lines: str) -> None:
        self.uart.say("".join(f"{line}\r\n" for line in lines).encode("ascii"))


def _milliseconds(text: str) -> int:
    """A period given in s; -1 if it is none."""
    try:
        seconds = float(text)
    except ValueError:
        return -1
    return round(seconds * 1000.0) if 0.0 <= seconds <= 1.0 else -1


def _roll_pitch_yaw_deg(quaternion_wxyz: Sequence[float]) -> tuple[float, float, float]:
    """Euler angles of the order 3-1-2: yaw about up, pitch about right, roll about front, deg."""
    w, x, y, z = quaternion_wxyz
    pitch = math.asin(min(1.0, max(-1.0, 2.0 * (y * z + w * x))))
    roll = math.atan2(2.0 * (w * y - x * z), 1.0 - 2.0 * (x * x + y * y))
    yaw = math.atan2(2.0 * (w * z - x * y), 1.0 - 2.0 * (x * x + z * z))
    return math.degrees(roll), math.degrees(pitch), math.degrees(yaw)
