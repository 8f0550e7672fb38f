"""A small learner, its recipes and its batches, for tests of what it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from robosac.replay import Batch
from robosac.sac import FastVectors, PaperVectors, Sac, SacSettings
from robosac.symmetry import Image, Reordering, Symmetry

OBSERVATION, ACTION, ROWS = 4, 2, 32
SMALL = SacSettings(hidden_units=(16, 16), batch_size=ROWS)
MIRRORED = Image(Reordering((1, 0, 2, 3), (1, 1, -1, 1)), Reordering((1, 0), (1, 1)))
SYMMETRY = Symmetry((MIRRORED,))
THIRDS = Symmetry(
    tuple(
        Image(Reordering(order, (1,) * OBSERVATION), Reordering((0, 1), (1, 1)))
        for order in ((1, 2, 0, 3), (2, 0, 1, 3))
    )
)
NOTHING = FastVectors(actor_q="min", critic_layer_norm=False, normalise=False, policy_average=1.0)
RECIPES: dict[str, PaperVectors | FastVectors] = {
    "paper": PaperVectors(),
    "nothing": NOTHING,
    "target_q": replace(NOTHING, target_q="mean"),
    "actor_q": replace(NOTHING, actor_q="mean"),
    "critic_layer_norm": replace(NOTHING, critic_layer_norm=True),
    "normalise": replace(NOTHING, normalise=True),
    "symmetry": replace(NOTHING, symmetry=SYMMETRY),
    "symmetry of three": replace(NOTHING, symmetry=THIRDS),
    "fast": FastVectors(symmetry=SYMMETRY),
}


def make_agent(recipe: str, seed: int, dtype: torch.dtype = torch.float32) -> Sac:
    return Sac(SMALL, OBSERVATION, ACTION, seed, dtype=dtype, vectors=RECIPES[recipe])


def trained(recipe: str, seed: int) -> dict[str, NDArray[np.float32]]:
    agent = make_agent(recipe, seed)
    for index in range(5):
        agent.update(make_batch(index))
        agent.act(np.ones(OBSERVATION, np.float32), deterministic=False)
    return agent.state()


def same(one: dict[str, NDArray[np.float32]], other: dict[str, NDArray[np.float32]]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def make_batch(seed: int = 0, terminated: float = 0.0, rows: int = ROWS) -> Batch:
    rng = np.random.default_rng(seed)
    return Batch(
        observation=rng.standard_normal((rows, OBSERVATION)),
        action=rng.uniform(-1, 1, (rows, ACTION)),
        reward=rng.standard_normal(rows),
        next_observation=rng.standard_normal((rows, OBSERVATION)),
        terminated=np.full(rows, terminated),
    )
