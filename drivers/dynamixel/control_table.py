"""The control tables of the X430 servos as data: where each register lies and what it means.

Source: ROBOTIS e-manual, "Control Table" of each model's page (XM430-W350, XM430-W210, XH430-W350,
XH430-W210, XH430-V350, XH430-V210, XL430-W250); torque constants from the stall row of the same
pages. Where revisions of a page differ, the newer one is used; registers that newer revisions drop
(acceleration limit, 40) are left out.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from drivers.dynamixel.constants import (
    BAUD_RATES,
    COUNTS_PER_TURN,
    EXTENDED_POSITION_LIMIT,
    DriveMode,
    HardwareError,
    OperatingMode,
    StatusError,
    StatusReturnLevel,
)

__all__ = [
    "BAUD_RATES",
    "TABLES",
    "Access",
    "Area",
    "ControlTable",
    "DriveMode",
    "HardwareError",
    "OperatingMode",
    "Register",
    "StatusError",
    "StatusReturnLevel",
]


class Area(enum.Enum):
    """Where a register lives."""

    EEPROM = "EEPROM"
    """Kept without power; written only while torque is off (else status error ACCESS)."""
    RAM = "RAM"
    """Back to its default at power-up and reboot."""


class Access(enum.Enum):
    """What may be done with a register."""

    R = "R"
    RW = "RW"


@dataclass(frozen=True, slots=True)
class Register:
    """One field of the control table; all are little-endian, signed ones two's complement."""

    name: str
    address: int
    size: int
    """Bytes: 1, 2 or 4."""
    signed: bool
    area: Area
    access: Access
    scale: float
    """One count in `unit`."""
    unit: str
    """SI, except degrees C; "" for flags, codes and ratios."""
    default: int | None
    """Counts after a factory reset; None where a servo sets it itself."""
    minimum: int | None
    """Least counts that may be written; None where nothing is documented."""
    maximum: int | None
    """Most counts; of a goal the widest of all modes, before the limit registers."""

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + self.size

    def to_si(self, raw: int) -> float:
        """Counts as `unit`."""
        return raw * self.scale

    def to_raw(self, value: float) -> int:
        """The counts nearest to `value` in `unit`.

        Raises:
            ValueError: not finite, or outside what may be written.
        """
        if not math.isfinite(value):
            raise ValueError(f"{self.name} must be finite, got {value}")
        return self.check(round(value / self.scale))

    def check(self, raw: int) -> int:
        """`raw` itself.

        Raises:
            ValueError: outside what may be written or what the bytes can hold.
        """
        least, most = self.bounds()
        if not least <= raw <= most:
            raise ValueError(f"{self.name} takes {least} to {most} counts, got {raw}")
        return raw

    def bounds(self) -> tuple[int, int]:
        """Least and most counts, from the documented range or else from the size."""
        bits = 8 * self.size
        least, most = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)
        )
        return (
            least if self.minimum is None else self.minimum,
            most if self.maximum is None else self.maximum,
        )

    def encode(self, raw: int) -> bytes:
        """`raw` as the register's bytes.

        Raises:
            ValueError: outside what may be written.
        """
        return self.check(raw).to_bytes(self.size, "little", signed=self.signed)

    def decode(self, data: bytes) -> int:
        """The counts in `data`, which must hold exactly `size` bytes.

        Raises:
            ValueError: another length.
        """
        if len(data) != self.size:
            raise ValueError(f"{self.name} has {self.size} bytes, got {len(data)}")
        return int.from_bytes(data, "little", signed=self.signed)


@dataclass(frozen=True, slots=True)
class ControlTable:
    """Every register of one model, with lookup by name and by address."""

    model_number: int
    name: str
    registers: tuple[Register, ...]
    """By rising address; they do not overlap."""
    operating_modes: frozenset[OperatingMode]
    stall_torque_nm: float
    """At the rated supply, N m."""
    torque_constant_nm_a: float
    """Stall torque by stall current, N m/A; NaN where the servo measures no current."""
    effort: Literal["present_current", "present_load"]
    """What is measured at address 126: current (A), or load as a share of full."""
    by_name: Mapping[str, Register]
    by_address: Mapping[int, Register]

    def __getitem__(self, name: str) -> Register:
        """The register called `name`. Raises KeyError, listing similar names."""
        try:
            return self.by_name[name]
        except KeyError:
            near = [known for known in self.by_name if name.split("_")[-1] in known][:8]
            raise KeyError(f"{self.name} has no register {name!r}; similar: {near}") from None

    def __contains__(self, name: object) -> bool:
        """Whether there is a register called `name`."""
        return name in self.by_name

    def __iter__(self) -> Iterator[Register]:
        """The registers by rising address."""
        return iter(self.registers)

    def at(self, address: int) -> Register:
        """The register that begins at `address`. Raises KeyError."""
        try:
            return self.by_address[address]
        except KeyError:
            raise KeyError(f"no register of {self.name} begins at {address}") from None


