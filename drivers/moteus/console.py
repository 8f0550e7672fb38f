"""A controller's options over its text console: read, compare, change and save them.

`conf get NAME` is answered by the value alone, `conf set NAME VALUE` by OK, both by ERR and a
reason. An answer names no question, so before each question the console is polled until it is
empty; and after a lost reply a value counts only when two readings in a row agree.
Source: mjbots/moteus docs/protocol/diagnostic.md; mjbots/mjlib mjlib/micro/persistent_config.cc.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drivers.errors import BusTimeout, DeviceError, ProtocolError
from drivers.moteus.diagnostic import (
    LARGEST_WRITE,
    LineReader,
    check_name,
    encode_poll,
    encode_text,
    format_value,
    parse_chunk,
    parse_value,
)
from drivers.moteus.link import AdapterLink

ATTEMPTS: Final = 6
"""Tries of one question before the controller counts as silent."""
POLL_PAUSE_S: Final = 0.002
"""Between two polls that found nothing, s."""
ANSWER_POLLS: Final = 50
"""Empty polls before a question counts as not answered."""
SAVE_POLLS: Final = 1000
"""Likewise for `conf write`, which erases flash and stops answering meanwhile: two seconds."""
FLUSH_POLLS: Final = 400
"""A console that still has output after so many polls is not one: 19 kB."""

SAFETY_OPTIONS: Final = (
    "id.id",
    "servo.pid_position.kp",
    "servo.pid_position.kd",
    "servo.default_timeout_s",
    "servo.timeout_mode",
    "servo.timeout_max_torque_Nm",
    "servo.default_velocity_limit",
    "servo.default_accel_limit",
    "servo.max_current_A",
    "servo.voltage_mode_control",
    "servopos.position_min",
    "servopos.position_max",
    "motor.resistance_ohm",
    "motor.Kv",
)
"""The options that a robot's safety rests on; a robot says what each should be."""

_KV_TIMES_TORQUE_CONSTANT = 1.5 / math.sqrt(3.0) * 60.0 / (2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class Difference:
    """One option that is not what it should be."""

    key: str
    found: float | None
    """None: the controller's firmware has no such option."""
    wanted: float

    def __str__(self) -> str:
        found = "unknown to it" if self.found is None else f"{self.found:g}"
        return f"{self.key} is {found}, wanted {self.wanted:g}"


def motor_kv(torque_constant_nm_per_a: float) -> float:
    """The option motor.Kv (rpm/V) that makes the firmware reckon with a torque constant.

    Source: mjbots/moteus fw/bldc_servo.cc, kTorqueFactor.
    """
    return _KV_TIMES_TORQUE_CONSTANT / torque_constant_nm_per_a


def same(found: float, wanted: float) -> bool:
    """Equal as far as the console tells: it prints 32-bit floats with six decimals."""
    if math.isnan(found) or math.isnan(wanted):
        return math.isnan(found) and math.isnan(wanted)
    return math.isclose(found, wanted, rel_tol=1e-5, abs_tol=1e-6)


def differences(found: Mapping[str, float | None], wanted: Mapping[str, float]) -> list[Difference]:
    """Every wanted option that was found to be different, unknown, or was not read."""
    return [
        Difference(key, value, wish)
        for key, wish in wanted.items()
        if (value := found.get(key)) is None or not same(value, wish)
    ]


def get_option(link: AdapterLink, id: int, key: str) -> float | None:
    """One option's value; NaN is a value, None: the firmware has no such option.

    Raises:
        ValueError: not an option's name. BusTimeout: no answer. WireClosed: the port is gone.
    """
    line = f"conf get {check_name(key)}"
    previous: list[float | None] = []
    certain = True
    for _ in range(ATTEMPTS):
        answer = _ask(link, id, line, ANSWER_POLLS)
        try:
            value = None if answer is None else _value_of(answer)
        except ProtocolError:
            link.counters.corrupt += 1
            answer = value = None
        if answer is None:
            certain, previous = False, []
            continue
        if certain or (previous and _agree(previous[-1], value)):
            return value
        previous.append(value)
    raise BusTimeout(f"controller {id} does not tell {key} in {ATTEMPTS} tries")


def set_option(link: AdapterLink, id: int, key: str, value: float) -> None:
    """Change one option in the controller's memory and read it back.

    Raises:
        ValueError: not an option's name or value.
        DeviceError: the controller refuses, or reads back another value.
        BusTimeout: no answer. WireClosed: the port is gone.
    """
    _order(link, id, f"conf set {check_name(key)} {format_value(value)}", ANSWER_POLLS)
    found = get_option(link, id, key)
    if found is None or not same(found, value):
        raise DeviceError(f"controller {id}: {Difference(key, found, value)} after it was set")


def save(link: AdapterLink, id: int) -> None:
    """Write every option to the controller's flash.

    Raises:
        DeviceError: it refuses. BusTimeout: no answer. WireClosed: the port is gone.
    """
    _order(link, id, "conf write", SAVE_POLLS)


def _order(link: AdapterLink, id: int, line: str, polls: int) -> None:
    """Send a line that is answered by OK; repeating it does no harm."""
    for _ in range(ATTEMPTS):
        answer = _ask(link, id, line, polls)
        if answer == "OK":
            return
        if answer is not None and answer.startswith("ERR"):
            raise DeviceError(f"controller {id} refuses {line!r}: {answer}")
    raise BusTimeout(f"controller {id} does not confirm {line!r} in {ATTEMPTS} tries")


def _value_of(answer: str) -> float | None:
    if answer.startswith("ERR") and ("error reading" in answer or "unknown group" in answer):
        return None
    return parse_value(answer)


def _agree(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return same(first, second)


def _ask(link: AdapterLink, id: int, line: str, polls: int) -> str | None:
    """The first line of the console's answer to a line; None: none, or a reply was lost."""
    if not _flush(link, id):
        return None
    text = line.encode("ascii") + b"\n"
    reader = LineReader()
    queries = [
        encode_text(text[at : at + LARGEST_WRITE]) for at in range(0, len(text), LARGEST_WRITE)
    ]
    empty = 0
    while empty < polls:
        data = _chunk(link, id, queries.pop(0) if queries else encode_poll())
        if data is None:
            return None
        if lines := reader.feed(data):
            return lines[0]
        if not data and not queries:
            empty += 1
            link.rest(POLL_PAUSE_S)
    return None


def _flush(link: AdapterLink, id: int) -> bool:
    """Take old output off the console; False: a reply was lost, or there was no end to it."""
    for _ in range(FLUSH_POLLS):
        data = _chunk(link, id, encode_poll())
        if not data:
            return data is not None
    return False


def _chunk(link: AdapterLink, id: int, query: bytes) -> bytes | None:
    """The output in the reply to one frame; None: no such reply."""
    frame = link.try_ask(id, query)
    if frame is None:
        return None
    try:
        return parse_chunk(frame).data
    except ProtocolError:
        link.counters.corrupt += 1
        link.missed()
        return None
