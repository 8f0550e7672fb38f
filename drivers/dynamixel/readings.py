"""What a row of servos says in a tick: layout of the replies, plausibility, and arrays. No I/O.

Protocol 2.0 has no sequence numbers. So consecutive ticks read a different number of bytes, always
whole registers around effort, velocity and position: a reply that comes too late has another length
than the one that is waited for, and is known by it. One that is even later, when that length is
used again, is known by the servo's own clock (`drivers.dynamixel.servo_clocks`), which every answer
tells: one that stands still is seen in the very next exchange.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.control_table import ControlTable
from drivers.dynamixel.telemetry import Telemetry

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """One way of reading the clock (120), and effort, velocity and position (126 to 135)."""

    address: int
    size: int

    @property
    def offset(self) -> int:
        """Where effort begins in an answer."""
        return _EFFORT - self.address

    @property
    def tick_at(self) -> int:
        """Where realtime_tick is in an answer."""
        return _TICK - self.address

    def counts(self, data: bytes) -> tuple[int, int, int]:
        """Effort, velocity and position counts in an answer of the right size."""
        return _VALUES.unpack_from(data, self.offset)

    def tick(self, data: bytes) -> float:
        """The servo's clock in an answer of the right size, ms."""
        at = self.tick_at
        return data[at] | data[at + 1] << 8


_TICK: Final = 120
_EFFORT: Final = 126
_VALUES: Final = struct.Struct("<hii")
# From realtime_tick (120) or goal_position (116) on, to the end of position (135),
# velocity_trajectory (139), position_trajectory (143), voltage (145) or temperature (146).
WINDOWS: Final = (
    *(Window(120, 16), Window(120, 20), Window(120, 24), Window(120, 26), Window(120, 27)),
    *(Window(116, 28), Window(116, 30), Window(116, 31)),
)
"""All have different sizes."""
USUAL_WINDOWS: Final = 2
"""So many, the shortest, are used in turn while nothing is missed and so nothing can come late."""

SPEED_MAX_RAD_S: Final = 25.0
"""Faster is not believed; the fastest X430 does 10 rad/s, the register ends at 24.5."""
SLACK_RAD: Final = 0.05
"""A position may differ by so much however soon the next reply comes, rad."""
EFFORT_FACTOR: Final = 2.0
"""Of the highest current limit, resp. of full load; more is not believed."""


@dataclass(frozen=True, slots=True)
class DynamixelReadings:
    """What a row of servos last said; every array has shape (n,).

    The values of a servo that did not answer this time keep their old `time`; they are NaN while it
    has never answered.
    """

    time: FloatArray
    """When position, velocity and effort arrived, s; -inf: never."""
    valid: NDArray[np.bool_]
    """True where the servo answered, plausibly, in this exchange."""
    position_rad: FloatArray
    """The servo's own angle, rad: 0 to 2 pi is the first turn."""
    velocity_rad_s: FloatArray
    """rad/s"""
    effort: FloatArray
    """Current in A; of models without a current sensor, load as a share of the most."""
    torque_nm: FloatArray
    """Current times the model's torque constant, N m; NaN without a current sensor."""
    alert: NDArray[np.bool_]
    """The servo's last answer said that it has a hardware error."""
    error: NDArray[np.int64]
    """`constants.StatusError` of the servo's last answer."""
    holding: NDArray[np.bool_]
    """The servo has said, since its torque was last switched, that torque is on and its watchdog
    armed, and nothing that it said since then is against it. Cannot be written to."""
    free: NDArray[np.bool_]
    """The same of torque that is off."""
    clinging: NDArray[np.bool_]
    """The servo was told to let go and keeps saying that its torque is on. Cannot be written to."""
    jumped: NDArray[np.bool_]
    """The servo answered in this exchange, in order, with a position that no servo can have come to
    since its last: its turns or its encoder are lost. The reading is not kept."""
    old: NDArray[np.bool_]
    """The servo answered in this exchange, in order, with values that by its own clock are not of
    now. They are not kept."""
    telemetry: Telemetry
    """What is asked in turn, with a time for each value."""


