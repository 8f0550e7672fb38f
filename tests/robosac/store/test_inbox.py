"""The learner's store: each row once, in order, and nothing that does not follow."""

from pathlib import Path

import pytest

from robosac.errors import RowDamaged, SequenceGap, StoreDamaged, StreamRefused
from robosac.store.inbox import Arrival, Batch, Inbox
from robosac.store.rows import MOST_ROW_BYTES, Row, checksum
from tests.robosac.store.rigs import change, rows_of

ONE, TWO = bytes(16), bytes([1] * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite"


def test_rows_of_two_robots_arrive_in_the_order_in_which_they_came(path: Path) -> None:
    inbox = Inbox(path)
    assert inbox.register(ONE, "left") == inbox.register(TWO, "right") == -1
    assert inbox.accept(ONE, 0, rows_of(0, [b"a", b"b"])) == 1
    assert inbox.accept(TWO, 0, rows_of(0, [b"x"])) == 0
    assert inbox.accept(ONE, 2, rows_of(2, [b"c"])) == 2
    inbox.close()
    inbox = Inbox(path)
    expected = [(0, 0, b"a"), (0, 1, b"b"), (1, 0, b"x"), (0, 2, b"c")]
    assert inbox.read(-1, 10, 100) == [Arrival(n, *row) for n, row in enumerate(expected)]
    assert inbox.read(1, 1, 100) == [Arrival(2, *expected[2])]
    assert inbox.read(3, 10, 100) == []
    assert inbox.newest_arrival == 3
    assert [(s.actor_id, s.hi) for s in inbox.streams.values()] == [("left", 2), ("right", 0)]
    assert inbox.register(ONE, "left") == 2
    inbox.close()


def test_reads_are_bounded_in_rows_and_bytes(path: Path) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    inbox.accept(ONE, 0, rows_of(0, [bytes(10)] * 5))
    assert len(inbox.read(-1, 3, 1000)) == 3
    assert len(inbox.read(-1, 10, 25)) == 2
    assert len(inbox.read(-1, 10, 1)) == 1
    for nowhere in (5, -2):
        with pytest.raises(SequenceGap, match="its last is 4"):
            inbox.read(nowhere, 1, 1)
    inbox.close()


def test_what_is_sent_again_is_ignored_and_what_is_missing_is_refused(path: Path) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    assert inbox.accept(ONE, 0, rows_of(0, [b"a", b"b"])) == 1
    assert inbox.accept(ONE, 0, rows_of(0, [b"a", b"b"])) == 1
    assert inbox.accept(ONE, 1, rows_of(1, [b"b", b"c"])) == 2
    assert inbox.accept(ONE, 3, []) == 2
    with pytest.raises(SequenceGap, match=r"rows from 4 on were sent; 3 is next"):
        inbox.accept(ONE, 4, rows_of(4, [b"e"]))
    assert [row.data for row in inbox.read(-1, 10, 100)] == [b"a", b"b", b"c"]
    inbox.close()


def test_another_past_under_the_same_name_is_refused(path: Path) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    inbox.accept(ONE, 0, rows_of(0, [b"a", b"b"]))
    with pytest.raises(StreamRefused, match="other rows than these"):
        inbox.accept(ONE, 1, rows_of(1, [b"B", b"c"]))
    with pytest.raises(StreamRefused, match="belongs to actor 'a', not 'b'"):
        inbox.register(ONE, "b")
    with pytest.raises(StreamRefused, match="not registered"):
        inbox.accept(TWO, 0, rows_of(0, [b"x"]))
    with pytest.raises(StreamRefused, match="16 bytes"):
        inbox.register(b"short", "a")
    assert inbox.newest_arrival == 1
    inbox.close()


def test_a_row_that_was_damaged_on_its_way_is_refused_with_its_whole_batch(path: Path) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    good = rows_of(0, [b"a"])
    big = bytes(MOST_ROW_BYTES + 1)
    for bad in (Row(1, b"b"), Row(checksum(0, b"b"), b"b"), Row(checksum(1, big), big)):
        with pytest.raises(RowDamaged, match="row 1"):
            inbox.accept(ONE, 0, [*good, bad])
    with pytest.raises(RowDamaged, match="begin at 0"):
        inbox.accept(ONE, -1, good)
    assert inbox.newest_arrival == -1
    assert inbox.register(ONE, "a") == -1
    inbox.close()


def test_one_refused_batch_leaves_the_others_of_its_transaction_alone(path: Path) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    inbox.register(TWO, "b")
    results = inbox.accept_all(
        [
            Batch(ONE, 0, rows_of(0, [b"a"])),
            Batch(TWO, 5, rows_of(5, [b"x"])),
            Batch(ONE, 0, rows_of(0, [b"a", b"b"])),
            Batch(ONE, 0, rows_of(0, [b"A"])),
            Batch(TWO, 0, rows_of(0, [b"x"])),
        ]
    )
    assert results[0:5:2] == [0, 1, 0]
    assert isinstance(results[1], SequenceGap)
    assert isinstance(results[3], StreamRefused)
    assert [row.data for row in inbox.read(-1, 10, 100)] == [b"a", b"b", b"x"]
    inbox.close()


def test_a_checkpoint_is_told_as_the_last_row_of_each_stream(path: Path) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    inbox.register(TWO, "b")
    inbox.accept(ONE, 0, rows_of(0, [b"a", b"b"]))
    inbox.accept(TWO, 0, rows_of(0, [b"x"]))
    inbox.accept(ONE, 2, rows_of(2, [b"c"]))
    assert inbox.mark_checkpointed(0) == {ONE: 0, TWO: -1}
    assert inbox.mark_checkpointed(2) == {ONE: 1, TWO: 0}
    assert inbox.mark_checkpointed(1) == {ONE: 1, TWO: 0}
    with pytest.raises(SequenceGap, match="the last is 3"):
        inbox.mark_checkpointed(4)
    inbox.close()
    inbox = Inbox(path)
    assert inbox.checkpointed_arrival == 2
    assert inbox.mark_checkpointed(-1) == {ONE: 1, TWO: 0}
    assert inbox.mark_checkpointed(3) == {ONE: 2, TWO: 0}
    inbox.close()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM row WHERE arrival = 1",
        "DELETE FROM row WHERE arrival = 2",
        "UPDATE stream SET hi = 3",
        "UPDATE cursor SET checkpointed = 3",
        "UPDATE stream SET checkpointed = 3",
    ],
)
def test_an_inbox_that_contradicts_itself_is_not_opened(path: Path, damage: str) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    inbox.accept(ONE, 0, rows_of(0, [b"a", b"b", b"c"]))
    inbox.close()
    change(path, damage)
    with pytest.raises(StoreDamaged):
        Inbox(path)


def test_a_changed_row_is_not_learned_from(path: Path) -> None:
    inbox = Inbox(path)
    inbox.register(ONE, "a")
    inbox.accept(ONE, 0, rows_of(0, [b"a", b"b"]))
    inbox.close()
    change(path, "UPDATE row SET data = x'00' WHERE arrival = 1")
    inbox = Inbox(path)
    assert len(inbox.read(-1, 1, 100)) == 1
    with pytest.raises(StoreDamaged, match="row 1 is not what was written"):
        inbox.read(0, 1, 100)
    inbox.close()
