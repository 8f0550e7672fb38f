"""The executor owns the robot: a fixed-rate tick through the limiter, arming, the stop ladder.

One `tick` is one exchange with the robot. Requests only set the newest goal; what reaches the
motors is decided here, tick by tick, from the safety state, the age of the request and what the
monitor found. Any error ends with torque off and a latched fault, and is raised on.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import TracebackType

import numpy as np

from robosac import ticks
from robosac.arming import bring_up, refuse_arming
from robosac.bounds import Bounds
from robosac.clearing import refuse_lasting
from robosac.clock import Clock, Rate
from robosac.course import Course
from robosac.errors import ArmingError, NotArmedError, RobotError
from robosac.estop import EStopGate
from robosac.hal import (
    BoolArray,
    Drive,
    Fault,
    FloatArray,
    JointCommand,
    JointState,
    Robot,
    RobotState,
)
from robosac.latch import Journal, LatchedFault
from robosac.machine import POWERED, SafetyMachine
from robosac.reasons import Reason, union
from robosac.requests import ExecutorSettings, Inbox, Request, interval
from robosac.safety import Envelope, Limited, LimiterSettings
from robosac.states import SafetyState
from robosac.ticks import Statistics, Tally, Tick
from robosac.watch import Findings, Reaction, WatchMemory, inspect

_DRIVEN = (SafetyState.ACTIVE, SafetyState.HOLD)
_LADDER = {
    Reaction.NONE: SafetyState.ACTIVE,
    Reaction.HOLD: SafetyState.HOLD,
    Reaction.DAMP: SafetyState.DAMPED,
}


class Executor:
    """Drives one robot at a fixed rate; every command passes the limiter.

    Args:
        robot: the robot, not yet configured.
        clock: monotonic time, virtual or real.
        gate: the e-stop gate; checked before every motion.
        period: tick period, s.
        settings: ages and budgets.
        journal: where latched faults outlive the process; None: they end with it.

    Use it as a context manager: leaving the block always ends with torque off.
    Its `observer` is told of every exchange, safety state and fault.
    """

    def __init__(
        self,
        robot: Robot,
        clock: Clock,
        gate: EStopGate,
        period: float = 0.005,
        settings: ExecutorSettings | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.settings = parts = settings or ExecutorSettings()
        self.period = period
        limiter = LimiterSettings(period, parts.max_distance, parts.soft_zone)
        self.envelope = Envelope(robot.limits, limiter)
        self.limits = robot.limits
        self._robot, self._clock, self._gate = robot, clock, gate
        self.observer: ticks.Observer = ticks.Unobserved()
        self._rate = Rate(clock, period)
        joints = len(robot.limits.names)
        self._zero, self._one = np.zeros(joints), np.ones(joints)
        self._zero.flags.writeable = self._one.flags.writeable = False
        self._off = JointCommand.stop(joints)
        self._damp = JointCommand.damp(joints, robot.limits.torque)
        self._tally = Tally()
        self._machine = SafetyMachine(
            *(robot, clock.now, gate, journal),
            *(self._entered, self._latched, self._refuse_lasting),
        )
        self._course = Course(self.envelope, parts.thermal, parts.keep_out, parts.low_pass)
        self._bounds = Bounds(self._course, parts.recovery)
        self._watch = WatchMemory.fresh(joints)
        self._findings = Findings(self._watch)
        self._state: RobotState | None = None
        self._measured = JointState.unheard(joints)
        self._inbox = Inbox(self.settings, clock.now())
        self._commanded_at = clock.now()
        self._late, self._closed = 0, False
        self.afterwards = contextlib.ExitStack()
        """What is released once the robot is: its lock, its journal, whoever may stop it."""

    @property
    def safety(self) -> SafetyState:
        """The present safety state."""
        return self._machine.state

    @property
    def state(self) -> RobotState | None:
        """What the last exchange learned; None before the first."""
        return self._state

    @property
    def faults(self) -> tuple[LatchedFault, ...]:
        """Latched faults, oldest first."""
        return self._machine.faults.entries

    @property
    def torque_off_since(self) -> float | None:
        """Clock time (s) at which every motor was read back as off; None once arming began since.

        Any thread may read it: if it is set after the gate was tripped, no motor will be driven.
        """
        return self._machine.torque_off_since

    @property
    def commanded_position(self) -> FloatArray:
        """The last position commanded, rad; where the robot was armed before the first tick."""
        return self._course.position

    def statistics(self) -> Statistics:
        """Counts since the executor was built."""
        return self._tally.snapshot(self._rate.skipped)

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.disarm()
        else:
            self._machine.cut()

    def request(self, goal: FloatArray, ramp: float = 0.0) -> None:
        """Set the newest goal; the next ticks lead to it.

        Args:
            goal: joint positions, rad, shape (n,); checked by the limiter at every tick.
            ramp: time of the straight way from the present command to the goal, s.

        Raises:
            NotArmedError: the robot is neither ACTIVE nor HOLD.
            ValueError: `ramp` is negative or not finite.
        """
        if self.safety not in _DRIVEN:
            raise NotArmedError(
                f"a goal was requested while {self.safety.value}; valid after arm()"
            )
        if not 0.0 <= ramp < np.inf:
            raise ValueError(f"ramp must be finite and not negative, got {ramp}")
        kept = goal.copy() if type(goal) is np.ndarray else goal
        self._inbox.put(Request(kept, self._course.position, self._clock.now(), ramp))

    def free(self, joints: BoolArray) -> None:
        """Let go of exactly `joints`, shape (n,), and take hold of the others where they are.

        Counts as a request to hold the position that is commanded now. Arming holds every joint.

        Raises:
            NotArmedError: the robot is neither ACTIVE nor HOLD.
            ValueError: not a boolean vector of the robot's joints.
        """
        self.request(self._course.position)
        self._course.let_go(joints)

    def tick(self) -> Tick:
        """Wait for the next tick, send one safe command, judge the answer and react.

        Raises whatever went wrong below, with torque off and the fault latched.
        """
        try:
            lateness = self._rate.wait()
            self._rate.take_lateness()
            self._machine.carry_out_orders()
            return self._tick(lateness)
        except BaseException as error:
            self._machine.fail(error)
            raise

    def arm(self, recovering: bool = False) -> None:
        """Configure and check the robot, then raise its stiffness where it stands.

        Where its settings allow it, `recovering` arms a fallen robot, under lower bounds.

        Raises:
            ArmingError: a check failed; the message names it and torque is off.
            NotArmedError: the robot is armed already.
        """
        refuse_arming(self.safety, self._machine.faults.names, self._gate)
        try:
            self._arm(recovering)
        except ArmingError:
            self._machine.cut()
            raise
        except BaseException as error:
            self._machine.fail(error)
            raise

    def recovered(self) -> None:
        """Go on under the robot's own bounds, where it stands; see `Bounds.leave`."""
        self._bounds.leave(self.safety, self._state, self.settings.arming)

    def disarm(self) -> None:
        """Damp briefly, then switch torque off and read it back.

        Raises:
            RobotError: a motor was not read back as off; the fault `stop_unconfirmed` is latched.
        """
        try:
            if self.safety in POWERED:
                self._machine.enter(SafetyState.DAMPED)
                end = self._clock.now() + self.settings.settle_s
                while self._clock.now() < end and self.safety is SafetyState.DAMPED:
                    self.tick()
        finally:
            confirmed = self._machine.cut()
        if not confirmed:
            raise RobotError("disarm: not every motor was read back as off; cut the motor supply")

    def clear(self, name: str) -> None:
        """Clear the latched faults called `name`; the last one leads to DISARMED, never further.

        Raises:
            NotArmedError: no such fault is latched, or its cause is still there.
            RobotError: it cannot be written down; they stay latched.
        """
        self._machine.clear(name)

    def _entered(self, state: SafetyState) -> None:
        self._bounds.entered(state)
        self._tally.enter(state)
        self.observer.entered(state, self._clock.now())

    def _latched(self, fault: Fault, time: float) -> None:
        self.observer.latched(fault, time)

    def _refuse_lasting(self, name: str) -> None:
        refuse_lasting(name, self.tick, self.period, self.limits, self.settings.watch)

    def order_clear(self, name: str) -> None:
        """Have the next tick `clear` `name`, for other threads; what it refuses stays latched."""
        self._machine.order_clear(name)

    def close(self) -> None:
        """Torque off, then release the devices, then `afterwards`; safe to call twice.

        Raises:
            RobotError: a motor was not read back as off.
        """
        if self._closed:
            return
        self._closed = True
        with self.afterwards:
            try:
                self.disarm()
            finally:
                self._robot.close()

    def _tick(self, lateness: float) -> Tick:
        now = self._clock.now()
        dt = interval(self._commanded_at, now)
        self._commanded_at = now
        self._late = 0 if self.envelope.shortest <= dt <= self.envelope.longest else self._late + 1
        self._machine.check_gate()
        self._follow(now)
        before, newest = self.safety, self._inbox.newest
        grounds = self._grounds(dt)
        reasons = self._why(now)
        torque, hot = self._course.torque(self._measured, dt)
        target: object = None
        command, limited = self._off, None
        if before in _DRIVEN:
            if before is SafetyState.ACTIVE:
                target, limited = self._limited(now, dt)
            else:
                limited = self._course.hold(self._measured.position, dt)
            zero, one, goal = self._zero, self._one, limited.position
            free = self._course.free
            command = JointCommand(Drive.POSITION, goal, zero, zero, one, one, torque, free)
            reasons = union((reasons, limited.reasons, hot))
        elif before is SafetyState.DAMPED:
            command = replace(self._damp, free=self._course.free, max_torque=torque)
        state = self._exchange(command, now)
        self._machine.check_gate()
        self._follow(now)
        self._tally.tick(reasons, lateness)
        goal, faults = newest.goal if newest else None, self._machine.faults.faults
        made = ticks.Decision(grounds, newest is not None, command, limited, self._findings)
        tick = ticks.taken(now, state, self.safety, goal, target, reasons, lateness, faults, made)
        self.observer.ticked(tick)
        return tick

    def _grounds(self, dt: float) -> ticks.Grounds:
        past, bounds = self._course.past, self._bounds.recovery
        return ticks.Grounds(self.safety, dt, past, self._measured, self._watch, bounds)

    def _limited(self, now: float, dt: float) -> tuple[object, Limited]:
        """The point to go to now, and what the limiter makes of it."""
        request = self._inbox.newest
        if request is None:
            return None, self._course.hold(self._measured.position, dt)
        target = request.target(now)
        limited = self._course.follow(target, self._measured.position, dt)
        self.settings.refuse_slow(self._clock.now() - now)
        if not limited.reasons & (Reason.PERIOD | Reason.MEASURED):
            self._inbox.judge(limited.reasons)
            self._inbox.note_astray(target, limited.position, now)
        return target, limited

    def _exchange(self, command: JointCommand, now: float) -> RobotState:
        """One transaction, judged by the monitor while the motors may push."""
        state = self._robot.exchange(command, now + self.settings.deadline_share * self.period)
        self._state, self._measured = state, state.joints
        if command.drive is Drive.STOP:
            self._findings = Findings(WatchMemory.fresh(len(self._zero)))
        else:
            limits, watch = self._bounds.limits, self.settings.watch
            self._findings = inspect(state, self._watch, limits, watch, command)
        self._watch = self._findings.memory
        return state

    def _follow(self, now: float) -> None:
        """Go where the stop ladder demands."""
        if self.safety not in POWERED:
            return
        reaction = self._demanded(now)
        if reaction is Reaction.FAULT:
            for fault in self._findings.latching or (self._inbox.fault(),):
                self._machine.latch(fault)
        if reaction >= Reaction.STOP:
            self._machine.cut()
        elif self.safety is not SafetyState.DAMPED:
            self._machine.enter(_LADDER[reaction])

    def _demanded(self, now: float) -> Reaction:
        """The strongest reaction that the findings, the requests and the ticks call for."""
        ticks = Reaction.HOLD if self._late >= self.settings.late_hold else Reaction.NONE
        gate = Reaction.DAMP if self._gate.settling else Reaction.NONE
        asked = max(self._inbox.demand(now), self._bounds.demand(now))
        return max(self._findings.reaction, asked, ticks, gate)

    def _why(self, now: float) -> Reason:
        """Reasons that lie in the state rather than in the request."""
        if self.safety is SafetyState.FAULT:
            return Reason.ESTOP if "estop" in self._machine.faults else Reason.FAULT
        if self.safety not in POWERED:
            return Reason.NONE
        late = Reason.PERIOD if self._late else Reason.NONE
        return union((self._findings.reasons, self._inbox.why(now), late, self._bounds.reason))

    def _arm(self, recovering: bool) -> None:
        if self.safety is SafetyState.DAMPED and not self._machine.cut():
            raise ArmingError("stop: torque was not read back as off before arming")
        self._machine.enter(SafetyState.ARMING)
        limits = self._bounds.approach(recovering)
        self._robot.configure()
        self._rate.restart()
        goal = bring_up(self._arming_tick, limits, self.settings.arming, self.period)
        self._bounds.begin(goal, self._commanded_at)
        self._course.begin(goal)
        self._inbox.empty(self._commanded_at)
        self._late = 0
        self._machine.enter(SafetyState.ACTIVE)

    def _arming_tick(self, command: JointCommand) -> tuple[RobotState, Findings]:
        lateness = self._rate.wait()
        self._rate.take_lateness()
        self._stop_arming_if_tripped()
        now = self._clock.now()
        dt, self._commanded_at = interval(self._commanded_at, now), now
        grounds = self._grounds(dt)
        state = self._exchange(command, now)
        made = ticks.Decision(grounds, False, command, None, self._findings)
        why = self._findings.reasons | self._bounds.reason
        tick = ticks.taken(now, state, self.safety, None, None, why, lateness, (), made)
        self.observer.ticked(tick)
        self._stop_arming_if_tripped()
        return state, self._findings

    def _stop_arming_if_tripped(self) -> None:
        self._machine.check_gate()
        if self.safety is not SafetyState.ARMING:
            raise ArmingError(f"e-stop tripped while arming ({self._gate.reason})")
