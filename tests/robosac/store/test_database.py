"""A store's file: whose it is, what it is, whether it is whole."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from robosac.errors import StoreBusy, StoreDamaged, StoreError, StoreFormatError
from robosac.store.database import Database, Kind, ended_cleanly
from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox

KIND = Kind("outbox", 7, ("CREATE TABLE things (thing INTEGER)",))
HOLDER = (
    "import sys; from pathlib import Path; from robosac.store.outbox import Outbox;"
    "outbox = Outbox(Path(sys.argv[1])); outbox.append([b'one', b'two']);"
    "print('open', flush=True); sys.stdin.read()"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that has an outbox open, with two rows in it."""
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=pipe, stdout=pipe, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    return child


def end(child: subprocess.Popen[str], how: signal.Signals) -> None:
    child.send_signal(how)
    child.communicate()


def test_settings_are_those_that_survive_a_power_cut(path: Path) -> None:
    database = Database(path, KIND)
    answers = {
        name: database.select(f"PRAGMA {name}")[0][0]
        for name in ("journal_mode", "synchronous", "locking_mode", "mmap_size")
    }
    database.close()
    assert answers == {
        "journal_mode": "wal",
        "synchronous": 2,
        "locking_mode": "exclusive",
        "mmap_size": 0,
    }


def test_a_transaction_is_whole_or_not_at_all(path: Path) -> None:
    database = Database(path, KIND)
    with database.transaction():
        database.execute("INSERT INTO things VALUES (1)")

    def half() -> None:
        with database.transaction():
            database.execute("INSERT INTO things VALUES (2)")
            database.execute("INSERT INTO birds VALUES (3)")

    with pytest.raises(StoreError, match="no such table"):
        half()
    assert database.select("SELECT thing FROM things") == [(1,)]
    database.close()
    database.close()


def test_there_is_no_shared_memory_file(path: Path) -> None:
    database = Database(path, KIND)
    names = {file.name for file in path.parent.iterdir()}
    database.close()
    assert names == {"store.sqlite", "store.sqlite-wal", "store.sqlite.lock"}
    assert ended_cleanly(path)


def test_another_process_is_refused_and_told_who_has_it(path: Path) -> None:
    child = hold(path)
    try:
        with pytest.raises(StoreBusy, match=f"process {child.pid}"):
            Outbox(path)
    finally:
        end(child, signal.SIGKILL)
    outbox = Outbox(path)
    assert outbox.next_sequence == 2
    outbox.close()


def test_a_second_opening_in_this_process_is_refused_and_harms_nothing(path: Path) -> None:
    first = Outbox(path)
    with pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
        Outbox(path)
    first.append([b"one"])
    first.close()
    again = Outbox(path)
    assert again.next_sequence == 1
    again.close()


def test_only_the_thread_that_opened_it_may_use_it(path: Path) -> None:
    outbox = Outbox(path)
    raised: list[BaseException] = []

    def use(work: Callable[[], object]) -> None:
        try:
            work()
        except RuntimeError as error:
            raised.append(error)

    works = (lambda: outbox.append([b"x"]), lambda: outbox.read(-1, 1), outbox.close)
    for work in works:
        thread = threading.Thread(target=use, args=(work,))
        thread.start()
        thread.join()
    outbox.close()
    assert len(raised) == len(works)
    assert all("another thread" in str(error) for error in raised)


def test_other_kinds_versions_and_files_are_refused_by_name(path: Path) -> None:
    Database(path, KIND).close()
    with pytest.raises(StoreFormatError, match=r"version 7; this version of robosac reads 1"):
        Outbox(path)
    with pytest.raises(StoreFormatError, match=r"is an outbox; an inbox is needed"):
        Inbox(path)
    other = path.with_name("other.sqlite")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
    connection.close()
    with pytest.raises(StoreFormatError, match="no store of robosac"):
        Outbox(other)
    text = path.with_name("text.sqlite")
    text.write_text("no database at all, but longer than a header of one" * 100)
    with pytest.raises(StoreDamaged, match="not a database"):
        Outbox(text)
    with pytest.raises(StoreError, match="no folder"):
        Outbox(path.parent / "nowhere" / "store.sqlite")


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    path.touch()
    outbox = Outbox(path)
    assert outbox.next_sequence == 0
    outbox.close()


def test_after_a_kill_the_log_is_brought_into_the_file(path: Path) -> None:
    end(hold(path), signal.SIGKILL)
    assert not ended_cleanly(path)
    outbox = Outbox(path)
    rows = outbox.read(-1, 100).rows
    wal = path.with_name(path.name + "-wal").stat().st_size
    outbox.close()
    assert [row.data for row in rows] == [b"one", b"two"]
    assert wal == 0


def test_after_a_kill_a_damaged_structure_is_found_at_once(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([bytes(9000)] * 50)
    outbox.close()
    end(hold(path), signal.SIGKILL)
    data = bytearray(path.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    data[20 * page : 21 * page] = b"\x5a" * page
    path.write_bytes(data)
    with pytest.raises(StoreDamaged, match="see robosac store verify, and repair"):
        Outbox(path)
