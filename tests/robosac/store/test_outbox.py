"""The robot's store: gapless numbers, cursors, what is kept and what is forgotten."""

from pathlib import Path

import pytest

from robosac.errors import SequenceGap, StoreDamaged, StoreSealed
from robosac.store.outbox import SLICE_ROWS, Outbox
from robosac.store.rows import MOST_ROW_BYTES, ActorState, Row, checksum
from tests.robosac.store.rigs import change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def test_rows_are_numbered_from_zero_and_come_back_as_they_were(path: Path) -> None:
    outbox = Outbox(path, lambda count: bytes(range(count)))
    assert (outbox.next_sequence, outbox.saved, outbox.kept_bytes) == (0, -1, 0)
    assert outbox.append([b"a", b""]) == 1
    assert outbox.append([b"ccc"], ActorState(2, b"state")) == 2
    outbox.close()
    outbox = Outbox(path)
    assert outbox.stream_id == bytes(range(16))
    assert outbox.actor_state == ActorState(2, b"state")
    assert (outbox.next_sequence, outbox.kept_bytes) == (3, 4)
    chunk = outbox.read(-1, 1000)
    assert chunk.first_sequence == 0
    assert chunk.last_sequence == 2
    assert chunk.rows == tuple(Row(checksum(n, d), d) for n, d in enumerate((b"a", b"", b"ccc")))
    outbox.close()


def test_two_new_stores_have_two_streams(tmp_path: Path) -> None:
    outboxes = [Outbox(tmp_path / name) for name in ("a", "b")]
    names = {outbox.stream_id for outbox in outboxes}
    for outbox in outboxes:
        outbox.close()
    assert len(names) == 2


def test_a_read_is_bounded_but_never_empty_where_there_is_a_row(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([bytes(10)] * 5 + [bytes(1000)])
    assert len(outbox.read(-1, 30).rows) == 3
    assert len(outbox.read(-1, 29).rows) == 2
    assert len(outbox.read(4, 30).rows) == 1
    assert outbox.read(5, 30).rows == ()
    with pytest.raises(SequenceGap, match="its last is 5"):
        outbox.read(6, 30)
    outbox.close()


def test_the_last_row_is_kept_so_that_numbers_never_begin_again(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([bytes(10)] * 3)
    outbox.forget(2)
    assert (outbox.first_sequence, outbox.saved, outbox.kept_bytes) == (2, 2, 10)
    outbox.close()
    outbox = Outbox(path)
    assert (outbox.next_sequence, outbox.first_sequence, outbox.saved) == (3, 2, 2)
    assert outbox.read(2, 100).rows == ()
    with pytest.raises(SequenceGap, match="has forgotten row 1"):
        outbox.read(0, 100)
    with pytest.raises(SequenceGap, match="the last is 2"):
        outbox.forget(3)
    outbox.forget(0)
    assert outbox.saved == 2
    outbox.close()


def test_forgetting_goes_in_slices_that_go_on_after_a_restart(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([b"x"] * (3 * SLICE_ROWS))
    outbox.mark_saved(3 * SLICE_ROWS - 2)
    assert outbox.delete_saved()
    assert outbox.first_sequence == SLICE_ROWS
    outbox.close()
    outbox = Outbox(path)
    assert outbox.first_sequence == SLICE_ROWS
    assert outbox.delete_saved()
    assert not outbox.delete_saved()
    assert (outbox.first_sequence, outbox.kept_bytes) == (3 * SLICE_ROWS - 1, 1)
    outbox.close()


def test_what_cannot_be_a_row_or_its_state_leaves_nothing(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([b"one"])
    with pytest.raises(ValueError, match=f"at most {MOST_ROW_BYTES}"):
        outbox.append([b"two", bytes(MOST_ROW_BYTES + 1)])
    with pytest.raises(ValueError, match=r"valid is 0 to 1"):
        outbox.append([b"two"], ActorState(2, b""))
    assert outbox.next_sequence == 1
    outbox.append([], ActorState(0, b"only the state"))
    outbox.close()
    outbox = Outbox(path)
    assert outbox.actor_state == ActorState(0, b"only the state")
    assert outbox.next_sequence == 1
    outbox.close()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE row SET data = 'x' || substr(data, 2) WHERE sequence = 1", "not what was written"),
        ("UPDATE row SET crc = crc + 1 WHERE sequence = 1", "row 1 is not what was written"),
        ("UPDATE row SET data = (SELECT data FROM row WHERE sequence = 0), "
         "crc = (SELECT crc FROM row WHERE sequence = 0) WHERE sequence = 1", "row 1 is not"),
    ],
)  # fmt: skip
def test_a_row_that_changed_is_not_handed_out(path: Path, damage: str, says: str) -> None:
    outbox = Outbox(path)
    outbox.append([b"zero", b"none", b"two!"])
    outbox.close()
    change(path, damage)
    outbox = Outbox(path)
    with pytest.raises(StoreDamaged, match=says):
        outbox.read(-1, 1000)
    outbox.close()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM row WHERE sequence = 1",
        "DELETE FROM row",
        "UPDATE stream SET saved = 3",
        "DELETE FROM row WHERE sequence = 0",
        "UPDATE stream SET state_sequence = 3",
        "UPDATE stream SET state = 'other'",
        "UPDATE stream SET stream_id = 'short'",
    ],
)
def test_a_store_that_contradicts_itself_is_not_opened(path: Path, damage: str) -> None:
    outbox = Outbox(path)
    outbox.append([b"zero", b"one", b"two"], ActorState(2, b"state"))
    outbox.close()
    change(path, damage)
    with pytest.raises(StoreDamaged):
        Outbox(path)


def test_a_sealed_outbox_only_hands_out(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([b"zero", b"one"])
    outbox.close()
    change(path, "UPDATE stream SET sealed = 1")
    outbox = Outbox(path)
    with pytest.raises(StoreSealed, match="repaired"):
        outbox.append([b"two"])
    assert len(outbox.read(-1, 100).rows) == 2
    outbox.forget(1)
    outbox.close()
