"""A learner's process that an actor on the same machine starts, watches and starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import robosac

HUNG_S: Final = 60.0
"""A learner that lives but does not answer for so long is killed and started again."""
START_S: Final = 120.0
"""Longest time until a new process answers; importing torch takes most of it."""
STOP_S: Final = 15.0
"""Time to save and leave by itself, before it is killed."""
STARTS: Final = 3
"""Starts in a row that may fail before no more are tried."""
LOG: Final = "learner.log"
COMMAND: Final = (sys.executable, "-P", "-m", "robosac.learner_process")


class LearnerChild:
    """One learner's process after the other; for one thread.

    Args:
        folder: the learner's run, made already.
        socket: where it shall listen: a path of a Unix socket.
        command: the program; folder and socket are added. The product's own by default.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        folder: Path,
        socket: Path,
        command: Sequence[str] = COMMAND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._socket, self._command, self._clock = folder, socket, command, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._started_at = clock()
        self.failure: str | None = None
        """Why it is not started again."""

    @property
    def log(self) -> str:
        """Where it says what ails it."""
        return str(self._folder / LOG)

    @property
    def pid(self) -> int | None:
        """Of the process; None: there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it. Takes some milliseconds."""
        # A socket that a killed one left would keep the next from listening.
        self._socket.unlink(missing_ok=True)
        with (self._folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self._folder), f"unix:{self._socket}"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": _python_path()},
                start_new_session=True,
            )
        self._starts += 1
        self._started_at = self._clock()

    def did_well(self) -> None:
        """It has answered since it was started."""
        self._starts = 0

    def revive(self, lost_s: float) -> None:
        """Start it again if it is dead, or has not answered for HUNG_S; only between episodes.

        A fork in the middle of a control period would delay it.
        """
        process = self._process
        if process is None or self.failure is not None:
            return
        dead = process.poll() is not None
        since_start = self._clock() - self._started_at
        hung = lost_s > HUNG_S and since_start > START_S
        if not dead and not hung:
            return
        self._end(0.0)
        if self._starts >= STARTS:
            self.failure = f"the learner ended {STARTS} times in a row; {self.log} tells why"
            return
        self.start()

    def close(self) -> None:
        """Let it save and leave, or kill it after STOP_S; safe to call twice."""
        if self._process is not None and self._process.poll() is None:
            # A stopped one would not hear of it.
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        self._end(STOP_S)

    def _end(self, patience_s: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            # Stopped or hung: SIGKILL ends it all the same.
            process.kill()
            process.wait()


def _python_path() -> str:
    """So that the child runs the code of this process, whatever else is installed."""
    ours = str(Path(robosac.__file__).parents[1])
    inherited = os.environ.get("PYTHONPATH")
    return ours if not inherited else os.pathsep.join((ours, inherited))
