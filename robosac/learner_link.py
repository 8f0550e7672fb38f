"""The actor's end of a learner on the same machine: starts it, feeds it, watches it, restarts it.

`LocalLearner` is what a learner on another machine replaces; see `robosac.async_training.Link`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import robosac
from robosac.backpressure import LinkState
from robosac.errors import LearnerLost, LinkError
from robosac.framing import frame
from robosac.messages import (
    Acknowledged,
    Begin,
    Busy,
    EpisodeEnded,
    Failed,
    LearnerMeans,
    Published,
    Ready,
    Save,
    Saved,
    Stop,
    ToActor,
    ToLearner,
    decode_to_actor,
    encode,
    experience_of,
)
from robosac.outbox import Outbox
from robosac.stream import Stream
from robosac.transition import Transition

SILENT_S = 2.0
"""A learner that was not heard for so long does not answer (hazard 24: budget 2 s)."""
HUNG_S = 60.0
"""A learner that lives but was not heard for so long is killed and started again."""
START_S = 120.0
"""Longest time until a new process says its first word; importing torch takes most of it."""
STOP_S = 10.0
"""Time to leave by itself, before it is killed."""
STARTS = 3
"""Starts in a row that may fail before no more are tried."""
LOG = "learner.log"


class LocalLearner:
    """A learner in a child process; nothing here waits except `wait` and `close`.

    Transitions are kept, framed, until a checkpoint holds them: a learner that died begins from its
    newest checkpoint and gets again what came after it. For one thread.

    Args:
        run: the run's folder.
        begin: shapes of what is seen and done.
        ratio: updates for each step, to tell how far it is behind.
        sequence: number of the next transition.
        command: the program; the run's folder is added. The product's own by default.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        run: Path,
        begin: Begin,
        ratio: float,
        sequence: int = 0,
        command: Sequence[str] = (sys.executable, "-P", "-m", "robosac.learner_process"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._begin, self._ratio = run, begin, ratio
        self._command, self._clock = command, clock
        self._outbox = Outbox(sequence)
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: Stream | None = None
        self._heard_at = clock()
        self._silence_allowed = SILENT_S
        self._lost_at: float | None = None
        self._starts = 0
        self._failure: str | None = None
        self._ready: Ready | None = None
        self._save: Save | None = None
        """The newest request for a checkpoint."""
        self._acknowledged = Acknowledged(
            sequence=sequence - 1, updates=0, owed=0.0, replay_bytes=0
        )
        self._furthest = (sequence - 1, 0)
        """The last transition and update that any child told of."""
        self._means: list[LearnerMeans] = []
        self.published: Published | None = None
        """The newest policy it told of."""
        self.saved = sequence - 1
        """The last transition that a checkpoint holds."""

    @property
    def pid(self) -> int | None:
        """Of the child; None: there is none."""
        return None if self._process is None else self._process.pid

    @property
    def ready(self) -> Ready | None:
        """What the present child began with; None: it has not said yet."""
        return self._ready

    @property
    def progress(self) -> Acknowledged:
        """The newest it said of how far it is."""
        return self._acknowledged

    @property
    def next_sequence(self) -> int:
        """Number of the transition to send next."""
        return self._outbox.next_sequence

    @property
    def state(self) -> LinkState:
        """How it is, as of the last `pump`."""
        now = self._clock()
        silent = now - self._heard_at > self._silence_allowed
        lost_at = self._lost_at
        if lost_at is None and silent:
            lost_at = self._heard_at
        unconfirmed = self.next_sequence - 1 - self._acknowledged.sequence
        return LinkState(
            behind_steps=unconfirmed + max(0.0, self._acknowledged.owed) / self._ratio,
            kept_bytes=self._outbox.bytes,
            lost_s=0.0 if lost_at is None else max(now - lost_at, 1e-9),
            failure=self._failure,
        )

    def start(self) -> None:
        """Start the child; `ready` is set once it has said so. Takes some milliseconds."""
        ours, theirs = socket.socketpair()
        with theirs, (self._run / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self._run)],
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": _python_path()},
                start_new_session=True,
            )
        self._starts += 1
        self._stream = Stream(ours)
        self._ready = None
        self._heard_at, self._silence_allowed = self._clock(), START_S
        self._tell(self._begin)

    def open(self) -> Ready:
        """Start the child and wait until it has a policy; before anything moves.

        Raises:
            LearnerLost: it ended, or did not get ready in START_S.
        """
        self.start()
        while self._ready is None or self.published is None:
            self.wait(0.1)
            state = self.state
            if state.failure is not None or state.lost_s > 0.0:
                why = state.failure or "the learner's process ended, or hung, at its start"
                raise LearnerLost(f"{why}; {self._run / LOG} may tell more")
        return self._ready

    def send(self, transition: Transition) -> None:
        """Keep a transition and send what goes without waiting.

        Raises:
            ValueError: its sequence number is not the next one.
        """
        framed = frame(encode(experience_of(transition)))
        self._outbox.add(transition.sequence, framed)
        # Before it is ready nothing is sent: it will say what it has.
        if self._stream is not None and self._ready is not None:
            self._stream.send_frame(framed)

    def end_episode(self, ended: EpisodeEnded) -> None:
        """Say that an episode is over."""
        self._tell_ready(ended)

    def save(self, request: Save) -> None:
        """Ask for a checkpoint; `saved` tells when it is there.

        A child that dies first is asked again when it is back, unless more was sent by then.
        """
        self._save = request
        self._tell_ready(request)

    def take_means(self) -> list[LearnerMeans]:
        """What the learner told of its updates since the last call."""
        means, self._means = self._means, []
        return means

    def pump(self) -> None:
        """Send what waits and read what came, without waiting."""
        if self._stream is None:
            return
        try:
            self._stream.flush()
            for payload in self._stream.receive():
                self._hear(decode_to_actor(payload))
        except LinkError:
            # Where its next message begins cannot be known any more: as good as dead.
            self._stream.close()
        if self._stream.closed:
            self._lose()

    def wait(self, seconds: float) -> None:
        """Wait until there is something to hear, at most `seconds`; then `pump`."""
        if self._stream is None or self._stream.closed:
            time.sleep(seconds)
        else:
            self._stream.wait(seconds)
        self.pump()

    def revive(self) -> None:
        """Start a dead learner again, and a hung one after HUNG_S; only between episodes.

        A fork in the middle of a control period would delay it.
        """
        if self._failure is not None or self._stream is None:
            return
        hung = self._clock() - self._heard_at > max(HUNG_S, self._silence_allowed)
        if not self._stream.closed and not hung:
            return
        self._lose()
        self._end_child(0.0)
        if self._starts >= STARTS:
            self._failure = (
                f"the learner ended {STARTS} times in a row; {self._run / LOG} tells why"
            )
            return
        self.start()

    def close(self) -> None:
        """Let the child leave, or kill it after STOP_S; safe to call twice."""
        self._tell(Stop())
        if self._stream is not None and not self._stream.closed:
            self._stream.flush()
        self._end_child(STOP_S)

    def _hear(self, message: ToActor) -> None:
        self._heard_at = self._clock()
        # Busy says how long it may be silent; whatever comes next takes that back.
        self._silence_allowed = SILENT_S
        if isinstance(message, Busy):
            self._silence_allowed = max(SILENT_S, message.seconds)
        elif isinstance(message, Ready):
            self._begin_with(message)
        elif isinstance(message, Acknowledged):
            self._go_further(message)
        elif isinstance(message, Published):
            self.published = message
        elif isinstance(message, LearnerMeans):
            self._means.append(message)
        elif isinstance(message, Saved):
            self._outbox.forget(message.sequence)
            self.saved = message.sequence
        else:
            self._fail(message)

    def _go_further(self, message: Acknowledged) -> None:
        """Take its progress; it has started well once it is past where the last one ended."""
        sequence, updates = self._furthest
        even = message.owed < 1.0
        if message.sequence >= sequence and (message.updates > updates or even):
            self._starts = 0
        self._furthest = (max(sequence, message.sequence), max(updates, message.updates))
        self._acknowledged, self._lost_at = message, None

    def _begin_with(self, ready: Ready) -> None:
        """Send what its checkpoint does not hold."""
        try:
            self._outbox.forget(ready.sequence)
            again = self._outbox.after(ready.sequence)
        except ValueError as error:
            self._failure = f"the learner's checkpoint does not fit this run: {error}"
            return
        self._ready, self.saved = ready, ready.sequence
        self._acknowledged = Acknowledged(
            sequence=ready.sequence, updates=0, owed=0.0, replay_bytes=0
        )
        if self._stream is not None:
            for framed in again:
                self._stream.send_frame(framed)
        if self._save is not None and self._save.counters.step == self.next_sequence:
            self._tell(self._save)

    def _fail(self, message: Failed) -> None:
        self._failure = f"the learner cannot go on: {message.message}"

    def _lose(self) -> None:
        # From when it was noticed: nobody may have listened for the length of an evaluation.
        if self._lost_at is None:
            self._lost_at = self._clock()

    def _tell_ready(self, message: ToLearner) -> None:
        if self._ready is not None:
            self._tell(message)

    def _tell(self, message: ToLearner) -> None:
        if self._stream is not None:
            self._stream.send(encode(message))

    def _end_child(self, patience_s: float) -> None:
        process, stream = self._process, self._stream
        self._process = None
        if process is not None:
            try:
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                # Stopped or hung: SIGKILL ends it all the same.
                process.send_signal(signal.SIGKILL)
                process.wait()
        if stream is not None:
            stream.close()


def _python_path() -> str:
    """So that the child runs the code of this process, whatever else is installed."""
    ours = str(Path(robosac.__file__).parents[1])
    inherited = os.environ.get("PYTHONPATH")
    return ours if not inherited else os.pathsep.join((ours, inherited))
