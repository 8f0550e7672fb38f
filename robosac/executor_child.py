"""The executor's process from the outside: started, listened to, and never left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import Final

import msgspec

from robosac.channel import Channel
from robosac.channel_layout import Layout
from robosac.executor_process import ChildDocument

MODULE: Final = "robosac.executor_process"
END_TIMEOUT_S: Final = 5.0
"""How long a process that was told to end may take, s."""
WRITING_TIMEOUT_S: Final = 160.0
"""How long it may still write its recordings once torque is off and the robot released, s."""
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class ExecutorChild:
    """A running executor process, its bell and the channel to it.

    Args:
        document: what it is to drive.
        layout: of the channel.
        module: what runs there; a test names its own, with its own robot.
    """

    def __init__(self, document: ChildDocument, layout: Layout, module: str = MODULE) -> None:
        self.channel = Channel.create(layout)
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            self._process = _started(module, self.channel.descriptor, self._bell)
        except BaseException:
            os.close(self._bell)
            self.channel.close()
            raise
        assert self._process.stdout is not None
        self._life = self._process.stdout.fileno()
        os.set_blocking(self._life, False)
        self._poller = select.poll()
        self._poller.register(self._bell, select.POLLIN)
        self._poller.register(self._life, select.POLLIN)
        self._silent = self._closed = False
        self._say(msgspec.json.encode(document) + b"\n")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone; a process that was stopped is not."""
        if not self._silent:
            self.listen(0.0)
        return self._silent

    def listen(self, timeout_s: float) -> None:
        """Return once the bell has rung or the process has gone, or after `timeout_s`."""
        if self._silent:
            return
        ready = dict(self._poller.poll(max(0.0, timeout_s) * 1e3))
        if self._bell in ready:
            # Every ring at once: what they mean is in the channel.
            os.eventfd_read(self._bell)
        if self._life in ready:
            # Whatever is said there is nobody's business; its end is the end of the process.
            self._silent = not os.read(self._life, 65536)

    def exit_code(self) -> int | None:
        """How it ended, waited for shortly; None: it has not."""
        try:
            return self._process.wait(END_TIMEOUT_S if self._silent else 0.0)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL, which also ends a process that was stopped; returns once it is gone."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._silent = True

    def close(self) -> bool:
        """Let it end by itself, or kill it; release everything. False: it had to be killed."""
        if self._closed:
            return True
        self._closed = True
        stdin = self._process.stdin
        assert stdin is not None
        try:
            # The end of its input: it damps, switches torque off and goes.
            stdin.close()
        except BrokenPipeError:
            # It has gone already.
            self._silent = True
        return self._reap()

    def _reap(self) -> bool:
        began = time.monotonic()
        try:
            while not self._silent and (left := began + self._allowed() - time.monotonic()) > 0:
                self.listen(min(left, END_TIMEOUT_S))
            ended = self.exit_code() is not None
            if not ended:
                self.kill()
            return ended
        finally:
            assert self._process.stdout is not None
            self._process.stdout.close()
            os.close(self._bell)
            self.channel.close()

    def _allowed(self) -> float:
        """How long it may take from when it was told to end, s."""
        end = self.channel.end()
        return WRITING_TIMEOUT_S if end is not None and end.confirmed else END_TIMEOUT_S

    def _say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            # It went at once; whoever waits for its first answer will see how.
            self._silent = True


def _started(module: str, *inherited: int) -> subprocess.Popen[bytes]:
    """Start it, with nothing inherited but the channel's file and the bell."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, inherited)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=inherited,
        env={**os.environ, **_ONE_THREAD},
    )
