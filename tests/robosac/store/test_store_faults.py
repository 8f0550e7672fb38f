"""Full disks and I/O errors, a hundred for each store: nothing committed is lost."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from robosac.errors import StoreError, StoreFull
from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox
from robosac.store.rows import ActorState
from tests.robosac.store.rigs import rows_of
from tests.sweeps.sqlite_vfs import FULL, IOERR_FSYNC, IOERR_WRITE, OK, Passing, watched

FAULTS = 50
STREAM = bytes(16)


class Failing(Passing):
    """Fails at one of the next steps, and at all that follow until it is told that all is well."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._left, self.answer = rng, -1, OK
        self.struck = 0

    def break_soon(self) -> None:
        self.answer = self._rng.choice((FULL, IOERR_WRITE, IOERR_FSYNC))
        self._left = self._rng.randrange(12)

    def mend(self) -> None:
        self._left = -1

    def write(self, path: str, offset: int, data: bytes) -> int:
        return OK if self.answer == IOERR_FSYNC else self._next()

    def sync(self, path: str) -> int:
        return self._next()

    def _next(self) -> int:
        if self._left < 0:
            return OK
        if self._left > 0:
            self._left -= 1
            return OK
        self.struck += 1
        return self.answer


def refusal(call: Callable[[], object]) -> StoreError | None:
    """The error with which the disk refused; None: it did not."""
    try:
        call()
    except StoreError as error:
        return error
    return None


def data_of(rng: random.Random) -> list[bytes]:
    return [rng.randbytes(rng.choice((10, 1000, 40_000))) for _ in range(rng.randint(1, 3))]


@pytest.mark.parametrize("seed", [0, 1])
def test_an_outbox_keeps_what_it_had_and_goes_on(tmp_path: Path, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path / "outbox.sqlite"
    disk, written, state, refused = Failing(rng), list[bytes](), b"", 0
    with watched(disk):
        outbox = Outbox(path)
        while refused < FAULTS:
            rows, said = data_of(rng), rng.randbytes(20)
            disk.break_soon()
            now = ActorState(len(written) + len(rows) - 1, said)
            failed = refusal(partial(outbox.append, rows, now))
            disk.mend()
            if failed is not None:
                refused += 1
                assert isinstance(failed, StoreFull) == (disk.answer == FULL)
                assert outbox.next_sequence == len(written)
                outbox.append(rows, now)
            written += rows
            state = said
            if rng.random() < 0.2:
                outbox.forget(len(written) - 2)
        disk.mend()
        outbox.close()
        outbox = Outbox(path)
        first = outbox.first_sequence
        rows = [row.data for row in outbox.read(first - 1, 1 << 40).rows]
        assert rows == written[first:]
        assert outbox.actor_state == ActorState(len(written) - 1, state)
        outbox.close()
    assert disk.struck >= FAULTS


@pytest.mark.parametrize("seed", [0, 1])
def test_an_inbox_acknowledges_only_what_it_has(tmp_path: Path, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path / "inbox.sqlite"
    disk, written, refused = Failing(rng), list[bytes](), 0
    with watched(disk):
        inbox = Inbox(path)
        inbox.register(STREAM, "a")
        while refused < FAULTS:
            data = data_of(rng)
            rows = rows_of(len(written), data)
            disk.break_soon()
            failed = refusal(partial(inbox.accept, STREAM, len(written), rows))
            disk.mend()
            if failed is not None:
                refused += 1
                assert inbox.newest_arrival == len(written) - 1
                assert inbox.accept(STREAM, len(written), rows) == len(written) + len(rows) - 1
            written += data
        inbox.close()
        inbox = Inbox(path)
        assert [row.data for row in inbox.read(-1, 1 << 30, 1 << 40)] == written
        inbox.close()
    assert disk.struck >= FAULTS
