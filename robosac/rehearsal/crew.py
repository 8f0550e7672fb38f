"""The processes of a rehearsal that are not the twin: started, listened to, signalled, ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from robosac.channel import Channel
from robosac.channel_layout import TICKS
from robosac.errors import RobotError
from robosac.rehearsal.link import FromActor, Hello, Line, Listener
from robosac.rehearsal.verdict import Seen
from robosac.tick_codec import TickRecord
from robosac.watch import body_tilt

CALL_IN_S: Final = 90.0
"""How long an actor may take to open its robot and call in, s."""
END_S: Final = 30.0
"""How long a process may take to switch torque off and end, s."""


class Handle:
    """Another process, held so that its number cannot come to mean another."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return bool(select.select([self._handle], [], [], 0.0)[0])

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing, if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def await_end(self, timeout_s: float) -> bool:
        """Wait until it has ended; False: it has not in time."""
        return bool(select.select([self._handle], [], [], timeout_s)[0])

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)


class Crew:
    """An actor with its executor, and a look into the executor's own records.

    Args:
        command: starts the actor, which calls in at `listener`.
        listener: where.
        environment: its variables.

    Attributes:
        hello: who has called in.
        line: to the actor.
        actor, executor: their processes.

    Raises:
        RobotError: it does not call in; it was ended.
    """

    def __init__(
        self, command: Sequence[str], listener: Listener, environment: Mapping[str, str]
    ) -> None:
        # A session of its own: Ctrl-C is for the rehearsal, which ends everything in order.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, env=dict(environment), start_new_session=True
        )
        try:
            self.line, self.hello = self._called(listener)
        except BaseException:
            self._process.terminate()
            self._reap()
            raise
        self.actor = Handle(self._process.pid)
        self.executor = Handle(self.hello.executor_pid)
        self._channel = Channel.attach(self.line.descriptor)
        self._next = 1

    def ticks(self) -> list[Seen]:
        """The executor's ticks since the last call, oldest first."""
        channel, beat = self._channel, self._channel.beat()
        if beat is None:
            return []
        first = max(self._next, beat.number - TICKS + 8)
        found: list[Seen] = []
        for number in range(first, beat.number + 1):
            record = channel.tick(number)
            if record is not None:
                found.append(seen(record))
        self._next = beat.number + 1
        return found

    def skipped(self) -> int:
        """Ticks of the executor's grid that were missed altogether."""
        return self._channel.lateness()[1]

    def end(self) -> bool:
        """End both in order; whether the executor said that every motor was read back as off."""
        for handle in (self.executor, self.actor):
            handle.send(signal.SIGCONT)
        self.actor.send(signal.SIGTERM)
        self._reap()
        if not self.executor.await_end(END_S):
            self.executor.send(signal.SIGKILL)
            self.executor.await_end(END_S)
        said = self._channel.end()
        self.close()
        return said is not None and said.confirmed

    def close(self) -> None:
        """Let go of what is held here; the processes have ended."""
        self.line.close()
        self._channel.close()
        self.actor.close()
        self.executor.close()

    def _called(self, listener: Listener) -> tuple[Line[FromActor], Hello]:
        deadline = time.monotonic() + CALL_IN_S
        line: Line[FromActor] | None = None
        while (left := deadline - time.monotonic()) > 0 and self._process.poll() is None:
            if line is None:
                line = listener.accept(min(left, 0.2))
                continue
            message = line.first(min(left, 0.2))
            if isinstance(message, Hello) and line.descriptor >= 0:
                return line, message
            if message is not None:
                raise RobotError(f"the actor did not begin as agreed: {message}")
        if line is not None:
            line.close()
        how = "in time" if self._process.poll() is None else "and has ended; its error is above"
        raise RobotError(f"the actor did not call in {how}")

    def _reap(self) -> None:
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def seen(record: TickRecord) -> Seen:
    """What a rehearsal needs of a tick."""
    tick, state = record.tick, record.tick.state
    names = {fault.name for fault in tick.faults} | {
        latched.fault.name for latched in record.latched
    }
    if state.camera is not None and state.camera.fault:
        names.add(f"camera_{state.camera.fault}")
    imu = state.imu
    return Seen(
        number=record.number,
        time=state.time,
        safety=tick.safety,
        told=frozenset(names),
        reasons=tick.reasons,
        lateness=tick.lateness,
        tilt=None if imu is None else body_tilt(imu),
        imu_time=None if imu is None else imu.time,
    )
