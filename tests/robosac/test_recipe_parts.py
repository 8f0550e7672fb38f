"""Parts that recipe fast has not: each is what its paper says, resumes, and is judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from robosac.actor import Actor
from robosac.assembly import make_gym
from robosac.sac import Sac
from robosac.sac.gaussian import squash
from robosac.sac.networks import CRITICS, Perceptron, critic_layout
from robosac.transition import Transition
from tests.robosac.sac_rig import (
    ACTION,
    NOTHING,
    OBSERVATION,
    RECIPES,
    ROWS,
    SMALL,
    make_batch,
    same,
)
from tests.robosac.threads import one_thread
from tests.sweeps import recipe_parts
from tests.sweeps.recipe_crossq import EPSILON, NEWEST, POLICY_DELAY, CrossqSac, QuickAdam
from tests.sweeps.recipe_dropout import DropoutSac, DroppingPerceptron
from tests.sweeps.recipe_nstep import NStepReplay
from tests.sweeps.recipe_parts import PARTS, Plan, main, table, training
from tests.sweeps.recipe_simba import WEIGHT_DECAY, WIDTH, Block, DecayingAdam, SimbaSac

__all__ = ["one_thread"]

HIDDEN = (7, 6)


def agent(part: str, seed: int = 0, recipe: str = "fast") -> Sac:
    return PARTS[part].learner(SMALL, OBSERVATION, ACTION, seed, vectors=RECIPES[recipe])


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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


def dropping(rate: float, gradient: bool = True) -> DroppingPerceptron:
    layout = critic_layout(OBSERVATION, ACTION, HIDDEN)
    parameters = torch.zeros(layout.size, dtype=torch.float64)
    own = torch.zeros_like(parameters) if gradient else None
    made = DroppingPerceptron(layout, parameters, own, generator(), rate)
    made.initialise(generator(1))
    return made


def test_dropout_drops_its_share_and_keeps_the_expectation() -> None:
    critics = dropping(0.2)
    x = torch.randn((3000, OBSERVATION + ACTION), generator=generator(), dtype=torch.float64)
    critics.forward([x], dim=1)
    for mask in critics.masks.values():
        assert set(mask.unique().tolist()) == {0.0, 1.25}
        # 36,000 numbers or more: a share of 0.2 is known within 0.01 by four deviations.
        assert abs((mask == 0).double().mean().item() - 0.2) < 0.01
        assert abs(mask.mean().item() - 1) < 0.0125
    first = critics.masks[0]
    critics.forward([x], dim=1)
    assert not torch.equal(first, critics.masks[0])


def test_without_dropping_it_is_the_product() -> None:
    critics = dropping(0.0)
    layout = critic_layout(OBSERVATION, ACTION, HIDDEN)
    parameters = torch.zeros(layout.size, dtype=torch.float64)
    plain = Perceptron(layout, parameters, layer_norm=True)
    plain.initialise(generator(1))
    x = torch.randn((9, OBSERVATION + ACTION), generator=generator(), dtype=torch.float64)
    assert torch.equal(critics.forward([x], dim=1), plain.forward([x], dim=1))


def test_gradients_of_dropout_before_the_norm_equal_autograd() -> None:
    critics = dropping(0.3)
    x = torch.randn((9, OBSERVATION + ACTION), generator=generator(), dtype=torch.float64)
    found = critics.forward([x], dim=1)
    weights = {name: w.clone().requires_grad_() for name, w in critics.weights.items()}
    shown = x.clone().requires_grad_()
    hidden: Tensor = shown
    for index in range(len(HIDDEN)):
        raw = hidden @ weights[f"weight{index}"] + weights[f"bias{index}"]
        dropped = raw * critics.masks[index]
        hidden = torch.layer_norm(dropped, dropped.shape[-1:]).relu()
    expected = hidden @ weights["weight2"] + weights["bias2"]
    torch.testing.assert_close(found, expected)
    d_output = torch.randn(found.shape, generator=generator(7), dtype=torch.float64)
    expected.backward(d_output)
    critics.backward(d_output)
    for name, gradient in critics.gradients.items():
        torch.testing.assert_close(gradient, weights[name].grad)
    assert shown.grad is not None
    d_input = critics.input_gradient(d_output, slice(None)).sum(dim=0)
    torch.testing.assert_close(d_input, shown.grad)


def test_every_critic_drops() -> None:
    learner = agent("dropout")
    assert isinstance(learner, DropoutSac)
    learner.update(make_batch())
    for critics in (learner.critics, learner.target_critics):
        assert isinstance(critics, DroppingPerceptron)
        assert set(critics.masks) == {0, 1}


def tell(replay: NStepReplay, steps: list[tuple[float, str]]) -> None:
    """Add steps (reward, end): "" goes on, "t" terminated, "x" truncated, "-" is left out.

    States are numbered; a reset is to one that looks like the last, yet is another array.
    """
    state = np.zeros(1, np.float32)
    for count, (reward, end) in enumerate(steps, start=1):
        after = np.full(1, count, np.float32)
        if end != "-":
            replay.add(state, np.array([reward / 1000], np.float32), reward, after, end == "t")
        state = after.copy() if end in ("t", "x") else after


def targets(replay: NStepReplay, discount: float) -> dict[float, tuple[float, float, float]]:
    """By a row's first reward: return, where it bootstraps, and the weight of that value."""
    batch = replay.sample(np.random.default_rng(0), 2000)
    firsts = np.rint(batch.action[:, 0] * 1000)
    weights = discount * (1 - batch.terminated)
    rows = zip(firsts, batch.reward, batch.next_observation[:, 0], weights, strict=True)
    found: dict[float, tuple[float, float, float]] = {}
    for first, *rest in rows:
        row = tuple(round(float(x), 5) for x in rest)
        assert found.setdefault(float(first), row) == row  # type: ignore[arg-type]
    return found


