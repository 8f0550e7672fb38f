"""One exchange with the robot as one row of numbers, and back again to the bit.

A row holds what the limiter and the monitor were given, what they remembered, and what they said,
so that the tick can be decided again from the row and the one before it.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from robosac.course import Past
from robosac.hal import (
    Drive,
    JointState,
    RobotState,
)
from robosac.recovery import Recovery
from robosac.safety import is_vector
from robosac.states import SafetyState
from robosac.ticks import Decision, Tick
from robosac.watch import Reaction, WatchMemory

Rows = NDArray[np.void]
"""Records of `row_type`, shape (T,)."""

STATES: Final = tuple(SafetyState)
DRIVES: Final = tuple(Drive)
REACTIONS: Final = tuple(Reaction)
_STATE_CODE: Final = {state: code for code, state in enumerate(STATES)}
_DRIVE_CODE: Final = {drive: code for code, drive in enumerate(DRIVES)}
COMMAND: Final = ("position", "velocity", "torque", "stiffness", "damping", "max_torque")
JOINTS: Final = {
    field.name: "joints.heard" if field.name == "time" else f"joints.{field.name}"
    for field in fields(JointState)
}
"""Columns of the joints' values; every message has a time of its own."""
RECOVERY: Final = ("lower", "upper", "watched_lower", "watched_upper", "velocity", "torque")
"""What a recovery bounds otherwise; see `robosac.recovery.Recovery.of`."""
TRACKER: Final = ("x", "y", "yaw", "forward_velocity")


class Kind(enum.IntEnum):
    """What a request was."""

    NONE = 0
    VECTOR = 1
    """Floating-point numbers, one for each joint."""
    MALFORMED = 2
    """Anything else; the limiter rejects it whatever it is."""


PAST, WATCH = "limiter.", "monitor.watch_"
"""What the columns of the limiter's and the monitor's memory begin with."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value inside something that is remembered from tick to tick."""

    column: str
    path: str
    """Attributes that lead to it, with dots between."""
    value: NDArray[Any]
    """Before the first tick; also what a file is read with that does not have it yet."""


def leaves(joints: int) -> list[Leaf]:
    """Every value that limiter and monitor remember. What is None at first is only a shortcut."""
    return [
        *_leaves(Past.fresh(joints), PAST, ""),
        *_leaves(WatchMemory.fresh(joints), WATCH, ""),
    ]


def _leaves(part: Any, prefix: str, path: str) -> Iterator[Leaf]:
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}_", f"{path}{field.name}.")
        elif value is not None:
            yield Leaf(prefix + field.name, path + field.name, np.asarray(value))


def row_type(joints: int) -> np.dtype[np.void]:
    """Columns are called CHANNEL.FIELD; vectors over the joints have shape (joints,)."""
    n = (joints,)
    columns: list[tuple[Any, ...]] = [
        ("timing.sequence", "<i8"),
        ("timing.time", "<f8"),
        ("timing.dt", "<f8"),
        ("timing.lateness", "<f8"),
        ("timing.ended", "<f8"),
        ("safety.before", "|u1"),
        ("safety.after", "|u1"),
        ("safety.reasons", "<u4"),
    ]
    unheard = JointState.unheard(joints)
    columns += [(name, getattr(unheard, field).dtype, n) for field, name in JOINTS.items()]
    columns += [
        ("imu.present", "|b1"),
        ("imu.sampled", "<f8"),
        ("imu.orientation", "<f8", (4,)),
        ("imu.angular_velocity", "<f8", (3,)),
        ("imu.acceleration", "<f8", (3,)),
        ("tracker.present", "|b1"),
        ("tracker.sampled", "<f8"),
        *((f"tracker.{name}", "<f8") for name in TRACKER),
        ("command.drive", "|u1"),
        *((f"command.{name}", "<f8", n) for name in COMMAND),
        ("command.freeing", "|b1"),
        ("command.free", "|b1", n),
        ("command.asked", "|b1"),
        ("command.requested_kind", "|u1"),
        ("command.requested", "<f8", n),
        ("command.target_kind", "|u1"),
        ("command.target", "<f8", n),
        ("recovery.present", "|b1"),
        *((f"recovery.{name}", "<f8", n) for name in RECOVERY),
        ("recovery.tilt", "<f8"),
        ("limiter.decided", "|b1"),
        ("limiter.velocity", "<f8", n),
        ("limiter.codes", "|u1", n),
        ("limiter.reasons", "<u4"),
    ]
    columns += [(leaf.column, leaf.value.dtype, leaf.value.shape) for leaf in leaves(joints)]
    columns += [
        ("monitor.judged", "|b1"),
        ("monitor.reaction", "|u1"),
        ("monitor.reasons", "<u4"),
    ]
    return np.dtype(columns)


