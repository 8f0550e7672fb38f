"""The native update is Sac.update: gradients, steps, states, repeatability, what is not finite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robosac.sac import FastVectors, PaperVectors, SacSettings
from robosac.sac.native.agent import NativeSac
from robosac.sac.native.interface import MOST_LAYERS, Library
from robosac.symmetry import Image, Reordering, Symmetry
from tests.robosac.native_rig import (
    Vectors,
    assert_200_updates_stay_near,
    assert_near,
    autograd,
    cosine,
    followed,
    library_or_skip,
    make_batch,
    pair,
)
from tests.robosac.sac_rig import same
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]

PAPER, FAST = PaperVectors(), FastVectors()
RECIPES: dict[str, Vectors] = {
    "paper": PAPER,
    "fast": FAST,
    "mean target": FastVectors(target_q="mean", actor_q="min"),
    "slow policy": FastVectors(policy_rate=0.3, policy_average=1.0, critic_layer_norm=False),
}
SMALL = SacSettings(hidden_units=(24, 40), batch_size=32)


@pytest.fixture(scope="module")
def library() -> Library:
    return library_or_skip()


@given(
    rows=st.integers(1, 40),
    observation=st.integers(1, 40),
    action=st.integers(1, 11),
    hidden=st.lists(st.integers(1, 70), min_size=1, max_size=4),
    norm=st.booleans(),
    target_q=st.sampled_from(["min", "mean"]),
    actor_q=st.sampled_from(["min", "mean"]),
    average=st.sampled_from([0.001, 0.6, 1.0]),
)
@example(256, 17, 6, [256, 256], False, "min", "min", 1.0)
@example(256, 112, 8, [256, 256], True, "min", "mean", 0.001)
@settings(max_examples=60, deadline=None)
def test_one_update_is_torchs(
    library: Library,
    rows: int,
    observation: int,
    action: int,
    hidden: list[int],
    norm: bool,
    target_q: Any,
    actor_q: Any,
    average: float,
) -> None:
    # A layer of few units normalises rounding itself: (x - mean) of one unit is exactly nothing.
    norm = norm and min(hidden) > 4
    vectors = FastVectors(target_q, actor_q, norm, normalise=False, policy_average=average)
    chosen = SacSettings(hidden_units=tuple(hidden), batch_size=rows)
    plain, native = pair(library, chosen, observation, action, vectors)
    batch = make_batch(0, rows, observation, action)
    expected, found = plain.update(batch).floats(), native.update(batch).floats()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert_near(plain, native)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("sizes", [(17, 6, (256, 256)), (31, 3, (40, 24, 9))])
def test_gradients_are_autograds_in_float64(
    library: Library, recipe: str, sizes: tuple[int, int, tuple[int, ...]]
) -> None:
    observation, action, hidden = sizes
    vectors = RECIPES[recipe]
    if isinstance(vectors, FastVectors):
        vectors = replace(vectors, normalise=False)
    chosen = SacSettings(hidden_units=hidden, batch_size=96)
    _, native = pair(library, chosen, observation, action, vectors)
    before, batch = native.state(), make_batch(7, 96, observation, action)
    native.update(batch)
    expected, found = autograd(native, before, batch), followed(native, before)
    for owner, weights in expected.items():
        for name, gradient in weights.items():
            where = f"{owner}.{name}"
            assert cosine(found[owner][name], gradient) > 0.999999, where
            ratio = float(found[owner][name].double().norm() / gradient.norm())
            assert ratio == pytest.approx(1.0, abs=1e-4), where


@pytest.mark.parametrize("recipe", RECIPES)
def test_200_updates_stay_near(library: Library, recipe: str) -> None:
    assert_200_updates_stay_near(library, SMALL, RECIPES[recipe], losses=0.02, actions=0.02)


def test_symmetry_and_normaliser_are_the_same(library: Library) -> None:
    mirrored = Image(Reordering((1, 0, 2, 3), (1, 1, -1, 1)), Reordering((1, 0), (1, 1)))
    vectors = FastVectors(symmetry=Symmetry((mirrored,)))
    plain, native = pair(library, SMALL, 4, 2, vectors)
    batch = make_batch(0, 32, 4, 2)
    plain.update(batch)
    native.update(batch)
    assert_near(plain, native)


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_repeats_to_the_bit_and_goes_on_from_its_state(library: Library, recipe: str) -> None:
    def run(learner: NativeSac, seeds: range) -> None:
        for seed in seeds:
            learner.update(make_batch(seed, 32, 9, 3))
            learner.act(np.ones(9, np.float32), deterministic=False)

    first, again = (NativeSac(library, SMALL, 9, 3, 5, RECIPES[recipe]) for _ in range(2))
    run(first, range(10))
    run(again, range(5))
    # Another one in between: nothing is shared.
    run(NativeSac(library, SMALL, 9, 3, 6, RECIPES[recipe]), range(3))
    resumed = NativeSac(library, SMALL, 9, 3, 99, RECIPES[recipe])
    resumed.load(again.state())
    run(resumed, range(5, 10))
    assert same(first.state(), resumed.state())


def test_what_was_learned_with_torch_goes_on_with_torch(library: Library) -> None:
    plain, native = pair(library, SMALL, 9, 3, FAST)
    assert (plain.core, native.core) == ("torch", "native")
    assert native.go_on_with("torch")
    assert native.core == "torch"
    for seed in range(3):
        plain.update(make_batch(seed, 32, 9, 3))
        native.update(make_batch(seed, 32, 9, 3))
    assert same(plain.state(), native.state())
    assert native.go_on_with("native")
    assert native.core == "native"
    assert not plain.go_on_with("native")
    assert plain.go_on_with("torch")


def test_a_state_goes_either_way(library: Library) -> None:
    plain, native = pair(library, SMALL, 9, 3, FAST)
    native.update(make_batch(0, 32, 9, 3))
    plain.load(native.state())
    assert plain.updates == native.updates == 6
    batch = make_batch(1, 32, 9, 3)
    plain.update(batch)
    native.update(batch)
    assert_near(plain, native)
    one, other = plain.policy().weights(), native.policy().weights()
    for name, weight in one.items():
        np.testing.assert_allclose(other[name], weight, rtol=0, atol=1e-5)


def test_batches_may_change_their_size(library: Library) -> None:
    plain, native = pair(library, SMALL, 9, 3, PAPER)
    for rows in (32, 7, 50, 32):
        batch = make_batch(rows, rows, 9, 3)
        plain.update(batch)
        native.update(batch)
        assert_near(plain, native)


@pytest.mark.parametrize("recipe", ["paper", "fast"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["reward", "observation", "action", "next_observation"])
def test_what_is_not_finite_spreads_as_with_torch(
    library: Library, recipe: str, value: float, part: str
) -> None:
    vectors = RECIPES[recipe]
    if isinstance(vectors, FastVectors):
        # It bounds an infinite number, and then nothing is left to see.
        vectors = replace(vectors, normalise=False)
    plain, native = pair(library, SMALL, 9, 3, vectors)
    batch = make_batch(0, 32, 9, 3)
    getattr(batch, part).flat[3] = value
    plain.update(batch)
    native.update(batch)
    one, other = plain.state(), native.state()
    spread = 0
    for name in one.keys() - {"noise", "acting"}:
        np.testing.assert_array_equal(np.isfinite(other[name]), np.isfinite(one[name]), name)
        spread += int(np.sum(~np.isfinite(one[name])))
    assert spread > 0


@pytest.mark.parametrize("bound", [-25.0, -20.0, 2.0, 5.0])
def test_a_deviation_out_of_bounds_moves_no_further(library: Library, bound: float) -> None:
    plain, native = pair(library, SMALL, 9, 3, PAPER)
    state = plain.state()
    views = native.layouts["policy"].views(torch.from_numpy(state["policy.parameters"]))
    views["bias2"][:, 3:] = bound
    views["weight2"][:, 3:] = 0.0
    plain.load(state)
    native.load(state)
    batch = make_batch(0, 32, 9, 3)
    plain.update(batch)
    native.update(batch)
    assert_near(plain, native)


def test_the_networks_that_fit(library: Library) -> None:
    deep = replace(SMALL, hidden_units=(8,) * (MOST_LAYERS - 1))
    plain, native = pair(library, deep, 9, 3, PAPER)
    batch = make_batch(0, 32, 9, 3)
    plain.update(batch)
    native.update(batch)
    assert_near(plain, native)
    with pytest.raises(ValueError, match="at most 8 hidden layers"):
        NativeSac(library, replace(SMALL, hidden_units=(8,) * MOST_LAYERS), 9, 3, 0)


def test_a_batch_of_other_columns_is_refused(library: Library) -> None:
    native = NativeSac(library, SMALL, 9, 3, 0)
    with pytest.raises(ValueError, match="expected"):
        native.update(make_batch(0, 32, 8, 3))
    with pytest.raises(ValueError, match="expected"):
        native.update(make_batch(0, 32, 9, 4))
