"""The ratio holds from both sides, whatever the order of steps, updates and restarts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.governor import RatioGovernor

ratios = st.floats(0.01, 20.0) | st.sampled_from((0.1, 0.3, 1.0, 2.0))


@settings(deadline=None)
@given(ratios, st.lists(st.sampled_from(("step", "update", "restart")), max_size=300))
def test_the_ratio_holds_in_both_directions(ratio: float, events: list[str]) -> None:
    governor, steps, updates = RatioGovernor(ratio), 0, 0
    for event in events:
        if event == "step":
            governor.step()
            steps += 1
        elif event == "restart":
            # A checkpoint holds what is owed, and nothing else of it.
            governor = RatioGovernor(ratio, governor.owed)
        elif governor.may_update:
            governor.updated()
            updates += 1
        assert updates <= ratio * steps + 1e-5, "never ahead"
    while governor.may_update:
        governor.updated()
        updates += 1
    assert updates > ratio * steps - 1 - 1e-5, "and never behind once it may work"


def test_nothing_is_lost_over_a_long_run() -> None:
    governor, updates = RatioGovernor(0.1), 0
    for _ in range(100_000):
        governor.step()
        while governor.may_update:
            governor.updated()
            updates += 1
    assert updates == 10_000


def test_an_update_that_was_not_paid_for_is_refused() -> None:
    with pytest.raises(ValueError, match="owed"):
        RatioGovernor(1.0).updated()
    with pytest.raises(ValueError, match="positive"):
        RatioGovernor(0.0)
