"""When the actor goes on without its learner, and when it does not."""

from typing import Any

import pytest
from msgspec.structs import replace

from robosac.backpressure import LinkState, Verdict, judge, may_begin, must_save
from robosac.settings.common import LearnerProcessSection

SETTINGS = LearnerProcessSection(
    behind_steps=100, without_learner_s=60.0, buffer_mb=1, policy_age_s=30.0
)
GO_ON, PAUSE, GIVE_UP = Verdict.GO_ON, Verdict.PAUSE, Verdict.GIVE_UP


def link(behind: float = 0.0, kept: int = 0, lost: float = 0.0, **more: Any) -> LinkState:
    return LinkState(behind_steps=behind, kept_bytes=kept, lost_s=lost, **more)


@pytest.mark.parametrize(
    ("state", "real", "virtual"),
    [
        (link(), GO_ON, GO_ON),
        (link(behind=99), GO_ON, GO_ON),
        (link(behind=100), PAUSE, PAUSE),
        (link(behind=100, lost=3), GO_ON, PAUSE),
        (link(behind=99, lost=59), GO_ON, GO_ON),
        (link(lost=61), GIVE_UP, GIVE_UP),
        (link(disk="it is full"), PAUSE, PAUSE),
        (link(disk="it is full", lost=3), PAUSE, PAUSE),
        (link(policy_age_s=30), PAUSE, GO_ON),
        (link(failure="disk full"), GIVE_UP, GIVE_UP),
    ],
)
def test_verdicts(state: LinkState, real: Verdict, virtual: Verdict) -> None:
    assert judge(state, SETTINGS, real_time=True) is real
    assert judge(state, SETTINGS, real_time=False) is virtual


@pytest.mark.parametrize(
    ("state", "real", "virtual"),
    [
        (link(behind=10), True, True),
        (link(behind=11), False, False),
        (link(behind=500, lost=3), True, False),
        (link(lost=61), False, True),
        (link(disk="it is full"), False, False),
        (link(disk="it is full", lost=3), False, False),
        (link(policy_age_s=30), False, True),
    ],
)
def test_an_episode_begins_where_it_may_run_its_course(
    state: LinkState, real: bool, virtual: bool
) -> None:
    assert may_begin(state, SETTINGS, real_time=True) is real
    assert may_begin(state, SETTINGS, real_time=False) is virtual


def test_in_lockstep_how_fast_the_learner_is_ends_no_episode() -> None:
    settings = replace(SETTINGS, lockstep=True)
    late = link(behind=10_000, lost=3, policy_age_s=1000)
    assert judge(late, settings, real_time=True) is GO_ON
    assert judge(link(disk="it is full"), settings, real_time=True) is PAUSE


def test_a_half_full_buffer_asks_for_a_checkpoint() -> None:
    assert not must_save(link(kept=499_999), SETTINGS)
    assert must_save(link(kept=500_000), SETTINGS)
