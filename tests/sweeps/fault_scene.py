"""A robot on its twin in virtual time: what the fault matrix breaks and looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np

import sim.claw
import sim.minitaur
from drivers.moteus.registers import Mode
from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.executor import Executor
from robosac.hal import Drive, Fault, JointCommand, RobotState
from robosac.reasons import Reason
from robosac.states import SafetyState
from sim.claw import ClawTwin
from sim.fault_plan import Faultable, FaultPlan, FaultyPort
from sim.fault_spec import parse_faults
from sim.firmware.moteus.hooks import HookedMoteusBank
from sim.firmware.vectornav.hooks import HookedVn100
from sim.minitaur import MinitaurTwin
from sim.wire import TwinWire
from sim.wire_framing import LINES, PACKETS, STREAM

WATCHDOG_S = 0.1
"""Of both robots' motors."""
RESTING = (Mode.STOPPED, Mode.FAULT, Mode.TIMEOUT)


class HookedMinitaur(MinitaurTwin):
    """The quadruped, whose controllers, sensor and wires can fail, and which tells its steps."""

    def __init__(self, options: Any, ids: tuple[int, ...]) -> None:
        self.on_step: list[Callable[[float], None]] = []
        super().__init__(options, ids, HookedMoteusBank, HookedVn100)
        rng = np.random.default_rng(0)
        now = self.clock.now
        device = _HeldReplies(self.legs.device, self)
        self.ports = {
            "legs": FaultyPort(device, LINES, now, rng),
            "imu": FaultyPort(self.vn100, STREAM, now, rng),
        }
        self.legs = TwinWire(self.ports["legs"].line, self.clock)
        self.imu = TwinWire(self.ports["imu"].line, self.clock)

    def _step(self) -> None:
        super()._step()
        for told in self.on_step:
            told(self.clock.now())


class _HeldReplies:
    """The legs' adapter, which also passes on what controllers held back."""

    def __init__(self, legs: Any, twin: MinitaurTwin) -> None:
        self._legs, self._twin = legs, twin

    def receive(self, data: bytes) -> None:
        self._legs.receive(data)

    def transmit(self) -> bytes:
        assert isinstance(self._twin.bank, HookedMoteusBank)
        for arbitration_id, data in self._twin.bank.late_frames():
            self._twin.adapter.deliver(arbitration_id, data)
        return self._legs.transmit()


