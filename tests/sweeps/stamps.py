"""Readings that carry their own proof: when they were taken, by whom, and that nothing changed.

Position is the time in units of 0.1 ms, so that it moves at 15.3 rad/s, which a driver must
believe; the last two digits of the microseconds are in the effort; the rest of it and the velocity
are a keyed hash of id and time. Servos are turns apart: nothing else tells whose reading it is when
an id was exchanged under a right checksum.
"""

from __future__ import annotations

import enum
import hashlib
import struct
import time
from typing import NamedTuple

IDS = (1, 2, 3)
MODEL = 1020
_TURNS_APART = 2 * 4096
_TICK_APART = 5000
_KEY = b"stamped servos"
_US_PER_COUNT, _EFFORTS, _VELOCITIES = 100, 23, 2001
_VOLTAGES, _TEMPERATURES = 400, 150
_PRESENT = struct.Struct("<HBBhhiiiiHB")
PRESENT = slice(120, 120 + _PRESENT.size)
"""Where realtime_tick to present_temperature lie in the control table."""


class Verdict(enum.Enum):
    """What a reading that a client calls good is."""

    TRUE = "true"
    STALE = "stale"
    """Taken before this exchange asked."""
    WRONG = "wrong"
    """Nobody's, or another servo's."""


class Reading(NamedTuple):
    """What a client calls a good reading of servo `id`, in counts."""

    id: int
    effort: int
    velocity: int
    position: int


def now_us() -> int:
    """The clock that both ends share, us."""
    return time.monotonic_ns() // 1000


def present(id: int, us: int) -> bytes:
    """The present values of servo `id`, `us` after the epoch: registers 120 to 146."""
    effort, velocity = _proof(id, us)
    position = us // _US_PER_COUNT
    tick = (us // 1000 + _TICK_APART * id) & 0x7FFF
    voltage, temperature = supply(id, us)
    place = position + _TURNS_APART * id
    return _PRESENT.pack(tick, 0, 0, 0, effort, velocity, place, 0, position, voltage, temperature)


def judge(reading: Reading, asked_us: int) -> Verdict:
    """What a reading is, in an exchange that asked `asked_us` after the epoch."""
    us = (reading.position - _TURNS_APART * reading.id) * _US_PER_COUNT
    us += reading.effort % _US_PER_COUNT
    if us < 0 or (reading.effort, reading.velocity) != _proof(reading.id, us):
        return Verdict.WRONG
    return Verdict.STALE if us < asked_us else Verdict.TRUE


def supply(id: int, us: int) -> tuple[int, int]:
    """Voltage and temperature of servo `id`: the time, and a hash of both."""
    voltage = us // 1000 % _VOLTAGES
    return voltage, _hash(id, voltage) % _TEMPERATURES


def judge_supply(id: int, voltage: int, temperature: int, asked_us: int, us: int) -> Verdict:
    """What a servo's voltage and temperature, asked for after `asked_us`, are at `us`."""
    if temperature != _hash(id, voltage) % _TEMPERATURES:
        return Verdict.WRONG
    age_ms = (us // 1000 - voltage) % _VOLTAGES
    return Verdict.STALE if age_ms > us // 1000 - asked_us // 1000 else Verdict.TRUE


def _proof(id: int, us: int) -> tuple[int, int]:
    """Effort and velocity, in counts."""
    number = _hash(id, us)
    effort = us % _US_PER_COUNT + _US_PER_COUNT * (number % _EFFORTS)
    return effort, number // _EFFORTS % _VELOCITIES - _VELOCITIES // 2


def _hash(id: int, number: int) -> int:
    digest = hashlib.blake2b(struct.pack("<Bq", id, number), key=_KEY, digest_size=8).digest()
    return int.from_bytes(digest, "little")
