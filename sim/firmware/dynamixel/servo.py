"""The twin of one Dynamixel X servo: its control table, and what instructions do to it.

Sources: ROBOTIS e-manual, X series control table and Protocol 2.0. Where the manual is silent, the
choice is stated where it is made. Not modelled: the LED, protocol 1.0, registers that came with a
newer firmware than `ServoSpec.firmware`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from drivers.dynamixel.constants import (
    ALERT,
    MAX_ID,
    WATCHDOG_TRIPPED,
    DriveMode,
    StartupConfiguration,
    StatusError,
)
from drivers.dynamixel.control_table import TABLES, Area
from sim.firmware.dynamixel.control import ServoControl
from sim.firmware.dynamixel.health import HealthWatch
from sim.firmware.dynamixel.memory import (
    ByteArray,
    ControlMemory,
    FieldWrite,
    Refused,
    layout_of,
)
from sim.firmware.dynamixel.motion import ServoMotion
from sim.firmware.dynamixel.rules import GAINS, GOALS, KEPT_BY_BACKUP, check
from sim.firmware.servo_hooks import ReadingFaults

BOOT_TIME_S = 0.5
"""How long a servo is silent after a reboot or power-up; not documented."""
RETURN_DELAY_UNIT_S = 2e-6
WATCHDOG_UNIT_S = 0.02
WATCHDOG_MOST = 127
TIME_TOLERANCE_S = 1e-9

_LAW_REGISTERS = frozenset({*GAINS, "goal_pwm", "goal_current"})
_X430 = TABLES[1020].by_name
_FIRMWARE, _ID, _BAUD, _RETURN_DELAY, _SHADOW, _LEVEL, _ERROR, _WATCHDOG = (
    _X430[name].address
    for name in (
        "firmware_version",
        "id",
        "baud_rate",
        "return_delay_time",
        "secondary_id",
        "status_return_level",
        "hardware_error_status",
        "bus_watchdog",
    )
)


@dataclass(frozen=True)
class ServoSpec:
    """One servo as it comes onto the bus.

    Attributes:
        id: 0 to 252.
        model: model number of a known control table.
        firmware: fast reads and backup need 45, clear 42.
        baud_rate: value of register 8.
    """

    id: int
    model: int = 1020
    firmware: int = 48
    baud_rate: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.id <= MAX_ID:
            raise ValueError(f"servo ids are 0 to {MAX_ID}, got {self.id}")


@dataclass
class ServoFaults:
    """What is wrong with one servo, as `sim.firmware.servo_hooks.ServoHooks` has it."""

    readings: ReadingFaults = field(default_factory=ReadingFaults)
    silent: bool = False
    hold_s: float = 0.0
    garble: np.random.Generator | None = None


class DynamixelServo:
    """One servo, whose registers lie in `table` and whose loop is number `index` of `control`.

    Attributes:
        index: as given.
        memory: the control table.
        motion: what the table makes of the motor.
        health: its hardware errors.
        heard_at: when it last heard an instruction packet, whoever it was for, s.
        faults: without any as long as nobody sets them.
    """

    def __init__(
        self,
        spec: ServoSpec,
        table: ByteArray,
        control: ServoControl,
        index: int,
        now: Callable[[], float],
    ) -> None:
        self.index = index
        self.memory = ControlMemory(layout_of(spec.model), table)
        self.motion = ServoMotion(self.memory, control, index)
        self.health = HealthWatch()
        self.heard_at = self._woke_at = now()
        self.faults = ServoFaults()
        self._firmware, self._now = spec.firmware, now
        self._backup: bytes | None = None
        self._registered: tuple[int, bytes] | None = None
        self._powered = True
        self._load_defaults(frozenset())
        self.memory["id"], self.memory["baud_rate"] = spec.id, spec.baud_rate
        self._boot()

    @property
    def id(self) -> int:
        """Register 7."""
        return self.memory.data[_ID]

    @property
    def shadow(self) -> int | None:
        """Register 12: the second id; None: it has none."""
        id = self.memory.data[_SHADOW]
        return id if id <= MAX_ID and id != self.id else None

    @property
    def baud_rate(self) -> int:
        """Register 8: the code of its baud rate."""
        return self.memory.data[_BAUD]

    @property
    def firmware(self) -> int:
        """Register 6."""
        return self.memory.data[_FIRMWARE]

    @property
    def return_delay_s(self) -> float:
        """Register 9: how long it waits before it answers, s."""
        return self.memory.data[_RETURN_DELAY] * RETURN_DELAY_UNIT_S

    @property
    def status_return_level(self) -> int:
        """Register 68."""
        return self.memory.data[_LEVEL]

    @property
    def alert(self) -> int:
        """The alert bit of the error byte."""
        return ALERT if self.memory.data[_ERROR] else 0

    @property
    def uptime_s(self) -> float:
        """Time since it last booted, s."""
        return self._now() - self._woke_at

    @property
    def awake(self) -> bool:
        """Whether it has power and has booted, so that it can hear."""
        return self._booted

    def write(self, address: int, data: bytes, eeprom: bool = True) -> None:
        """Write registers, all or none.

        Args:
            eeprom: False: the EEPROM area may not be written, as through the shadow id.

        Raises:
            Refused: with the status error.
        """
        for write in self._checked(address, data, eeprom):
            self._apply(write)

    def register_write(self, address: int, data: bytes, eeprom: bool = True) -> None:
        """Keep a write for `action`; arguments as for `write`. Raises Refused."""
        self._checked(address, data, eeprom)
        self._registered = (address, data)
        self.memory["registered_instruction"] = 1

    def action(self) -> None:
        """Carry the registered write out. Raises Refused."""
        if self._registered is None:
            raise Refused(StatusError.INSTRUCTION)
        address, data = self._registered
        self._registered = None
        self.memory["registered_instruction"] = 0
        self.write(address, data)

    def clear_turns(self) -> None:
        """Take the position back into one turn. Raises Refused while it moves."""
        if self.motion.moving:
            raise Refused(StatusError.RESULT_FAIL)
        self.motion.clear_turns()

    def store_backup(self) -> None:
        """Keep the EEPROM area and the tuning of the RAM area. Raises Refused."""
        if self.motion.torque:
            raise Refused(StatusError.RESULT_FAIL)
        self._backup = bytes(self.memory.data)
        self.memory["backup_ready"] = 1

    def restore_backup(self) -> None:
        """Bring the EEPROM area back, and reboot. Raises Refused."""
        if self.motion.torque or self._backup is None:
            raise Refused(StatusError.RESULT_FAIL)
        for register in self.memory.layout.table.registers:
            if register.area is Area.EEPROM:
                self._bring_back(register.name, self._backup)
        self.reboot()

    def factory_reset(self, keep: frozenset[str]) -> None:
        """Bring the EEPROM area back to its defaults, but for the registers `keep`; reboot."""
        self._load_defaults(keep)
        self.reboot()

    def reboot(self) -> None:
        """Torque off, RAM lost, silence for a while."""
        self.motion.torque_off()
        self.memory.restore_defaults(Area.RAM)
        self._registered = None
        self._booted = False
        self._woke_at = self._now() + BOOT_TIME_S

    def set_power(self, on: bool) -> None:
        """The supply comes or goes; coming back is as a reboot."""
        if on != self._powered:
            self._powered = on
            self.reboot()

    def power_cycle(self) -> None:
        """Off and on again, and booted: what takes a person long enough takes no time here."""
        self.reboot()
        if self._powered:
            self._woke_at = self._now()
            self._boot()

    def tick(self, now: float) -> None:
        """What time alone does, by `now` (s): finish booting, trip the bus watchdog."""
        if not self._booted:
            if self._powered and now >= self._woke_at - TIME_TOLERANCE_S:
                self._boot()
            return
        setting = self.memory.data[_WATCHDOG]
        if 0 < setting <= WATCHDOG_MOST and self.motion.torque:
            silence = now - self.heard_at
            if silence > setting * WATCHDOG_UNIT_S + TIME_TOLERANCE_S:
                self.memory["bus_watchdog"] = WATCHDOG_TRIPPED
                self.motion.stop()

    def check_health(
        self, supply_v: float, temperature_c: float, load: float, speed_counts_s: float, dt: float
    ) -> None:
        """Look for hardware errors, `dt` (s) after the last look; see `HealthWatch.look`."""
        if self.awake:
            status = self.health.look(
                self.memory, supply_v, temperature_c, load, speed_counts_s, dt
            )
            self.memory.data[_ERROR] = status
            if self.health.shut_down and self.motion.torque:
                self.motion.torque_off()

    def _boot(self) -> None:
        memory = self.memory
        memory.restore_defaults(Area.RAM)
        self.health.reset()
        self._booted = True
        self.heard_at = self._now()
        memory["backup_ready"] = self._backup is not None
        self.motion.wake()
        startup = memory["startup_configuration"]
        if startup & StartupConfiguration.RESTORE_RAM and self._backup is not None:
            for name in KEPT_BY_BACKUP:
                self._bring_back(name, self._backup)
        if startup & StartupConfiguration.TORQUE_ON:
            self.motion.torque_on()

    def _load_defaults(self, keep: frozenset[str]) -> None:
        self.memory.restore_defaults(Area.EEPROM, keep)
        self.memory["firmware_version"] = self._firmware

    def _bring_back(self, name: str, backup: bytes) -> None:
        register = self.memory.layout.table[name]
        span = slice(register.address, register.address + register.size)
        self.memory.data[span] = backup[span]

    def _checked(self, address: int, data: bytes, eeprom: bool) -> list[FieldWrite]:
        fields = self.memory.parse_write(address, data, self.motion.torque or not eeprom)
        check(self.memory, fields, self.health.shut_down)
        return fields

    def _apply(self, write: FieldWrite) -> None:
        """Store one register and do what follows from it."""
        name, value = write.register.name, write.value
        before = self.memory[name]
        self.memory.put(write.register, value)
        if name in _LAW_REGISTERS:
            self.motion.reload()
        if name in GOALS:
            self.motion.goal_written(name, may_switch_on=not self.health.shut_down)
        elif name == "torque_enable" and value > before:
            self.motion.torque_on()
        elif name == "torque_enable" and value < before:
            self.motion.torque_off()
        elif name == "operating_mode" and value != before:
            self.motion.change_mode()
        elif name in ("drive_mode", "homing_offset"):
            self.motion.set_frame()
            if name == "drive_mode" and (value ^ before) & DriveMode.REVERSE:
                self.motion.wrap()
