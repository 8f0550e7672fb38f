"""The actor's link as training sees it: a store, the uplink that empties it, and the policies."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

from robosac.actor_state import ActorState, parse_state, state_bytes
from robosac.backpressure import LinkState
from robosac.envelope import Sealed
from robosac.errors import LearnerLost, RunFolderError, SequenceGap, TransitionRefused
from robosac.messages import (
    Acknowledged,
    LearnerMeans,
    decode_experience,
    encode,
    experience_of,
)
from robosac.schema import Schema
from robosac.store.rows import ActorState as StoredState
from robosac.store.rows import Chunk
from robosac.transition import Transition
from robosac.transition_check import require_fit
from robosac.uplink import Uplink

START_S: Final = 120.0
"""Longest time until a learner that was just started says its first word."""
OPEN_WAIT_S: Final = 0.1


class Store(Protocol):
    """The actor's disk; nothing but `close` takes time. See `robosac.store.writer.StoreThread`."""

    actor_state: StoredState | None

    @property
    def next_sequence(self) -> int:
        """Number of the transition to put next."""
        ...

    @property
    def kept_bytes(self) -> int:
        """Transitions that no checkpoint is known to hold."""
        ...

    @property
    def why_full(self) -> str | None:
        """Why the episode should end; None: there is room, and it is written."""
        ...

    def put(self, sequence: int, data: bytes, state: bytes | None = None) -> None:
        """Take a transition, to be written by and by; `state` in the same transaction."""
        ...

    def read(self, after: int, most_bytes: int) -> Future[Chunk]:
        """Rows on the disk after number `after`."""
        ...

    def close(self) -> None:
        """Write what is left. Raises StoreError: how many transitions are not on the disk."""
        ...


class Child(Protocol):
    """A learner that this actor started."""

    @property
    def failure(self) -> str | None:
        """Why it is not started again."""
        ...

    @property
    def log(self) -> str:
        """Where it says what ails it."""
        ...

    def start(self) -> None:
        """Start it."""
        ...

    def revive(self, lost_s: float) -> None:
        """Start it again if it is dead, or has been hung for long."""
        ...

    def did_well(self) -> None:
        """It has answered since it was started."""
        ...

    def close(self) -> None:
        """Let it leave, or kill it."""
        ...


