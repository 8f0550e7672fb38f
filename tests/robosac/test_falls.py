"""Falls within a while are counted, until a person has looked."""

from hypothesis import given
from hypothesis import strategies as st

from robosac.tasks.falls import FallCount


def test_three_falls_in_a_minute_are_too_many_until_a_person_has_looked() -> None:
    falls = FallCount()
    for time in (0.0, 30.0):
        falls.note(time)
        assert not falls.too_many(time)
    falls.note(60.0)
    assert falls.too_many(60.0)
    falls.forget()
    assert not falls.too_many(60.0)


@given(st.lists(st.floats(0.0, 200.0), max_size=12))
def test_falls_count_as_a_window_over_time(times: list[float]) -> None:
    falls, seen = FallCount(), []
    for time in sorted(times):
        falls.note(time)
        seen.append(time)
        within = sum(round(time - other, 9) <= 60.0 for other in seen)
        assert falls.too_many(time) == (within >= 3)
