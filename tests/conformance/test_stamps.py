"""The judge of the bus-fault sweep sees what it is there to see."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sweeps.stamps import (
    IDS,
    Reading,
    Verdict,
    judge,
    judge_supply,
    present,
    supply,
)

times = st.integers(0, 3_600_000_000)
ids = st.sampled_from(IDS)


def reading(id: int, us: int) -> Reading:
    return Reading(id, *struct.unpack_from("<hii", present(id, us), 126 - 120))


@given(ids, times, st.integers(0, 1_000_000))
def test_readings_are_true_from_when_they_were_asked_for(id: int, us: int, later: int) -> None:
    assert judge(reading(id, us + later), us) is Verdict.TRUE


@given(ids, times, st.integers(1, 1_000_000))
def test_older_ones_are_stale(id: int, us: int, earlier: int) -> None:
    assert judge(reading(id, us), us + earlier) is Verdict.STALE


# One proof in 46,000 fits by chance: the same examples every time.
@settings(derandomize=True)
@given(ids, ids, times)
def test_anothers_is_wrong(id: int, other: int, us: int) -> None:
    verdict = judge(reading(other, us)._replace(id=id), us)
    assert (verdict is Verdict.WRONG) == (id != other)


@settings(derandomize=True)
@given(ids, times, st.integers(0, 79))
def test_a_flipped_bit_is_wrong(id: int, us: int, bit: int) -> None:
    data = bytearray(present(id, us)[6:16])
    data[bit // 8] ^= 1 << bit % 8
    effort, velocity, position = struct.unpack("<hii", data)
    assert judge(Reading(id, effort, velocity, position), us) is Verdict.WRONG


@given(ids, times, st.integers(0, 300), st.integers(1, 99))
def test_supplies_are_judged_likewise(id: int, us: int, age_ms: int, earlier_ms: int) -> None:
    now = us + 1000 * age_ms
    voltage, temperature = supply(id, us)
    assert judge_supply(id, voltage, temperature, us, now) is Verdict.TRUE
    assert judge_supply(id, voltage, temperature + 1, us, now) is Verdict.WRONG
    asked = us + 1000 * (earlier_ms + age_ms)
    assert judge_supply(id, voltage, temperature, asked, asked) is Verdict.STALE


def test_what_a_driver_must_believe() -> None:
    """No faster than plausible, and never beyond what the current may be."""
    for us in range(0, 10_000_000, 997):
        one, next_one = reading(1, us), reading(1, us + 1000)
        assert next_one.position - one.position == 10, "10 counts/ms are 15.3 rad/s"
        assert abs(one.velocity) <= 1042
        assert abs(one.effort) <= 2 * 1193