class ReadingStore:
    """The last plausible readings of servos that are the models `tables`.

    Attributes:
        alerts: whether each servo's last answer said that it has a hardware error.
        errors: `constants.StatusError` of each servo's last answer.
    """

    def __init__(self, tables: Sequence[ControlTable]) -> None:
        count = len(tables)
        names = [(table.effort, "present_velocity", "present_position") for table in tables]
        self._scale = np.array(
            [[table[name].scale for name in row] for table, row in zip(tables, names, strict=True)]
        ).T.copy()
        self._torque_constant = np.array([table.torque_constant_nm_a for table in tables])
        self._most = np.full((3, count), math.inf)
        self._most[0] = [EFFORT_FACTOR * _full_effort(table) for table in tables]
        self._most[1] = SPEED_MAX_RAD_S / self._scale[1]
        self._counts_per_s = SPEED_MAX_RAD_S / self._scale[2]
        self._slack = SLACK_RAD / self._scale[2]
        self._counts = np.full((3, count), math.nan)
        self._times = np.full(count, -math.inf)
        self._asked = np.full(count, -math.inf)
        self.alerts = np.zeros(count, dtype=np.bool_)
        self.errors = np.zeros(count, dtype=np.int64)
        self._jumped, self._old = np.zeros((2, count), dtype=np.bool_)

    def accept(
        self, counts: FloatArray, times: FloatArray, fresh: NDArray[np.bool_], asked: float
    ) -> NDArray[np.bool_]:
        """Keep what is `fresh` and what servos can mean; where that is, shape (n,).

        Args:
            counts: effort, velocity and position, shape (3, n); NaN where nothing was heard.
            times: when each servo's answer arrived, s; NaN where none did.
            fresh: whose is not old.
            asked: when all were asked, s. A reading may have been taken so early: only what no
                servo can have done since the last was asked for is a jump, however we stall.
        """
        self._old = ~(np.isnan(times) | fresh)
        reach = times - self._times
        reach *= self._counts_per_s
        reach += self._slack
        # Comparisons with NaN are false: nothing heard is not kept, a first position not refused.
        kept = np.logical_and.reduce(np.abs(counts) <= self._most)
        kept &= fresh
        moved = np.abs(counts[2] - self._counts[2])
        kept &= ~(moved > reach)
        self._jumped = fresh & (moved > (times - self._asked) * self._counts_per_s + self._slack)
        np.copyto(self._counts, counts, where=kept)
        np.copyto(self._times, times, where=kept)
        np.copyto(self._asked, asked, where=kept)
        return kept

    def forget(self, index: int) -> None:
        """Believe the next position of servo `index` wherever: it may count from elsewhere."""
        self._counts[:, index] = math.nan
        self._times[index] = self._asked[index] = -math.inf

    def collect(
        self,
        valid: NDArray[np.bool_],
        holding: NDArray[np.bool_],
        free: NDArray[np.bool_],
        clinging: NDArray[np.bool_],
        telemetry: Telemetry,
    ) -> DynamixelReadings:
        """Fresh arrays of everything known; what is wrong with an answer is told once."""
        jumped, old = self._jumped, self._old
        self._jumped, self._old = np.zeros((2, len(valid)), dtype=np.bool_)
        effort, velocity, position = self._counts * self._scale
        return DynamixelReadings(
            time=self._times.copy(),
            valid=valid,
            position_rad=position,
            velocity_rad_s=velocity,
            effort=effort,
            torque_nm=effort * self._torque_constant,
            alert=self.alerts.copy(),
            error=self.errors.copy(),
            holding=holding,
            free=free,
            clinging=clinging,
            jumped=jumped,
            old=old,
            telemetry=telemetry,
        )


def never_heard(count: int, telemetry: Telemetry) -> DynamixelReadings:
    """The readings of `count` servos before anything is known of them."""
    unknown = np.full((4, count), math.nan)
    no = np.zeros(count, dtype=np.bool_)
    return DynamixelReadings(
        time=np.full(count, -math.inf),
        valid=np.zeros(count, dtype=np.bool_),
        position_rad=unknown[0],
        velocity_rad_s=unknown[1],
        effort=unknown[2],
        torque_nm=unknown[3],
        alert=np.zeros(count, dtype=np.bool_),
        error=np.zeros(count, dtype=np.int64),
        holding=no,
        free=no,
        clinging=no,
        jumped=no,
        old=no,
        telemetry=telemetry,
    )


def _full_effort(table: ControlTable) -> float:
    """The most counts of current that may be set as a limit, or of load."""
    name = "current_limit" if "current_limit" in table else table.effort
    return float(table[name].bounds()[1])