_EEPROM_END: Final = 64
_UNITS: Final[Mapping[str, tuple[float, str]]] = MappingProxyType(
    {
        "": (1.0, ""),
        "position": (2 * math.pi / COUNTS_PER_TURN, "rad"),
        "velocity": (0.229 * 2 * math.pi / 60, "rad/s"),
        "acceleration": (214.577 * 2 * math.pi / 3600, "rad/s^2"),
        "current": (0.00269, "A"),
        "pwm": (1 / 885, "share of the supply"),
        "load": (0.001, "share of the most"),
        "voltage": (0.1, "V"),
        "temperature": (1.0, "degrees C"),
        "2us": (2e-6, "s"),
        "20ms": (0.02, "s"),
        "ms": (0.001, "s"),
        "/128": (1 / 128, ""),
        "/65536": (1 / 65536, ""),
        "/16": (1 / 16, ""),
        "/4": (1 / 4, ""),
    }
)
_TURN, _MULTI, _OFFSET = COUNTS_PER_TURN - 1, EXTENDED_POSITION_LIMIT, 1_044_479

# address, name, size ("-": signed), access, unit, default, minimum, maximum: XM430-W350.
_Row = tuple[int, str, int, str, str, int | None, int | None, int | None]
_ROWS: Final[tuple[_Row, ...]] = (
    (0, "model_number", 2, "R", "", 1020, None, None),
    (2, "model_information", 4, "R", "", None, None, None),
    (6, "firmware_version", 1, "R", "", None, None, None),
    (7, "id", 1, "RW", "", 1, 0, 252),
    (8, "baud_rate", 1, "RW", "", 1, 0, 7),
    (9, "return_delay_time", 1, "RW", "2us", 250, 0, 254),
    (10, "drive_mode", 1, "RW", "", 0, 0, 13),
    (11, "operating_mode", 1, "RW", "", 3, 0, 16),
    (12, "secondary_id", 1, "RW", "", 255, 0, 255),
    (13, "protocol_type", 1, "RW", "", 2, 1, 2),
    (20, "homing_offset", -4, "RW", "position", 0, -_OFFSET, _OFFSET),
    (24, "moving_threshold", 4, "RW", "velocity", 10, 0, 1023),
    (31, "temperature_limit", 1, "RW", "temperature", 80, 0, 100),
    (32, "max_voltage_limit", 2, "RW", "voltage", 160, 95, 160),
    (34, "min_voltage_limit", 2, "RW", "voltage", 95, 95, 160),
    (36, "pwm_limit", 2, "RW", "pwm", 885, 0, 885),
    (38, "current_limit", 2, "RW", "current", 1193, 0, 1193),
    (44, "velocity_limit", 4, "RW", "velocity", 200, 0, 1023),
    (48, "max_position_limit", 4, "RW", "position", _TURN, 0, _TURN),
    (52, "min_position_limit", 4, "RW", "position", 0, 0, _TURN),
    (60, "startup_configuration", 1, "RW", "", 0, 0, 3),
    (63, "shutdown", 1, "RW", "", 52, 0, 63),
    (64, "torque_enable", 1, "RW", "", 0, 0, 1),
    (65, "led", 1, "RW", "", 0, 0, 1),
    (68, "status_return_level", 1, "RW", "", 2, 0, 2),
    (69, "registered_instruction", 1, "R", "", 0, 0, 1),
    (70, "hardware_error_status", 1, "R", "", 0, None, None),
    (76, "velocity_i_gain", 2, "RW", "/65536", 1920, 0, 16383),
    (78, "velocity_p_gain", 2, "RW", "/128", 100, 0, 16383),
    (80, "position_d_gain", 2, "RW", "/16", 0, 0, 16383),
    (82, "position_i_gain", 2, "RW", "/65536", 0, 0, 16383),
    (84, "position_p_gain", 2, "RW", "/128", 800, 0, 16383),
    (88, "feedforward_2nd_gain", 2, "RW", "/4", 0, 0, 16383),
    (90, "feedforward_1st_gain", 2, "RW", "/4", 0, 0, 16383),
    (98, "bus_watchdog", -1, "RW", "20ms", 0, 0, 127),
    (100, "goal_pwm", -2, "RW", "pwm", None, -885, 885),
    (102, "goal_current", -2, "RW", "current", None, -1193, 1193),
    (104, "goal_velocity", -4, "RW", "velocity", None, -1023, 1023),
    (108, "profile_acceleration", 4, "RW", "acceleration", 0, 0, 32767),
    (112, "profile_velocity", 4, "RW", "velocity", 0, 0, 32767),
    (116, "goal_position", -4, "RW", "position", None, -_MULTI, _MULTI),
    (120, "realtime_tick", 2, "R", "ms", None, 0, 32767),
    (122, "moving", 1, "R", "", 0, 0, 1),
    (123, "moving_status", 1, "R", "", 0, None, None),
    (124, "present_pwm", -2, "R", "pwm", None, None, None),
    (126, "present_current", -2, "R", "current", None, None, None),
    (128, "present_velocity", -4, "R", "velocity", None, None, None),
    (132, "present_position", -4, "R", "position", None, None, None),
    (136, "velocity_trajectory", -4, "R", "velocity", None, None, None),
    (140, "position_trajectory", -4, "R", "position", None, None, None),
    (144, "present_input_voltage", 2, "R", "voltage", None, None, None),
    (146, "present_temperature", 1, "R", "temperature", None, None, None),
    (147, "backup_ready", 1, "R", "", None, 0, 1),
)
# first number, count, address of the first address register, of the first data register.
_INDIRECT: Final = ((1, 28, 168, 224), (29, 28, 578, 634))
_INDIRECT_RANGE: Final = (64, 661)


