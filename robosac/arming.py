"""Arming: what must hold before the motors may push, and how stiffness rises without a jump."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robosac.errors import ArmingError, NotArmedError
from robosac.estop import EStopGate
from robosac.hal import Drive, FloatArray, JointCommand, JointState, Limits, RobotState
from robosac.states import SafetyState
from robosac.watch import Findings, Reaction, body_tilt
from robosac.watch_body import rest_problem

Exchange = Callable[[JointCommand], tuple[RobotState, Findings]]
"""One tick of the arming sequence: waits for its time, checks the gate, exchanges, judges."""

_MOVES = "rest"
"""Begins what is missing while a joint moves."""


@dataclass(frozen=True, slots=True)
class ArmingSettings:
    """Bounds and durations of the arming sequence."""

    timeout_s: float = 2.0
    """How long the robot may take to answer completely and come to rest, s."""
    ramp_s: float = 0.1
    """Time over which stiffness rises from none to full, s."""
    motion: float = math.radians(2.0)
    """How far a joint may move while stiffness rises, and between two readings before, rad."""
    still: float = 0.5
    """Speed below which a joint counts as at rest, rad/s."""
    rest_s: float = 0.1
    """How long a robot that was seen moving must rest, s: a swinging leg is still as it turns."""
    limit_tolerance: float = math.radians(5.0)
    """How far outside its limits a joint may stand as a recovery ends, rad; from there it may only
    move inward."""
    start_tolerance: float = math.radians(1.5)
    """The same as a robot is armed: the first command is inside, and must not be a jump, rad."""
    voltage_min: float = 9.0
    """V"""
    voltage_max: float = 48.0
    """V"""
    joint_age_s: float = 0.04
    """Largest age of a joint's values, s."""
    imu_age_s: float = 0.04
    """Largest age of the inertial sample, s."""
    imu_force: float = 2.0
    """How far the force felt at rest may be from gravity, m/s^2."""
    imu_turn: float = 0.3
    """How far gravity may lie from the sensor's own attitude, rad."""
    imu_rate: float = 0.5
    """Largest angular velocity at rest, rad/s; includes the hands that hold the body."""


def refuse_arming(safety: SafetyState, latched: Sequence[str], gate: EStopGate) -> None:
    """Look whether the executor may begin to arm at all.

    Args:
        safety: its present state.
        latched: names of its faults.
        gate: its e-stop gate, which is looked at anew.

    Raises:
        NotArmedError: the robot is armed already.
        ArmingError: a fault is latched, or the gate is tripped.
    """
    if safety in (SafetyState.ACTIVE, SafetyState.HOLD):
        raise NotArmedError(f"arm() while {safety.value}; valid after disarm()")
    if safety is SafetyState.FAULT:
        raise ArmingError(f"latched faults: {', '.join(latched)}; clear each by name first")
    if gate.look() or gate.settling:
        reason = gate.reason or gate.settling
        raise ArmingError(f"e-stop is tripped ({reason}); reset the gate first")


def bring_up(
    exchange: Exchange, limits: Limits, settings: ArmingSettings, period: float
) -> FloatArray:
    """Wait for a complete answer at rest, check it, and raise stiffness at the present position.

    Args:
        exchange: one tick with the robot.
        limits: the robot's bounds.
        settings: bounds and durations of the sequence.
        period: time between two exchanges, s.

    Returns the position that is now held, rad. Raises ArmingError naming the check that failed;
    the caller then switches torque off.
    """
    state = _ready(exchange, limits, settings, period)
    problem = refusal(state, limits, replace(settings, limit_tolerance=settings.start_tolerance))
    if problem:
        raise ArmingError(problem)
    goal = state.joints.position.copy()
    zero, one = np.zeros(len(goal)), np.ones(len(goal))
    torque = np.minimum(limits.continuous_torque, limits.torque)
    steps = max(1, round(settings.ramp_s / period))
    for step in range(1, steps + 1):
        stiffness = np.full(len(goal), step / steps)
        command = JointCommand(Drive.POSITION, goal, zero, zero, stiffness, one, torque)
        state, findings = exchange(command)
        _check_ramp(state, findings, goal, limits, settings)
    if not (state.joints.driving & state.joints.valid).all():
        raise ArmingError("drive: not every motor reports that it drives after the ramp")
    return goal


def _ready(
    exchange: Exchange, limits: Limits, settings: ArmingSettings, period: float
) -> RobotState:
    """Exchange with torque off until every joint answers twice and rests.

    One that was seen moving must rest for a while, and at one place.
    """
    off = JointCommand.stop(len(limits.names))
    previous: RobotState | None = None
    resting: RobotState | None = None
    missing = ""
    moved = False
    for _ in range(max(2, round(settings.timeout_s / period))):
        state, _ = exchange(off)
        missing = not_ready(state, previous, limits, settings)
        previous = state
        if missing:
            moved, resting = moved or missing.startswith(_MOVES), None
            continue
        if not moved:
            return state
        if resting is None or not _near(state, resting, settings.motion):
            resting = state
        rested = state.time - resting.time
        if rested >= settings.rest_s - 0.5 * period:
            return state
        missing = f"rest: for {rested:.3f} s; valid is at least {settings.rest_s} s after a motion"
    raise ArmingError(f"{missing}; waited {settings.timeout_s} s")


