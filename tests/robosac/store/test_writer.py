"""The outbox's thread: nothing is dropped, whatever the disk does."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robosac.errors import SequenceGap, StoreDamaged, StoreError, StoreFormatError, StoreFull
from robosac.store.limits import StoreLimits
from robosac.store.outbox import Outbox
from robosac.store.rows import MOST_ROW_BYTES, ActorState
from robosac.store.writer import StoreThread
from tests.robosac.store.rigs import Refusing, change, until
from tests.sweeps.sqlite_vfs import FULL, IOERR_FSYNC, IOERR_WRITE, OK, watched

QUICK = StoreLimits(window_s=0.001, retry_s=0.01, reserve_bytes=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def open_store(path: Path) -> Iterator[Callable[..., StoreThread]]:
    """Open a store that is closed after the test, whatever is still to be written."""
    opened: list[StoreThread] = []

    def start(limits: StoreLimits = QUICK) -> StoreThread:
        opened.append(StoreThread(lambda: Outbox(path), limits))
        return opened[-1]

    yield start
    for store in opened:
        try:
            store.close()
        except StoreError:
            assert not store._thread.is_alive()


def put_many(store: StoreThread, count: int, size: int = 10) -> list[bytes]:
    rows = [bytes([n % 256]) * size for n in range(count)]
    for row in rows:
        store.put(store.next_sequence, row)
    return rows


def stored(path: Path) -> list[bytes]:
    outbox = Outbox(path)
    rows = [row.data for row in outbox.read(-1, 1 << 40).rows]
    outbox.close()
    return rows


def test_rows_are_on_the_disk_soon_and_can_be_read(
    path: Path, open_store: Callable[..., StoreThread]
) -> None:
    store = open_store()
    rows = put_many(store, 20)
    assert store.next_sequence == 20
    until(lambda: store.committed == 19)
    assert store.waiting_rows == 0
    chunk = store.read(4, 50).result(10)
    assert [row.data for row in chunk.rows] == rows[5:10]
    store.close()
    store.close()
    assert stored(path) == rows


def test_rows_of_one_window_are_one_commit(
    path: Path, open_store: Callable[..., StoreThread]
) -> None:
    syncs: list[str] = []

    class Counting(Refusing):
        def sync(self, path: str) -> int:
            syncs.append(path)
            return OK

    with watched(Counting()):
        store = open_store(StoreLimits(window_s=0.1, reserve_bytes=0))
        before = len(syncs)
        put_many(store, 200)
        until(lambda: store.committed == 199)
        assert len(syncs) - before <= 10
        store.close()


def test_close_writes_what_waits(path: Path, open_store: Callable[..., StoreThread]) -> None:
    store = open_store(StoreLimits(window_s=0.1))
    rows = put_many(store, 1500, 100)
    store.close()
    assert store.committed == 1499
    assert stored(path) == rows
    with pytest.raises(StoreError, match="closed"):
        store.put(1500, b"late")
    with pytest.raises(StoreError, match="closed"):
        store.read(-1, 10).result(10)


def test_the_state_is_written_with_its_row(
    path: Path, open_store: Callable[..., StoreThread]
) -> None:
    store = open_store()
    assert store.actor_state is None
    store.put(0, b"zero", b"after zero")
    store.put(1, b"one")
    store.close()
    store = open_store()
    assert store.actor_state == ActorState(0, b"after zero")
    store.put_state(b"the episode is over")
    store.close()
    store = open_store()
    assert store.actor_state == ActorState(1, b"the episode is over")
    assert (store.next_sequence, store.committed) == (2, 1)


def test_a_wrong_number_or_size_is_refused(open_store: Callable[..., StoreThread]) -> None:
    store = open_store()
    with pytest.raises(ValueError, match="row 1 was put; 0 is next"):
        store.put(1, b"")
    with pytest.raises(ValueError, match="at most"):
        store.put(0, bytes(MOST_ROW_BYTES + 1))
    assert store.next_sequence == 0


@pytest.mark.parametrize("answer", [FULL, IOERR_WRITE, IOERR_FSYNC])
def test_a_disk_that_refuses_costs_no_row_and_is_tried_again(
    path: Path, open_store: Callable[..., StoreThread], answer: int
) -> None:
    disk = Refusing()
    with watched(disk):
        store = open_store()
        rows = put_many(store, 5)
        until(lambda: store.committed == 4)
        disk.write_answer, disk.sync_answer = (OK, answer) if answer == IOERR_FSYNC else (answer, 0)
        rows += put_many(store, 5)
        until(lambda: store.failure is not None)
        assert isinstance(store.failure, StoreFull if answer == FULL else StoreError)
        assert store.is_full
        assert (store.committed, store.waiting_rows) == (4, 5)
        rows += put_many(store, 5)
        assert [r.data for r in store.read(-1, 10_000).result(10).rows] == rows[:5]
        disk.write_answer = disk.sync_answer = OK
        until(lambda: store.committed == 14)
        until(lambda: not store.is_full)
        assert store.waiting_rows == 0
        store.close()
    assert stored(path) == rows


def test_close_says_how_many_rows_are_not_on_the_disk(
    path: Path, open_store: Callable[..., StoreThread]
) -> None:
    disk = Refusing()
    with watched(disk):
        store = open_store()
        rows = put_many(store, 3)
        until(lambda: store.committed == 2)
        disk.write_answer = FULL
        put_many(store, 7)
        with pytest.raises(StoreError, match=r"7 rows are not on the disk: .*full"):
            store.close()
        disk.write_answer = OK
    assert stored(path) == rows


def test_sqlites_own_bound_stops_it_and_forgetting_gives_room(
    path: Path, open_store: Callable[..., StoreThread]
) -> None:
    def small() -> Outbox:
        outbox = Outbox(path)
        outbox._database.execute("PRAGMA max_page_count=40")
        return outbox

    store = StoreThread(small, QUICK)
    sent = 0
    while not store.is_full:
        store.put(sent, bytes(3000))
        sent += 1
        until(lambda: store.committed == store.next_sequence - 1 or store.is_full)
    assert isinstance(store.failure, StoreFull)
    assert store.committed >= 20
    store.forget(store.committed)
    until(lambda: store.committed == sent - 1)
    until(lambda: not store.is_full)
    store.close()


def test_memory_is_bounded_and_what_does_not_fit_is_not_taken(
    path: Path, open_store: Callable[..., StoreThread]
) -> None:
    disk = Refusing()
    with watched(disk):
        store = open_store(
            StoreLimits(window_s=0.001, retry_s=0.01, most_waiting_bytes=1000, reserve_bytes=0)
        )
        disk.write_answer = FULL
        put_many(store, 10, 100)
        assert store.is_full
        with pytest.raises(StoreFull, match="1000 bytes wait"):
            store.put(10, b"x")
        assert store.next_sequence == 10
        disk.write_answer = OK
        until(lambda: store.committed == 9)
        store.put(10, b"x")
        store.close()
    assert len(stored(path)) == 11


def test_it_is_full_when_too_much_is_kept_and_forgetting_makes_room(
    open_store: Callable[..., StoreThread],
) -> None:
    store = open_store(StoreLimits(window_s=0.001, most_kept_bytes=1000, reserve_bytes=0))
    put_many(store, 11, 100)
    assert store.is_full
    until(lambda: store.committed == 10)
    assert store.kept_bytes == 1100
    with pytest.raises(SequenceGap, match="committed is 10"):
        store.forget(11)
    store.forget(10)
    until(lambda: store.kept_bytes == 100)
    assert not store.is_full
    assert store.saved == 10
    assert isinstance(store.read(0, 100).exception(10), SequenceGap)


def test_room_on_the_disk_is_looked_at(open_store: Callable[..., StoreThread]) -> None:
    store = open_store(StoreLimits(reserve_bytes=1 << 60))
    assert store.is_full
    assert "free on the disk" in (store.why_full or "")


def test_a_damaged_row_ends_collecting_but_what_waits_is_written(
    path: Path, open_store: Callable[..., StoreThread]
) -> None:
    store = open_store()
    rows = put_many(store, 3)
    store.close()
    change(path, "UPDATE row SET crc = crc + 1 WHERE sequence = 1")
    store = open_store(StoreLimits(window_s=0.1, reserve_bytes=0))
    store.put(3, b"three")
    assert isinstance(store.read(0, 100).exception(10), StoreDamaged)
    assert isinstance(store.failure, StoreDamaged)
    with pytest.raises(StoreError, match="takes nothing more"):
        store.put(4, b"four")
    with pytest.raises(StoreError, match="every row is on the disk, but"):
        store.close()
    assert store.committed == 3
    change(path, "UPDATE row SET crc = crc - 1 WHERE sequence = 1")
    assert stored(path) == [*rows, b"three"]


def test_an_outbox_that_cannot_be_opened_is_told_where_it_was_asked_for(path: Path) -> None:
    path.write_bytes(b"")
    change(path, "CREATE TABLE birds (name TEXT)")
    with pytest.raises(StoreFormatError, match="no store of robosac"):
        StoreThread(lambda: Outbox(path))


def test_many_threads_may_ask_at_once(open_store: Callable[..., StoreThread]) -> None:
    store = open_store()
    put_many(store, 300)
    until(lambda: store.committed == 299)
    counts: list[int] = []

    def read_all() -> None:
        after = -1
        while after < 299:
            after = store.read(after, 200).result(10).last_sequence
        counts.append(after)

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [299] * 4


CHILD = """
import resource, sys
from pathlib import Path
from robosac.errors import StoreError
from robosac.store.limits import StoreLimits
from robosac.store.outbox import Outbox
from robosac.store.writer import StoreThread