def _register(row: _Row) -> Register:
    address, name, size, access, unit, default, minimum, maximum = row
    scale, unit_name = _UNITS[unit]
    area = Area.EEPROM if address < _EEPROM_END else Area.RAM
    return Register(
        name,
        address,
        abs(size),
        size < 0,
        area,
        Access[access],
        scale,
        unit_name,
        default,
        minimum,
        maximum,
    )


def _indirect() -> Iterator[Register]:
    least, most = _INDIRECT_RANGE
    for first, count, addresses, data in _INDIRECT:
        for i in range(count):
            name, at = f"indirect_address_{first + i}", addresses + 2 * i
            yield _register((at, name, 2, "RW", "", data + i, least, most))
            yield _register((data + i, f"indirect_data_{first + i}", 1, "RW", "", 0, 0, 255))


def _table(
    number: int,
    name: str,
    stall: tuple[float, float],
    modes: frozenset[OperatingMode],
    registers: Mapping[str, Register],
) -> ControlTable:
    """`stall`: torque, N m, and current, A; NaN where none is measured."""
    ordered = sorted(registers.values(), key=lambda register: register.address)
    return ControlTable(
        model_number=number,
        name=name,
        registers=tuple(ordered),
        operating_modes=modes,
        stall_torque_nm=stall[0],
        torque_constant_nm_a=stall[0] / stall[1],
        effort="present_current" if "present_current" in registers else "present_load",
        by_name=MappingProxyType({register.name: register for register in ordered}),
        by_address=MappingProxyType({register.address: register for register in ordered}),
    )


_BASE: Final = {register.name: register for register in (*map(_register, _ROWS), *_indirect())}


def _with_current(
    number: int,
    name: str,
    stall: tuple[float, float],
    velocity_limit: int,
    current_limit: int = 1193,
    position_p: int = 800,
    high_voltage: bool = False,
) -> ControlTable:
    """A model that measures current; a `high_voltage` one runs on 24 V and counts 1.34 mA."""
    table = dict(_BASE)

    def change(register: str, **values: float) -> None:
        table[register] = replace(table[register], **values)

    change("model_number", default=number)
    change("velocity_limit", default=velocity_limit)
    change("position_p_gain", default=position_p)
    change("current_limit", default=current_limit, maximum=current_limit)
    change("goal_current", minimum=-current_limit, maximum=current_limit)
    if high_voltage:
        change("max_voltage_limit", default=300, minimum=110, maximum=300)
        change("min_voltage_limit", default=110, minimum=110, maximum=300)
        for register in ("current_limit", "goal_current", "present_current"):
            change(register, scale=0.00134)
    return _table(number, name, stall, frozenset(OperatingMode), table)


def _xl430() -> ControlTable:
    """No current sensor: present_load lies where the others have present_current."""
    table = dict(_BASE)
    for missing in ("current_limit", "goal_current", "present_current"):
        del table[missing]
    table["present_load"] = _register((126, "present_load", -2, "R", "load", None, -1000, 1000))
    for register, value in (
        ("model_number", 1060),
        ("temperature_limit", 72),
        ("velocity_limit", 265),
        ("velocity_i_gain", 1000),
        ("position_d_gain", 4000),
        ("position_p_gain", 640),
    ):
        table[register] = replace(table[register], default=value)
    for register, value in (("max_voltage_limit", 140), ("min_voltage_limit", 60)):
        table[register] = replace(table[register], default=value, minimum=60, maximum=140)
    modes = frozenset(OperatingMode) - {
        OperatingMode.CURRENT,
        OperatingMode.CURRENT_BASED_POSITION,
    }
    return _table(1060, "XL430-W250", (1.5, math.nan), modes, table)


TABLES: Final[Mapping[int, ControlTable]] = MappingProxyType(
    {
        table.model_number: table
        for table in (
            _with_current(1000, "XH430-W350", (3.4, 1.3), 130, current_limit=648, position_p=900),
            _with_current(1010, "XH430-W210", (2.5, 1.3), 210, current_limit=648, position_p=900),
            _with_current(1020, "XM430-W350", (4.1, 2.3), 200),
            _with_current(1030, "XM430-W210", (3.0, 2.3), 330),
            _with_current(1040, "XH430-V350", (3.3, 0.7), 135, 689, high_voltage=True),
            _with_current(1050, "XH430-V210", (2.6, 0.7), 380, 689, high_voltage=True),
            _xl430(),
        )
    }
)
"""Every known model by its model number."""
