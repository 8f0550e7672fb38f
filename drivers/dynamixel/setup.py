"""How a servo is to be set up, and what its registers must then hold. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from drivers.dynamixel.commands import GoalLimits
from drivers.dynamixel.constants import (
    COUNTS_PER_TURN,
    DriveMode,
    HardwareError,
    OperatingMode,
    StatusReturnLevel,
)
from drivers.dynamixel.control_table import ControlTable

WATCHDOG_FIRMWARE: Final = 38
"""The firmware that brought the bus watchdog; nothing older is engaged."""
STARTUP_FIRMWARE: Final = 45
"""The first firmware that may have startup_configuration."""
SHADOW_OFF: Final = 255
HOMING_OFFSET_IN_POSITION_MODE: Final = 1024
"""Larger homing offsets are ignored in the mode position, counts."""
GAINS: Final = (
    "velocity_i_gain",
    "velocity_p_gain",
    "position_d_gain",
    "position_i_gain",
    "position_p_gain",
    "feedforward_2nd_gain",
    "feedforward_1st_gain",
)
POSITION_MODES: Final = frozenset(
    {
        OperatingMode.POSITION,
        OperatingMode.EXTENDED_POSITION,
        OperatingMode.CURRENT_BASED_POSITION,
    }
)


def _no_gains() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ServoSetup:
    """What one servo is to be; where a value is None, the factory's."""

    mode: OperatingMode
    low_rad: float | None = None
    """Least goal in the mode position, servo's own angle."""
    high_rad: float | None = None
    velocity_limit_rad_s: float | None = None
    current_limit_a: float | None = None
    temperature_limit_c: float | None = None
    voltage_low_v: float | None = None
    """Supply below which the servo raises its alert."""
    voltage_high_v: float | None = None
    homing_offset_rad: float = 0.0
    """Added to the position by the servo; calibration above needs none."""
    reverse: bool = False
    shutdown: HardwareError = (
        HardwareError.OVERHEATING | HardwareError.ELECTRICAL_SHOCK | HardwareError.OVERLOAD
    )
    """Errors at which the servo lets go by itself."""
    gains: Mapping[str, int] = field(default_factory=_no_gains)
    """Counts of the registers in GAINS; those that are not named are the factory's."""
    profile_velocity_rad_s: float = 0.0
    """0: none, a goal is a step."""
    profile_acceleration_rad_s2: float = 0.0
    goal_current_a: float | None = None
    """The most that may flow in the mode current-based position; None: up to the limit."""
    start_low_rad: float | None = None
    """Where the servo must stand to be engaged; None: anywhere."""
    start_high_rad: float | None = None


def check(setup: ServoSetup, table: ControlTable) -> None:
    """Refuse what a model cannot be.

    Raises:
        ValueError: a mode that it does not have, or gains that nobody has.
    """
    if setup.mode not in table.operating_modes or setup.mode is OperatingMode.PWM:
        modes = sorted(mode.name for mode in table.operating_modes - {OperatingMode.PWM})
        raise ValueError(f"{table.name} has no mode {setup.mode.name} here; valid are {modes}")
    if unknown := set(setup.gains) - set(GAINS):
        raise ValueError(f"unknown gains {sorted(unknown)}; valid are {GAINS}")


def eeprom_counts(setup: ServoSetup, table: ControlTable, firmware: int) -> dict[str, int]:
    """What EEPROM must hold, in the order of writing.

    Raises:
        ValueError: a value that is out of its register's range.
    """
    wanted: dict[str, float | None] = {
        "temperature_limit": setup.temperature_limit_c,
        "max_voltage_limit": setup.voltage_high_v,
        "min_voltage_limit": setup.voltage_low_v,
        "velocity_limit": setup.velocity_limit_rad_s,
        "max_position_limit": setup.high_rad,
        "min_position_limit": setup.low_rad,
        "homing_offset": setup.homing_offset_rad,
    }
    if "current_limit" in table:
        wanted["current_limit"] = setup.current_limit_a
    elif setup.current_limit_a is not None:
        raise ValueError(f"{table.name} has no current limit")
    counts = {
        "return_delay_time": 0,
        "drive_mode": int(DriveMode.REVERSE) if setup.reverse else 0,
        "operating_mode": int(setup.mode),
        "secondary_id": SHADOW_OFF,
        "shutdown": int(setup.shutdown),
    }
    if firmware >= STARTUP_FIRMWARE:
        counts["startup_configuration"] = 0
    for name, value in wanted.items():
        counts[name] = _counts(table, name, value)
    if counts["min_position_limit"] > counts["max_position_limit"]:
        raise ValueError(f"low_rad {setup.low_rad} is above high_rad {setup.high_rad}")
    return counts