def test_returns_of_three_steps_stop_where_an_episode_does() -> None:
    replay = NStepReplay(100, (1,), 1, returned=3, discount=0.5)
    tell(
        replay,
        [(1, ""), (2, ""), (4, ""), (8, "x"), (16, ""), (32, "t"), (64, ""), (0, "-"), (128, ""),
         (256, "")],
    )  # fmt: skip
    assert targets(replay, 0.5) == {
        1: (3.0, 3.0, 0.125),
        2: (6.0, 4.0, 0.125),
        4: (8.0, 4.0, 0.25),
        8: (8.0, 4.0, 0.5),
        16: (32.0, 6.0, 0.0),
        32: (32.0, 6.0, 0.0),
        64: (64.0, 7.0, 0.5),
        128: (256.0, 10.0, 0.25),
        256: (256.0, 10.0, 0.5),
    }


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("returned", [1, 3, 5])
def test_returns_equal_those_told_step_by_step(returned: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, capacity, discount = 60, 25, 0.9
    ends = rng.choice(["", "t", "x", "-"], count, p=[0.7, 0.1, 0.1, 0.1])
    steps = [(float(index + 1), str(end)) for index, end in enumerate(ends)]
    replay = NStepReplay(capacity, (1,), 1, returned, discount)
    tell(replay, steps)
    kept = [index for index, (_, end) in enumerate(steps) if end != "-"][-capacity:]
    expected: dict[float, tuple[float, float, float]] = {}
    for first in kept:
        last, total, weight = first, steps[first][0], discount
        while last - first < returned - 1 and steps[last][1] == "" and last + 1 in kept:
            last += 1
            total, weight = total + weight * steps[last][0], weight * discount
        weight *= steps[last][1] != "t"
        expected[steps[first][0]] = (total, last + 1.0, weight)
    found = targets(replay, discount)
    assert found.keys() == expected.keys()
    for first, row in expected.items():
        np.testing.assert_allclose(found[first], row, rtol=1e-5, atol=1e-5)


def test_returns_survive_a_checkpoint() -> None:
    one, other = (NStepReplay(10, (1,), 1, 3, 0.5) for _ in range(2))
    tell(one, [(1, ""), (2, ""), (4, "x"), (8, "")])
    other.load({name: x.copy() for name, x in one.state().items()})
    assert targets(one, 0.5) == targets(other, 0.5)
    tell(other, [(16, "")])
    assert targets(other, 0.5)[8] == targets(one, 0.5)[8], "a resumed run begins with a reset"


def test_an_actor_hands_on_the_very_array_that_a_step_ended_with() -> None:
    actor = Actor(make_gym("Pendulum-v1"), "test")
    actor.begin(0, 0)
    replay = NStepReplay(10, (3,), 1, 3, 0.5)
    rewards: list[float] = []
    for _ in range(4):
        step = actor.step(np.zeros(1, np.float32), 0)
        rewards.append(step.reward)
        replay.add(
            *(np.asarray(step.observation), step.executed_action, step.reward),
            *(np.asarray(step.next_observation), step.terminated),
        )
    batch = replay.sample(np.random.default_rng(0), 200)
    whole = rewards[0] + rewards[1] / 2 + rewards[2] / 4
    assert np.isclose(batch.reward, whole, rtol=1e-5).any()


def renormalised(x: Tensor, weights: dict[str, Tensor], member: int) -> Tensor:
    """A critic of CrossQ as the paper writes it, its norms by the rows at hand."""
    for index, at in enumerate((0, 3, 6)):
        mean, variance = x.mean(dim=0), x.var(dim=0, correction=0)
        x = (x - mean) / (variance + EPSILON).sqrt()
        prefix = f"members.{member}"
        x = x * weights[f"{prefix}.{at}.weight"] + weights[f"{prefix}.{at}.bias"]
        x = x @ weights[f"{prefix}.{at + 1}.weight"].T + weights[f"{prefix}.{at + 1}.bias"]
        x = x.relu() if index < 2 else x
    return x.squeeze(-1)


def crossq() -> CrossqSac:
    return CrossqSac(SMALL, OBSERVATION, ACTION, 0, vectors=NOTHING)


def test_crossq_normalises_both_states_together_and_has_no_target() -> None:
    learner, batch = crossq(), make_batch(1)
    weights = {
        name: x.detach().clone().requires_grad_()
        for name, x in learner.critic_module.named_parameters()
    }
    noise = torch.randn(2 * ROWS, ACTION, generator=torch.Generator().set_state(
        learner.generator.get_state()
    ))  # fmt: skip
    names = ("observation", "action", "reward", "next_observation", "terminated")
    state, action, reward, after, _ = (
        torch.as_tensor(getattr(batch, name), dtype=torch.float32) for name in names
    )
    with torch.no_grad():
        next_pi, next_log_pi = squash(learner.policy_module.eval()(after), noise[ROWS:])
    rows = torch.cat([torch.cat([state, action], 1), torch.cat([after, next_pi], 1)])
    both = torch.stack([renormalised(rows, weights, member) for member in range(CRITICS)])
    q, next_q = both[:, :ROWS], both[:, ROWS:].detach()
    alpha = SMALL.initial_alpha
    target = reward + SMALL.discount * (next_q.amin(dim=0) - alpha * next_log_pi)
    loss = 0.5 * (q - target).square().mean(dim=1).sum()
    loss.backward()
    told_by = learner.update(batch)
    torch.testing.assert_close(told_by.critic_loss, loss.detach())
    for name, parameter in learner.critic_module.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, rtol=1e-3, atol=1e-5)
    for member in range(CRITICS):
        running = learner.critic_module.get_buffer(f"members.{member}.0.running_mean")
        torch.testing.assert_close(running, NEWEST * rows.mean(dim=0))
    assert learner.state()["target_critics"].size == 0
    assert not hasattr(learner, "target_critics")


