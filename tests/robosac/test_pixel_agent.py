"""The learner from pixels: one update against autograd, exact resume, what trains which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.errors import ConfigError
from robosac.replay import Batch
from robosac.sac import FastPixels, PaperPixels, PixelSac, SacSettings
from tests.robosac.plain_pixel_sac import PlainPixelSac, plain_weights
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]

IMAGE, STATE, ACTION, ROWS = (16, 24, 3), 5, 2, 12
SMALL = SacSettings(hidden_units=(16, 16), batch_size=ROWS, initial_alpha=0.3)
FAST = FastPixels(filters=(8, 6), units=7)
RECIPES = {
    "paper": PaperPixels(),
    "fast": FAST,
    "fast-other-options": replace(
        FAST,
        patches=(2, 2, 2),
        filters=(5, 4, 6),
        shift_px=0,
        target_q="mean",
        actor_q="min",
        critic_layer_norm=False,
        entropy_backup=False,
    ),
}


def make_batch(seed: int = 0, rows: int = ROWS) -> Batch:
    rng = np.random.default_rng(seed)

    def observation() -> dict[str, NDArray[np.generic]]:
        return {
            "image": rng.integers(0, 256, (rows, *IMAGE), dtype=np.uint8),
            "state": rng.standard_normal((rows, STATE)),
        }

    terminated = (rng.random(rows) < 0.3).astype(float)
    return Batch(
        observation(),
        rng.uniform(-1, 1, (rows, ACTION)),
        rng.standard_normal(rows),
        observation(),
        terminated,
    )


def make_agent(recipe: str = "fast", seed: int = 0, dtype: torch.dtype = torch.float32) -> PixelSac:
    return PixelSac(SMALL, RECIPES[recipe], IMAGE, STATE, ACTION, seed, dtype=dtype)


def draws(agent: PixelSac) -> tuple[Tensor, Tensor]:
    """The offsets and noise that the agent's next update will draw."""
    generator = torch.Generator()
    generator.set_state(torch.from_numpy(agent.state()["noise"]))
    pixels = agent.pixels.shift_px
    offsets = torch.zeros(2, 2, ROWS, dtype=torch.int64)
    if pixels:
        offsets = torch.randint(2 * pixels + 1, (2, 2, ROWS), generator=generator)
    noise = torch.randn(2 * ROWS, ACTION, generator=generator, dtype=torch.float64)
    return offsets, noise


@pytest.mark.parametrize("recipe", RECIPES)
def test_updates_equal_plain_pytorch_in_float64(recipe: str) -> None:
    agent = make_agent(recipe, seed=3, dtype=torch.float64)
    plain = PlainPixelSac(agent)
    for name, weights in plain_weights(agent).items():
        plain.networks()[name].load_state_dict(weights)
    for index in range(3):
        batch = make_batch(index)
        offsets, noise = draws(agent)
        expected = plain.update(batch, noise, offsets)
        found = agent.update(batch).floats()
        for name, value in expected.items():
            assert found[name] == pytest.approx(float(value), rel=1e-9), name
    for owner, weights in plain_weights(agent).items():
        expected_weights = plain.networks()[owner].state_dict()
        assert weights.keys() == expected_weights.keys()
        for name, weight in weights.items():
            # Adam's first step is the gradient's sign, but for eps = 1e-8: a gradient near zero
            # turns rounding into a visible part of the step of 3e-4.
            torch.testing.assert_close(
                weight, expected_weights[name], rtol=0, atol=1e-8, msg=f"{owner}.{name}"
            )


@pytest.mark.parametrize("recipe", RECIPES)
def test_same_seed_same_bits_other_seed_other_bits(recipe: str) -> None:
    def trained(seed: int) -> dict[str, NDArray[np.generic]]:
        agent = make_agent(recipe, seed)
        for index in range(3):
            agent.update(make_batch(index))
            agent.act(one_observation(index), deterministic=False)
        return agent.state()

    first, second, other = trained(7), trained(7), trained(8)
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert first["policy.parameters"].tobytes() != other["policy.parameters"].tobytes()


def one_observation(seed: int) -> dict[str, NDArray[np.generic]]:
    observation = make_batch(seed, rows=1).observation
    return {"image": observation["image"][0], "state": observation["state"][0].astype(np.float32)}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_loaded_learner_goes_on_to_the_bit(recipe: str) -> None:
    def go_on(agent: PixelSac) -> list[bytes]:
        acted = []
        for index in range(2, 5):
            agent.update(make_batch(index))
            acted.append(agent.act(one_observation(index), deterministic=False).tobytes())
        return acted

    agent = make_agent(recipe, seed=0)
    for index in range(2):
        agent.update(make_batch(index))
    saved = agent.state()
    resumed = make_agent(recipe, seed=99)
    resumed.load(saved)
    assert go_on(agent) == go_on(resumed)
    first, second = agent.state(), resumed.state()
    assert first.keys() == second.keys()
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert resumed.updates == 5


