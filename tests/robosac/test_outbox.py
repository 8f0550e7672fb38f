"""What is kept for a learner that may have to be told again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.outbox import Outbox


@settings(deadline=None)
@given(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 6), st.floats(0, 1)), max_size=20))
def test_everything_after_what_is_safe_can_be_sent_again(
    first: int, rounds: list[tuple[int, float]]
) -> None:
    box, safe = Outbox(first), first - 1
    for new, share in rounds:
        for _ in range(new):
            number = box.next_sequence
            box.add(number, b"%d" % number)
        safe += int(share * (box.next_sequence - 1 - safe))
        box.forget(safe)
        expected = [b"%d" % number for number in range(safe + 1, box.next_sequence)]
        assert box.after(safe) == expected
        assert box.after(box.next_sequence - 1) == []
        assert (len(box), box.bytes) == (len(expected), sum(map(len, expected)))


def test_a_gap_is_refused_at_every_door() -> None:
    box = Outbox(3)
    with pytest.raises(ValueError, match="does not follow 2"):
        box.add(4, b"x")
    box.add(3, b"x")
    with pytest.raises(ValueError, match="does not follow 3"):
        box.add(3, b"x")
    with pytest.raises(ValueError, match="last sent is 3"):
        box.forget(4)
    box.forget(3)
    with pytest.raises(ValueError, match="are gone"):
        box.after(2)
