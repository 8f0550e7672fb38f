"""The inbox's thread: what is acknowledged is on the disk, and one session's mistake is its own."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robosac.errors import SequenceGap, StoreDamaged, StoreError, StoreFull, StreamRefused
from robosac.store.inbox import Inbox
from robosac.store.inbox_thread import InboxThread
from tests.robosac.store.rigs import Refusing, change, rows_of
from tests.sweeps.sqlite_vfs import FULL, OK, watched

ONE, TWO = bytes(16), bytes([1] * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite"


@pytest.fixture
def open_inbox(path: Path) -> Iterator[Callable[[], InboxThread]]:
    opened: list[InboxThread] = []

    def start() -> InboxThread:
        opened.append(InboxThread(lambda: Inbox(path)))
        return opened[-1]

    yield start
    for inbox in opened:
        inbox.close()


def test_what_it_says_is_what_the_inbox_says(open_inbox: Callable[[], InboxThread]) -> None:
    inbox = open_inbox()
    assert inbox.newest_arrival == -1
    assert inbox.register(ONE, "a") == -1
    assert inbox.accept(ONE, 0, rows_of(0, [b"a", b"b"])) == 1
    assert [row.data for row in inbox.read(-1, 10, 100)] == [b"a", b"b"]
    assert inbox.mark_checkpointed(0) == {ONE: 0}
    assert (inbox.newest_arrival, inbox.checkpointed_arrival) == (1, 0)
    assert [stream.actor_id for stream in inbox.streams.values()] == ["a"]
    with pytest.raises(SequenceGap):
        inbox.accept(ONE, 5, rows_of(5, [b"f"]))
    with pytest.raises(SequenceGap):
        inbox.read(9, 1, 1)
    with pytest.raises(StreamRefused):
        inbox.register(ONE, "b")
    assert inbox.failure is None


def test_sessions_beside_each_other_lose_and_mix_nothing(
    path: Path, open_inbox: Callable[[], InboxThread]
) -> None:
    inbox = open_inbox()
    names = [bytes([n] * 16) for n in range(6)]

    def session(name: bytes) -> None:
        hi = inbox.register(name, name.hex())
        while hi < 59:
            data = [name[:1] * (hi + 1 + n) for n in range(4)]
            hi = inbox.accept(name, hi + 1, rows_of(hi + 1, data))

    threads = [threading.Thread(target=session, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inbox.newest_arrival == 6 * 60 - 1
    found = inbox.read(-1, 1000, 10_000_000)
    for number, stream in inbox.streams.items():
        rows = [row for row in found if row.stream == number]
        assert [row.sequence for row in rows] == list(range(60))
        assert [row.data for row in rows] == [stream.stream_id[:1] * n for n in range(60)]


def test_batches_that_wait_together_are_committed_together(path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()
    groups: list[int] = []

    class Slow(Inbox):
        def accept_all(self, batches):  # type: ignore[no-untyped-def]
            groups.append(len(batches))
            began.set()
            go_on.wait(10)
            return super().accept_all(batches)

    inbox = InboxThread(lambda: Slow(path))
    names = [bytes([n] * 16) for n in range(5)]
    for name in names:
        inbox.register(name, "a")
    results: list[object] = []

    def accept(name: bytes, first: int) -> None:
        try:
            results.append(inbox.accept(name, first, rows_of(first, [b"x"])))
        except SequenceGap as error:
            results.append(error)

    threads = [threading.Thread(target=accept, args=(names[0], 0))]
    threads[0].start()
    assert began.wait(10)
    for name in names[1:]:
        threads.append(threading.Thread(target=accept, args=(name, 7 if name is names[1] else 0)))
        threads[-1].start()
    while len(inbox._jobs) < 4:
        pass
    go_on.set()
    for thread in threads:
        thread.join()
    inbox.close()
    assert groups == [1, 4]
    assert sorted(str(r) for r in results if not isinstance(r, SequenceGap)) == ["0"] * 4
    assert sum(isinstance(r, SequenceGap) for r in results) == 1


def test_a_full_disk_is_told_to_whoever_sends_and_nothing_is_kept_or_lost(
    path: Path,
) -> None:
    disk = Refusing()
    with watched(disk):
        inbox = InboxThread(lambda: Inbox(path))
        inbox.register(ONE, "a")
        inbox.accept(ONE, 0, rows_of(0, [b"a"]))
        disk.write_answer = FULL
        with pytest.raises(StoreFull):
            inbox.accept(ONE, 1, rows_of(1, [b"b"]))
        assert isinstance(inbox.failure, StoreFull)
        assert inbox.newest_arrival == 0
        assert [row.data for row in inbox.read(-1, 10, 100)] == [b"a"]
        disk.write_answer = OK
        assert inbox.accept(ONE, 1, rows_of(1, [b"b"])) == 1
        assert inbox.failure is None
        inbox.close()
    again = Inbox(path)
    assert [row.data for row in again.read(-1, 10, 100)] == [b"a", b"b"]
    again.close()


def test_the_learner_waits_for_arrivals(open_inbox: Callable[[], InboxThread]) -> None:
    inbox = open_inbox()
    inbox.register(ONE, "a")
    assert not inbox.wait_beyond(-1, 0.01)
    sender = threading.Timer(0.05, lambda: inbox.accept(ONE, 0, rows_of(0, [b"a"])))
    sender.start()
    assert inbox.wait_beyond(-1, 20.0)
    assert inbox.newest_arrival == 0
    sender.join()
    waiter = threading.Timer(0.05, inbox.close)
    waiter.start()
    assert not inbox.wait_beyond(0, 20.0)
    waiter.join()


def test_after_its_end_every_call_is_refused(open_inbox: Callable[[], InboxThread]) -> None:
    inbox = open_inbox()
    inbox.close()
    inbox.close()
    with pytest.raises(StoreError, match="closed"):
        inbox.register(ONE, "a")


def test_damage_is_told_to_the_reader(path: Path, open_inbox: Callable[[], InboxThread]) -> None:
    inbox = open_inbox()
    inbox.register(ONE, "a")
    inbox.accept(ONE, 0, rows_of(0, [b"a"]))
    inbox.close()
    change(path, "UPDATE row SET crc = crc + 1")
    inbox = open_inbox()
    with pytest.raises(StoreDamaged, match="not what was written"):
        inbox.read(-1, 1, 1)
    assert isinstance(inbox.failure, StoreDamaged)
