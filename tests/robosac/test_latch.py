"""The latch: a fault is remembered once, is written down, and is forgotten only by its name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from robosac.hal import Fault
from robosac.latch import FaultLatch, LatchedFault

FALL = Fault("fell", "imu", "1.2 rad")
HOT_LEFT = Fault("hot", "joint_0", "81")
HOT_RIGHT = Fault("hot", "joint_1", "82")


class Paper:
    """A journal in memory that can refuse."""

    def __init__(self, *latched: LatchedFault, newest_id: int = 0) -> None:
        self.latched, self.newest_id = latched, newest_id
        self.written: list[list[LatchedFault]] = []
        self.cleared: list[tuple[str, list[LatchedFault]]] = []
        self.refuses = False

    def write_latched(self, entries: Sequence[LatchedFault]) -> None:
        if self.refuses:
            raise OSError("full")
        self.written.append(list(entries))

    def write_cleared(self, name: str, entries: Sequence[LatchedFault]) -> None:
        if self.refuses:
            raise OSError("full")
        self.cleared.append((name, list(entries)))


def test_an_entry_for_each_name_and_source_with_its_first_time() -> None:
    latch = FaultLatch()
    for time, fault in enumerate((HOT_RIGHT, FALL, HOT_LEFT, Fault("hot", "joint_1", "99"))):
        latch.add(fault, float(time))
    expected = (
        LatchedFault(HOT_RIGHT, 0.0, 1),
        LatchedFault(FALL, 1.0, 2),
        LatchedFault(HOT_LEFT, 2.0, 3),
    )
    assert latch.entries == expected
    assert latch.faults == (HOT_RIGHT, FALL, HOT_LEFT)
    assert latch.names == ("fell", "hot")
    assert "hot" in latch
    assert "joint_1" not in latch


def test_clearing_forgets_that_name_and_nothing_else() -> None:
    latch = FaultLatch()
    for fault in (HOT_LEFT, FALL, HOT_RIGHT):
        latch.add(fault, 0.0)
    latch.clear("hot")
    assert latch.faults == (FALL,)
    assert "hot" not in latch
    latch.add(HOT_LEFT, 5.0)
    assert latch.entries[-1] == LatchedFault(HOT_LEFT, 5.0, 4), "a cleared fault is a new one"


def test_what_was_kept_is_latched_and_numbers_go_on() -> None:
    kept = LatchedFault(FALL, 3.0, 7)
    latch = FaultLatch(Paper(kept, newest_id=9))
    assert latch.entries == (kept,)
    latch.add(HOT_LEFT, 4.0)
    assert latch.entries[1].id == 10


def test_each_is_written_once() -> None:
    paper = Paper()
    latch = FaultLatch(paper)
    latch.save()
    assert paper.written == []
    latch.add(FALL, 0.0)
    latch.add(HOT_LEFT, 1.0)
    latch.save()
    latch.save()
    assert paper.written == [list(latch.entries)]


def test_what_was_refused_is_tried_again() -> None:
    paper = Paper()
    latch = FaultLatch(paper)
    latch.add(FALL, 0.0)
    paper.refuses = True
    with pytest.raises(OSError, match="full"):
        latch.save()
    paper.refuses = False
    latch.save()
    assert paper.written == [list(latch.entries)]


def test_nothing_is_forgotten_before_that_is_written() -> None:
    paper = Paper()
    latch = FaultLatch(paper)
    latch.add(FALL, 0.0)
    latch.add(HOT_LEFT, 1.0)
    paper.refuses = True
    with pytest.raises(OSError, match="full"):
        latch.clear("fell")
    assert latch.faults == (FALL, HOT_LEFT)
    paper.refuses = False
    before = latch.entries
    latch.clear("fell")
    assert paper.written == [list(before)], "what is cleared was latched, on paper too"
    assert paper.cleared == [("fell", [before[0]])]


def test_a_fault_without_a_number_is_not_kept() -> None:
    assert LatchedFault(FALL, 0.0).id == 0
