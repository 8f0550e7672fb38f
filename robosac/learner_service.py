"""The learner's loop: transitions from the inbox, updates, policies, checkpoints.

Knows no torch, no socket and no robot: learner, replay and inbox are handed in. What it has learned
is a function of the rows in the inbox, in their order: a checkpoint holds how far it came in them,
and the replay is built from them again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from robosac import checkpoint
from robosac.errors import RunFolderError
from robosac.learner_board import Board, Standing
from robosac.learning import Learning
from robosac.messages import LearnerMeans, decode_experience, transition_of
from robosac.runs import RunFolder
from robosac.sac import PixelPolicy, Policy
from robosac.store.inbox import Arrival, Stream

WAIT_S: Final = 0.2
"""Longest time without a look around while there is nothing to do."""
ROWS_AT_ONCE: Final = 64
BYTES_AT_ONCE: Final = 4_000_000
SAVING_S: Final = 120.0
"""Longest time a checkpoint may take to be written."""
SAVE_AGAIN_S: Final = 10.0
"""Time until a checkpoint that the disk refused is tried again."""
TELL_EVERY_S: Final = 0.1
"""How often it says how far it is, while it updates."""


class Inbox(Protocol):
    """Transitions on the disk, in the order in which they came; see `robosac.store.InboxThread`."""

    @property
    def newest_arrival(self) -> int:
        """Number of the newest row; -1: there is none."""
        ...

    @property
    def streams(self) -> Mapping[int, Stream]:
        """By their numbers."""
        ...

    def read(self, after_arrival: int, most_rows: int, most_bytes: int) -> Sequence[Arrival]:
        """Rows that came after number `after_arrival`, in order."""
        ...

    def mark_checkpointed(self, arrival: int) -> dict[bytes, int]:
        """Note that a checkpoint holds the rows up to this; the last one of each stream."""
        ...


Publish = Callable[[Policy | PixelPolicy, int, dict[str, int]], bytes]
"""(policy, version, learned) -> envelope."""


class LearnerService:
    """One learner.

    Args:
        run: its folder: checkpoints.
        learning: learner and replay.
        inbox: where transitions come from.
        publish: seals a policy.
        board: what actors are told.
        told: called with what the newest updates saw, for the metrics.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        run: RunFolder,
        learning: Learning,
        inbox: Inbox,
        publish: Publish,
        board: Board,
        told: Callable[[LearnerMeans], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._inbox, self._publish_sealed = run, inbox, publish
        self.learning, self._board, self._told, self._clock = learning, board, told, clock
        self._section = run.config.learner_process
        self._learned: dict[bytes, int] = {}
        self._episodes = 0
        """Ends of episodes that were learned from."""
        self._saved_at = self._save_after = clock()
        self._refused_at: int | None = None
        """The newest edge's step while a checkpoint is outstanding that the disk refused."""
        self._offered = (-1, clock())
        self._policy_is_due = self._save_is_due = False
        self._asked: dict[bytes, int] = {}
        self._told_at = clock()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Begin from the newest checkpoint, and learn until told to stop; then save.

        Raises:
            RunFolderError: the checkpoint is damaged, or of another inbox.
            TransitionRefused: a row cannot be learned from.
            OSError: the disk refuses.
        """
        self._restore()
        self._offer()
        self.learning.begin()
        while not stopped():
            worked = self._take() or self._update()
            if self.learning.may_update:
                self._keep_what_was_made()
            else:
                self._edge()
            if not worked:
                self._tell()
                if self._idle():
                    self._board.wait(WAIT_S)
            elif self._clock() - self._told_at >= TELL_EVERY_S:
                self._tell()
        if not self._section.lockstep:
            # In lock-step checkpoints are for the edges of episodes; the rows do the rest.
            self._save()

    def _idle(self) -> bool:
        return self._inbox.newest_arrival < self.learning.step and not self.learning.may_update

    def _restore(self) -> None:
        """Take over the newest checkpoint, and put the rows that it stands for into the replay."""
        folder = checkpoint.latest(self._run.path)
        if folder is None:
            return
        document = self.learning.load(folder, {}, with_replay=False)
        step = document["step"]
        there = self._inbox.newest_arrival + 1
        if step > there:
            raise RunFolderError(
                f"{folder} has learned from {step} transitions; the inbox has {there}"
            )
        read = 0
        while read < step:
            self._board.tell_busy("reading transitions", SAVING_S)
            most = min(ROWS_AT_ONCE, step - read)
            for row in self._inbox.read(read - 1, most, BYTES_AT_ONCE):
                self.learning.keep(transition_of(decode_experience(row.data)))
                read = row.arrival + 1
        self._learned = {bytes.fromhex(k): v for k, v in document["learned"].items()}
        self._episodes = document["episodes"]
        self._board.tell_saved(self._inbox.mark_checkpointed(step - 1))

    def _take(self) -> bool:
        """Take new rows; in lock-step one, and only when nothing is owed."""
        lockstep, learning = self._section.lockstep, self.learning
        if self._inbox.newest_arrival < learning.step:
            return False
        if lockstep and (learning.may_update or self._policy_is_due):
            return False
        rows = self._inbox.read(learning.step - 1, 1 if lockstep else ROWS_AT_ONCE, BYTES_AT_ONCE)
        for row in rows:
            transition = transition_of(decode_experience(row.data))
            learning.take(transition)
            self._learned[self._inbox.streams[row.stream].stream_id] = row.sequence
            if transition.end is not None:
                self._end_of_episode()
            if learning.means_are_due:
                self._tell_means()
        return lockstep or not learning.may_update

    def _end_of_episode(self) -> None:
        self._episodes += 1
        self._policy_is_due = True
        if self._refused_at is not None:
            self._refused_at = self.learning.step
        if self._episodes % self._run.config.checkpoint_every_episodes == 0:
            self._save_is_due = True

    def _update(self) -> bool:
        if not self.learning.may_update:
            return False
        self.learning.update()
        updates, (version, at) = self.learning.learner.updates, self._offered
        behind = updates - version >= self._section.publish_updates
        if not self._section.lockstep and (behind or self._clock() - at >= self._section.publish_s):
            self._offer()
        return True

    def _edge(self) -> None:
        """What is due once all updates are made: a policy, a checkpoint."""
        if self._policy_is_due:
            self._policy_is_due = False
            self._offer()
        self._asked |= self._board.take_saves()
        asked = {s: n for s, n in self._asked.items() if self._learned.get(s, -1) < n}
        reached, self._asked = len(asked) < len(self._asked), asked
        self._save_is_due = self._save_is_due or reached
        if self._save_is_due and self._clock() >= self._save_after and not self._has_left_edge():
            self._save_is_due = not self._try_to_save()

    def _keep_what_was_made(self) -> None:
        """A checkpoint from time to time while updates are owed: it holds what is owed, too.

        A learner that is far behind and killed before it has caught up would begin anew each time.
        In lock-step checkpoints are for edges, and what lies between two is made again to the bit.
        """
        lockstep, every_s = self._section.lockstep, self._section.checkpoint_s
        now = self._clock()
        if not lockstep and now >= max(self._saved_at + every_s, self._save_after):
            self._try_to_save()

    def _has_left_edge(self) -> bool:
        """Whether a refused checkpoint waits for the next edge: in lock-step it is for edges."""
        refused = self._refused_at
        return self._section.lockstep and refused not in (None, self.learning.step)

    def _offer(self) -> None:
        """Seal the policy as it is now; the newest wins."""
        version = self.learning.learner.updates
        policy, learned = self.learning.learner.policy(), self._learned_by_name()
        self._board.offer(self._publish_sealed(policy, version, learned))
        self._offered = (version, self._clock())

    def _try_to_save(self) -> bool:
        """Write a checkpoint; False: the disk refused, so learn on and try again.

        Nothing is lost by that: the rows are in the inbox, and actors keep theirs.
        """
        try:
            self._save()
        except OSError as error:
            self._save_after = self._clock() + SAVE_AGAIN_S
            self._refused_at = self.learning.step
            self._board.tell_trouble(f"no checkpoint: {error}")
            return False
        self._refused_at = None
        self._board.tell_trouble("")
        return True

    def _save(self) -> None:
        """Write a checkpoint, unless there is one of this step after as many updates."""
        step, updates = self.learning.step, self.learning.learner.updates
        if step and not checkpoint.folder_for(self._run.path, step, updates).exists():
            self._board.tell_busy("saving", SAVING_S)
            document: dict[str, Any] = {
                "step": step,
                "updates": updates,
                "episodes": self._episodes,
                "learned": self._learned_by_name(),
            }
            self.learning.save(self._run.path, document, {}, with_replay=False)
        self._saved_at = self._clock()
        self._board.tell_saved(self._inbox.mark_checkpointed(step - 1))

    def _learned_by_name(self) -> dict[str, int]:
        return {stream.hex(): sequence for stream, sequence in self._learned.items()}

    def _tell_means(self) -> None:
        means, _ = self.learning.take_means()
        if means is not None:
            self._told(means)
            self._board.tell_means(means)

    def _tell(self) -> None:
        learning = self.learning
        self._told_at = self._clock()
        self._board.tell(
            Standing(
                learned=dict(self._learned),
                saved=self._board.standing().saved,
                updates=learning.learner.updates,
                owed=learning.governor.owed,
                replay_bytes=learning.replay.memory_bytes,
            )
        )
