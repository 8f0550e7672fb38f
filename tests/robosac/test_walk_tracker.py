"""A tracker that loses the robot: never 0 m/s in silence, and nothing learned from not knowing."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drivers.tracker import PlanarFix
from robosac.assembly import Stage
from robosac.config import load_preset
from robosac.errors import RobotError
from robosac.learners import make_learner
from robosac.lockstep import LockstepTraining
from robosac.metrics import EpisodeRow
from robosac.progress import Progress
from robosac.runs import RunFolder
from robosac.settings import RewardSection
from robosac.states import SafetyState
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.walk import TRACKER_WAIT_S, MinitaurWalk
from robosac.tasks.walk_reward import walk_reward
from sim.minitaur import MinitaurTwin
from tests.robosac.test_walk import parts

Make = Callable[..., Stage]
STILL = np.zeros(8, np.float32)


class Blindable:
    """Stands before the twin's tracker; `seeing` says when it sees."""

    def __init__(self, env: MinitaurWalk) -> None:
        assert isinstance(env.operator, MinitaurTwin)
        self.twin = env.operator
        self._true = self.twin.tracker.newest
        self._last: PlanarFix | None = None
        self.seeing: Callable[[float], bool] = lambda now: True
        self.forgets = False
        """True: what is not seen is None; False: the last fix just ages."""
        self.twin.tracker.newest = self.newest

    def newest(self, now: float) -> PlanarFix | None:
        if self.seeing(now):
            self._last = self._true(now)
        elif self.forgets:
            self._last = None
        return self._last


@pytest.mark.parametrize("forgets", [False, True])
def test_an_episode_ends_when_the_tracker_has_lost_the_robot(
    make_twin: Make, forgets: bool
) -> None:
    env, executor = parts(make_twin())
    tracker = Blindable(env)
    env.reset(seed=0)
    *_, seen = env.step(STILL)
    assert seen["rewarded"]
    assert math.isfinite(seen["forward_velocity"])
    tracker.forgets, lost_at = forgets, tracker.twin.clock.now()
    tracker.seeing = lambda now: now < lost_at
    last_fix = tracker.newest(lost_at - 0.001)
    assert last_fix is not None
    info, reward, ending = seen, 0.0, (False, False)
    while info["end"] is None:
        assert info["rewarded"]
        assert "forward_velocity" in info["terms"]
        _, reward, *ending, info = env.step(STILL)
    assert info["end"] is EpisodeEnd.SENSOR_LOST
    assert ending == [False, True], "a lost sensor must not cut the bootstrap"
    assert not info["rewarded"]
    assert math.isnan(info["forward_velocity"])
    assert set(info["terms"]) == {"acceleration", "pitch", "folded_front_legs"}
    assert reward == pytest.approx(sum(info["terms"].values()))
    assert executor.safety is SafetyState.DISARMED
    waited = tracker.twin.clock.now() - (lost_at if forgets else last_fix.time)
    # It is noticed in the first step that ends too late; then the robot is disarmed for a while.
    assert waited < (0.0 if forgets else 0.2) + 0.02 + executor.settings.settle_s + 0.01


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_velocity_that_is_no_number_is_none(make_twin: Make, value: float) -> None:
    env, _ = parts(make_twin())
    tracker = Blindable(env)
    env.reset(seed=0)
    tracker.seeing = lambda now: False
    tracker._last = PlanarFix(tracker.twin.clock.now(), 0.0, 0.0, 0.0, value)
    *_, info = env.step(STILL)
    assert info["end"] is EpisodeEnd.SENSOR_LOST


def test_a_fall_is_a_fall_whether_it_was_seen_or_not(make_twin: Make) -> None:
    env, _ = parts(make_twin("task.fall_angle_rad=0.0001"))
    tracker = Blindable(env)
    env.reset(seed=0)
    tracker.seeing, tracker.forgets = lambda now: False, True
    _, _, terminated, truncated, info = env.step(STILL)
    assert (terminated, truncated) == (True, False)
    assert info["end"] is EpisodeEnd.TERMINATED
    assert not info["rewarded"]


def test_no_episode_begins_unseen(make_twin: Make) -> None:
    env, executor = parts(make_twin())
    tracker = Blindable(env)
    tracker.seeing, tracker.forgets = lambda now: False, True
    with pytest.raises(RobotError, match=r"no fix younger than 0\.2 s in 5 s"):
        env.reset(seed=0)
    assert executor.safety is SafetyState.DISARMED
    assert TRACKER_WAIT_S < tracker.twin.clock.now() < TRACKER_WAIT_S + 2.0


def test_an_episode_waits_for_a_camera_that_comes_back(make_twin: Make) -> None:
    env, _ = parts(make_twin())
    tracker = Blindable(env)
    tracker.seeing, tracker.forgets = lambda now: now > 2.0, True
    env.reset(seed=0)
    assert 2.0 < tracker.twin.clock.now() < 2.1
    *_, info = env.step(STILL)
    assert info["rewarded"]


def test_nothing_is_learned_from_a_step_whose_reward_is_not_known(
    tmp_path: Path, make_twin: Make
) -> None:
    overrides = ("steps=40", "task.episode_steps=20", "task.settle_s=0.05", "sac.random_steps=1000")
    stage = make_twin(*overrides)
    env, _ = parts(stage)
    tracker = Blindable(env)
    alive, blind = env.step, iter([False] * 12 + [True] + [False] * 20)

    def step(action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        tracker.forgets = next(blind)
        tracker.seeing = lambda now: not tracker.forgets
        result = alive(action)
        tracker.forgets = False
        return result

    env.step = step  # type: ignore[method-assign]
    config = load_preset("minitaur", overrides)
    run = RunFolder.create(tmp_path / "run", config)
    learner = make_learner(config, stage.env)
    with run.metrics_writer() as metrics:
        training = LockstepTraining(run, stage, learner, metrics, Progress(config.steps, "test"))
        training._run_episode()
        training._run_episode()
    rows = [row for row in run.rows() if isinstance(row, EpisodeRow)]
    assert [row.end for row in rows] == [EpisodeEnd.SENSOR_LOST, EpisodeEnd.TRUNCATED]
    assert [row.length for row in rows] == [13, 20]
    assert rows[0].speed_m_s is not None, "the mean of the steps whose speed was known"
    assert len(training.learning.replay) == 13 - 1 + 20
    assert not training.learning.replay.state()["terminated"].any()


def test_a_reward_without_a_velocity_has_no_such_term() -> None:
    terms = walk_reward(RewardSection(), None, 0.3, np.full(8, 2.0), np.zeros((3, 8)))
    assert set(terms) == {"acceleration", "pitch", "folded_front_legs"}