def test_crossq_improves_its_policy_at_every_third_update() -> None:
    learner = crossq()
    delayed = ("policy.parameters", "log_alpha.parameters", "policy.statistics.0.running_mean")
    for index in range(1, 2 * POLICY_DELAY + 1):
        before = learner.state()
        learner.update(make_batch(index))
        after = learner.state()
        for name in delayed:
            assert (before[name] != after[name]).any() == (index % POLICY_DELAY == 0)
        assert (before["critics.parameters"] != after["critics.parameters"]).any()


@pytest.mark.parametrize(
    ("make", "reference"),
    [
        (QuickAdam, lambda x: torch.optim.Adam([x], lr=0.01, betas=(0.5, 0.999))),
        (DecayingAdam, lambda x: torch.optim.AdamW([x], lr=0.01, weight_decay=WEIGHT_DECAY)),
    ],
)
def test_an_optimiser_is_torchs_own(
    make: Callable[[Tensor, float], Any], reference: Callable[[Tensor], torch.optim.Optimizer]
) -> None:
    own = torch.linspace(-1, 1, 48)
    theirs = own.clone()
    adam, other = make(own, 0.01), reference(theirs)
    for index in range(5):
        gradient = torch.randn(48, generator=generator(index))
        adam.gradient.copy_(gradient)
        theirs.grad = gradient
        adam.step()
        other.step()
    torch.testing.assert_close(own, theirs)


def simba() -> SimbaSac:
    return SimbaSac(SMALL, OBSERVATION, ACTION, 0, vectors=replace(NOTHING, actor_q="mean"))


