"""The native update from pixels is PixelSac.update: gradients, steps, states, repeatability."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robosac.config import load_preset
from robosac.errors import ConfigError, NativeUnavailable
from robosac.learners import make_learner, policy_of
from robosac.sac import FastPixels, PaperPixels, PixelSac, SacSettings
from robosac.sac.native.core import NativeUpdate
from robosac.sac.native.interface import MOST_LAYERS, Library
from robosac.sac.native.pixel_agent import SELF_TESTS, NativePixelSac, check_pixels
from robosac.told_spaces import ToldSpaces
from tests.robosac.native_pixel_rig import (
    ACTION,
    PIXELS,
    SHAPE,
    SMALL,
    STATE,
    Pixels,
    Shape,
    gradients_beside_float64,
    make_pixel_batch,
    pixel_pair,
)
from tests.robosac.native_rig import assert_near, library_or_skip
from tests.robosac.sac_rig import same
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]

RECIPES: dict[str, Pixels] = {
    "fast": PIXELS,
    "other values": replace(PIXELS, target_q="mean", actor_q="min", entropy_backup=False),
    "no norm, no shift": replace(PIXELS, critic_layer_norm=False, shift_px=0),
    "one layer": replace(PIXELS, patches=(6,), filters=(20,)),
    "paper": PaperPixels(),
    "paper, other filters": PaperPixels(filters=(17,)),
}


@pytest.fixture(scope="module")
def library() -> Library:
    return library_or_skip()


@given(
    rows=st.integers(1, 40),
    sides=st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3),
    cells=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    channels=st.sampled_from([1, 3, 4]),
    filters=st.lists(st.integers(1, 70), min_size=3, max_size=3),
    units=st.integers(6, 60),
    shift_px=st.integers(0, 5),
    state=st.integers(1, 30),
    action=st.integers(1, 11),
    hidden=st.lists(st.integers(6, 70), min_size=1, max_size=3),
    values=st.tuples(*[st.sampled_from(["min", "mean"])] * 2, st.booleans(), st.booleans()),
)
@example(128, [4, 2], (4, 4), 3, [32, 64, 1], 50, 2, 27, 9, [256, 256], ("min", "mean", True, True))
@settings(max_examples=40, deadline=None)
def test_one_update_is_torchs(
    library: Library,
    rows: int,
    sides: list[int],
    cells: tuple[int, int],
    channels: int,
    filters: list[int],
    units: int,
    shift_px: int,
    state: int,
    action: int,
    hidden: list[int],
    values: tuple[Any, Any, bool, bool],
) -> None:
    # What an encoder of few numbers tells hangs on rounding, once it is normalised.
    filters = [max(count, 6) for count in filters]
    whole = int(np.prod(sides))
    shape: Shape = (cells[0] * whole, cells[1] * whole, channels)
    pixels = FastPixels(tuple(sides), tuple(filters[: len(sides)]), units, shift_px, *values)
    chosen = SacSettings(hidden_units=tuple(hidden), batch_size=rows)
    plain, native = pixel_pair(library, chosen, pixels, shape, state, action)
    batch = make_pixel_batch(0, rows, shape, state, action)
    expected, found = plain.update(batch).floats(), native.update(batch).floats()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert_near(plain, native, 3e-5)


@pytest.mark.parametrize("recipe", RECIPES)
def test_gradients_are_those_of_float64(library: Library, recipe: str) -> None:
    _, native = pixel_pair(library, pixels=RECIPES[recipe])
    for name, cosine, ratio in gradients_beside_float64(native, make_pixel_batch(7, 96)):
        assert cosine > 0.999999, name
        assert ratio == pytest.approx(1.0, abs=1e-4), name


@given(
    rows=st.integers(1, 40),
    sides=st.tuples(st.integers(4, 21), st.integers(4, 21)),
    channels=st.sampled_from([1, 3, 4]),
    filters=st.lists(st.integers(1, 19), min_size=1, max_size=2),
    state=st.integers(1, 30),
    action=st.integers(1, 11),
    hidden=st.lists(st.integers(1, 70), min_size=1, max_size=3),
)
@example(128, (32, 32), 3, [4, 4], 27, 9, [256, 256])
@settings(max_examples=40, deadline=None)
def test_one_update_by_the_papers_recipe_is_torchs(
    library: Library,
    rows: int,
    sides: tuple[int, int],
    channels: int,
    filters: list[int],
    state: int,
    action: int,
    hidden: list[int],
) -> None:
    shape: Shape = (*sides, channels)
    chosen = SacSettings(hidden_units=tuple(hidden), batch_size=rows)
    pixels = PaperPixels(filters=tuple(filters))
    plain, native = pixel_pair(library, chosen, pixels, shape, state, action)
    batch = make_pixel_batch(0, rows, shape, state, action)
    expected, found = plain.update(batch).floats(), native.update(batch).floats()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert_near(plain, native, 3e-5)


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_even_pictures_are_pooled_as_torch_does(library: Library, recipe: str) -> None:
    """Where all four pixels of a cell are alike, the first one gets the gradient."""
    plain, native = pixel_pair(library, pixels=RECIPES[recipe])
    batch = make_pixel_batch(0, 32)
    for seen in (batch.observation, batch.next_observation):
        seen["image"][:] = np.arange(32, dtype=np.uint8)[:, None, None, None]
    plain.update(batch)
    native.update(batch)
    assert_near(plain, native, 3e-5)


@pytest.mark.parametrize("pixels", [FastPixels(), PaperPixels()])
def test_gradients_at_full_size(library: Library, pixels: Pixels) -> None:
    shape: Shape = (32, 32, 3)
    _, native = pixel_pair(library, SacSettings(), pixels, shape, 27, 9)
    batch = make_pixel_batch(7, 256, shape, 27, 9)
    for name, cosine, ratio in gradients_beside_float64(native, batch):
        assert cosine > 0.999999, name
        assert ratio == pytest.approx(1.0, abs=1e-4), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_100_updates_stay_near(library: Library, recipe: str) -> None:
    plain, native = pixel_pair(library, pixels=RECIPES[recipe])
    for seed in range(99):
        batch = make_pixel_batch(seed, 32)
        plain.update(batch)
        native.update(batch)
    last = make_pixel_batch(99, 32)
    expected, found = plain.update(last).floats(), native.update(last).floats()
    assert found == pytest.approx(expected, rel=0.02, abs=0.02)
    seen = make_pixel_batch(999, 64).observation
    apart = native.act(seen, deterministic=True) - plain.act(seen, deterministic=True)
    assert np.abs(apart).max() < 0.02


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_repeats_to_the_bit_and_goes_on_from_its_state(library: Library, recipe: str) -> None:
    def made(seed: int) -> NativePixelSac:
        return NativePixelSac(library, SMALL, RECIPES[recipe], SHAPE, STATE, ACTION, seed)

    def run(learner: NativePixelSac, seeds: range) -> None:
        for seed in seeds:
            learner.update(make_pixel_batch(seed, 32))
            learner.act(make_pixel_batch(0, 1).observation, deterministic=False)

    first, again, resumed = made(5), made(5), made(99)
    run(first, range(10))
    run(again, range(5))
    # Another one in between: nothing is shared.
    run(made(6), range(3))
    resumed.load(again.state())
    run(resumed, range(5, 10))
    assert same(first.state(), resumed.state())


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_what_was_learned_with_torch_goes_on_with_torch(library: Library, recipe: str) -> None:
    plain, native = pixel_pair(library, pixels=RECIPES[recipe])
    assert (plain.core, native.core) == ("torch", "native")
    assert native.go_on_with("torch")
    for seed in range(3):
        plain.update(make_pixel_batch(seed, 32))
        native.update(make_pixel_batch(seed, 32))
    assert same(plain.state(), native.state())
    assert native.go_on_with("native")
    assert native.core == "native"


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_batches_may_change_their_size(library: Library, recipe: str) -> None:
    plain, native = pixel_pair(library, pixels=RECIPES[recipe])
    for rows in (32, 7, 130, 32):
        batch = make_pixel_batch(rows, rows)
        plain.update(batch)
        native.update(batch)
        assert_near(plain, native, 3e-5)


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_its_policy_sees_as_torchs(library: Library, recipe: str) -> None:
    plain, native = pixel_pair(library, pixels=RECIPES[recipe])
    batch = make_pixel_batch(1, 32)
    plain.update(batch)
    native.update(batch)
    one, other = plain.policy(), native.policy()
    seen = make_pixel_batch(2, 16).observation
    np.testing.assert_allclose(other.mean_action(seen), one.mean_action(seen), atol=1e-4)


@pytest.mark.parametrize("recipe", ["paper", "fast"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["reward", "action", "state", "next state"])
def test_what_is_not_finite_spreads_as_with_torch(
    library: Library, recipe: str, value: float, part: str
) -> None:
    plain, native = pixel_pair(library, pixels=RECIPES[recipe])
    batch = make_pixel_batch(0, 32)
    places = {
        "reward": batch.reward,
        "action": batch.action,
        "state": batch.observation["state"],
        "next state": batch.next_observation["state"],
    }
    places[part].flat[3] = value
    plain.update(batch)
    native.update(batch)
    one, other = plain.state(), native.state()
    spread = 0
    for name in one.keys() - {"noise", "acting"}:
        found, expected = np.isfinite(other[name]), np.isfinite(one[name])
        if recipe == "paper":
            # Beyond a picture's edge torch leaves products out, where the core has zeros: their
            # products with NaN are NaN.
            assert not np.any(found & ~expected), name
        else:
            np.testing.assert_array_equal(found, expected, name)
        spread += int(np.sum(~expected))
    assert spread > 0


def test_other_pictures_are_refused(library: Library) -> None:
    native = NativePixelSac(library, SMALL, PIXELS, SHAPE, STATE, ACTION, 0)
    with pytest.raises(ValueError, match=r"expected torch.uint8 \(32, 12, 18, 3\)"):
        native.update(make_pixel_batch(0, 32, (12, 12, 3)))
    with pytest.raises(ValueError, match=r"expected torch.float32 \(32, 7\)"):
        native.update(make_pixel_batch(0, 32, state=8))
    deep = replace(SMALL, hidden_units=(8,) * MOST_LAYERS)
    with pytest.raises(ValueError, match="at most 8 hidden layers, got 9"):
        NativePixelSac(library, deep, PIXELS, SHAPE, STATE, ACTION, 0)
    with pytest.raises(ValueError, match="at most 8 layers of an encoder, got 9"):
        NativePixelSac(library, SMALL, PaperPixels(filters=(1,) * 9), SHAPE, STATE, ACTION, 0)


@pytest.mark.parametrize("value", [-1, 2 * PIXELS.shift_px + 1])
def test_a_crop_beside_the_picture_is_refused(
    library: Library, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = NativePixelSac(library, SMALL, PIXELS, SHAPE, STATE, ACTION, 0)
    before = native.state()
    monkeypatch.setattr(native, "_offsets", lambda rows: torch.full((2, 2, rows), value))
    with pytest.raises(ValueError, match="valid: 0 to 4"):
        native.update(make_pixel_batch(0, 32))
    after = native.state()
    assert all(
        before[name].tobytes() == after[name].tobytes() for name in before.keys() - {"noise"}
    )


def test_a_core_that_is_wrong_is_not_used(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_pixels(library, PaperPixels())
    monkeypatch.setattr(NativeUpdate, "__call__", lambda *_: torch.zeros(5))
    for pixels in SELF_TESTS:
        with pytest.raises(NativeUnavailable, match="self-test"):
            check_pixels(library, pixels)


def test_it_is_used_where_it_can_be(library: Library) -> None:
    image, state = Box(0, 255, (32, 32, 3), np.uint8), Box(-np.inf, np.inf, (4,))
    spaces = ToldSpaces(Dict({"image": image, "state": state}), Box(-1.0, 1.0, (2,)))

    def learner(*chosen: str) -> Any:
        return make_learner(load_preset("claw-pixels", ["sac.hidden_units=[8]", *chosen]), spaces)

    for recipe in ("recipe=fast", "recipe=paper"):
        made = learner(recipe)
        assert isinstance(made, NativePixelSac)
        assert made.core == "native"
        assert isinstance(learner(recipe, "learner_threads=2"), NativePixelSac)
        assert type(learner(recipe, "learner_core=torch")) is PixelSac
        # Its states are anybody's.
        config = load_preset("claw-pixels", ["sac.hidden_units=[8]", recipe])
        assert policy_of(config, spaces, made.state()).weights().keys()
    with pytest.raises(ConfigError, match="valid here are auto and torch"):
        learner("learner_core=native", f"sac.hidden_units={[8] * 9}")
