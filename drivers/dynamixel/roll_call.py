"""Whom a tick's sync read asks, in which order, and which answers belong to it. No I/O.

Servos answer in the order of the request. What happens behind one that is missing is not
documented: the later ones may answer all the same, or wait for it for ever. So one that is missing
moves to the end of the next request, where it cannot silence its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from drivers.dynamixel.block import Counts, FastReadBlock, SyncReadBlock
from drivers.dynamixel.fast_reply import FastReply
from drivers.dynamixel.instructions import fast_sync_read, sync_read
from drivers.dynamixel.packet import Status
from drivers.dynamixel.readings import USUAL_WINDOWS, WINDOWS, Window
from drivers.statistics import BusCounters

SUSPECT_AFTER: Final = 3
"""A servo that missed so many exchanges in a row is not waited for any longer than the others."""
CALM_AFTER: Final = 100
CALM_AFTER_S: Final = 0.25
"""After so many exchanges and seconds without a miss nothing old is on its way any more."""


class Answer(NamedTuple):
    """What a servo answered, and when it arrived, s."""

    status: Status
    at: float


class _Asked(NamedTuple):
    """A request, and what takes its answers apart in the usual case."""

    request: bytes
    block: SyncReadBlock | FastReadBlock


class RollCall:
    """One exchange after the other: `begin`, `take` what arrives, `end`.

    Args:
        ids: the servos; answers are in this order.
        fast: ask for one packet by all.
        counters: where late and corrupt answers are counted.

    Attributes:
        asked_at: when this exchange's request was made, s.
        nothing_old: no old answer of this exchange's length can be on its way.
    """

    def __init__(self, ids: Sequence[int], fast: bool, counters: BusCounters) -> None:
        self._ids, self._fast, self._counters = list(ids), fast, counters
        self._index = {id: index for index, id in enumerate(ids)}
        self._order = list(ids)
        self._turn = USUAL_WINDOWS - 1
        self._calm, self._trouble_at = CALM_AFTER, -math.inf
        self._careful = 0
        self._asked: dict[int, _Asked] = {}
        self._places = list(range(len(ids)))
        self._missed = [0] * len(ids)
        self._answers: list[Answer | None] = []
        self._rank = self._heard = 0
        self._disorder = False
        self._fast_reply: FastReply | None = None
        self.asked_at = -math.inf
        self.nothing_old = True

    @property
    def window(self) -> Window:
        """What this exchange reads."""
        return WINDOWS[self._turn]

    @property
    def complete(self) -> bool:
        """Nothing more can come: all have answered, or the last of the request has."""
        return self._heard == len(self._ids) or self._rank == len(self._ids) - 1

    @property
    def all_heard(self) -> bool:
        """Every servo has answered, and in order."""
        return self._heard == len(self._ids) and not self._disorder

    @property
    def only_suspects_missing(self) -> bool:
        """All have answered but those that have not for some time."""
        return all(
            answer is not None or missed >= SUSPECT_AFTER
            for answer, missed in zip(self._answers, self._missed, strict=True)
        )

    def is_suspect(self, index: int) -> bool:
        """Whether servo `index` has not answered for some time."""
        return self._missed[index] >= SUSPECT_AFTER

    def begin(self, at: float) -> bytes:
        """The packet to send at `at` s; its answers have another length than those before."""
        self.asked_at = at
        if self._calm >= CALM_AFTER and at - self._trouble_at >= CALM_AFTER_S:
            self._turn = (self._turn + 1) % USUAL_WINDOWS
            self._careful = 0
        else:
            # Behind the usual ones first: one of those may have been missed just now.
            self._turn = (self._turn + 1) % len(WINDOWS) if self._careful else USUAL_WINDOWS
            self._careful += 1
        # The others have not been used for long.
        self.nothing_old = self._careful <= len(WINDOWS) - USUAL_WINDOWS
        self._answers = [None] * len(self._ids)
        self._rank, self._heard, self._disorder = -1, 0, False
        self._fast_reply = None
        if self._turn not in self._asked:
            self._asked[self._turn] = self._ask()
        return self._asked[self._turn].request

    def take_all(self, data: bytes) -> Counts | None:
        """What all servos say, if `data` are exactly their answers."""
        counts = self._asked[self._turn].block.decode(data)
        if counts is None:
            return None
        self._missed = [0] * len(self._ids)
        self._heard = len(self._ids)
        self._calm += 1
        if self._order == self._ids:
            return counts
        values, ticks = counts
        places = self._places
        return Counts(values[:, places], ticks[places])

    def doubt(self) -> None:
        """Something old was among the answers."""
        self._calm, self._trouble_at = 0, self.asked_at

    def feed_fast(self, data: bytes) -> list[Status]:
        """The answers that `data` completes, when they come in one packet."""
        if self._fast_reply is None:
            self._fast_reply = FastReply(self._order, [self.window.size] * len(self._order))
        return self._fast_reply.feed(data)

    def take(self, statuses: Iterable[Status], at: float) -> None:
        """Sort out what arrived at `at` s."""
        for status in statuses:
            index = self._index.get(status.id)
            if index is None:
                self._counters.corrupt += 1
            elif len(status.parameters) != self.window.size and (
                not status.error or status.parameters
            ):
                self._counters.late += 1
            else:
                self._place(index, status, at)

    def end(self) -> list[Answer | None]:
        """The answers of all servos; None: none that can be trusted.

        Answers out of order cannot be told from old ones, so then none counts.
        """
        if self._fast_reply is not None and self._fast_reply.discarded:
            self._counters.corrupt += 1
        if self.only_suspects_missing and not self._disorder:
            self._calm += 1
        else:
            self.doubt()
        if self._disorder:
            return [None] * len(self._ids)
        for index, answer in enumerate(self._answers):
            self._missed[index] = 0 if answer is not None else self._missed[index] + 1
        if self._heard < len(self._ids):
            self._move_first_missing_to_the_end()
        return self._answers

    def _place(self, index: int, status: Status, at: float) -> None:
        before = self._answers[index]
        if before is not None:
            self._counters.late += 1
            # The same words twice do no harm; others leave open which of them are old.
            self._disorder |= before.status != status
            return
        rank = self._order.index(status.id)
        if rank < self._rank:
            self._counters.late += 1
            self._disorder = True
            return
        self._answers[index] = Answer(status, at)
        self._rank, self._heard = rank, self._heard + 1

    def _move_first_missing_to_the_end(self) -> None:
        missing = next(id for id in self._order if self._answers[self._index[id]] is None)
        if self._order[-1] != missing:
            self._order.remove(missing)
            self._order.append(missing)
            self._asked.clear()
            self._places = [self._order.index(id) for id in self._ids]

    def _ask(self) -> _Asked:
        window, ids = self.window, self._order
        if self._fast:
            return _Asked(
                fast_sync_read(window.address, window.size, ids),
                FastReadBlock(ids, window),
            )
        return _Asked(
            sync_read(window.address, window.size, ids),
            SyncReadBlock(ids, window),
        )
