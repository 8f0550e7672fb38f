"""What it is to turn the valve: the paper's task and ROBEL's, by numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.settings import TurnSection
from robosac.settings.claw import TurnRewardSection
from robosac.tasks.turn_definitions import (
    HOME,
    RANGE,
    Goal,
    PaperTurn,
    RobelTurn,
    Sight,
    definition_of,
    wrapped,
)


def seen(error: float = 0.5, **changes: object) -> Sight:
    parts = {
        "fingers": HOME.copy(),
        "speeds": np.zeros(9),
        "angle": 1.0,
        "error": error,
        "last_action": np.full(9, 0.25),
    }
    return Sight(**(parts | changes))  # type: ignore[arg-type]


@given(st.floats(-1e3, 1e3))
def test_wrapping_keeps_the_direction_and_stays_within_half_a_turn(angle: float) -> None:
    found = wrapped(angle)
    assert -math.pi < found <= math.pi
    assert math.cos(found - angle) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("angle", "error"),
    [(0.0, 0.0), (0.3, -0.3), (math.tau + 0.3, -0.3), (-2.0, 2.0), (4.0, 2.2832)],
)
def test_the_error_is_the_short_way_to_the_target(angle: float, error: float) -> None:
    assert Goal(0.0, 0.0).error(angle, 9.0) == pytest.approx(error, abs=1e-4)


def test_a_moving_target_moves() -> None:
    assert Goal(0.0, 0.0, 0.5).error(0.0, 2.0) == pytest.approx(1.0)


def test_the_paper_sees_sine_and_cosine_and_what_fingers_do() -> None:
    paper = PaperTurn(TurnSection())
    sight = seen(speeds=np.arange(9.0))
    expected = [*(HOME / RANGE), *(np.arange(9.0) / 5.0)]
    np.testing.assert_allclose(paper.fingers_seen(sight), expected)
    np.testing.assert_allclose(paper.valve_seen(sight), [math.sin(1.0), math.cos(1.0)])


def test_the_authors_reward_is_minus_twice_the_distance() -> None:
    weights = TurnRewardSection(near=0.0, velocity=0.0)
    terms = PaperTurn(TurnSection(reward=weights)).reward(seen(error=-0.5))
    assert sum(terms.values()) == -1.0


def test_our_reward_is_a_distance_a_bell_and_a_price_on_haste() -> None:
    paper = PaperTurn(TurnSection())
    terms = paper.reward(seen(error=-0.15, speeds=np.array([3.0, -4.0, *[0.4] * 7])))
    assert terms["distance"] == pytest.approx(-0.3)
    assert terms["near"] == pytest.approx(1.0 / math.e)
    assert terms["velocity"] == pytest.approx(-0.1)
    assert sum(paper.reward(seen(error=0.0)).values()) == pytest.approx(1.0)


def test_the_paper_starts_anywhere_and_always_goes_to_the_right() -> None:
    rng = np.random.default_rng(0)
    goals = [PaperTurn(TurnSection()).draw(rng) for _ in range(2000)]
    starts = np.array([goal.start_rad for goal in goals])
    assert {goal.target_rad for goal in goals} == {0.0}
    assert -math.pi <= starts.min() < -3.0
    assert 3.0 < starts.max() <= math.pi
    assert abs(starts.mean()) < 0.15


@pytest.mark.parametrize(
    ("error", "expected"),
    [(1.0, -5.0), (0.2, -1.0 + 10.0), (0.05, -0.25 + 10.0 + 50.0), (-0.05, -0.25 + 60.0)],
)
def test_robels_bonuses(error: float, expected: float) -> None:
    terms = RobelTurn(screw=False, random=False).reward(seen(error=error))
    assert sum(terms.values()) == pytest.approx(expected)


def test_robel_counts_pose_and_fast_joints_alone() -> None:
    speeds = np.array([0.49, -0.5, 0.0, 3.0, 0, 0, 0, 0, 0])
    fingers = HOME.copy()
    fingers[4] += 0.3
    terms = RobelTurn(screw=False, random=False).reward(seen(fingers=fingers, speeds=speeds))
    assert terms["pose"] == pytest.approx(-0.3)
    assert terms["velocity"] == pytest.approx(-math.hypot(0.5, 3.0))


def test_robel_observes_twenty_one_numbers() -> None:
    robel, sight = RobelTurn(screw=True, random=True), seen()
    observed = [*robel.fingers_seen(sight), *robel.valve_seen(sight)]
    assert len(observed) == 21
    assert observed[-1] == 0.5


@pytest.mark.parametrize(
    ("name", "steps", "success"),
    [("robel-turn-fixed", 40, 0.1), ("robel-screw-random", 80, 0.2), ("paper", 100, 0.1)],
)
def test_episodes_and_success(name: str, steps: int, success: float) -> None:
    definition = definition_of(TurnSection(definition=name))  # type: ignore[arg-type]
    assert (definition.episode_steps, definition.success_rad) == (steps, success)


def test_robels_draws() -> None:
    rng = np.random.default_rng(1)
    assert RobelTurn(screw=False, random=False).draw(rng) == Goal(0.0, math.pi)
    assert RobelTurn(screw=True, random=False).draw(rng) == Goal(0.0, 0.0, 0.5)
    turns = [RobelTurn(screw=False, random=True).draw(rng) for _ in range(500)]
    assert max(abs(goal.start_rad) for goal in turns) <= math.pi / 3
    assert max(abs(goal.target_rad - math.pi) for goal in turns) <= math.pi / 3
    screws = [RobelTurn(screw=True, random=True).draw(rng) for _ in range(500)]
    assert all(goal.start_rad == goal.target_rad for goal in screws)
    assert 0.7 < max(abs(goal.speed_rad_s) for goal in screws) <= 0.75


def test_every_target_is_within_what_actions_reach() -> None:
    assert (np.abs(HOME) <= RANGE).all()