class StoredLink:
    """See `robosac.async_training.Link`.

    Args:
        store: the actor's transitions.
        uplink: sends them; not yet started.
        actor_id: whose transitions they are.
        stream: the store's name, 16 bytes.
        shelved: policies that an earlier sitting left, oldest first.
        schema: what transitions and policies depend on.
        ratio: updates for each step, to tell how far the learner is behind.
        child: the learner, if this actor started it.
        passed_over: policies that an earlier sitting left and that are not fit, a line each.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: Store,
        uplink: Uplink,
        actor_id: str,
        stream: bytes,
        shelved: Sequence[Sealed],
        schema: Schema,
        ratio: float,
        child: Child | None = None,
        passed_over: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self._uplink, self._child = store, uplink, child
        self._actor_id = actor_id
        self.stream, self._schema, self._ratio = stream.hex(), schema, ratio
        self._policies = list(shelved)
        self._clock = clock
        self.warnings = tuple(f"a policy kept here is not fit: {line}" for line in passed_over)
        """What the user should know before this actor acts; one line each."""
        self.refused: list[str] = []
        """Why policies that came were not fit."""

    @property
    def actor_state(self) -> ActorState:
        """Where this actor stood at the end of its last whole episode."""
        stored = self.store.actor_state
        return parse_state(None if stored is None else stored.data)

    @property
    def next_sequence(self) -> int:
        """Number of the transition to send next."""
        return self.store.next_sequence

    @property
    def last_episode(self) -> int:
        """Number of the episode of the newest transition; -1: there is none."""
        if not self.next_sequence:
            return -1
        chunk = self.store.read(self.next_sequence - 2, 1).result()
        return decode_experience(chunk.rows[-1].data).episode

    @property
    def progress(self) -> Acknowledged:
        """The newest that the learner said of how far it is."""
        return self._uplink.standing

    @property
    def state(self) -> LinkState:
        """How it is."""
        standing = self._uplink.standing
        unconfirmed = self.next_sequence - 1 - standing.learned
        failure = self._uplink.failure
        if failure is None and self._child is not None:
            failure = self._child.failure
        return LinkState(
            behind_steps=unconfirmed + max(0.0, standing.owed) / self._ratio,
            kept_bytes=self.store.kept_bytes,
            disk=self.store.why_full,
            lost_s=self._uplink.lost_s,
            failure=failure,
        )

    def open(self, *, may_act_alone: bool) -> None:
        """Connect, and wait for the learner's first word and policy; before anything moves.

        Args:
            may_act_alone: do not wait if an earlier sitting left a policy.

        Raises:
            LearnerLost: it did not answer in START_S, or cannot go on.
        """
        if self._child is not None:
            self._child.start()
        self._uplink.start()
        end = self._clock() + START_S
        while self._uplink.welcome is None or not self.newest:
            if may_act_alone and self.newest:
                return
            self.wait(OPEN_WAIT_S)
            self.revive()
            failure = self.state.failure
            if failure is not None or self._clock() > end:
                why = failure or f"no learner answered in {START_S:g} s: {self._uplink.trouble}"
                hint = "" if self._child is None else f"; {self._child.log} may tell more"
                raise LearnerLost(why + hint)

    @property
    def newest(self) -> Sealed | None:
        """The newest policy that came."""
        self._collect()
        return self._policies[-1] if self._policies else None

    def policy_after(self, sequence: int) -> Sealed | None:
        """The policy that has learned from this actor's transitions up to `sequence`, no more."""
        self._collect()
        for sealed in reversed(self._policies):
            if sealed.learned.get(self.stream, -1) == sequence:
                return sealed
        return None

    def learned_from(self, sealed: Sealed) -> int:
        """The last of this actor's transitions that a policy has learned from; -1: none."""
        return sealed.learned.get(self.stream, -1)

    def send(self, transition: Transition, state: ActorState | None = None) -> None:
        """Keep a transition, to be sent by and by.

        A twin that is repeated makes transitions again that are here already; they must be equal.

        Args:
            transition: the next one.
            state: where the actor stands after it, if it ends an episode.

        Raises:
            TransitionRefused: it must not be learned from.
            RunFolderError: it is not equal to the one that is here.
            StoreError: the store has no room left even for this one.
        """
        if transition.actor_id != self._actor_id:
            raise TransitionRefused(
                f"transition {transition.sequence} is {transition.actor_id}'s; this link is"
                f" {self._actor_id}'s"
            )
        require_fit(transition, self._schema)
        data = encode(experience_of(transition))
        if transition.sequence < self.next_sequence:
            self._require_equal(transition.sequence, data)
        else:
            blob = None if state is None else state_bytes(state)
            self.store.put(transition.sequence, data, blob)

    def save(self) -> None:
        """Ask for a checkpoint of everything up to now."""
        self._uplink.ask_to_save(self.next_sequence - 1)

    def take_means(self) -> list[LearnerMeans]:
        """What the learner told of its updates since the last call."""
        return self._uplink.take_means()

    def wait(self, seconds: float) -> None:
        """Wait until there is something to hear, at most `seconds`."""
        self._uplink.wait(seconds)

    def revive(self) -> None:
        """Start a dead learner of our own again; only between episodes, for it takes time."""
        if self._child is None:
            return
        if self._uplink.lost_s == 0.0:
            self._child.did_well()
        self._child.revive(self._uplink.lost_s)

    def close(self) -> None:
        """Take leave, write what is left, end the child.

        Raises:
            StoreError: how many transitions are not on the disk.
        """
        try:
            self._uplink.close()
        finally:
            try:
                self.store.close()
            finally:
                if self._child is not None:
                    self._child.close()

    def _collect(self) -> None:
        """Take what the uplink's thread has put on the shelf."""
        came = self._uplink.take_policies()
        self.refused += self._uplink.take_refused()
        self._policies = [*self._policies, *came][-2:]

    def _require_equal(self, sequence: int, data: bytes) -> None:
        try:
            chunk = self.store.read(sequence - 1, 1).result()
        except SequenceGap:
            # A checkpoint holds it, so that it is not kept here any more.
            return
        if chunk.rows[0].data != data:
            raise RunFolderError(
                f"transition {sequence} came out otherwise than before: this run cannot be"
                " repeated; the twin, the settings or the code have changed"
            )