def _near(state: RobotState, other: RobotState, within: float) -> bool:
    """Whether every joint is where it was, but for `within` (rad)."""
    return bool((np.abs(state.joints.position - other.joints.position) <= within).all())


def _check_ramp(
    state: RobotState,
    findings: Findings,
    goal: FloatArray,
    limits: Limits,
    settings: ArmingSettings,
) -> None:
    """Refuse when stiffness moves the robot or the monitor objects."""
    moved = np.abs(state.joints.position - goal)
    if not (moved <= settings.motion).all():
        raise ArmingError(
            f"motion: {_worst(moved, limits)} rad while stiffness rose; "
            f"valid is up to {settings.motion:.3f} rad"
        )
    if findings.reaction >= Reaction.DAMP:
        raise ArmingError("; ".join(str(fault) for fault in findings.faults))


def not_ready(
    state: RobotState, previous: RobotState | None, limits: Limits, settings: ArmingSettings
) -> str:
    """What may still come right by waiting: answers, rest; empty when nothing is missing."""
    joints = state.joints
    if not joints.valid.all():
        silent = [limits.names[index] for index in np.flatnonzero(~joints.valid)]
        return f"answers: none from {', '.join(silent)}; every joint must answer"
    age = state.time - joints.time
    if not (age <= settings.joint_age_s).all():
        return f"age: values of {_worst(age, limits)} s; valid is up to {settings.joint_age_s} s"
    if not np.isfinite(joints.position).all():
        return f"position: {joints.position} is not finite"
    moving = ~(np.abs(joints.velocity) <= settings.still)
    if moving.any():
        return (
            f"{_MOVES}: {_worst(np.abs(joints.velocity), limits)} rad/s; valid is {settings.still}"
        )
    if previous is None:
        return "position: a second reading is needed"
    moved = np.abs(joints.position - previous.joints.position)
    if not (moved <= settings.motion).all():
        return f"position: two readings differ by {_worst(moved, limits)} rad"
    if math.isfinite(limits.tilt):
        age = math.inf if state.imu is None else state.time - state.imu.time
        if not age <= settings.imu_age_s:
            return f"imu: newest sample is {age:.3f} s old; valid is up to {settings.imu_age_s} s"
        assert state.imu is not None
        wrong = rest_problem(state.imu, settings.imu_force, settings.imu_turn, settings.imu_rate)
        # A robot that has fallen is told so below, whatever its sensor feels.
        if wrong and body_tilt(state.imu) <= limits.tilt:
            return f"imu: {wrong}; let it rest, or calibrate it"
    return ""


def refusal(state: RobotState, limits: Limits, settings: ArmingSettings) -> str:
    """Why a robot that answers and rests must not be armed; empty when it may."""
    if state.faults:
        return f"faults: {'; '.join(str(fault) for fault in state.faults)}"
    joints = state.joints
    for check in (_position, _temperature, _voltage):
        text = check(joints, limits, settings)
        if text:
            return text
    if math.isfinite(limits.tilt) and state.imu is not None:
        tilt = body_tilt(state.imu)
        if not tilt <= limits.tilt:
            return f"tilt: {tilt:.2f} rad; valid is up to {limits.tilt:.2f} rad; set it upright"
    return ""


def _position(joints: JointState, limits: Limits, settings: ArmingSettings) -> str:
    excess = np.maximum(limits.lower - joints.position, joints.position - limits.upper)
    if (excess <= settings.limit_tolerance).all():
        return ""
    index = int(np.argmax(excess))
    return (
        f"position: {limits.names[index]} at {joints.position[index]:.3f} rad; valid is "
        f"{limits.lower[index]:.3f} to {limits.upper[index]:.3f} rad; move it inside by hand"
    )


def _temperature(joints: JointState, limits: Limits, settings: ArmingSettings) -> str:
    if (joints.temperature < limits.temperature).all():
        return ""
    return (
        f"temperature: {_worst(joints.temperature, limits)} degrees C; "
        f"valid is below {limits.temperature:.0f}; let it cool"
    )


def _voltage(joints: JointState, limits: Limits, settings: ArmingSettings) -> str:
    low, high = settings.voltage_min, settings.voltage_max
    wrong = ~((joints.voltage >= low) & (joints.voltage <= high))
    if not wrong.any():
        return ""
    index = int(np.flatnonzero(wrong)[0])
    return (
        f"voltage: {limits.names[index]} sees {joints.voltage[index]:.1f} V; "
        f"valid is {low:.1f} to {high:.1f} V"
    )


def _worst(values: np.ndarray, limits: Limits) -> str:
    """The largest value with its joint; NaN counts as largest."""
    index = int(np.argmax(values))
    return f"{limits.names[index]} {values[index]:.3f}"