def ram_counts(setup: ServoSetup, table: ControlTable) -> dict[str, int]:
    """What RAM must hold before torque goes on, in the order of writing; the watchdog is off.

    Raises:
        ValueError: a value that is out of its register's range.
    """
    counts = {"status_return_level": int(StatusReturnLevel.ALL), "bus_watchdog": 0}
    for name in GAINS:
        counts[name] = table[name].check(setup.gains.get(name, _default(table, name)))
    for name, value in (
        ("profile_acceleration", setup.profile_acceleration_rad_s2),
        ("profile_velocity", setup.profile_velocity_rad_s),
    ):
        counts[name] = table[name].to_raw(value)
    if setup.mode is OperatingMode.CURRENT_BASED_POSITION:
        limit = _counts(table, "current_limit", setup.current_limit_a)
        most = setup.goal_current_a
        counts["goal_current"] = limit if most is None else table["goal_current"].to_raw(most)
        if not 0 < counts["goal_current"] <= limit:
            raise ValueError(f"goal_current_a must be above 0 and up to the limit, got {most}")
    return counts


def kept_counts(setup: ServoSetup, table: ControlTable) -> dict[str, int]:
    """What a servo that was configured reads as long as its torque is off.

    Without what the control tick changes: watchdog and goals.
    """
    changed = ("bus_watchdog", "goal_current")
    ram = {name: raw for name, raw in ram_counts(setup, table).items() if name not in changed}
    state = {"torque_enable": 0, "hardware_error_status": 0, "operating_mode": int(setup.mode)}
    return state | ram


def goal_limits(setup: ServoSetup, table: ControlTable) -> GoalLimits:
    """What goals a servo takes once it is set up so."""
    match setup.mode:
        case OperatingMode.POSITION:
            low = _si(table, "min_position_limit", setup.low_rad)
            return GoalLimits(setup.mode, low, _si(table, "max_position_limit", setup.high_rad))
        case OperatingMode.VELOCITY:
            most = _si(table, "velocity_limit", setup.velocity_limit_rad_s)
            return GoalLimits(setup.mode, -most, most)
        case OperatingMode.CURRENT:
            most = _si(table, "current_limit", setup.current_limit_a)
            return GoalLimits(setup.mode, -most, most)
        case _:
            least, most = table["goal_position"].bounds()
            scale = table["goal_position"].scale
            current = math.inf
            if setup.mode is OperatingMode.CURRENT_BASED_POSITION:
                current = _si(table, "current_limit", setup.current_limit_a)
            return GoalLimits(setup.mode, least * scale, most * scale, current)


def goal_at_rest(setup: ServoSetup, position: int, table: ControlTable) -> tuple[str, int]:
    """The goal register and the counts with which a servo that stands at `position` stays there.

    In the mode position, switching torque on takes the position back into one turn, so the goal is
    taken there too. Source: e-manual, Operating Mode (11) and Homing Offset (20).
    """
    if setup.mode is OperatingMode.VELOCITY:
        return "goal_velocity", 0
    if setup.mode is OperatingMode.CURRENT:
        return "goal_current", 0
    if setup.mode is OperatingMode.POSITION:
        offset = table["homing_offset"].to_raw(setup.homing_offset_rad)
        if abs(offset) > HOMING_OFFSET_IN_POSITION_MODE:
            offset = 0
        position = (position - offset) % COUNTS_PER_TURN + offset
    return "goal_position", position


def _default(table: ControlTable, name: str) -> int:
    default = table[name].default
    if default is None:
        raise ValueError(f"{name} has no factory value; it must be given")
    return default


def _counts(table: ControlTable, name: str, value: float | None) -> int:
    return _default(table, name) if value is None else table[name].to_raw(value)


def _si(table: ControlTable, name: str, value: float | None) -> float:
    return table[name].to_si(_counts(table, name, value))
