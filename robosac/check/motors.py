"""The motors: who answers, as what, with which firmware and settings, and how they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from robosac.check.row import Level, Row, judged
from robosac.robots.condition import MotorCondition

WARM_MARGIN_C: Final = 10.0
"""Below the limit by less than that is told, degrees C (reference hazard 8)."""
LOW_SHARE: Final = 0.1
"""Of the supply's range, from either end, that is told, V per V."""
WATCHDOG_TOLERANCE_S: Final = 0.011
"""Half a count of a Dynamixel's bus watchdog (20 ms), s."""
ROWS: Final = (
    *("motor ids", "motor models", "motor firmware", "motor settings", "torque"),
    *("supply voltage", "motor temperatures", "hardware errors", "watchdog"),
)


@dataclass(frozen=True, slots=True)
class MotorBounds:
    """What the robot file says of the motors."""

    voltage_v: tuple[float, float]
    temperature_c: float
    watchdog_s: float
    model: str | None = None
    """None: the robot file leaves it open, but all must be of one."""


def motor_rows(found: Sequence[MotorCondition], bounds: MotorBounds) -> tuple[Row, ...]:
    """Every row about motors, in the order of `ROWS`."""
    voltage, warmth = _voltage(found, bounds), _warmth(found, bounds)
    return (
        _ids(found),
        _models(found, bounds.model),
        _firmware(found),
        _settings(found),
        _torque(found),
        voltage,
        warmth,
        _errors(found),
        _watchdog(found, bounds.watchdog_s),
    )


def not_looked_at(why: str) -> tuple[Row, ...]:
    """Every row about motors when nobody could be asked; unknown is red."""
    return tuple(
        judged(name, Level.RED, f"not known: {why}", "every motor answers", "mend that first")
        for name in ROWS
    )


def _ids(found: Sequence[MotorCondition]) -> Row:
    silent = [f"{motor.joint} (id {motor.id})" for motor in found if motor.model is None]
    valid = f"all {len(found)} motors of the robot file"
    remedy = "check power, wiring and baud rate, and the ids in the robot file"
    if silent:
        return judged(ROWS[0], Level.RED, f"no answer from {', '.join(silent)}", valid, remedy)
    ids = ", ".join(str(motor.id) for motor in found)
    return judged(ROWS[0], Level.GREEN, f"{len(found)} answer: {ids}", valid, "")


def _models(found: Sequence[MotorCondition], wanted: str | None) -> Row:
    valid = "all of one model" if wanted is None else f"all {wanted}"
    models = _grouped(found, lambda motor: motor.model or "no answer")
    ok = len(models) == 1 and "no answer" not in models
    ok = ok and (wanted is None or wanted in models)
    level = Level.GREEN if ok else Level.RED
    return judged(ROWS[1], level, _told(models), valid, "fit that model, or correct the robot file")


def _firmware(found: Sequence[MotorCondition]) -> Row:
    versions = _grouped(found, lambda motor: motor.firmware or "no answer")
    valid = "one version for all, with a watchdog"
    old = [f"{motor.joint}: {motor.outdated}" for motor in found if motor.outdated]
    remedy = "update the firmware with the maker's tool"
    if "no answer" in versions or old:
        return judged(ROWS[2], Level.RED, "; ".join(old) or _told(versions), valid, remedy)
    level = Level.GREEN if len(versions) == 1 else Level.AMBER
    return judged(ROWS[2], level, _told(versions), valid, remedy)


def _settings(found: Sequence[MotorCondition]) -> Row:
    wrong: dict[str, list[str]] = {}
    for motor in found:
        for text in motor.settings:
            wrong.setdefault(text, []).append(motor.joint)
    valid, remedy = "as the robot file says", "set them with the maker's tool, or correct the file"
    unread = [motor.joint for motor in found if motor.model is None or motor.problem]
    if unread:
        return _red(ROWS[3], f"not read: {', '.join(unread)}", valid, remedy)
    if wrong:
        return _red(ROWS[3], _told(wrong), valid, remedy)
    return judged(ROWS[3], Level.GREEN, "as the robot file says", valid, "")


