"""A tick of the executor as a record of fixed size, and back. Pure; no I/O, no clock."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from robosac.channel_layout import (
    DETAIL_BYTES,
    FAULTS,
    NAME_BYTES,
    fixed_text,
    tick_dtype,
)
from robosac.hal import (
    CameraView,
    Fault,
    FloatArray,
    Frame,
    Image,
    ImuSample,
    JointState,
    RobotState,
    TrackerSample,
)
from robosac.latch import LatchedFault
from robosac.reasons import Reason
from robosac.safety import is_vector
from robosac.states import SafetyState
from robosac.ticks import Tick

STATES: Final = tuple(SafetyState)
NOT_A_VECTOR: Final = "not a vector of the robot's joints"
"""What stands in for a goal of another shape or kind, which the limiter rejects whole."""
_LATCHED, _IN_TICK, _IN_STATE = 1, 2, 4
_JOINTS: Final = (
    ("heard", "time"),
    ("position", "position"),
    ("joint_velocity", "velocity"),
    ("torque", "torque"),
    ("temperature", "temperature"),
    ("voltage", "voltage"),
    ("power", "power"),
)


class GoalKind(enum.IntEnum):
    """What stands in a place for a goal."""

    NONE = 0
    VECTOR = 1
    OTHER = 2
    """Something the limiter rejects for its shape."""


def pack_goal(goal: object, joints: int) -> tuple[GoalKind, FloatArray]:
    """What kind of goal it is, and its vector, rad; zeros where it is none."""
    if goal is None:
        return GoalKind.NONE, np.zeros(joints)
    if is_vector(goal, (joints,)):
        return GoalKind.VECTOR, goal.astype(np.float64)
    return GoalKind.OTHER, np.zeros(joints)


def unpack_goal(kind: int, vector: FloatArray) -> object:
    """The goal again; `NOT_A_VECTOR` for what was none."""
    if kind == GoalKind.NONE:
        return None
    return vector if kind == GoalKind.VECTOR else NOT_A_VECTOR


@dataclass(frozen=True, slots=True)
class TickRecord:
    """A tick, and where it stands among requests, commands and pictures."""

    tick: Tick
    number: int
    """Counts ticks from 1."""
    request: int
    """Number of the newest request it knew of."""
    command: int
    """Number of the newest command answered before it."""
    commanded: FloatArray
    """`Executor.commanded_position` after it, rad."""
    latched: tuple[LatchedFault, ...]
    """Oldest first."""
    frame_number: int = 0
    """Number of the picture it shows; 0: none."""


def encode(record: TickRecord, joints: int) -> bytes:
    """The record of `tick_dtype(joints)`. Faults beyond its room are counted in its last one."""
    tick, state = record.tick, record.tick.state
    raw = np.zeros(1, dtype=tick_dtype(joints))
    row = raw[0]
    row["number"], row["request"], row["command"] = record.number, record.request, record.command
    row["time"], row["lateness"], row["state_time"] = tick.time, tick.lateness, state.time
    row["reasons"], row["safety"] = tick.reasons.value, STATES.index(tick.safety)
    row["requested_kind"], row["requested"] = pack_goal(tick.requested, joints)
    row["target_kind"], row["target"] = pack_goal(tick.target, joints)
    row["executed"], row["velocity"], row["commanded"] = (
        tick.executed,
        tick.velocity,
        record.commanded,
    )
    for name, attribute in _JOINTS:
        row[name] = getattr(state.joints, attribute)
    row["valid"], row["driving"] = state.joints.valid, state.joints.driving
    _put_sensors(row, state, record.frame_number)
    faults = _fault_rows(record)
    row["faults"] = len(faults)
    for place, told in enumerate(faults):
        fault = told.entry.fault
        row["fault"][place] = (
            told.entry.time,
            told.entry.id,
            told.where,
            fixed_text(fault.name, NAME_BYTES),
            fixed_text(fault.source, NAME_BYTES),
            fixed_text(fault.detail, DETAIL_BYTES),
        )
    return raw.tobytes()


def decode(raw: bytes, joints: int, picture: Callable[[int], Image | None]) -> TickRecord:
    """The tick again; arrays are not writeable.

    Args:
        raw: what `encode` gave.
        joints: of the robot.
        picture: the picture of a number; None: it was overwritten, and the camera counts as late.

    Raises:
        ValueError: the record holds a state or a reason that does not exist, or another size.
    """
    row = _row(raw, joints)
    names = {name: _own(row[place]) for place, name in _JOINTS}
    rest = {name: _own(row[name] != 0) for name in ("valid", "driving")}
    faults = [_told(entry) for entry in row["fault"][: int(row["faults"])]]
    state = RobotState(
        float(row["state_time"]),
        JointState(**names, **rest),
        _imu(row),
        TrackerSample(*row["tracker"].tolist()) if row["has_tracker"] else None,
        tuple(told.entry.fault for told in faults if told.where & _IN_STATE),
        _camera(row, picture),
    )
    if not int(row["safety"]) < len(STATES):
        raise ValueError(f"a tick record names safety state {row['safety']}")
    tick = Tick(
        float(row["time"]),
        state,
        STATES[int(row["safety"])],
        unpack_goal(int(row["requested_kind"]), _own(row["requested"])),
        unpack_goal(int(row["target_kind"]), _own(row["target"])),
        _own(row["executed"]),
        _own(row["velocity"]),
        Reason(int(row["reasons"])),
        float(row["lateness"]),
        tuple(told.entry.fault for told in faults if told.where & _IN_TICK),
    )
    return TickRecord(
        tick,
        int(row["number"]),
        int(row["request"]),
        int(row["command"]),
        _own(row["commanded"]),
        tuple(told.entry for told in faults if told.where & _LATCHED),
        int(row["frame_number"]),
    )


def stands(raw: bytes, joints: int) -> tuple[int, int, float]:
    """Request, command and time (s) of a record, without the rest.

    Raises:
        ValueError: the record has another size.
    """
    row = _row(raw, joints)
    return int(row["request"]), int(row["command"]), float(row["time"])


def _row(raw: bytes, joints: int) -> Any:
    dtype = tick_dtype(joints)
    if len(raw) != dtype.itemsize:
        raise ValueError(f"a tick record has {len(raw)} bytes; valid is {dtype.itemsize}")
    return np.frombuffer(raw, dtype=dtype)[0]


def _put_sensors(row: Any, state: RobotState, frame_number: int) -> None:
    if state.imu is not None:
        row["has_imu"], row["imu_time"] = 1, state.imu.time
        row["orientation"] = state.imu.orientation
        row["angular_velocity"] = state.imu.angular_velocity
        row["acceleration"] = state.imu.acceleration
    if state.tracker is not None:
        fix = state.tracker
        row["has_tracker"] = 1
        row["tracker"] = (fix.time, fix.x, fix.y, fix.yaw, fix.forward_velocity)
    if state.camera is not None:
        row["has_camera"] = 1
        row["camera_fault"] = fixed_text(state.camera.fault, NAME_BYTES)
        if state.camera.frame is not None:
            frame = state.camera.frame
            row["has_frame"], row["frame_number"] = 1, frame_number
            row["frame_time"], row["frame_sequence"] = frame.time, frame.sequence


@dataclass(slots=True)
class _Told:
    """A fault, and where it is told: bits of _LATCHED, _IN_TICK, _IN_STATE."""

    where: int
    entry: LatchedFault
    """Time and number are 0 unless it is latched."""


def _fault_rows(record: TickRecord) -> list[_Told]:
    """Every fault once, with where it is told."""
    rows: dict[Fault, _Told] = {}

    def tell(where: int, entry: LatchedFault) -> None:
        rows.setdefault(entry.fault, _Told(0, entry)).where |= where

    for latched in record.latched:
        tell(_LATCHED, latched)
    for fault in record.tick.faults:
        tell(_IN_TICK, LatchedFault(fault, 0.0))
    for fault in record.tick.state.faults:
        tell(_IN_STATE, LatchedFault(fault, 0.0))
    told = list(rows.values())
    if len(told) <= FAULTS:
        return told
    hidden = len(told) - FAULTS + 1
    more = Fault("more_faults", "channel", f"{hidden} more have no room here; see the log")
    return [*told[: FAULTS - 1], _Told(_IN_TICK, LatchedFault(more, 0.0))]


def _told(entry: Any) -> _Told:
    fault = Fault(*(bytes(entry[name]).decode() for name in ("name", "source", "detail")))
    return _Told(int(entry["where"]), LatchedFault(fault, float(entry["time"]), int(entry["id"])))


def _imu(row: Any) -> ImuSample | None:
    if not row["has_imu"]:
        return None
    parts = (_own(row[name]) for name in ("orientation", "angular_velocity", "acceleration"))
    return ImuSample(float(row["imu_time"]), *parts)


def _camera(row: Any, picture: Callable[[int], Image | None]) -> CameraView | None:
    if not row["has_camera"]:
        return None
    fault = bytes(row["camera_fault"]).decode()
    if not row["has_frame"]:
        return CameraView(None, fault)
    image = picture(int(row["frame_number"]))
    if image is None:
        return CameraView(None, "late")
    return CameraView(Frame(float(row["frame_time"]), image, int(row["frame_sequence"])), fault)


def _own(values: Any) -> Any:
    """A copy that nobody may write."""
    copy = np.array(values)
    copy.flags.writeable = False
    return copy