class HookedClaw(ClawTwin):
    """The hand, whose line can fail."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        device = self.servos.device
        self.ports = {
            "servos": FaultyPort(device, PACKETS, self.clock.now, np.random.default_rng(0))
        }
        self.servos = TwinWire(self.ports["servos"].line, self.clock)


@dataclass(frozen=True)
class Mark:
    """What the executor had come to at a time."""

    time: float
    safety: SafetyState
    reasons: Reason = Reason.NONE


@dataclass
class Scene:
    """One robot, and a journal of what its executor does.

    Attributes:
        marks: every change of state and every tick, oldest first.
        states: every exchange's end and what it learned.
        sent: when each command went out, s.
        latched: names of all faults that were ever latched.
        injected: when the fault began, s; None: not yet.
        spoil: changes every goal that is requested.
        silent: True: nothing is requested any more.
    """

    preset: str
    seed: int
    marks: list[Mark] = field(default_factory=list[Mark])
    states: list[tuple[float, RobotState]] = field(default_factory=list[tuple[float, RobotState]])
    sent: list[float] = field(default_factory=list[float])
    latched: list[str] = field(default_factory=list[str])
    injected: float | None = None
    spoil: Callable[[Any], Any] | None = None
    silent: bool = False
    plan: FaultPlan | None = None
    each_step: Callable[[float], None] | None = None
    _scheduled: bool = False
    _due: tuple[float, Callable[[Scene], None]] | None = None

    def __post_init__(self) -> None:
        with (
            mock.patch.object(sim.minitaur, "MinitaurTwin", HookedMinitaur),
            mock.patch.object(sim.claw, "ClawTwin", HookedClaw),
        ):
            self.stage = make_stage(load_preset(self.preset))
        self.env: Any = self.stage.env
        executor = self.stage.executor
        assert isinstance(executor, Executor)
        self.executor: Any = executor
        helper = self.env.operator if self.quadruped else self.env.attendant
        self.twin: Any = helper
        self.clock: Any = self.twin.clock
        self.robot: Any = executor._robot
        self.twin.on_step.append(self._stepped)
        self._listen()

    @property
    def quadruped(self) -> bool:
        """Otherwise it is the hand."""
        return self.preset == "minitaur"

    @property
    def period(self) -> float:
        """Of the executor, s."""
        return self.executor.period

    @property
    def joints(self) -> int:
        """How many."""
        return len(self.executor.limits.names)

    @property
    def hooks(self) -> Any:
        """`ServoHooks` of the motors."""
        return self.twin.bank if self.quadruped else self.twin.faults

    @property
    def a_motor(self) -> int:
        """Id of the one that fails."""
        return 3 if self.quadruped else 21

    def now(self) -> float:
        """The present, s."""
        return self.clock.now()

    @property
    def scheduled(self) -> bool:
        """Whether the fault has come, or will."""
        return self._scheduled

    def at(self, time: float, inject: Callable[[Scene], None]) -> None:
        """Let `inject` break something at `time` (s)."""
        self._due, self._scheduled = (time, inject), True

    def inject_now(self, inject: Callable[[Scene], None]) -> None:
        """Let `inject` break something at once."""
        self._due, self.injected = None, self.now()
        inject(self)

    def faults(self, spec: str) -> None:
        """Put a text of `sim.fault_spec` into effect."""
        servo_port = "legs" if self.quadruped else "servos"
        wires = {"legs": "legs", "imu": "imu", "servos": "servos"}

        def plug(name: str, on: bool) -> None:
            wire = getattr(self.twin, wires[name])
            (wire.plug_in if on else wire.unplug)()

        cameras = {}
        if not self.quadruped and self.twin.camera is not None:
            cameras = {"camera": self.twin.camera.device}
        self.plan = FaultPlan(
            parse_faults(spec.replace("ID", str(self.a_motor))),
            Faultable(
                ports=self.twin.ports,
                plug=plug,
                rng=np.random.default_rng(1),
                servos=self.hooks,
                servo_port=servo_port,
                imu=self.twin.vn100 if self.quadruped else None,
                imu_port="imu" if self.quadruped else None,
                cameras=cameras,
            ),
        )
        self.plan.step(self.now())

    def resting(self) -> bool:
        """Whether no motor follows a command any more: stopped, in fault, or by its watchdog."""
        if self.quadruped:
            return all(mode in RESTING for mode in self.twin.bank.modes)
        return all(
            not servo.motion.torque or servo.memory["bus_watchdog"] == -1
            for servo in self.twin.line.servos
        )

    def _listen(self) -> None:
        executor, robot = self.executor, self.robot
        machine = executor._machine
        latch, enter, tick, request, exchange = (
            machine.latch,
            machine.enter,
            executor.tick,
            executor.request,
            robot.exchange,
        )

        def entered(state: SafetyState) -> None:
            enter(state)
            self.marks.append(Mark(self.now(), state))

        def latched(fault: Fault) -> None:
            latch(fault)
            self.latched.append(fault.name)

        def ticked() -> Any:
            done = tick()
            self.marks.append(Mark(self.now(), done.safety, done.reasons))
            return done

        def requested(goal: Any, ramp: float = 0.0) -> None:
            if not self.silent:
                request(goal if self.spoil is None else self.spoil(goal), ramp)

        def exchanged(command: JointCommand, deadline: float) -> RobotState:
            assert command.drive is not Drive.POSITION or np.isfinite(command.position).all()
            self.sent.append(self.now())
            state = exchange(command, deadline)
            self.states.append((self.now(), state))
            return state

        machine.enter, executor.tick, executor.request = entered, ticked, requested
        machine.latch, robot.exchange = latched, exchanged
        if not self.quadruped:
            self._listen_to_the_hand()

    def _listen_to_the_hand(self) -> None:
        """The hand's task holds it by itself after a fault, with goals where it stands."""
        rest = self.env._rest

        def rested(faulty: bool) -> None:
            if faulty:
                self.marks.append(Mark(self.now(), SafetyState.HOLD))
            rest(faulty)

        self.env._rest = rested

    def _stepped(self, now: float) -> None:
        if self._due is not None and now >= self._due[0]:
            _, inject = self._due
            self.inject_now(inject)
        if self.plan is not None:
            self.plan.step(now)
        if self.each_step is not None:
            self.each_step(now)