def _torque(found: Sequence[MotorCondition]) -> Row:
    valid, remedy = "off, read back from every motor", "robosac estop"
    driving = [motor.joint for motor in found if motor.torque_on]
    unknown = [motor.joint for motor in found if motor.torque_on is None]
    if driving:
        return _red(ROWS[4], f"on: {', '.join(driving)}", valid, remedy)
    if unknown:
        return _red(ROWS[4], f"not read: {', '.join(unknown)}", valid, remedy)
    return judged(ROWS[4], Level.GREEN, "off", valid, "")


def _voltage(found: Sequence[MotorCondition], bounds: MotorBounds) -> Row:
    low, high = bounds.voltage_v
    valid, remedy = f"{low:g} to {high:g} V", "charge or change the supply, and check its cable"
    unread = [motor.joint for motor in found if not math.isfinite(motor.voltage_v)]
    if unread or not found:
        return _red(ROWS[5], f"not read: {', '.join(unread)}", valid, remedy)
    least = min(found, key=lambda motor: motor.voltage_v)
    most = max(found, key=lambda motor: motor.voltage_v)
    margin = LOW_SHARE * (high - low)
    level = Level.GREEN
    if least.voltage_v < low + margin or most.voltage_v > high - margin:
        level = Level.AMBER
    if least.voltage_v < low or most.voltage_v > high:
        level = Level.RED
    told = f"{least.voltage_v:.1f} V ({least.joint}) to {most.voltage_v:.1f} V ({most.joint})"
    return judged(ROWS[5], level, told, valid, remedy)


def _warmth(found: Sequence[MotorCondition], bounds: MotorBounds) -> Row:
    limit = bounds.temperature_c
    valid, remedy = f"below {limit:g} degrees C", "let it cool, and look why it is warm"
    unread = [motor.joint for motor in found if not math.isfinite(motor.temperature_c)]
    if unread or not found:
        return _red(ROWS[6], f"not read: {', '.join(unread)}", valid, remedy)
    warmest = max(found, key=lambda motor: motor.temperature_c)
    level = Level.AMBER if warmest.temperature_c >= limit - WARM_MARGIN_C else Level.GREEN
    if not warmest.temperature_c < limit:
        level = Level.RED
    told = f"up to {warmest.temperature_c:.0f} degrees C ({warmest.joint})"
    return judged(ROWS[6], level, told, valid, remedy)


def _errors(found: Sequence[MotorCondition]) -> Row:
    valid, remedy = "none", "mend its cause; arming then clears it"
    told = [f"{motor.joint}: {motor.error}" for motor in found if motor.error]
    told += [f"{motor.joint}: {motor.problem}" for motor in found if motor.problem]
    told += [f"{motor.joint}: no answer" for motor in found if motor.model is None]
    stopped = [motor.joint for motor in found if motor.tripped]
    level = Level.AMBER if stopped else Level.GREEN
    if told or not found:
        level = Level.RED
    if stopped:
        told.append(f"stopped by their own watchdogs: {', '.join(stopped)}")
    return judged(ROWS[7], level, "; ".join(told) or "none", valid, remedy)


def _watchdog(found: Sequence[MotorCondition], wanted_s: float) -> Row:
    valid = f"{wanted_s:g} s, read back from every motor"
    remedy = "set servo.default_timeout_s (moteus), or update the firmware (Dynamixel)"
    wrong = [
        f"{motor.joint}: {motor.unwatched or _seconds(motor.watchdog_s)}"
        for motor in found
        if not abs(motor.watchdog_s - wanted_s) <= WATCHDOG_TOLERANCE_S
    ]
    if wrong or not found:
        return _red(ROWS[8], "; ".join(wrong) or "no motors", valid, remedy)
    longest = max(motor.watchdog_s for motor in found)
    return judged(ROWS[8], Level.GREEN, f"takes {longest:g} s on all", valid, "")


def _seconds(value: float) -> str:
    return "not armed" if math.isnan(value) else f"{value:g} s"


def _grouped(
    found: Sequence[MotorCondition], key: Callable[[MotorCondition], str]
) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for motor in found:
        groups.setdefault(key(motor), []).append(motor.joint)
    return groups


def _told(groups: dict[str, list[str]]) -> str:
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in groups.items())


def _red(name: str, found: str, valid: str, remedy: str) -> Row:
    return judged(name, Level.RED, found, valid, remedy)
