"""Random lives of an executor with a journal, beside the reference machine: always the same."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from robosac.errors import ArmingError, NotArmedError
from robosac.estop import NO_DEMAND, Demand, EStopGate, Stop
from robosac.executor import Executor
from robosac.fault_journal import FaultJournal, read_journal
from robosac.hal import Drive, Fault, JointCommand, RobotState
from robosac.states import SafetyState
from tests.robosac.fake_robot import FakeRobot, ManualClock
from tests.robosac.reference_machine import ReferenceMachine

PERIOD = 0.005
MOTOR_FAULT = (Fault("motor_fault", "joint_0", "38"),)


class TrippingRobot(FakeRobot):
    """Somebody presses the button in the middle of one of its exchanges."""

    gate: EStopGate
    trip_in: int | None = None
    """Exchanges until then."""

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        if command.drive is not Drive.STOP:
            assert not self.gate.tripped, "drives while the gate is tripped"
        if self.trip_in is not None:
            self.trip_in -= 1
            if self.trip_in < 0:
                self.trip_in = None
                self.gate.trip("button")
        return super().exchange(command, deadline)


class Settling:
    """A guard that wants the robot damped."""

    wants = False

    def demand(self) -> Demand:
        return Demand(Stop.SETTLE, "endpoint lost") if self.wants else NO_DEMAND


class BesideTheReference(RuleBasedStateMachine):
    """Every event goes to both."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "robot.faults.jsonl"
        self.clock, self.reference = ManualClock(), ReferenceMachine()
        self.robot = TrippingRobot(self.clock)
        self.newest_id = 0
        self._start()

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        self.gate, self.guard = EStopGate(), Settling()
        self.gate.add(self.guard)
        # What the disk does is not of interest here, and forcing it to takes long.
        self.journal = FaultJournal(self.path, "test", sync=lambda file: None)
        self.executor = Executor(self.robot, self.clock, self.gate, PERIOD, journal=self.journal)
        self.robot.gate = self.gate

    @rule(trip_in=st.none() | st.integers(0, 30), shift=st.floats(-0.3, 0.3))
    def arm(self, trip_in: int | None, shift: float) -> None:
        if self.reference.state == "disarmed":
            self.robot.position = self.robot.position * 0 + shift
        here, self.robot.trip_in = self.robot.position.copy(), trip_in
        with contextlib.suppress(ArmingError, NotArmedError):
            self.executor.arm()
            assert (self.executor.commanded_position == here).all(), "arming jumps"
        fired = trip_in is not None and self.robot.trip_in is None
        self.robot.trip_in = None
        self.reference.arm(fired)

    @rule(count=st.sampled_from([1, 2, 19, 20, 21, 101, 330]))
    def tick(self, count: int) -> None:
        for _ in range(count):
            self.executor.tick()
            self.reference.tick()
            self.agree()

    @rule(good=st.booleans(), times=st.sampled_from([1, 2, 3, 10]))
    def request_and_tick(self, good: bool, times: int) -> None:
        goal = self.executor.commanded_position.copy()
        if not good:
            goal[3] = np.nan
        for _ in range(times):
            with contextlib.suppress(NotArmedError):
                self.executor.request(goal)
            self.reference.request(good)
            self.tick(1)

    @rule()
    def disarm(self) -> None:
        powered = self.reference.state in ("active", "hold", "damped")
        self.executor.disarm()
        self.reference.state = "damped" if powered else self.reference.state
        for _ in range(40 if powered else 0):
            self.reference.tick()
        if self.reference.state != "fault":
            self.reference.state = "disarmed"
        assert self.robot.drive is Drive.STOP

    @rule()
    def press(self) -> None:
        self.gate.trip("button")
        self.reference.tripped = True

    @rule()
    def lose_an_endpoint(self) -> None:
        self.guard.wants = True
        self.gate.look()
        self.guard.wants = False
        self.reference.settling = True

    @rule()
    def reset_the_gate(self) -> None:
        self.gate.reset()
        self.reference.tripped = self.reference.settling = False

    @rule(broken=st.booleans())
    def break_or_mend_a_motor(self, broken: bool) -> None:
        self.robot.faults = MOTOR_FAULT if broken else ()
        self.reference.motor_fault = broken

    @rule()
    def bug(self) -> None:
        self.robot.raises = ZeroDivisionError("bug")
        with contextlib.suppress(ZeroDivisionError):
            self.executor.tick()
        self.robot.raises = None
        self.reference.tick(bug=True)

    @precondition(lambda self: self.reference.faults)
    @rule(data=st.data(), by_order=st.booleans())
    def clear(self, data: st.DataObject, by_order: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.reference.faults)))
        self.reference.clear(name)
        if by_order:
            self.executor.order_clear(name)
            self.tick(1)
            return
        with contextlib.suppress(NotArmedError):
            self.executor.clear(name)

    @rule()
    def clear_what_is_not_latched(self) -> None:
        before = self.executor.faults
        with contextlib.suppress(NotArmedError):
            self.executor.clear("never_heard_of")
            raise AssertionError("cleared a fault that nobody latched")
        assert self.executor.faults == before

    @rule()
    def kill_and_restart(self) -> None:
        self.journal.close()
        self.robot.stop()
        self.reference.restart()
        self._start()

    @invariant()
    def agree(self) -> None:
        latched = self.executor.faults
        assert {entry.fault.name for entry in latched} == self.reference.faults
        assert self.executor.safety.value == self.reference.state

    @invariant()
    def torque_is_off_and_known_to_be(self) -> None:
        if self.executor.safety in (SafetyState.DISARMED, SafetyState.FAULT):
            assert self.robot.drive is Drive.STOP
        else:
            assert self.executor.torque_off_since is None

    @invariant()
    def the_journal_says_the_same(self) -> None:
        kept = read_journal(self.path)
        assert [e.id for e in kept.latched] == [e.id for e in self.executor.faults]
        assert kept.newest_id >= self.newest_id
        self.newest_id = kept.newest_id


TestBesideTheReference = BesideTheReference.TestCase
TestBesideTheReference.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
