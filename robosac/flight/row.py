"""A recorded row, read back into what the executor had."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from robosac.course import Past
from robosac.flight.rows import (
    COMMAND,
    DRIVES,
    JOINTS,
    PAST,
    RECOVERY,
    STATES,
    TRACKER,
    WATCH,
    Kind,
)
from robosac.hal import (
    BoolArray,
    Fault,
    ImuSample,
    JointCommand,
    JointState,
    RobotState,
    TrackerSample,
)
from robosac.recovery import Recovery
from robosac.safety import Envelope
from robosac.states import SafetyState
from robosac.watch import WatchMemory


class Row:
    """Reads one record back into what the executor had.

    Args:
        record: one element of rows.
        malformed: stands for a request that was no vector.
    """

    def __init__(self, record: np.void, malformed: object = None) -> None:
        self._record, self._malformed = record, malformed

    def __getitem__(self, column: str) -> Any:
        return self._record[column]

    @property
    def sequence(self) -> int:
        """Counts the recorded exchanges."""
        return int(self["timing.sequence"])

    @property
    def time(self) -> float:
        """Clock time of the command, s."""
        return float(self["timing.time"])

    @property
    def before(self) -> SafetyState:
        """State when the command was chosen."""
        return STATES[self["safety.before"]]

    @property
    def joints(self) -> JointState:
        """The joints after the exchange."""
        return JointState(*(self[name].copy() for name in JOINTS.values()))

    def state(self, faults: tuple[Fault, ...] = ()) -> RobotState:
        """The robot after the exchange, which told of `faults`; without pictures."""
        imu = tracker = None
        if self["imu.present"]:
            names = ("orientation", "angular_velocity", "acceleration")
            values = (self[f"imu.{name}"].copy() for name in names)
            imu = ImuSample(float(self["imu.sampled"]), *values)
        if self["tracker.present"]:
            values = (float(self[f"tracker.{name}"]) for name in TRACKER)
            tracker = TrackerSample(float(self["tracker.sampled"]), *values)
        return RobotState(float(self["timing.ended"]), self.joints, imu, tracker, faults)

    @property
    def free(self) -> BoolArray | None:
        """Joints that were let go."""
        return self["command.free"].copy() if self["command.freeing"] else None

    @property
    def command(self) -> JointCommand:
        """What was sent."""
        values = {name: self[f"command.{name}"].copy() for name in COMMAND}
        return JointCommand(DRIVES[self["command.drive"]], **values, free=self.free)

    @property
    def target(self) -> object:
        """What was handed to the limiter."""
        kind = Kind(self["command.target_kind"])
        return self["command.target"].copy() if kind is Kind.VECTOR else self._malformed

    @property
    def past(self) -> Past:
        """What the limiter remembered."""
        past: Past = self._rebuilt(Past.fresh(self._count), PAST)
        if np.all(past.memory.tracking):
            past = replace(past, memory=replace(past.memory, tracking=True))
        return replace(past, free=self.free)

    @property
    def watch(self) -> WatchMemory:
        """What the monitor remembered."""
        return self._rebuilt(WatchMemory.fresh(self._count), WATCH)

    def recovery(self, own: Envelope) -> Recovery | None:
        """The bounds in force; None: the robot's `own`. Raises ValueError: they cannot be."""
        if not self["recovery.present"]:
            return None
        values = {name: self[f"recovery.{name}"].copy() for name in RECOVERY}
        return Recovery.of(own, tilt=float(self["recovery.tilt"]), **values)

    @property
    def _count(self) -> int:
        """Of joints."""
        return len(self["command.position"])

    def _rebuilt(self, template: Any, prefix: str) -> Any:
        """`template` with the values of this row."""
        found: dict[str, Any] = {}
        for field in fields(template):
            value = getattr(template, field.name)
            if is_dataclass(value):
                found[field.name] = self._rebuilt(value, f"{prefix}{field.name}_")
            elif value is not None:
                recorded = self[prefix + field.name]
                found[field.name] = recorded.copy() if recorded.ndim else recorded.item()
                if isinstance(value, tuple):
                    found[field.name] = tuple(recorded.tolist())
        return replace(template, **found)
