"""Evaluations of a made-up turning task: every episode is told, and what is kept comes back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

from robosac.config import load_preset
from robosac.error_traces import ErrorTraces
from robosac.estop import EStopGate
from robosac.evaluation import Evaluation, evaluate
from robosac.evaluation_files import ERRORS
from robosac.metrics import EpisodeResult
from robosac.runs import RunFolder
from robosac.stage import Stage
from robosac.tasks.ends import EpisodeEnd
from robosac.video import count_frames

STEPS, PERIOD_S = 8, 0.1


class Dial(gymnasium.Env[Any, Any]):
    """Halves the error in each step; every second episode loses its camera half-way."""

    observation_space = Dict(
        {"image": Box(0, 255, (32, 32, 3), np.uint8), "state": Box(-1, 1, (2,))}
    )
    action_space = Box(-1.0, 1.0, (1,), np.float32)
    error, steps, episodes = 0.0, 0, 0

    def _seen(self) -> dict[str, NDArray[Any]]:
        image = np.full((32, 32, 3), 40 * self.steps % 256, np.uint8)
        return {"image": image, "state": np.array([self.error, 0.0], np.float32)}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.error = float(self.np_random.uniform(-math.pi, math.pi))
        self.steps, self.episodes = 0, self.episodes + 1
        return self._seen(), {"angle_error": self.error}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.error, self.steps = self.error / 2, self.steps + 1
        end = EpisodeEnd.TRUNCATED if self.steps == STEPS else None
        if self.episodes % 2 == 0 and self.steps == STEPS // 2:
            end = EpisodeEnd.CAMERA_FROZEN
        info = {
            "end": end,
            "angle_error": self.error,
            "success": abs(self.error) < 0.1,
            "frame_age_s": 0.03,
            "joint_age_s": 0.005,
        }
        return self._seen(), -abs(self.error), False, end is not None, info


class Still:
    """Needs the picture, and does nothing."""

    def mean_action(self, observation: Any) -> NDArray[np.float32]:
        assert observation["image"].shape == (32, 32, 3)
        return np.zeros(1, np.float32)


def render(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 90, np.uint8)


def judged(episodes: int = 4, picture: bool = False, **options: Any) -> Evaluation:
    stage = Stage(Dial(), None, EStopGate(), render, None, PERIOD_S)
    size = (64, 36) if picture else None
    return evaluate(stage, Still(), episodes, seed=1, picture_size=size, **options)


def test_every_episode_is_told_from_its_start() -> None:
    told: list[EpisodeResult] = []
    found = judged(on_episode=told.append)
    assert told == found.episodes
    assert found.errors is not None
    for episode, errors in zip(found.episodes, found.errors.error_rad, strict=True):
        known = np.abs(errors[np.isfinite(errors)])
        assert len(known) == episode.length + 1
        assert episode.start_error_rad == known[0]
        assert episode.angle_error_rad == known[-1] == pytest.approx(known[0] / 2**episode.length)
        assert episode.angle_error_median_rad == pytest.approx(np.median(known[1:]))
    ends = [episode.end for episode in found.episodes]
    assert ends == [EpisodeEnd.TRUNCATED, EpisodeEnd.CAMERA_FROZEN] * 2
    assert len({episode.seed for episode in found.episodes}) == 4


def test_evaluations_repeat_and_fresh_ones_differ() -> None:
    assert judged().episodes == judged().episodes
    fresh = judged(first=4).episodes
    assert not {e.seed for e in fresh} & {e.seed for e in judged().episodes}


def test_the_whole_evaluation_is_kept(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", load_preset("gym:Pendulum-v1"))
    found = judged(picture=True)
    found.keep(run, 70)
    assert run.episodes(70) == found.episodes
    folder = run.evaluation_folder(70)
    errors = ErrorTraces.load(folder / ERRORS).error_rad
    assert found.errors is not None
    np.testing.assert_array_equal(errors, found.errors.error_rad)
    assert sorted(file.name for file in folder.iterdir()) == [
        "episode.webm", "episodes.json", "errors.npz",
    ]  # fmt: skip
    assert count_frames(folder / "episode.webm") == sum(e.length for e in found.episodes)


def test_a_film_shows_whole_episodes_until_there_is_enough() -> None:
    found = judged(40, picture=True)
    assert found.film is not None
    lengths = np.cumsum([episode.length for episode in found.episodes])
    assert len(found.film.frames) == lengths[np.searchsorted(lengths, 100)]


def test_nothing_is_filmed_unless_asked() -> None:
    assert judged(1).film is None
