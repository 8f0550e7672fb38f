"""Threads of the learner's arithmetic, measured when a run begins."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict

from robosac import commands
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.learner_threads import counts, fewest, rates, settled
from robosac.learners import make_learner
from robosac.observation import IMAGE, STATE
from robosac.runs import RunFolder
from robosac.told_spaces import ToldSpaces
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]

VECTORS = ToldSpaces(Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,)))
PICTURES = ToldSpaces(
    Dict({IMAGE: Box(0, 255, (32, 32, 3), np.uint8), STATE: Box(-np.inf, np.inf, (27,))}),
    Box(-1.0, 1.0, (9,)),
)
SMALL = ("learner_threads=0", "sac.hidden_units=[8]", "sac.batch_size=16")


@pytest.mark.parametrize(
    ("processors", "tried"),
    [(1, [1]), (2, [1]), (3, [1, 2]), (8, [1, 2, 4, 7]), (9, [1, 2, 4, 8]), (300, [1, 2])],
)
def test_one_processor_is_left_to_the_robot(processors: int, tried: list[int]) -> None:
    found = counts(processors)
    assert found[: len(tried)] == tried
    assert max(found) == max(1, processors - 1)


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ({1: 100.0}, 1),
        ({1: 100.0, 2: 105.0, 4: 109.0}, 1),
        ({1: 100.0, 2: 190.0, 4: 200.0}, 2),
        ({1: 100.0, 2: 105.0, 4: 115.0}, 4),
        ({1: 100.0, 2: 60.0}, 1),
    ],
)
def test_more_threads_must_be_worth_it(found: dict[int, float], chosen: int) -> None:
    assert fewest(found) == chosen


@pytest.mark.parametrize(
    ("preset", "spaces", "more"),
    [
        ("gym:Pendulum-v1", VECTORS, ()),
        ("claw-pixels", PICTURES, ("recipe=fast",)),
        ("claw-pixels", PICTURES, ("recipe=paper", "sac.batch_size=400")),
    ],
)
def test_rates_are_the_learners_and_torch_is_left_as_it_was(
    preset: str, spaces: ToldSpaces, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that goes on by a second a look: three updates, and three looks more."""
    config = load_preset(preset, [*SMALL, *more])
    seen: list[int] = []
    from robosac import learner_threads

    def watched(config: object, env: object) -> object:
        made = make_learner(config, env)  # type: ignore[arg-type]
        seen.append(torch.get_num_threads())
        return made

    monkeypatch.setattr(learner_threads, "make_learner", watched)
    ticks = iter(range(1000))
    before = torch.get_num_threads()
    found = rates(config, spaces, [1, 2], clock=lambda: float(next(ticks)))
    assert seen == [1, 2]
    assert torch.get_num_threads() == before
    assert found == {1: 3 / 2, 2: 3 / 2}


def test_a_gpu_has_no_threads_to_measure() -> None:
    config = load_preset("gym:Pendulum-v1", ["learner_threads=0", "learner_device=cuda"])
    assert settled(config, VECTORS, pytest.fail).learner_threads == 1


def test_what_was_measured_is_told_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
    few = [*SMALL, "steps=1", "sac.random_steps=300", "evaluation.episodes=1"]
    commands.train("gym:Pendulum-v1", few, tmp_path / "run")
    chosen = RunFolder.open(tmp_path / "run").config.learner_threads
    assert chosen in (1, 2)
    assert f"learner_threads {chosen}: " in capsys.readouterr().err


def test_elsewhere_a_number_must_be_said(tmp_path: Path) -> None:
    config = load_preset("gym:Pendulum-v1", list(SMALL))
    with pytest.raises(ConfigError, match="learner_threads 0 is measured by a new run"):
        make_learner(config, VECTORS)
