"""What servos are asked in turn, one by one: torque, watchdog, hardware error, supply. No I/O.

A sync write is not answered, so a servo whose watchdog tripped or whose torque went off ignores
goals without a word; these registers tell. Every question covers whole registers without a gap
between them, and each kind has another length, so that no answer passes for that to another.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.constants import WATCHDOG_TRIPPED, HardwareError
from drivers.dynamixel.instructions import read

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Scalar = TypeVar("Scalar", np.float64, np.int64)


class Topic(enum.Enum):
    """What a question is about: address and size."""

    WATCHDOG = (98, 1)
    TORQUE = (64, 2)
    """With led."""
    HARDWARE = (68, 3)
    """With status_return_level and registered_instruction before it."""
    STATE = (64, 35)
    """Torque, hardware error and watchdog at once, from torque_enable to bus_watchdog."""
    SUPPLY = (140, 7)
    """Voltage and temperature, with position_trajectory before them."""


ROUND: Final = (
    *(Topic.WATCHDOG, Topic.TORQUE, Topic.SUPPLY),
    *(Topic.WATCHDOG, Topic.TORQUE, Topic.HARDWARE, Topic.SUPPLY),
)
"""Each topic is put to all servos before the next. A new alert goes before all of them, so that the
hardware error is least in need of a turn."""
STATE_PARTS: Final = (
    *((Topic.TORQUE, slice(0, 2)), (Topic.HARDWARE, slice(4, 7)), (Topic.WATCHDOG, slice(34, 35))),
)
"""Where the answers to other questions are in that about the state."""
UNKNOWN: Final = -2
"""In the integer arrays: not heard yet."""

_HARDWARE_ERRORS = sum(HardwareError)
_VOLTAGE_MAX, _TEMPERATURE_MAX = 400, 150
_VOLTS_PER_COUNT = 0.1


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a row of servos last said when it was their turn.

    Every array has shape (n,) and cannot be written to; times are -inf where nothing was heard.
    """

    torque_enabled: IntArray
    """1, 0, or UNKNOWN."""
    torque_time: FloatArray
    """When that was asked for, s; what was answered is younger."""
    watchdog: IntArray
    """Counts of 20 ms, 0: off, WATCHDOG_TRIPPED (-1), or UNKNOWN."""
    watchdog_time: FloatArray
    hardware_error: IntArray
    """Bits of `constants.HardwareError`, or UNKNOWN."""
    hardware_error_time: FloatArray
    voltage_v: FloatArray
    """NaN: never."""
    temperature_c: FloatArray
    """Degrees C; NaN: never."""
    supply_time: FloatArray
    """When voltage and temperature were asked for, s."""


class Question(NamedTuple):
    """Whose turn it is, what it is sent, and how many bytes it must answer."""

    servo: int
    """Its place in every array."""
    topic: Topic
    packet: bytes
    size: int


class TelemetryRound:
    """Whose turn it is, and what was answered.

    Args:
        ids: the servos, in the order of every array.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self._questions = {
            topic: [
                Question(i, topic, read(id, *topic.value), topic.value[1])
                for i, id in enumerate(ids)
            ]
            for topic in Topic
        }
        self._round = [question for topic in ROUND for question in self._questions[topic]]
        self._next = 0
        self._urgent: list[Question] = []
        count = len(ids)
        never = _frozen(np.full(count, -math.inf, dtype=np.float64))
        none = _frozen(np.full(count, math.nan, dtype=np.float64))
        unknown = _frozen(np.full(count, UNKNOWN, dtype=np.int64))
        self._codes: dict[Topic, IntArray] = dict.fromkeys(
            (Topic.TORQUE, Topic.WATCHDOG, Topic.HARDWARE), unknown
        )
        self._times = dict.fromkeys(Topic, never)
        self._voltage = self._temperature = none

    @property
    def urgent(self) -> bool:
        """Whether somebody must be asked at once."""
        return bool(self._urgent)

    def hurry(self, servo: int, topic: Topic) -> None:
        """Ask the servo at place `servo` about `topic` before the others."""
        question = self._questions[topic][servo]
        if question not in self._urgent:
            self._urgent.append(question)

    def next(self) -> Question:
        """Whose turn it is now."""
        if self._urgent:
            return self._urgent.pop(0)
        question = self._round[self._next]
        self._next = (self._next + 1) % len(self._round)
        return question

    def code(self, servo: int, topic: Topic) -> int:
        """What the servo at place `servo` last said about torque, watchdog or hardware error."""
        return int(self._codes[topic][servo])

    def take(self, question: Question, data: bytes, at: float) -> bool:
        """Keep the answer to what was asked at `at` s; False: no servo can mean it."""
        servo, topic = question.servo, question.topic
        if topic is Topic.STATE:
            codes = {part: _code(part, data[place]) for part, place in STATE_PARTS}
            if None in codes.values():
                return False
            for part, code in codes.items():
                self._codes[part] = _with(self._codes[part], servo, code or 0)
                self._times[part] = _with(self._times[part], servo, at)
        elif topic is Topic.SUPPLY:
            voltage, temperature = int.from_bytes(data[4:6], "little"), data[6]
            if voltage > _VOLTAGE_MAX or temperature > _TEMPERATURE_MAX:
                return False
            self._voltage = _with(self._voltage, servo, voltage * _VOLTS_PER_COUNT)
            self._temperature = _with(self._temperature, servo, temperature)
        else:
            code = _code(topic, data)
            if code is None:
                return False
            self._codes[topic] = _with(self._codes[topic], servo, code)
        self._times[topic] = _with(self._times[topic], servo, at)
        return True

    def collect(self) -> Telemetry:
        """Everything known; it does not change any more."""
        codes, times = self._codes, self._times
        return Telemetry(
            torque_enabled=codes[Topic.TORQUE],
            torque_time=times[Topic.TORQUE],
            watchdog=codes[Topic.WATCHDOG],
            watchdog_time=times[Topic.WATCHDOG],
            hardware_error=codes[Topic.HARDWARE],
            hardware_error_time=times[Topic.HARDWARE],
            voltage_v=self._voltage,
            temperature_c=self._temperature,
            supply_time=times[Topic.SUPPLY],
        )


def _code(topic: Topic, data: bytes) -> int | None:
    """The register that a question is about; None: a value that it cannot have."""
    if topic is Topic.WATCHDOG:
        code = int.from_bytes(data, "little", signed=True)
        return code if code >= WATCHDOG_TRIPPED else None
    if topic is Topic.TORQUE:
        return data[0] if data[0] <= 1 else None
    return data[2] if not data[2] & ~_HARDWARE_ERRORS else None


def _with(array: NDArray[Scalar], place: int, value: float) -> NDArray[Scalar]:
    """A copy with one value changed."""
    copy = array.copy()
    copy[place] = value
    return _frozen(copy)


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array
