"""The learner that a run needs, on the device it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict

from robosac import commands
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.experience import make_replay
from robosac.learners import make_learner, policy_of
from robosac.mixture import Mixture
from robosac.resident_replay import ResidentReplay
from robosac.sac import FastVectors, PaperVectors, PixelSac, Sac
from robosac.schema import schema_of
from robosac.settings import MinitaurConfig
from robosac.tasks.turn_symmetry import turn_symmetry
from robosac.tasks.walk_symmetry import walk_symmetry
from robosac.told_spaces import ToldSpaces

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
VECTORS = ToldSpaces(Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,)))
PICTURES = ToldSpaces(
    Dict({"image": Box(0, 255, (32, 32, 3), np.uint8), "state": Box(-np.inf, np.inf, (4,))}),
    Box(-1.0, 1.0, (2,)),
)
SMALL = ("sac.hidden_units=[16, 16]", "sac.replay_capacity=300")


def settings(*overrides: str) -> Any:
    return load_preset("gym:Pendulum-v1", [*SMALL, *overrides])


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_on_the_cpu_it_is_the_learner_itself() -> None:
    assert isinstance(make_learner(settings(), VECTORS), Sac)
    assert isinstance(make_learner(settings(), PICTURES), PixelSac)
    assert make_learner(settings(), VECTORS).updates_per_call == 1


def test_the_recipe_decides_how_vectors_are_learned_from() -> None:
    paper: Any = make_learner(settings(), VECTORS)
    fast: Any = make_learner(settings("recipe=fast", "sac.vectors.actor_q=min"), VECTORS)
    assert paper.vectors == PaperVectors()
    assert fast.vectors == FastVectors(actor_q="min")
    walk = load_preset("minitaur", [*SMALL, "recipe=fast"])
    assert isinstance(walk, MinitaurConfig)
    seen = 12 * (walk.task.history + 1) + 8 * walk.task.history
    walking = ToldSpaces(Box(-np.inf, np.inf, (seen,)), Box(-1.0, 1.0, (8,)))
    made: Any = make_learner(walk, walking)
    assert made.vectors == FastVectors(symmetry=walk_symmetry(walk.task.history))
    hand = load_preset("claw", [*SMALL, "recipe=fast"])
    turning: Any = make_learner(hand, ToldSpaces(Box(-1.0, 1.0, (20,)), Box(-1.0, 1.0, (9,))))
    assert turning.vectors == FastVectors(symmetry=turn_symmetry(20))
    assert schema_of(walk, walking).normaliser == (seen,)
    assert schema_of(load_preset("minitaur"), walking).normaliser is None


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"learner_device is cuda, but torch .*; valid here is cpu"
    ):
        make_learner(settings("learner_device=cuda"), VECTORS)
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match="learner_device is cuda"):
        commands.train("gym:Pendulum-v1", ["learner_device=cuda"], run)
    assert not run.exists()


def test_a_copy_of_the_replay_needs_a_gpu_to_lie_on() -> None:
    with pytest.raises(ConfigError, match="learner_replay device needs learner_device cuda"):
        settings("learner_replay=device")


def test_batches_of_a_copy_on_the_gpu_are_not_drawn_ahead() -> None:
    with pytest.raises(ConfigError, match="learner_prefetch draws on the host"):
        settings("learner_device=cuda", "learner_replay=device", "learner_prefetch=true")


def test_the_copy_is_made_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def copied(buffer: Any, device: str) -> ResidentReplay[Any]:
        asked.append(device)
        return ResidentReplay(buffer, "cpu")

    monkeypatch.setattr("robosac.resident_replay.ResidentReplay", copied)
    chosen = settings("learner_device=cuda", "learner_replay=device")
    for spaces in (VECTORS, PICTURES):
        assert isinstance(make_replay(chosen, spaces), ResidentReplay)
        assert not isinstance(make_replay(settings("learner_device=cuda"), spaces), ResidentReplay)
    assert asked == ["cuda", "cuda"]


def test_a_policy_comes_of_a_state_from_any_device() -> None:
    made: Any = make_learner(settings(), VECTORS)
    # What a CUDA generator tells of itself: seed and offset.
    state = made.state() | {"noise": np.zeros(16, np.uint8)}
    found: Any = policy_of(settings("learner_device=cuda", "seed=3"), VECTORS, state)
    seen = np.ones((5, 3), np.float32)
    assert (found.mean_action(seen) == made.policy().mean_action(seen)).all()


@ON_GPU
@pytest.mark.parametrize("spaces", [VECTORS, PICTURES])
@pytest.mark.parametrize("place", ["host", "device"])
def test_on_cuda_it_learns_from_either_replay(spaces: ToldSpaces, place: str) -> None:
    chosen = settings("learner_device=cuda", f"learner_replay={place}", "sac.batch_size=16")
    learner, replay = make_learner(chosen, spaces), make_replay(chosen, spaces)
    assert not isinstance(replay, Mixture)
    rng = np.random.default_rng(0)
    for _ in range(40):
        seen, after = (spaces.observation_space.sample() for _ in range(2))
        replay.add(seen, rng.uniform(-1, 1, 2).astype(np.float32), 1.0, after, False)
    made = learner.update_many([replay.sample(rng, 16) for _ in range(23)])
    assert learner.updates == len(made) == 23
    assert all(np.isfinite(list(losses.floats().values())).all() for losses in made)
    again = make_learner(chosen, spaces)
    again.load(learner.state())
    assert again.updates == 23
