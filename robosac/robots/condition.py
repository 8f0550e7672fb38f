"""How each motor is, looked at with torque off and outside the tick; nothing is asked to move."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from calibration.record import DeviceTag
from drivers.dynamixel import DynamixelBus, HardwareError, ServoRegisters
from drivers.dynamixel.bus import ServoInfo
from drivers.dynamixel.constants import WATCHDOG_TRIPPED
from drivers.dynamixel.setup import WATCHDOG_FIRMWARE
from drivers.dynamixel.torque_switch import watchdog_counts
from drivers.errors import BusTimeout, DeviceError
from drivers.moteus import MoteusBus, describe
from drivers.moteus.console import differences
from drivers.moteus.multiplex import Read
from drivers.moteus.registers import Mode, Register, Resolution

MOTEUS_WATCHDOG: Final = "servo.default_timeout_s"
_HEALTH: Final = (
    Read(Register.MODE, Resolution.INT16),
    Read(Register.VOLTAGE, Resolution.FLOAT, 3),
)
"""Voltage, temperature and fault stand side by side."""


@dataclass(frozen=True, slots=True)
class MotorCondition:
    """One motor, as it tells of itself; what is None or NaN it did not tell."""

    joint: str
    id: int
    model: str | None = None
    """None: it does not answer."""
    serial: str | None = None
    """None: it tells none."""
    firmware: str = ""
    outdated: str = ""
    """Why its firmware will not do; empty: it will."""
    torque_on: bool | None = None
    voltage_v: float = math.nan
    temperature_c: float = math.nan
    """Degrees C."""
    error: str = ""
    """What it says is wrong with itself; empty: nothing."""
    tripped: bool = False
    """Its watchdog has stopped it; arming sets it up anew."""
    watchdog_s: float = math.nan
    """What its own watchdog was read back to, s; NaN: it cannot be armed."""
    unwatched: str = ""
    """What it says to its watchdog being armed; empty: nothing."""
    settings: tuple[str, ...] = ()
    """Settings that are not as the robot file says."""
    problem: str = ""
    """Why the rest could not be read; empty: it could."""


def look_at_controllers(
    bus: MoteusBus, names: Sequence[str], wanted: Mapping[str, Mapping[str, float]]
) -> tuple[MotorCondition, ...]:
    """Look at moteus controllers; nothing is written.

    Args:
        bus: its ids are those of `names`, in order.
        names: the joints.
        wanted: by joint, the options that its controller must have.

    Raises:
        DeviceError: one answers, but not as a moteus would. WireClosed: the port is gone.
    """
    found = bus.probe()
    conditions: list[MotorCondition] = []
    for name, id in zip(names, bus.ids, strict=True):
        motor = MotorCondition(name, id)
        if id in found:
            motor = replace(
                motor,
                model=str(found[id].model),
                serial=serial_text(found[id].serial),
                firmware=_version(found[id].firmware),
            )
            motor = _controller(bus, motor, wanted[name])
        conditions.append(motor)
    return tuple(conditions)


def look_at_servos(
    bus: DynamixelBus, names: Sequence[str], watchdog_s: float
) -> tuple[MotorCondition, ...]:
    """Look at Dynamixel servos; where torque is off, the bus watchdog is armed and disarmed again.

    Without torque it does not run (e-manual, Bus Watchdog 98), so that a servo which takes it can
    be told from one that does not.

    Args:
        bus: its ids are those of `names`, in order.
        names: the joints.
        watchdog_s: what the watchdog shall be, s.

    Raises:
        DeviceError: a model that is not known here. WireClosed: the port is gone.
    """
    found = bus.probe()
    return tuple(
        _servo(bus, MotorCondition(name, id), found[id], watchdog_s)
        if id in found
        else MotorCondition(name, id)
        for name, id in zip(names, bus.ids, strict=True)
    )


def tags(found: Sequence[MotorCondition]) -> dict[str, DeviceTag]:
    """By joint, the devices that answer, as a calibration keys itself to them."""
    return {
        motor.joint: DeviceTag(model=motor.model, serial=motor.serial)
        for motor in found
        if motor.model is not None
    }


def serial_text(serial: tuple[int, int, int]) -> str:
    """A controller's serial number as one word: its three registers, hexadecimal."""
    return "-".join(f"{part & 0xFFFF_FFFF:08x}" for part in serial)


def _controller(
    bus: MoteusBus, motor: MotorCondition, wanted: Mapping[str, float]
) -> MotorCondition:
    try:
        health = bus.read_many(motor.id, _HEALTH)
        options = bus.configuration(motor.id, wanted)
    except (BusTimeout, DeviceError) as error:
        return replace(motor, problem=str(error))
    mode = int(health[Register.MODE])
    fault = f"controller fault {describe(int(health[Register.FAULT]))}"
    watchdog = options.get(MOTEUS_WATCHDOG)
    return replace(
        motor,
        torque_on=mode not in (Mode.STOPPED, Mode.FAULT),
        voltage_v=health[Register.VOLTAGE],
        temperature_c=health[Register.TEMPERATURE],
        error=fault if mode == Mode.FAULT else "",
        tripped=mode == Mode.TIMEOUT,
        watchdog_s=math.nan if watchdog is None else watchdog,
        settings=tuple(map(str, differences(options, wanted))),
    )


def _servo(
    bus: DynamixelBus, motor: MotorCondition, info: ServoInfo, watchdog_s: float
) -> MotorCondition:
    motor = replace(motor, model=info.name, firmware=str(info.firmware))
    registers, id = ServoRegisters(bus), motor.id
    try:
        torque = registers.read_raw(id, "torque_enable")
        errors = registers.read_raw(id, "hardware_error_status")
        motor = replace(
            motor,
            torque_on=bool(torque),
            voltage_v=registers.read(id, "present_input_voltage"),
            temperature_c=registers.read(id, "present_temperature"),
            error=_names(errors),
        )
        if info.firmware < WATCHDOG_FIRMWARE:
            text = f"{info.firmware}, and {WATCHDOG_FIRMWARE} brought the watchdog"
            return replace(motor, outdated=text)
        tripped = registers.read_raw(id, "bus_watchdog") == WATCHDOG_TRIPPED
        motor = replace(motor, tripped=tripped)
        if torque:
            # Its owner's, if it has one: a watchdog that runs is not touched.
            return motor
    except (BusTimeout, DeviceError) as error:
        return replace(motor, problem=str(error))
    try:
        return replace(motor, watchdog_s=_try_watchdog(registers, id, watchdog_s))
    except (BusTimeout, DeviceError) as error:
        return replace(motor, unwatched=str(error))


def _try_watchdog(registers: ServoRegisters, id: int, watchdog_s: float) -> float:
    """Arm and disarm the watchdog of a servo without torque; what it was read back to, s."""
    counts = watchdog_counts(watchdog_s)
    # One that has tripped takes nothing else before.
    registers.write_raw(id, "bus_watchdog", 0)
    try:
        registers.write_raw(id, "bus_watchdog", counts)
        return registers.read(id, "bus_watchdog")
    finally:
        registers.write_raw(id, "bus_watchdog", 0)


def _names(errors: int) -> str:
    """Hardware errors in words; a bit that nobody knows is told as it is."""
    if not errors:
        return ""
    known = [error.name or "" for error in HardwareError if error & errors]
    return f"hardware error {', '.join(known) or '?'} (0x{errors:02x})"


def _version(number: int) -> str:
    """0xMMmmpp in the usual way."""
    return f"{number >> 16}.{number >> 8 & 0xFF}.{number & 0xFF}"
