"""The transition table, way by way, as docs/safety.md draws it."""

from __future__ import annotations

import itertools

import pytest

from robosac.states import TRANSITIONS, SafetyState, allowed

WAYS = {
    "disarmed": {"arming", "fault"},
    "arming": {"active", "disarmed", "fault"},
    "active": {"hold", "damped", "disarmed", "fault"},
    "hold": {"active", "damped", "disarmed", "fault"},
    "damped": {"arming", "disarmed", "fault"},
    "fault": {"disarmed"},
}


@pytest.mark.parametrize(("one", "other"), list(itertools.product(SafetyState, SafetyState)))
def test_these_ways_and_no_other(one: SafetyState, other: SafetyState) -> None:
    assert allowed(one, other) is (one is other or other.value in WAYS[one.value])


def test_every_state_has_its_name_and_every_way_its_reason() -> None:
    assert {state.value for state in SafetyState} == set(WAYS)
    assert all(state.value == state.name.lower() for state in SafetyState)
    assert all(why for ways in TRANSITIONS.values() for why in ways.values())
