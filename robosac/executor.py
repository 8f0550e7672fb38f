"""The executor owns the robot: a fixed-rate tick through the limiter, arming, the stop ladder.

One `tick` is one exchange with the robot. Requests only set the newest goal; what reaches the
motors is decided here, tick by tick, from the safety state, the age of the request and what the
monitor found. Any error ends with torque off and a latched fault, and is raised on.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType

import numpy as np

from robosac.arming import bring_up
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
from robosac.latch import FaultLatch, LatchedFault
from robosac.reasons import Reason, union
from robosac.recovery import Bounds, RecoverySettings
from robosac.requests import ExecutorSettings, Inbox, Request, interval
from robosac.safety import Envelope, Limited, LimiterSettings
from robosac.states import SafetyState, allowed
from robosac.ticks import Statistics, Tally, Tick
from robosac.watch import Findings, Reaction, WatchMemory, inspect

_DRIVEN = (SafetyState.ACTIVE, SafetyState.HOLD)
_LADDER = {
    Reaction.NONE: SafetyState.ACTIVE,
    Reaction.HOLD: SafetyState.HOLD,
    Reaction.DAMP: SafetyState.DAMPED,
}
_POWERED = (SafetyState.ACTIVE, SafetyState.HOLD, SafetyState.DAMPED)


class Executor:
    """Drives one robot at a fixed rate; every command passes the limiter.

    Args:
        robot: the robot, not yet configured.
        clock: monotonic time, virtual or real.
        gate: the e-stop gate; checked before every motion.
        period: tick period, s.
        settings: ages and budgets.

    Use it as a context manager: leaving the block always ends with torque off.
    """

    def __init__(
        self,
        robot: Robot,
        clock: Clock,
        gate: EStopGate,
        period: float = 0.005,
        settings: ExecutorSettings | None = None,
    ) -> None:
        self.settings = settings or ExecutorSettings()
        self.period = period
        self.envelope = Envelope(robot.limits, LimiterSettings(period, self.settings.max_distance))
        self.limits = robot.limits
        self._robot, self._clock, self._gate = robot, clock, gate
        self._rate = Rate(clock, period)
        joints = len(robot.limits.names)
        self._zero, self._one = np.zeros(joints), np.ones(joints)
        self._zero.flags.writeable = self._one.flags.writeable = False
        self._off = JointCommand.stop(joints)
        self._damp = JointCommand.damp(joints, robot.limits.torque)
        self._safety = SafetyState.DISARMED
        self._faults = FaultLatch()
        self._tally = Tally()
        self._course = Course(self.envelope, self.settings.thermal)
        self._bounds = Bounds(self._course)
        self._watch = WatchMemory.fresh(joints)
        self._findings = Findings(self._watch)
        self._state: RobotState | None = None
        self._measured = JointState.unheard(joints)
        self._inbox = Inbox(self.settings, clock.now())
        self._commanded_at = clock.now()
        self._late = 0
        self._closed = False

    @property
    def safety(self) -> SafetyState:
        """The present safety state."""
        return self._safety

    @property
    def state(self) -> RobotState | None:
        """What the last exchange learned; None before the first."""
        return self._state

    @property
    def faults(self) -> tuple[LatchedFault, ...]:
        """Latched faults, oldest first."""
        return self._faults.entries

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
            self._cut()

    def request(self, goal: FloatArray, ramp: float = 0.0) -> None:
        """Set the newest goal; the next ticks lead to it.

        Args:
            goal: joint positions, rad, shape (n,); checked by the limiter at every tick.
            ramp: time of the straight way from the present command to the goal, s.

        Raises:
            NotArmedError: the robot is neither ACTIVE nor HOLD.
            ValueError: `ramp` is negative or not finite.
        """
        if self._safety not in _DRIVEN:
            raise NotArmedError(
                f"a goal was requested while {self._safety.value}; valid after arm()"
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
            return self._tick(lateness)
        except BaseException as error:
            self._fail(error)
            raise

    def arm(self, recovering: RecoverySettings | None = None) -> None:
        """Configure and check the robot, then raise its stiffness where it stands.

        `recovering` arms a fallen robot, under lower bounds and for a bounded time.

        Raises:
            ArmingError: a check failed; the message names it and torque is off.
            NotArmedError: the robot is armed already.
        """
        if self._safety in (SafetyState.ACTIVE, SafetyState.HOLD):
            raise NotArmedError(f"arm() while {self._safety.value}; valid after disarm()")
        if self._safety is SafetyState.FAULT:
            names = ", ".join(self._faults.names)
            raise ArmingError(f"latched faults: {names}; clear each by name first")
        if self._gate.tripped:
            raise ArmingError(f"e-stop is tripped ({self._gate.reason}); reset the gate first")
        try:
            self._arm(recovering)
        except ArmingError:
            self._cut()
            raise
        except BaseException as error:
            self._fail(error)
            raise

    def recovered(self) -> None:
        """Go on under the robot's own bounds, where it stands; see `Bounds.leave`."""
        active = self._safety is SafetyState.ACTIVE
        self._bounds.leave(self._state if active else None, self.settings.arming)

    def disarm(self) -> None:
        """Damp briefly, then switch torque off and read it back.

        Raises:
            RobotError: a motor was not read back as off; the fault `stop_unconfirmed` is latched.
        """
        try:
            if self._safety in _POWERED:
                self._enter(SafetyState.DAMPED)
                end = self._clock.now() + self.settings.settle_s
                while self._clock.now() < end and self._safety is SafetyState.DAMPED:
                    self.tick()
        finally:
            confirmed = self._cut()
        if not confirmed:
            raise RobotError("disarm: not every motor was read back as off; cut the motor supply")

    def clear(self, name: str) -> None:
        """Clear the latched faults called `name`; the last one leads to DISARMED, never further.

        Raises:
            NotArmedError: no such fault is latched, or its cause is still there.
        """
        if name not in self._faults:
            latched = ", ".join(self._faults.names) or "none"
            raise NotArmedError(f"no fault {name!r} is latched; latched are: {latched}")
        if name == "estop" and self._gate.tripped:
            raise NotArmedError("the e-stop is still tripped; reset the gate first")
        if name == "stop_unconfirmed" and not self._robot.stop():
            raise NotArmedError("torque is still not read back as off; cut the motor supply")
        self._faults.clear(name)
        if not self._faults.names:
            self._enter(SafetyState.DISARMED)

    def close(self) -> None:
        """Torque off, then release the devices; safe to call twice.

        Raises:
            RobotError: a motor was not read back as off.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self.disarm()
        finally:
            self._robot.close()

    def _tick(self, lateness: float) -> Tick:
        now = self._clock.now()
        dt = interval(self._commanded_at, now)
        self._commanded_at = now
        self._late = 0 if self.envelope.shortest <= dt <= self.envelope.longest else self._late + 1
        self._check_gate()
        self._follow(now)
        before = self._safety
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
            command = replace(self._damp, free=self._course.free)
        state = self._exchange(command, now)
        self._check_gate()
        self._follow(now)
        executed = limited.position if limited else state.joints.position
        velocity = limited.velocity if limited else self._zero
        self._tally.tick(reasons, lateness)
        found = self._findings.faults if before in _POWERED else ()
        latched, newest = self._faults.faults, self._inbox.newest
        return Tick(
            now,
            state,
            self._safety,
            None if newest is None else newest.goal,
            target,
            executed,
            velocity,
            reasons,
            lateness,
            latched + tuple(fault for fault in found if fault not in latched),
        )

    def _limited(self, now: float, dt: float) -> tuple[object, Limited]:
        """The point to go to now, and what the limiter makes of it."""
        request = self._inbox.newest
        if request is None:
            return None, self._course.hold(self._measured.position, dt)
        target = request.target(now)
        limited = self._course.follow(target, self._measured.position, dt)
        if not limited.reasons & (Reason.PERIOD | Reason.MEASURED):
            self._inbox.judge(limited.reasons)
        return target, limited

    def _exchange(self, command: JointCommand, now: float) -> RobotState:
        """One transaction, judged by the monitor while the motors may push."""
        state = self._robot.exchange(command, now + self.settings.deadline_share * self.period)
        self._state, self._measured = state, state.joints
        if command.drive is Drive.STOP:
            self._findings = Findings(WatchMemory.fresh(len(self._zero)))
        else:
            self._findings = inspect(
                state, self._watch, self._bounds.limits, self.settings.watch, command.free
            )
        self._watch = self._findings.memory
        return state

    def _check_gate(self) -> None:
        """Cut torque if the gate has tripped."""
        if self._gate.tripped and "estop" not in self._faults:
            self._latch(Fault("estop", "gate", self._gate.reason))
            self._cut()

    def _follow(self, now: float) -> None:
        """Go where the stop ladder demands."""
        if self._safety not in _POWERED:
            return
        reaction = self._demanded(now)
        if reaction is Reaction.FAULT:
            for fault in self._findings.latching or (self._inbox.fault(),):
                self._latch(fault)
        if reaction >= Reaction.STOP:
            self._cut()
        elif self._safety is not SafetyState.DAMPED:
            self._enter(_LADDER[reaction])

    def _demanded(self, now: float) -> Reaction:
        """The strongest reaction that the findings, the requests and the ticks call for."""
        ticks = Reaction.HOLD if self._late >= self.settings.late_hold else Reaction.NONE
        asked = max(self._inbox.demand(now), self._bounds.demand(now))
        return max(self._findings.reaction, asked, ticks)

    def _why(self, now: float) -> Reason:
        """Reasons that lie in the state rather than in the request."""
        if self._safety is SafetyState.FAULT:
            return Reason.ESTOP if "estop" in self._faults else Reason.FAULT
        if self._safety not in _POWERED:
            return Reason.NONE
        late = Reason.PERIOD if self._late else Reason.NONE
        asked = self._inbox.why(now) | self._bounds.reason
        return union((self._findings.reasons, asked, late))

    def _arm(self, recovering: RecoverySettings | None) -> None:
        if self._safety is SafetyState.DAMPED and not self._cut():
            raise ArmingError("stop: torque was not read back as off before arming")
        self._enter(SafetyState.ARMING)
        self._robot.configure()
        self._rate.restart()
        limits = self._bounds.approach(recovering)
        goal = bring_up(self._arming_tick, limits, self.settings.arming, self.period)
        self._bounds.begin(goal, self._commanded_at)
        self._course.begin(goal)
        self._inbox.empty(self._commanded_at)
        self._late = 0
        self._enter(SafetyState.ACTIVE)

    def _arming_tick(self, command: JointCommand) -> tuple[RobotState, Findings]:
        self._rate.wait()
        self._rate.take_lateness()
        self._stop_arming_if_tripped()
        self._commanded_at = self._clock.now()
        state = self._exchange(command, self._commanded_at)
        self._stop_arming_if_tripped()
        return state, self._findings

    def _stop_arming_if_tripped(self) -> None:
        self._check_gate()
        if self._safety is not SafetyState.ARMING:
            raise ArmingError(f"e-stop tripped while arming ({self._gate.reason})")

    def _fail(self, error: BaseException) -> None:
        """Latch `error`, then switch torque off; an error of the stop itself is raised on."""
        self._latch(Fault("exception", type(error).__name__, str(error) or "no text"))
        self._cut()

    def _cut(self) -> bool:
        """Torque off with read back; False, and a latched fault, when it is not confirmed."""
        if self._safety is not SafetyState.FAULT:
            self._enter(SafetyState.DISARMED)
        confirmed = self._robot.stop()
        if not confirmed:
            self._latch(Fault("stop_unconfirmed", "robot", "a motor was not read back as off"))
        return confirmed

    def _latch(self, fault: Fault) -> None:
        """Enter FAULT and remember why."""
        self._enter(SafetyState.FAULT)
        self._faults.add(fault, self._clock.now())

    def _enter(self, state: SafetyState) -> None:
        if state is self._safety:
            return
        if not allowed(self._safety, state):
            raise RuntimeError(f"no way from {self._safety.value} to {state.value}")
        self._safety = state
        self._tally.enter(state)