def test_simba_has_the_papers_blocks() -> None:
    learner = simba()
    for module, blocks in ((learner.policy_network.module, 1), (learner.target_critics.module, 4)):
        inner = [part for part in module.modules() if isinstance(part, Block)]
        assert len(inner) == blocks
        assert all(part.widen.out_features == 4 * WIDTH == 512 for part in inner)
    rows = torch.randn((5, OBSERVATION), generator=generator())
    actions = torch.zeros((5, ACTION))
    assert learner.policy_network.forward([rows], dim=0).shape == (5, 2 * ACTION)
    assert learner.critics.forward([rows, actions], dim=1).shape == (CRITICS, 5, 1)


def test_a_block_adds_to_what_it_is_given() -> None:
    block, x = Block(8), torch.randn((3, 8), generator=generator())
    torch.nn.init.zeros_(block.narrow.weight)
    torch.nn.init.ones_(block.narrow.bias)
    assert torch.equal(block(x), x + 1)
    scaled = Block(8)
    torch.testing.assert_close(scaled(100 * x) - 100 * x, scaled(x) - x, rtol=1e-2, atol=1e-3)


def test_simbas_gradients_reach_every_parameter_and_are_its_modules() -> None:
    learner, batch = simba(), make_batch(2)
    learner.update(batch)
    for network in (learner.critics, learner.policy_network):
        for name, parameter in network.module.named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.abs().max() > 0, name
    rows = torch.randn((5, OBSERVATION), generator=generator())
    actions = torch.zeros((5, ACTION), requires_grad=True)
    q = learner.critics.forward([rows, actions], dim=1)
    d_q = torch.randn(q.shape, generator=generator(1))
    module = learner.critics.module
    expected = torch.autograd.grad(
        module(torch.cat([rows, actions], dim=1)), [actions, *module.parameters()], d_q
    )
    found = learner.critics.input_gradient(d_q, slice(-ACTION, None)).sum(dim=0)
    torch.testing.assert_close(found, expected[0])
    learner.critics.forward([rows, actions], dim=1)
    learner.critics.backward(d_q)
    for parameter, gradient in zip(module.parameters(), expected[1:], strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_simbas_targets_follow() -> None:
    learner = simba()
    before = learner.state()
    assert (before["target_critics"] == before["critics.parameters"]).all()
    learner.update(make_batch())
    after, share = learner.state(), SMALL.target_smoothing
    expected = before["target_critics"] * (1 - share) + share * after["critics.parameters"]
    np.testing.assert_allclose(after["target_critics"], expected, rtol=1e-5, atol=1e-7)
    found = dict(learner.target_critics.module.named_parameters())
    assert found["members.0.0.weight"].data_ptr() == learner._target.data_ptr()


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
    for timed in ("update_us", "wall_s"):
        del whole[timed], found[timed]
    assert found == whole
    assert [row["step"] for row in found["evaluations"]][-1] >= 48
    assert found["evaluations"][-1]["episodes"] == 1


def test_a_result_that_is_there_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Plan] = []
    evaluation = {
        "step": 6123, "episodes": 5, "speed_m_s": 0.5, "speed_min_m_s": 0.25, "falls": 1,
        "training_falls": 2, "training_reward": 1.5,
    }  # fmt: skip

    def trained(plan: Plan, folder: Path) -> dict[str, Any]:
        made.append(plan)
        named = {"preset": plan.preset, "part": plan.part, "seed": plan.seed, "steps": plan.steps}
        return {**named, "evaluations": [evaluation], "update_us": 12_000.0}

    monkeypatch.setattr(recipe_parts, "training", trained)
    state = tmp_path / "state.jsonl"
    asked = ["minitaur", "--parts", "baseline", "simba", "--steps", "6000", "--state", str(state)]
    assert main([*asked, "--seeds", "1"]) == 0
    assert main([*asked, "--seeds", "1", "2"]) == 0
    assert [(plan.part, plan.seed) for plan in made] == [
        ("baseline", 1), ("simba", 1), ("baseline", 2), ("simba", 2)
    ]  # fmt: skip
    assert len([json.loads(line) for line in state.read_text().splitlines()]) == 4
    assert "| simba | 2 | 6,123 | 0.50 (0.25), 1 of 5 | 2, 1.50 | 12.0 |" in capsys.readouterr().out


def test_the_hands_table_tells_shares() -> None:
    row = {
        "preset": "claw", "part": "n-step", "seed": 1, "update_us": None, "evaluations": [{
            "step": 3000, "episodes": 20, "within_0_1_rad": 0.4, "within_0_2_rad": 0.9,
            "angle_error_rad": 0.12, "training_falls": 0, "training_reward": None,
        }],
    }  # fmt: skip
    assert "| n-step | 1 | 3,000 | 40% / 90%, 0.12 | 0,  |  |" in table([row])