class RowWriter:
    """Fills rows in place; views of the columns are made once, for that is what takes time.

    Args:
        rows: of `row_type`.
        joints: n.
    """

    def __init__(self, rows: Rows, joints: int) -> None:
        self._shape = (joints,)
        column = {name: rows[name] for name in rows.dtype.names or ()}
        self._column = column
        self._joints = [(column[name], field) for field, name in JOINTS.items()]
        self._command = [(column[f"command.{name}"], name) for name in COMMAND]
        self._tracker = [(column[f"tracker.{name}"], name) for name in TRACKER]
        self._past, self._watch = (
            [
                (column[leaf.column], operator.attrgetter(leaf.path))
                for leaf in leaves(joints)
                if leaf.column.startswith(prefix)
            ]
            for prefix in (PAST, WATCH)
        )

    def fill(self, row: int, sequence: int, tick: Tick, decision: Decision) -> None:
        """Write one tick into `row`; what does not apply keeps an older value behind its flag."""
        column, grounds, state = self._column, decision.grounds, tick.state
        column["timing.sequence"][row] = sequence
        column["timing.time"][row] = tick.time
        column["timing.dt"][row] = grounds.dt
        column["timing.lateness"][row] = tick.lateness
        column["timing.ended"][row] = state.time
        column["safety.before"][row] = _STATE_CODE[grounds.before]
        column["safety.after"][row] = _STATE_CODE[tick.safety]
        column["safety.reasons"][row] = tick.reasons.value
        for view, name in self._joints:
            view[row] = getattr(state.joints, name)
        self._fill_body(row, state)
        self._fill_command(row, tick, decision)
        for view, value_of in self._past:
            view[row] = value_of(grounds.past)
        for view, value_of in self._watch:
            view[row] = value_of(grounds.watch)
        self._fill_recovery(row, grounds.recovery)
        limited, findings = decision.limited, decision.findings
        column["limiter.decided"][row] = limited is not None
        if limited is not None:
            column["limiter.velocity"][row] = limited.velocity
            column["limiter.codes"][row] = limited.codes
            column["limiter.reasons"][row] = limited.reasons.value
        column["monitor.judged"][row] = decision.command.drive is not Drive.STOP
        column["monitor.reaction"][row] = findings.reaction.value
        column["monitor.reasons"][row] = findings.reasons.value

    def _fill_body(self, row: int, state: RobotState) -> None:
        column, imu, tracker = self._column, state.imu, state.tracker
        column["imu.present"][row] = imu is not None
        if imu is not None:
            column["imu.sampled"][row] = imu.time
            column["imu.orientation"][row] = imu.orientation
            column["imu.angular_velocity"][row] = imu.angular_velocity
            column["imu.acceleration"][row] = imu.acceleration
        column["tracker.present"][row] = tracker is not None
        if tracker is not None:
            column["tracker.sampled"][row] = tracker.time
            for view, name in self._tracker:
                view[row] = getattr(tracker, name)

    def _fill_recovery(self, row: int, recovery: Recovery | None) -> None:
        column = self._column
        column["recovery.present"][row] = recovery is not None
        if recovery is not None:
            limits = recovery.watched
            column["recovery.lower"][row] = recovery.commanded.limits.lower
            column["recovery.upper"][row] = recovery.commanded.limits.upper
            column["recovery.watched_lower"][row] = limits.lower
            column["recovery.watched_upper"][row] = limits.upper
            column["recovery.velocity"][row] = limits.velocity
            column["recovery.torque"][row] = limits.torque
            column["recovery.tilt"][row] = limits.tilt

    def _fill_command(self, row: int, tick: Tick, decision: Decision) -> None:
        column, command = self._column, decision.command
        column["command.drive"][row] = _DRIVE_CODE[command.drive]
        for view, name in self._command:
            view[row] = getattr(command, name)
        column["command.freeing"][row] = command.free is not None
        if command.free is not None:
            column["command.free"][row] = command.free
        column["command.asked"][row] = decision.asked
        for what, value in (("requested", tick.requested), ("target", tick.target)):
            kind = self.kind(value) if decision.asked else Kind.NONE
            column[f"command.{what}_kind"][row] = kind
            if kind is Kind.VECTOR:
                column[f"command.{what}"][row] = value

    def kind(self, request: object) -> Kind:
        """What the limiter would take `request` for."""
        return Kind.VECTOR if is_vector(request, self._shape) else Kind.MALFORMED