def test_loading_another_recipes_state_is_refused_and_changes_nothing() -> None:
    agent = make_agent("fast")
    before = agent.state()
    with pytest.raises(ValueError, match="this learner has"):
        agent.load(make_agent("paper").state())
    assert all(before[name].tobytes() == x.tobytes() for name, x in agent.state().items())


@pytest.mark.parametrize("recipe", RECIPES)
def test_only_terminated_cuts_the_bootstrap(recipe: str) -> None:
    """Of two agents alike, the one that learns `terminated` never looks at the next state."""
    batch = make_batch()
    other_future = replace(batch, next_observation=make_batch(seed=1).next_observation)

    def critic_loss(batch: Batch, terminated: float) -> float:
        ended = replace(batch, terminated=np.full(ROWS, terminated))
        return make_agent(recipe).update(ended).floats()["critic_loss"]

    assert critic_loss(batch, 1.0) == critic_loss(other_future, 1.0)
    assert critic_loss(batch, 0.0) != critic_loss(other_future, 0.0)


def test_the_papers_recipe_is_the_papers() -> None:
    paper = PaperPixels()
    assert (paper.filters, paper.shift_px, paper.critic_layer_norm) == ((4, 4), 0, False)
    assert (paper.target_q, paper.actor_q, paper.entropy_backup) == ("min", "min", True)
    assert make_agent("paper").target_entropy == -ACTION


@pytest.mark.parametrize(
    "wrong",
    [
        {"patches": ()},
        {"filters": (8,)},
        {"units": 1},
        {"shift_px": -1},
        {"target_q": "max"},
        {"actor_q": "median"},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"sac\.pixels\.{next(iter(wrong))} must be"):
        FastPixels(**wrong)  # pyright: ignore[reportArgumentType]


def test_pictures_that_the_patches_do_not_tile_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        PixelSac(SMALL, FAST, (84, 84, 3), STATE, ACTION, seed=0)
    PixelSac(SMALL, replace(FAST, patches=(4, 3)), (84, 84, 3), STATE, ACTION, seed=0)


def test_pictures_that_pooling_leaves_nothing_of_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of 3 x 32 pooling leaves nothing.* at least 4"):
        PixelSac(SMALL, PaperPixels(), (3, 32, 3), STATE, ACTION, seed=0)
    PixelSac(SMALL, PaperPixels(), (4, 5, 3), STATE, ACTION, seed=0)


def needle(angle: NDArray[np.floating], side: int = 16) -> NDArray[np.uint8]:
    """Pictures of a bright spot that stands at `angle` about the middle."""
    middle = (side - 1) / 2
    y, x = np.mgrid[:side, :side]
    right, up = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    distance = np.hypot(x - middle * (1 + 0.6 * right), y - middle * (1 - 0.6 * up))
    red = np.clip(255 - 90 * distance, 0, 255)
    return np.stack([red, np.full_like(red, 90), np.full_like(red, 120)], axis=-1).astype(np.uint8)


def test_what_the_picture_shows_is_learned() -> None:
    """Reward: minus twice the squared distance of the action from half the spot's direction.

    Whoever does not look does best with zero, and loses half a point: the bar is a tenth of that.
    The actions learned from are uniform, for what the policy itself tries first can leave it
    waiting long, by the luck of the seed. So trained, ten seeds of ten lost less than 0.04.
    """
    settings = SacSettings(
        hidden_units=(64, 64), learning_rate=3e-3, discount=0.0, initial_alpha=0.02
    )
    pixels = FastPixels(filters=(16, 16), units=16, shift_px=1)
    agent = PixelSac(settings, pixels, (16, 16, 3), 1, 2, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(400):
        angle = rng.uniform(-np.pi, np.pi, 64)
        seen = {"image": needle(angle), "state": np.zeros((64, 1), np.float32)}
        action = rng.uniform(-1.0, 1.0, (64, 2)).astype(np.float32)
        agent.update(Batch(seen, action, reward(angle, action), seen, np.ones(64)))
    angle = np.linspace(-np.pi, np.pi, 60)
    shown = {"image": needle(angle), "state": np.zeros((60, 1), np.float32)}
    blind = reward(angle, np.zeros((60, 2))).mean()
    assert reward(angle, agent.act(shown, deterministic=True)).mean() > 0.1 * blind


def reward(angle: NDArray[np.floating], action: NDArray[np.floating]) -> NDArray[np.floating]:
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return -2 * ((action - 0.5 * direction) ** 2).sum(axis=1)
