"""The executor as the actor sees it when it runs in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, NoReturn

import msgspec
import numpy as np

from drivers.statistics import BusStatistics
from robosac.channel import Answer, AnswerKind, Beat, Code
from robosac.channel_layout import TICKS
from robosac.errors import ArmingError, ConfigError, NotArmedError, OwnershipError, RobotError
from robosac.executor_child import ExecutorChild
from robosac.executor_loop import STARTED, CountsDocument, ExitCode, StartedDocument
from robosac.hal import BoolArray, FloatArray, Limits, RobotState
from robosac.latch import LatchedFault
from robosac.lateness import LatenessHistogram
from robosac.remote_gate import RemoteGate
from robosac.states import SafetyState
from robosac.tick_codec import TickRecord
from robosac.ticks import Statistics, Tick

FRESH_S: Final = 0.1
"""An older tick is not returned: a newer one is waited for, s."""
START_TIMEOUT_S: Final = 60.0
"""Opening ports and letting a camera settle, s."""
LOOK_S: Final = 0.05
"""So long at most it waits without looking up, s."""
COMMAND_TIMEOUT_S: Final = {
    Code.ARM: 60.0,
    Code.ARM_RECOVERING: 60.0,
    Code.DISARM: 20.0,
    Code.CLEAR: 20.0,
    Code.CLOSE: 20.0,
}
"""How long these may take, with every retry, before the process counts as hung, s."""
_DRIVEN: Final = (SafetyState.ACTIVE, SafetyState.HOLD)
_ERRORS: Final[dict[AnswerKind, Callable[[str], Exception]]] = {
    AnswerKind.NOT_ARMED: NotArmedError,
    AnswerKind.ARMING: ArmingError,
    AnswerKind.ROBOT: RobotError,
    AnswerKind.VALUE: ValueError,
    AnswerKind.CONFIG: ConfigError,
    AnswerKind.OWNED: OwnershipError,
}


class RemoteExecutor:
    """Satisfies `robosac.tasks.motion.Motion`; the executor keeps ticking whatever happens here.

    Args:
        child: the process, just started; this object owns it.
        answer_within_s: a process that is silent for so long counts as hung and is killed, s.

    Attributes:
        gate: trips the executor's e-stop gate, from any thread or signal handler.
        warnings: what the process was refused; one line each.
        waiting: called again and again while it waits for the process, each time at most LOOK_S
            after the last; for what must go on during a reset or while arming. Its errors are
            raised on.
        missed: ticks that this side never returned, for it was busy or they were too old.

    Raises:
        ConfigError: the robot cannot be opened; in one line.
        RobotError: the process does not start.
        ValueError: the robot is not what the channel was made for.
    """

    def __init__(self, child: ExecutorChild, answer_within_s: float = 0.5) -> None:
        self._child, self._channel, self._within = child, child.channel, answer_within_s
        self._requests = self._commands = self.missed = 0
        self._next = 1
        self._last: TickRecord | None = None
        self._failure = ""
        self._closed = False
        self.waiting: Callable[[], None] = _nothing
        self.afterwards = ExitStack()
        """What is released once the process has ended."""
        self.gate = RemoteGate(child.channel, self._reset_gate)
        try:
            answer = self._await_answer(STARTED, START_TIMEOUT_S, "the robot to be opened")
            started = msgspec.json.decode(_text(answer), type=StartedDocument)
            self._limits, self._period = started.limits.limits(), started.period
            self.warnings = started.warnings
            joints = len(self._limits.names)
            if joints != self._channel.layout.joints:
                raise ValueError(f"the robot has {joints} joints, the channel is for others")
            self.tick()
        except BaseException:
            child.close()
            raise

    @property
    def pid(self) -> int:
        """Of the executor's process."""
        return self._child.pid

    @property
    def descriptor(self) -> int:
        """Of the channel's file, for a process that looks on."""
        return self._channel.descriptor

    @property
    def period(self) -> float:
        """Time between two ticks, s."""
        return self._period

    @property
    def limits(self) -> Limits:
        """What the joints may be asked to do."""
        return self._limits

    @property
    def safety(self) -> SafetyState:
        """The present safety state. Raises RobotError if the process does not live."""
        return self._beat().safety

    @property
    def state(self) -> RobotState | None:
        """What the last tick that was returned has learned; its `time` tells how old it is."""
        return None if self._last is None else self._last.tick.state

    @property
    def faults(self) -> tuple[LatchedFault, ...]:
        """Latched faults, oldest first. Raises RobotError if the process does not live."""
        return self._newest().latched

    @property
    def commanded_position(self) -> FloatArray:
        """The position commanded in the last tick that was returned, rad."""
        if self._last is None:
            return np.zeros(len(self._limits.names))
        return self._last.commanded

    def request(self, goal: FloatArray, ramp: float = 0.0) -> None:
        """Set the newest goal; see `Executor.request`. Its age counts from now.

        A robot that stopped since the last tick that was returned takes no notice, and the next
        tick tells so: whoever drives learns of a stop from ticks.

        Raises:
            NotArmedError, ValueError: as `Executor.request`. RobotError: the process does not live.
        """
        known = None if self._last is None else self._last.tick.safety
        present = self.safety
        if present not in _DRIVEN and known not in _DRIVEN:
            raise NotArmedError(f"a goal was requested while {present.value}; valid after arm()")
        if not 0.0 <= ramp < np.inf:
            raise ValueError(f"ramp must be finite and not negative, got {ramp}")
        self._requests += 1
        self._channel.put_request(self._requests, goal, ramp, time.monotonic())

    def free(self, joints: BoolArray) -> None:
        """See `Executor.free`."""
        shape = (len(self._limits.names),)
        if joints.shape != shape or joints.dtype != np.bool_:
            raise ValueError(f"free joints are {joints.dtype}{joints.shape}; valid is bool{shape}")
        self._command(Code.FREE, mask=joints)

    def tick(self) -> Tick:
        """Return the oldest tick not yet returned that knows of the newest request and command.

        Raises:
            RobotError: the process has ended, or made no such tick in time and was killed.
        """
        deadline = time.monotonic() + self._within
        while True:
            self._check()
            self._channel.put_pulse(time.monotonic())
            record = self._unread()
            if record is not None:
                self._last = record
                return record.tick
            self._wait(deadline, "a tick")

    def arm(self, recovering: bool = False) -> None:
        """See `Executor.arm`."""
        self._command(Code.ARM_RECOVERING if recovering else Code.ARM)

    def recovered(self) -> None:
        """See `Executor.recovered`."""
        self._command(Code.RECOVERED)

    def disarm(self) -> None:
        """See `Executor.disarm`."""
        self._command(Code.DISARM)

    def clear(self, name: str) -> None:
        """See `Executor.clear`."""
        self._command(Code.CLEAR, name)

    def statistics(self) -> Statistics:
        """Counts since the executor was built."""
        return self._counts().executor

    def bus_statistics(self) -> BusStatistics:
        """What happened on the motors' bus so far."""
        return self._counts().bus

    def lateness(self) -> tuple[LatenessHistogram, int]:
        """How late ticks began, and how many were missed altogether."""
        return self._channel.lateness()

    def close(self) -> None:
        """Torque off, read back, devices released, process ended; safe to call twice.

        Raises:
            RobotError: a motor was not read back as off, or nobody was left to say so.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._failure or self._child.ended:
                self._check_end()
            else:
                _text(self._ask(Code.CLOSE))
        finally:
            with self.afterwards:
                self.gate.detach()
                self._child.close()

    def _reset_gate(self) -> None:
        self._command(Code.RESET_GATE)

    def _check_end(self) -> None:
        """Raise unless the process had switched torque off before it went."""
        end = self._channel.end()
        if end is None or not end.confirmed:
            self._lose()

    def _counts(self) -> CountsDocument:
        text = self._command(Code.STATISTICS)
        return msgspec.json.decode(text, type=CountsDocument)

    def _command(self, code: Code, text: str = "", mask: BoolArray | None = None) -> str:
        """Have a command carried out; then read the first tick that came after it."""
        answer = self._ask(code, text, mask)
        self.tick()
        return _text(answer)

    def _ask(self, code: Code, text: str = "", mask: BoolArray | None = None) -> Answer:
        self._check()
        self._commands += 1
        self._channel.put_command(self._commands, code, text, mask)
        timeout = COMMAND_TIMEOUT_S.get(code, self._within)
        return self._await_answer(self._commands, timeout, f"an answer to {code.name.lower()}")

    def _await_answer(self, id: int, timeout_s: float, what: str) -> Answer:
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._channel.answer()
            if answer is not None and answer.id == id:
                return answer
            self._check()
            self._wait(deadline, what, timeout_s)

    def _unread(self) -> TickRecord | None:
        """The oldest record that may be returned; those passed over are counted."""
        beat = self._channel.beat()
        if beat is None or beat.number < self._next:
            return None
        first = max(self._next, beat.number - TICKS + 2)
        self.missed += first - self._next
        oldest = time.monotonic() - FRESH_S
        for number in range(first, beat.number + 1):
            self._next = number + 1
            stands = self._channel.tick_stands(number)
            if stands is not None:
                request, command, made = stands
                if request >= self._requests and command >= self._commands and made >= oldest:
                    record = self._channel.tick(number)
                    if record is not None:
                        return record
            self.missed += 1
        return None

    def _newest(self) -> TickRecord:
        deadline = time.monotonic() + self._within
        while True:
            record = self._channel.tick(self._beat().number)
            if record is not None:
                return record
            self._wait(deadline, "a tick")

    def _beat(self) -> Beat:
        """The sign of life, younger than `answer_within_s`."""
        deadline = time.monotonic() + self._within
        while True:
            self._check()
            beat = self._channel.beat()
            if beat is not None and time.monotonic() - beat.time <= self._within:
                return beat
            self._wait(deadline, "a sign of life")

    def _check(self) -> None:
        """Raise if the process is known to be gone."""
        if self._failure or self._child.ended:
            self._lose()

    def _wait(self, deadline: float, what: str, timeout_s: float | None = None) -> None:
        """Sleep until there may be something new; past the deadline kill the process and raise."""
        left = deadline - time.monotonic()
        if left > 0:
            self._child.listen(min(left, LOOK_S))
            self.waiting()
            return
        waited = self._within if timeout_s is None else timeout_s
        self._child.kill()
        self._failure = (
            f"the executor's process was waited for {waited:g} s for {what} and gave none; it was"
            " killed, and the motors' own watchdogs stop them. Torque was not read back as off"
        )
        self._lose()

    def _lose(self) -> NoReturn:
        """Raise what is known of how the process ended."""
        if not self._failure:
            code, end = self._child.exit_code(), self._channel.end()
            how = "without a word" if end is None else f"with: {end.text}"
            self._failure = f"the executor's process ended ({_exit_text(code)}) {how}"
            if end is None:
                self._failure += (
                    "; the motors' own watchdogs stop them. Torque was not read back as off"
                )
        raise RobotError(self._failure)


def _nothing() -> None:
    """Nothing has to go on."""


def _text(answer: Answer) -> str:
    """The text of an answer; raises what it tells of."""
    if answer.kind is AnswerKind.DONE:
        return answer.text
    raise _ERRORS[answer.kind](answer.text)


def _exit_text(code: int | None) -> str:
    if code is None:
        return "it still has not exited"
    if code < 0:
        return f"signal {-code}"
    names = {item.value: item.name.lower() for item in ExitCode}
    return f"exit code {code}, {names.get(code, 'unknown')}"
