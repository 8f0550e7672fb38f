"""Near a stop joints go slowly; away from it nothing changes, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.reasons import Reason
from robosac.safety import LimiterSettings, Memory, limit
from tests.robosac.test_safety import (
    PERIOD,
    RELATIVE,
    follow,
    legal_path,
    make_envelope,
)

ZONE, SHARE = 0.1, 0.2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 5000.0), st.floats(0.0, 0.5), st.floats(0.01, 1.0))
def test_bounds_hold_with_a_soft_zone(
    seed: int, acceleration: float, zone: float, share: float
) -> None:
    envelope = make_envelope(acceleration=acceleration, soft_zone=zone, soft_share=share)
    rng = np.random.default_rng(seed)
    side = np.repeat(rng.choice([-9.0, 9.0, 0.0], size=(8, 3)), 10, axis=0)
    dts = iter(rng.uniform(PERIOD / 2, PERIOD * 2, len(side)).tolist())
    follow(list(side), envelope, dts)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_joints_are_slow_in_the_soft_zone_and_still_reach_the_stop(side: float) -> None:
    envelope = make_envelope(acceleration=2000.0, soft_zone=ZONE, soft_share=SHARE)
    history = follow([np.full(3, 9.0 * side)] * 200, envelope)
    assert (history[-1].position == side).all()
    inside = [limited for limited in history if (limited.position * side > 1.0 - ZONE).all()]
    assert max(float(np.abs(limited.velocity).max()) for limited in inside) <= 5.0 * SHARE * (
        1 + RELATIVE
    )
    assert max(float(np.abs(limited.velocity).max()) for limited in history) == pytest.approx(5.0)
    assert all(Reason.POSITION in limited.reasons for limited in inside)


def test_out_of_the_soft_zone_joints_may_go_fast() -> None:
    envelope = make_envelope(acceleration=2000.0, soft_zone=ZONE, soft_share=SHARE)
    memory = Memory.anchored(np.full(3, 0.95))
    limited = limit(np.full(3, 0.93), memory, memory.position, envelope, PERIOD)
    assert limited.position.tolist() == [0.93] * 3
    assert limited.reasons is Reason.NONE


@pytest.mark.parametrize("seed", range(10))
def test_legal_requests_outside_the_soft_zone_pass_bit_for_bit(seed: int) -> None:
    plain = make_envelope(3, position=3.0, velocity=2.0)
    path = legal_path(plain, 300, seed)
    farthest = float(np.abs(path).max())
    zoned = make_envelope(3, 3.0, 2.0, soft_zone=3.0 - farthest, soft_share=0.01)
    for request, limited in zip(path, follow(path, zoned), strict=True):
        assert limited.position.tobytes() == request.tobytes()
        assert limited.reasons is Reason.NONE


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ({"soft_zone": -0.1}, "soft_zone must not be negative"),
        ({"soft_zone": np.nan}, "soft_zone must not be negative"),
        ({"soft_zone": np.inf}, "soft_zone must not be negative"),
        ({"soft_share": 1.01}, "soft_share must be at most 1"),
    ],
)
def test_a_soft_zone_that_is_none_is_refused(broken: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        LimiterSettings(**broken)
