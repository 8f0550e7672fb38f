"""Every fuzz target holds against arbitrary bytes, and against damaged good ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import LONGEST, TARGETS


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A good message of the target's protocol with a few bytes changed, cut out or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS[name])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_protocol_errors(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=60, deadline=None)
    @given(st.one_of(st.binary(max_size=LONGEST), damaged(name)))
    def holds(data: bytes) -> None:
        target(data)

    holds()


def test_every_target_has_seeds() -> None:
    assert set(SEEDS) == set(TARGETS)
    assert all(SEEDS.values())
