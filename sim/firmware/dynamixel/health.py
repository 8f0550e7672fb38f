"""What a servo watches over: supply voltage, temperature and load, and when it shuts down.

Source: ROBOTIS e-manual, X series, Shutdown (63) and Hardware Error Status (70). The manual calls
overload a persistent load above the maximum output and gives no figures; those here are assumed.
"""

from __future__ import annotations

from drivers.dynamixel.constants import HardwareError
from sim.firmware.dynamixel.memory import ControlMemory

# Plain numbers, for they are worked with at every look.
_INPUT_VOLTAGE, _OVERHEATING, _OVERLOAD = (
    int(error)
    for error in (HardwareError.INPUT_VOLTAGE, HardwareError.OVERHEATING, HardwareError.OVERLOAD)
)
OVERLOAD_SHARE = 0.9
"""Share of the supply across the motor from which on a standing shaft counts as overloaded."""
OVERLOAD_SPEED_COUNTS_S = 100.0
"""Slower than this (1.5 rpm) the shaft counts as standing."""
OVERLOAD_TIME_S = 1.5
"""Unbroken time until it is an error."""


class HealthWatch:
    """The hardware errors of one servo.

    Attributes:
        shut_down: an error of the mask has occurred; only a reboot clears it.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As after a reboot: nothing has occurred yet."""
        self.shut_down = False
        self._latched = self._injected = 0
        self._loaded_s = 0.0

    def inject(self, error: HardwareError) -> None:
        """Let an error occur that the twin's physics does not have: encoder, electrical shock."""
        self._injected |= int(error)

    def look(
        self,
        memory: ControlMemory,
        supply_v: float,
        temperature_c: float,
        load: float,
        speed_counts_s: float,
        dt: float,
    ) -> int:
        """The hardware error status now, `dt` (s) after the last look.

        An error of the mask (Shutdown (63)) is latched; others last as long as their cause.
        """
        data = memory.data
        active = self._injected
        volts = round(supply_v * 10.0)
        if not data[34] | data[35] << 8 <= volts <= data[32] | data[33] << 8:
            active |= _INPUT_VOLTAGE
        if temperature_c > data[31]:
            active |= _OVERHEATING
        standing = abs(speed_counts_s) < OVERLOAD_SPEED_COUNTS_S
        self._loaded_s = self._loaded_s + dt if standing and abs(load) >= OVERLOAD_SHARE else 0.0
        if self._loaded_s >= OVERLOAD_TIME_S:
            active |= _OVERLOAD
        self._latched |= active & data[63]
        self.shut_down = bool(self._latched)
        return active | self._latched
