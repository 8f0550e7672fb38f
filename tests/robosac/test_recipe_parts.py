"""Parts that recipe fast has not: each resumes to the bit, is trained, judged and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robosac.actor import Actor
from robosac.sac import Sac
from robosac.transition import Transition
from tests.robosac.sac_rig import ACTION, OBSERVATION, RECIPES, SMALL, make_batch, same
from tests.robosac.threads import one_thread
from tests.sweeps import recipe_parts
from tests.sweeps.recipe_crossq import POLICY_DELAY
from tests.sweeps.recipe_parts import PARTS, Plan, costs, main, table, training

__all__ = ["one_thread"]


def agent(part: str, seed: int = 0, recipe: str = "fast") -> Sac:
    return PARTS[part].learner(SMALL, OBSERVATION, ACTION, seed, vectors=RECIPES[recipe])


@pytest.mark.parametrize("part", PARTS)
def test_it_depends_on_its_seed_and_resumes_to_the_bit(part: str) -> None:
    one, same_seed, other_seed = agent(part, 5), agent(part, 5), agent(part, 6)
    assert same(one.state(), same_seed.state())
    assert not same(one.state(), other_seed.state())
    for index in range(4):
        one.update(make_batch(index))
    other_seed.load(one.state())
    seen = np.linspace(-1, 1, OBSERVATION, dtype=np.float32)
    for learner in (one, other_seed):
        learner.act(seen, deterministic=False)
        for index in range(4, 8):
            learner.update(make_batch(index))
    assert same(one.state(), other_seed.state())
    assert (one.act(seen, True) == other_seed.policy().mean_action(seen)).all()


@pytest.mark.parametrize("part", PARTS)
def test_its_policy_acts_on_one_observation_as_on_many(part: str) -> None:
    learner = agent(part)
    for index in range(POLICY_DELAY):
        learner.update(make_batch(index))
    seen = np.random.default_rng(0).standard_normal((5, OBSERVATION)).astype(np.float32)
    many = learner.act(seen, deterministic=True)
    assert many.shape == (5, ACTION)
    np.testing.assert_allclose(many, [learner.act(one, deterministic=True) for one in seen], 1e-4)


QUICK = (
    "sac.batch_size=16", "sac.hidden_units=[16, 16]", "sac.replay_capacity=1000",
    "sac.random_steps=30", "task.episode_steps=12", "task.settle_s=0.05",
    "checkpoint_every_episodes=1", "evaluation.episodes=1",
)  # fmt: skip


class Killed(BaseException):
    """Nothing in the product may catch this."""


# Those with a state that the product's learner and replay have not.
@pytest.mark.parametrize("part", ["n-step", "crossq"])
def test_a_run_that_was_cut_goes_on_as_if_it_had_not_been(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan("minitaur", part, 2, 48)
    whole = training(plan, tmp_path / "whole", QUICK)
    alive, count = Actor.step, 0

    def step(actor: Actor, *arguments: Any) -> Transition:
        nonlocal count
        count += 1
        if count > 40:
            raise Killed
        return alive(actor, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Actor, "step", step)
        with pytest.raises(Killed):
            training(plan, tmp_path / "cut", QUICK)
    assert count > 40
    found = training(plan, tmp_path / "cut", QUICK)
    del whole["wall_s"], found["wall_s"]
    assert found == whole
    assert [row["step"] for row in found["evaluations"]][-1] >= 48
    assert found["evaluations"][-1]["episodes"] == 1


def test_a_result_that_is_there_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Plan] = []
    evaluation = {
        "step": 6123, "episodes": 5, "return_mean": 850.4, "speed_m_s": 0.5, "speed_min_m_s": 0.25,
        "falls": 1, "training_falls": 2, "training_reward": 1.5,
    }  # fmt: skip

    def trained(plan: Plan, folder: Path) -> dict[str, Any]:
        made.append(plan)
        named = {"preset": plan.preset, "part": plan.part, "seed": plan.seed, "steps": plan.steps}
        return {**named, "evaluations": [evaluation]}

    monkeypatch.setattr(recipe_parts, "training", trained)
    state = tmp_path / "state.jsonl"
    asked = ["minitaur", "--parts", "baseline", "simba", "--steps", "6000", "--state", str(state)]
    assert main([*asked, "--seeds", "1"]) == 0
    assert main([*asked, "--seeds", "1", "2"]) == 0
    assert [(plan.part, plan.seed) for plan in made] == [
        ("baseline", 1), ("simba", 1), ("baseline", 2), ("simba", 2)
    ]  # fmt: skip
    assert len([json.loads(line) for line in state.read_text().splitlines()]) == 4
    written = capsys.readouterr().out
    assert "| simba | 2 | 6,123 | 0.50 (0.25), 1 of 5 | 850 | 2, 1.50 |\n" in written


def test_the_hands_table_tells_shares() -> None:
    row = {
        "preset": "claw", "part": "n-step", "seed": 1, "evaluations": [{
            "step": 3000, "episodes": 20, "return_mean": -1.0, "within_0_1_rad": 0.4,
            "within_0_2_rad": 0.9, "angle_error_rad": 0.12, "training_falls": 0,
            "training_reward": None,
        }],
    }  # fmt: skip
    assert "| n-step | 1 | 3,000 | 40% / 90%, 0.12 | -1 | 0,  |" in table([row])


def test_every_parts_update_has_a_cost() -> None:
    lines = costs(seen=4, done=2, rows=8, rounds=1).splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == [f"| {name}" for name in PARTS]
    assert all(float(line.split(" | ")[1].rstrip(" |")) > 0 for line in lines)
