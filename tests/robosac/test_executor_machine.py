"""Random lives of the executor: whatever happens, it never drives when it must not."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from robosac.errors import ArmingError, NotArmedError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.hal import Drive, Fault, JointCommand, RobotState
from robosac.states import SafetyState, allowed
from tests.robosac.fake_robot import JOINTS, FakeRobot, ManualClock

PERIOD = 0.005
MOVING = {SafetyState.ARMING, SafetyState.ACTIVE, SafetyState.HOLD}


class WatchedRobot(FakeRobot):
    """Checks, at the moment a command arrives, that the executor may send it."""

    executor: Executor
    gate: EStopGate

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        state = self.executor.safety
        if command.drive is Drive.POSITION:
            assert state in MOVING, f"drives a position while {state}"
        if command.drive is not Drive.STOP:
            assert state in MOVING | {SafetyState.DAMPED}, f"drives while {state}"
            assert not self.gate.tripped, "drives while the gate is tripped"
            assert not self.executor.faults, "drives with a latched fault"
        return super().exchange(command, deadline)


class ExecutorLife(RuleBasedStateMachine):
    """Events in any order, with invariants after each."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.gate = EStopGate()
        self.robot = WatchedRobot(self.clock)
        self.executor = Executor(self.robot, self.clock, self.gate, PERIOD)
        self.robot.executor, self.robot.gate = self.executor, self.gate
        self.seen = SafetyState.DISARMED
        self.may_leave_fault = False

    @rule()
    def arm(self) -> None:
        try:
            self.executor.arm()
        except (ArmingError, NotArmedError):
            return
        except OSError:
            assert self.executor.safety is SafetyState.FAULT
            return
        assert self.executor.safety is SafetyState.ACTIVE

    @rule(count=st.integers(1, 30))
    def tick(self, count: int) -> None:
        for _ in range(count):
            try:
                tick = self.executor.tick()
            except OSError:
                assert self.executor.safety is SafetyState.FAULT
                return
            assert tick.safety is self.executor.safety
            assert np.isfinite(tick.executed).all() or math.isnan(self.robot.offset)

    @rule(
        goal=st.lists(st.floats(), min_size=JOINTS, max_size=JOINTS),
        ramp=st.sampled_from([0.0, 0.02]),
    )
    def request(self, goal: list[float], ramp: float) -> None:
        with contextlib.suppress(NotArmedError):
            self.executor.request(np.array(goal), ramp)
            assert self.executor.safety in (SafetyState.ACTIVE, SafetyState.HOLD)

    @rule(value=st.floats(-1.0, 1.0))
    def good_request(self, value: float) -> None:
        with contextlib.suppress(NotArmedError):
            self.executor.request(np.full(JOINTS, value), 0.02)

    @rule()
    def disarm(self) -> None:
        with contextlib.suppress(RobotError, OSError):
            self.executor.disarm()
            assert self.executor.safety in (SafetyState.DISARMED, SafetyState.FAULT)
            assert self.robot.drive is Drive.STOP

    @rule()
    def trip(self) -> None:
        self.gate.trip("button")

    @rule()
    def reset(self) -> None:
        self.gate.reset()

    @precondition(lambda self: self.executor.faults)
    @rule(data=st.data())
    def clear(self, data: st.DataObject) -> None:
        names = sorted({latched.fault.name for latched in self.executor.faults})
        self.may_leave_fault = True
        with contextlib.suppress(NotArmedError):
            self.executor.clear(data.draw(st.sampled_from(names)))

    @rule(
        switch=st.sampled_from(
            [
                ("silent", {1}),
                ("faults", (Fault("motor_fault", "joint_0", "38"),)),
                ("torque", 3.2),
                ("temperature", 90.0),
                ("offset", 1.2),
                ("offset", math.nan),
                ("spin", 40.0),
                ("refuses_drive", True),
                ("stops", False),
                ("imu_age", 0.1),
                ("imu_age", 1.0),
                ("orientation", (0.0, 1.0, 0.0, 0.0)),
                ("raises", OSError("bus")),
            ]
        )
    )
    def break_something(self, switch: tuple[str, object]) -> None:
        setattr(self.robot, *switch)

    @rule()
    def mend_everything(self) -> None:
        healthy = FakeRobot(self.clock)
        for key in (
            "silent",
            "faults",
            "torque",
            "temperature",
            "offset",
            "spin",
            "refuses_drive",
            "stops",
            "imu_age",
            "orientation",
            "raises",
        ):
            setattr(self.robot, key, getattr(healthy, key))

    @rule(late=st.floats(0.0, 0.05))
    def oversleep(self, late: float) -> None:
        self.clock.late = late

    @invariant()
    def torque_is_off_where_it_must_be(self) -> None:
        if self.executor.safety in (SafetyState.DISARMED, SafetyState.FAULT) and self.robot.stops:
            stopped = self.robot.drive is Drive.STOP
            unconfirmed = any(f.fault.name == "stop_unconfirmed" for f in self.executor.faults)
            assert stopped or unconfirmed

    @invariant()
    def latched_faults_and_the_fault_state_go_together(self) -> None:
        assert bool(self.executor.faults) == (self.executor.safety is SafetyState.FAULT)

    @invariant()
    def nothing_leaves_fault_by_itself(self) -> None:
        now = self.executor.safety
        if self.seen is SafetyState.FAULT and now is not SafetyState.FAULT:
            assert self.may_leave_fault
            assert now is SafetyState.DISARMED
            assert allowed(self.seen, now)
        self.seen, self.may_leave_fault = now, False


TestExecutorLife = pytest.mark.filterwarnings("error")(ExecutorLife.TestCase)
TestExecutorLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
