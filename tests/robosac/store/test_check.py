"""Looking through stores and repairing them: every damage is found, and the file is not touched."""

import json
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robosac.cli import app
from robosac.errors import RobosacError, StoreBusy, StoreError, StoreSealed
from robosac.store.check import figures, verify
from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox
from robosac.store.repair import repair
from robosac.store.rows import ActorState
from tests.robosac.store.rigs import change, rows_of

ONE, TWO = bytes(16), bytes([1] * 16)
SIZE = 9000
"""More than half a page, so that each row has a page of its own."""
run = CliRunner().invoke


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.sqlite"
    store = Outbox(path, lambda count: bytes(count))
    store.append([bytes([n]) * SIZE for n in range(10)], ActorState(9, b"state"))
    store.forget(2)
    store.close()
    return path


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    path = tmp_path / "inbox.sqlite"
    store = Inbox(path)
    store.register(ONE, "left")
    store.register(TWO, "right")
    for n in range(6):
        store.accept(ONE, n, rows_of(n, [bytes([n]) * 2000]))
        store.accept(TWO, n, rows_of(n, [bytes([100 + n]) * 50]))
    store.mark_checkpointed(4)
    store.close()
    return path


def everything(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, save for locks."""
    files = [file for file in folder.iterdir() if not file.name.endswith(".lock")]
    return {file.name: file.read_bytes() for file in files}


def leave_a_log(path: Path) -> None:
    """As after a kill: one more row, and it is only in the log."""
    code = (
        "import sys, os; from pathlib import Path; from robosac.store.outbox import Outbox;"
        "outbox = Outbox(Path(sys.argv[1])); outbox.append([b'last']); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name(path.name + "-wal").stat().st_size > 0


def test_sound_stores_are_sound_and_stay_as_they_are(outbox: Path, inbox: Path) -> None:
    before = everything(outbox.parent)
    assert (verify(outbox).rows, verify(outbox).problems) == (7, [])
    assert (verify(inbox).rows, verify(inbox).problems) == (12, [])
    assert everything(outbox.parent) == before


def test_a_log_is_read_with_the_file_and_neither_is_touched(outbox: Path) -> None:
    leave_a_log(outbox)
    before = everything(outbox.parent)
    assert (verify(outbox).rows, verify(outbox).problems) == (8, [])
    assert figures(outbox).streams[0].last == 10
    assert not figures(outbox).ended_cleanly
    assert everything(outbox.parent) == before


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE row SET data = x'00' WHERE sequence = 5", "5 is not what was written"),
        ("UPDATE row SET crc = 'x' WHERE sequence = 5", "5 is not what was written"),
        ("DELETE FROM row WHERE sequence = 5", "5 is missing; 6 comes next"),
        ("UPDATE stream SET saved = 99", "row 99 is called saved"),
        ("DELETE FROM row WHERE sequence < 5", "row 2 is called saved; rows here are 5 to 9"),
        ("UPDATE stream SET state = x'00'", "actor's state"),
        ("UPDATE stream SET state_sequence = 10", "actor's state"),
    ],
)
def test_damage_in_an_outbox_is_found(outbox: Path, damage: str, says: str) -> None:
    change(outbox, damage)
    assert says in " ".join(verify(outbox).problems)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE row SET data = x'00' WHERE arrival = 5", "5 is not what was written"),
        ("DELETE FROM row WHERE arrival = 5", "5 is missing; 6 comes next"),
        ("UPDATE row SET sequence = 77 WHERE arrival = 5", "5 is not what was written"),
        ("UPDATE row SET stream = 9 WHERE arrival = 0", "nothing tells whose it is"),
        ("UPDATE stream SET hi = 7 WHERE number = 1", "'right' is said to reach 7"),
        ("UPDATE stream SET checkpointed = 7 WHERE number = 1", "row 7 of 'right' is called saved"),
        ("DROP TABLE stream", "no such table"),
    ],
)
def test_damage_in_an_inbox_is_found(inbox: Path, damage: str, says: str) -> None:
    change(inbox, damage)
    assert says in " ".join(verify(inbox).problems)


def test_no_flipped_bit_of_a_row_goes_unseen(outbox: Path) -> None:
    """Bits within the rows' own bytes; elsewhere a flip may be in what nobody reads."""
    sound, rng = outbox.read_bytes(), random.Random(0)
    # A page that SQLite does not use any more may hold the row, too.
    places = [found.start() for found in re.finditer(bytes([5]) * SIZE, sound)]
    for _ in range(50):
        data = bytearray(sound)
        at, bit = rng.randrange(SIZE), 1 << rng.randrange(8)
        for place in places:
            data[place + at] ^= bit
        outbox.write_bytes(data)
        assert verify(outbox).problems == ["sequence 5 is not what was written"]


def test_noise_anywhere_is_found_or_harmless_and_never_a_surprise(outbox: Path) -> None:
    sound, rng = outbox.read_bytes(), random.Random(1)
    found = 0
    for _ in range(200):
        data = bytearray(sound)
        at = rng.randrange(len(data))
        data[at : at + 64] = rng.randbytes(len(data[at : at + 64]))
        outbox.write_bytes(data)
        try:
            problems = verify(outbox).problems
        except RobosacError:
            found += 1
            continue
        found += bool(problems)
        if not problems:
            store = Outbox(outbox)
            rows = store.read(2, 1 << 30).rows
            store.close()
            assert [row.data for row in rows] == [bytes([n]) * SIZE for n in range(3, 10)]
            assert store.actor_state == ActorState(9, b"state")
        for left in (*outbox.parent.glob("*-wal"), *outbox.parent.glob("*-journal")):
            left.unlink()
    assert found > 40


def test_a_store_in_use_is_left_alone(outbox: Path) -> None:
    store = Outbox(outbox)
    for look in (verify, figures, repair):
        with pytest.raises(StoreBusy):
            look(outbox)
    store.close()
    assert not list(outbox.parent.glob("*.repaired"))


def test_repair_saves_what_comes_before_the_damage(outbox: Path) -> None:
    change(outbox, "UPDATE row SET data = x'00' WHERE sequence = 6")
    before = outbox.read_bytes()
    done = repair(outbox)
    assert outbox.read_bytes() == before
    assert done.kept == 3
    told = " ".join(done.lost)
    assert "6 is not what was written" in told
    assert "left out: 4" in told
    assert "the actor's state" in told
    store = Outbox(Path(done.path))
    assert (store.first_sequence, store.next_sequence, store.saved) == (3, 6, 2)
    assert store.stream_id == ONE
    assert [row.data[0] for row in store.read(2, 100_000).rows] == [3, 4, 5]
    with pytest.raises(StoreSealed):
        store.append([b"six"])
    store.close()
    assert verify(Path(done.path)).problems == []
    with pytest.raises(StoreError, match="exists already"):
        repair(outbox)


def test_repair_of_a_sound_store_keeps_all_of_it(outbox: Path) -> None:
    leave_a_log(outbox)
    done = repair(outbox)
    assert (done.kept, done.lost) == (8, ())


def test_repair_of_an_inbox_takes_its_cursors_back(inbox: Path) -> None:
    change(inbox, "UPDATE row SET data = x'00' WHERE arrival = 3")
    done = repair(inbox)
    assert done.kept == 3
    assert "rows 1 to 5 of actor 'right'" in " ".join(done.lost)
    store = Inbox(Path(done.path))
    assert store.register(ONE, "left") == 1
    assert store.register(TWO, "right") == 0
    assert (store.newest_arrival, store.checkpointed_arrival) == (2, 2)
    assert store.accept(TWO, 1, rows_of(1, [b"again"])) == 1
    store.close()
    assert verify(Path(done.path)).problems == []


def test_a_broken_page_ends_the_repair_there(outbox: Path) -> None:
    data = bytearray(outbox.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    for found in re.finditer(bytes([6]) * SIZE, bytes(data)):
        at = found.start() // page * page
        data[at : at + page] = b"\x5a" * page
    outbox.write_bytes(data)
    assert verify(outbox).problems
    done = repair(outbox)
    assert 0 < done.kept < 7
    assert done.lost


def test_a_repair_that_cannot_be_done_leaves_nothing(inbox: Path) -> None:
    change(inbox, "DROP TABLE stream")
    before = everything(inbox.parent)
    with pytest.raises(StoreError, match="names cannot be read"):
        repair(inbox)
    assert everything(inbox.parent) == before


def test_the_command_line_tells_all_of_it(outbox: Path, inbox: Path) -> None:
    result = run(app, ["store", "verify", str(outbox)])
    assert (result.exit_code, "7 rows, all sound" in result.output) == (0, True)
    told = json.loads(run(app, ["store", "stats", str(inbox), "--json"]).output)
    assert told["kind"] == "inbox"
    assert [s["actor_id"] for s in told["streams"]] == ["left", "right"]
    assert [(s["first"], s["last"], s["rows"], s["saved"]) for s in told["streams"]] == [
        (0, 5, 6, 2),
        (0, 5, 6, 1),
    ]
    assert "rows 3 to 9; 7 here with" in run(app, ["store", "stats", str(outbox)]).output
    change(outbox, "UPDATE row SET crc = 0 WHERE sequence = 9")
    result = run(app, ["store", "verify", str(outbox), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.output)["problems"] == ["sequence 9 is not what was written"]
    result = run(app, ["store", "repair", str(outbox)])
    assert result.exit_code == 0
    assert "lost: sequence 9" in result.output
    result = run(app, ["store", "repair", str(outbox)])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    result = run(app, ["store", "verify", str(outbox.parent / "none")])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
