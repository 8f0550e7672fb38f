"""The learner's loop with an inbox in memory and a clock of the test's own."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robosac.config import load_preset
from robosac.envelope import Sealed, unseal
from robosac.learner_board import Board
from robosac.learner_service import LearnerService
from robosac.learning import Learning
from robosac.messages import encode, experience_of
from robosac.policy_shelf import PolicyShelf
from robosac.replay import Batch, Replay
from robosac.runs import RunFolder
from robosac.store.inbox import Arrival, Stream
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition
from tests.robosac.learner_rig import SMALL, Counted, CountingLearner, pendulum_schema

STREAM = bytes(16)


class MemoryInbox:
    """What an inbox is to the loop."""

    def __init__(self, rows: Sequence[bytes] = ()) -> None:
        self.rows = list(rows)
        self.checkpointed = -1
        self.streams = {0: Stream(0, STREAM, "actor", -1, -1)}

    @property
    def newest_arrival(self) -> int:
        return len(self.rows) - 1

    def read(self, after_arrival: int, most_rows: int, most_bytes: int) -> list[Arrival]:
        first = after_arrival + 1
        found = enumerate(self.rows[first : first + most_rows], first)
        return [Arrival(number, 0, number, data) for number, data in found]

    def mark_checkpointed(self, arrival: int) -> dict[bytes, int]:
        self.checkpointed = arrival
        return {STREAM: arrival}


def row(
    sequence: int, reward: float = 1.0, rewarded: bool = True, end: EpisodeEnd | None = None
) -> bytes:
    seen = np.full(3, sequence, np.float32)
    action = np.zeros(1, np.float32)
    transition = Transition(
        "actor", 0, sequence, sequence, 0, seen, action, action, 0, reward, rewarded, {},
        seen + 1, end, 0.0, 0.0,
    )  # fmt: skip
    return encode(experience_of(transition))


class Remembering(CountingLearner):
    """Its state is all that it was shown, in order."""

    def __init__(self, observations: int, actions: int) -> None:
        super().__init__(observations, actions)
        self._seen = 0

    def update_many(self, batches: Sequence[Batch[Any]]) -> list[Counted]:
        for batch in batches:
            self._seen = zlib.crc32(np.ascontiguousarray(batch.observation).tobytes(), self._seen)
        return super().update_many(batches)

    def state(self) -> dict[str, Any]:
        return super().state() | {"seen": np.array(self._seen)}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self._seen = int(state["seen"])


class Offers:
    """A board that remembers every policy."""

    def __init__(self) -> None:
        self.board = Board(lambda: 0.0)
        self.told: list[Sealed] = []
        offer = self.board.offer

        def remember(envelope: bytes) -> None:
            self.told.append(unseal(envelope, pendulum_schema()))
            offer(envelope)

        self.board.offer = remember  # type: ignore[method-assign]


def served(
    folder: Path,
    inbox: MemoryInbox,
    *overrides: str,
    board: Offers | None = None,
    turns: int | None = None,
    before_turn: Callable[[int], None] = lambda _: None,
    clock: Callable[[], float] = lambda: 0.0,
    learner: type[CountingLearner] = CountingLearner,
) -> LearnerService:
    """A loop that ran until there was nothing left to do, or for so many turns."""
    if folder.exists():
        run = RunFolder.open(folder)
    else:
        run = RunFolder.create(folder, load_preset("gym:Pendulum-v1", [*SMALL, *overrides]))
    replay = Replay(run.config.sac.replay_capacity, (3,), 1)
    learning = Learning(run.config, learner(3, 1), replay, lambda: 0.0)
    shelf = PolicyShelf(folder / "policies", pendulum_schema())
    offers = board or Offers()
    offers.board.wait = lambda seconds: None  # type: ignore[method-assign]
    service = LearnerService(
        run, learning, inbox, shelf.publish, offers.board, lambda means: None, clock
    )
    looked = 0

    def stopped() -> bool:
        nonlocal looked
        before_turn(looked)
        looked += 1
        if turns is not None:
            return looked > turns
        idle = inbox.newest_arrival < learning.step and not learning.may_update
        return idle and looked > 3

    try:
        service.run(stopped)
    finally:
        learning.close()
    return service
