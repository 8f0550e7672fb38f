"""What the learner's loop and its actors' sessions tell each other, across threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from robosac.errors import ActorRefused
from robosac.messages import LearnerMeans
from robosac.schema import Schema, differences

KEPT_MEANS = 64
"""Rows of metrics that an actor may miss while it is away, and still be told."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the learner is; streams by their 16 bytes."""

    learned: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Last transition of each stream that is in the replay."""
    saved: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Last transition of each stream that a checkpoint holds."""
    updates: int = 0
    owed: float = 0.0
    replay_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Busy:
    """What the loop is at, and how long that may take."""

    doing: str
    seconds: float
    since: float


class Board:
    """Read by every session, written by the loop; and the other way what the sessions wish.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._standing = Standing()
        self._beat_at = clock()
        self._busy: Busy | None = None
        self._offer: bytes | None = None
        self._means: deque[tuple[int, LearnerMeans]] = deque(maxlen=KEPT_MEANS)
        self._schema: Schema | None = None
        self._saves: dict[bytes, int] = {}
        self._sessions: dict[str, int] = {}
        self._joined = 0
        self.offers = self.told_means = 0
        """Serial numbers of the newest policy, and of the newest means."""
        self.failure: str | None = None
        """Why it cannot go on."""

    # For the loop.

    def tell(self, standing: Standing) -> None:
        """Say how far it is; also a sign of life."""
        with self._changed:
            self._standing, self._beat_at, self._busy = standing, self._clock(), None

    def tell_busy(self, doing: str, seconds: float) -> None:
        """Say that there will be no sign of life for at most so long."""
        with self._changed:
            self._beat_at = self._clock()
            self._busy = Busy(doing, seconds, self._beat_at)

    def tell_saved(self, saved: dict[bytes, int]) -> None:
        """Say what the newest checkpoint holds."""
        with self._changed:
            self._standing = replace(self._standing, saved=dict(saved))

    def offer(self, envelope: bytes) -> None:
        """Offer a policy; the newest wins."""
        with self._changed:
            self._offer = envelope
            self.offers += 1

    def tell_means(self, means: LearnerMeans) -> None:
        """Tell what the newest updates saw."""
        with self._changed:
            self.told_means += 1
            self._means.append((self.told_means, means))

    def fail(self, why: str) -> None:
        """Say that it cannot go on."""
        with self._changed:
            self.failure = why

    def wait(self, seconds: float) -> None:
        """Wait until a session has something new, at most `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    def schema(self) -> Schema | None:
        """What is learned from; None: no actor has said yet."""
        with self._changed:
            return self._schema

    def take_saves(self) -> dict[bytes, int]:
        """Checkpoints that were asked for: of everything up to this transition of that stream."""
        with self._changed:
            saves, self._saves = self._saves, {}
            return saves

    @property
    def actors(self) -> tuple[str, ...]:
        """Names of those who are here."""
        with self._changed:
            return tuple(sorted(self._sessions))

    # For the sessions.

    def join(self, actor_id: str, schema: Schema) -> int:
        """Enter an actor; its number. One of the same name that is here is out by that.

        A robot that lost its connection comes back before the old one is known to be dead.

        Raises:
            ActorRefused: it is another kind of robot or task.
        """
        with self._changed:
            self._agree(schema)
            self._joined += 1
            self._sessions[actor_id] = self._joined
            self._changed.notify_all()
            return self._joined

    def agree(self, schema: Schema) -> None:
        """Fix what is learned from. Raises ActorRefused: something else is."""
        with self._changed:
            self._agree(schema)

    def is_here(self, actor_id: str, number: int) -> bool:
        """Whether nobody of the same name came since."""
        with self._changed:
            return self._sessions.get(actor_id) == number

    def leave(self, actor_id: str, number: int) -> None:
        """Take an actor off, unless it is here again."""
        with self._changed:
            if self._sessions.get(actor_id) == number:
                del self._sessions[actor_id]
                self._changed.notify_all()

    def notify(self) -> None:
        """There are new transitions."""
        with self._changed:
            self._changed.notify_all()

    def ask_to_save(self, stream: bytes, sequence: int) -> None:
        """Ask for a checkpoint once everything up to `sequence` is learned from."""
        with self._changed:
            self._saves[stream] = max(sequence, self._saves.get(stream, -1))
            self._changed.notify_all()

    def standing(self) -> Standing:
        """How far the learner is."""
        with self._changed:
            return self._standing

    def alive(self, within_s: float) -> bool:
        """Whether the loop gave a sign of life within `within_s`, or said that it is busy."""
        with self._changed:
            allowed = within_s if self._busy is None else max(within_s, self._busy.seconds)
            return self._clock() - self._beat_at <= allowed

    def busy(self) -> Busy | None:
        """What it is at."""
        with self._changed:
            return self._busy

    def newest_offer(self) -> tuple[int, bytes | None]:
        """The newest policy and its serial number."""
        with self._changed:
            return self.offers, self._offer

    def means_after(self, serial: int) -> list[tuple[int, LearnerMeans]]:
        """Means that came after number `serial`."""
        with self._changed:
            return [entry for entry in self._means if entry[0] > serial]

    def _agree(self, schema: Schema) -> None:
        if self._schema is None:
            self._schema = schema
        elif found := differences(self._schema, schema):
            raise ActorRefused(f"the actor does not fit what is learned here: {'; '.join(found)}")