store = StoreThread(lambda: Outbox(Path(sys.argv[1])), StoreLimits(window_s=0.001, retry_s=0.01))
resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, resource.RLIM_INFINITY))
while not store.is_full:
    store.put(store.next_sequence, bytes(1000))
    while store.committed < store.next_sequence - 20 and not store.is_full:
        pass
committed = store.committed
try:
    store.close()
except StoreError as error:
    print(committed, store.committed, store.next_sequence, type(store.failure).__name__, flush=True)
    print(error, flush=True)
"""


def test_a_real_refusal_of_the_system_ends_collecting_and_keeps_what_was_committed(
    path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True
    )
    before, after, put, kind = done.stdout.splitlines()[0].split()
    assert kind in ("StoreError", "StoreFull")
    assert "rows are not on the disk" in done.stdout
    assert 10 <= int(before) <= int(after) < int(put)
    assert stored(path) == [bytes(1000)] * (int(after) + 1)


KILLED = """
import sys
from pathlib import Path
from robosac.store.outbox import Outbox
from robosac.store.writer import StoreThread

store = StoreThread(lambda: Outbox(Path(sys.argv[1])))
for sequence in range(100):
    store.put(sequence, b"row %d" % sequence)
while store.committed < 99:
    pass
store.put(100, b"row 100")
print("put", flush=True)
sys.stdin.read()
"""


def test_a_kill_takes_at_most_what_was_not_committed(path: Path) -> None:
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=pipe, stdout=pipe, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "put\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    rows = stored(path)
    assert len(rows) in (100, 101)
    assert rows == [b"row %d" % n for n in range(len(rows))]
