"""The native core that multiplies in bfloat16: the same update but for the factors' rounding.

Where the processor has no unit for it, the core makes the same sums in float32, so that packing and
arithmetic are tested on any computer. Each product by itself: test_native_products.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from robosac.config import load_preset
from robosac.errors import ConfigError, NativeUnavailable
from robosac.learners import make_learner
from robosac.replay import Batch
from robosac.sac import FastPixels, FastVectors, PaperPixels, PaperVectors, Sac, SacSettings
from robosac.sac.learner import Losses
from robosac.sac.native import agent, compiler
from robosac.sac.native.agent import NativeSac, library_with_units
from robosac.sac.native.interface import Library
from robosac.sac.native.pixel_agent import SELF_TESTS, check_pixels
from robosac.told_spaces import ToldSpaces
from tests.robosac.native_pixel_rig import (
    Pixels,
    gradients_beside_float64,
    make_pixel_batch,
    pixel_pair,
)
from tests.robosac.native_rig import (
    Vectors,
    assert_200_updates_stay_near,
    autograd,
    cosine,
    followed,
    library_or_skip,
    make_batch,
    pair,
)
from tests.robosac.sac_rig import same

RECIPES: dict[str, Vectors] = {
    "paper": PaperVectors(),
    "fast": FastVectors(normalise=False),
    "mean": FastVectors(target_q="mean", critic_layer_norm=False, normalise=False),
}
VECTORS = ToldSpaces(Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,)))
SMALL = SacSettings(hidden_units=(24, 40), batch_size=32)


@pytest.fixture(scope="module")
def library() -> Library:
    return library_or_skip("bfloat16")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_whole_batch_at_full_size(library: Library, recipe: str) -> None:
    _, native = pair(library, SacSettings(), 17, 6, RECIPES[recipe])
    before, batch = native.state(), make_batch(7, 256, 17, 6)
    native.update(batch)
    expected, found = autograd(native, before, batch), followed(native, before)
    for owner, weights in expected.items():
        for name, gradient in weights.items():
            assert cosine(found[owner][name], gradient) > 0.997, f"{owner}.{name}"
            ratio = float(found[owner][name].double().norm() / gradient.norm())
            assert ratio == pytest.approx(1.0, abs=0.01), f"{owner}.{name}"
            # And it is rounded: this is no float32 under another name.
            if name.startswith("weight0"):
                assert cosine(found[owner][name], gradient) < 1 - 1e-9


@pytest.mark.parametrize("pixels", [FastPixels(), PaperPixels()])
def test_a_whole_batch_of_pictures(library: Library, pixels: Pixels) -> None:
    _, native = pixel_pair(library, SacSettings(), pixels, (32, 32, 3), 27, 9)
    batch = make_pixel_batch(7, 256, (32, 32, 3), 27, 9)
    rounded = False
    for name, found, ratio in gradients_beside_float64(native, batch):
        assert found > 0.99, name
        assert ratio == pytest.approx(1.0, abs=0.03), name
        rounded = rounded or found < 1 - 1e-9
    assert rounded


def test_the_self_tests_from_pictures_pass(library: Library) -> None:
    for pixels in SELF_TESTS:
        check_pixels(library, pixels)


@pytest.mark.parametrize("recipe", RECIPES)
def test_200_updates_stay_near(library: Library, recipe: str) -> None:
    assert_200_updates_stay_near(library, SMALL, RECIPES[recipe], losses=0.05, actions=0.1)


def test_it_repeats_to_the_bit_and_goes_on_from_its_state(library: Library) -> None:
    def run(learner: NativeSac, seeds: range) -> None:
        for seed in seeds:
            learner.update(make_batch(seed, 32, 9, 3))

    first, again, resumed = (NativeSac(library, SMALL, 9, 3, seed) for seed in (5, 5, 99))
    run(first, range(10))
    run(again, range(5))
    resumed.load(again.state())
    run(resumed, range(5, 10))
    assert same(first.state(), resumed.state())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["reward", "observation", "action", "next_observation"])
def test_what_is_not_finite_spreads_as_with_torch(
    library: Library, value: float, part: str
) -> None:
    plain, native = pair(library, SMALL, 9, 3, RECIPES["fast"])
    batch = make_batch(0, 32, 9, 3)
    getattr(batch, part).flat[3] = value
    plain.update(batch)
    native.update(batch)
    one, other = plain.state(), native.state()
    for name in one.keys() - {"noise", "acting"}:
        np.testing.assert_array_equal(np.isfinite(other[name]), np.isfinite(one[name]), name)


def test_torchs_own_products_work_on_beside_it(library: Library) -> None:
    """Both may set the tiles of a thread up; neither may find them changed."""
    one = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    before = one @ one
    NativeSac(library, SMALL, 9, 3, 5).update(make_batch(0, 32, 9, 3))
    assert torch.equal(one @ one, before)


def test_it_has_a_name_of_its_own_and_gives_way(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = NativeSac(library, SMALL, 9, 3, 5)
    assert native.core == "native bfloat16"
    assert native.go_on_with("native")
    assert native.core == "native"
    native.update(make_batch(0, 32, 9, 3))
    assert native.go_on_with("torch")
    assert native.core == "torch"
    monkeypatch.setattr(agent, "has_tiles", lambda: False)
    assert not native.go_on_with("native bfloat16")
    assert native.core == "torch"


def test_without_the_unit_a_run_is_not_made_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    library_or_skip()
    monkeypatch.setattr(agent, "has_tiles", lambda: False)
    assert library_with_units("float32").products == "float32"
    with pytest.raises(NativeUnavailable, match="no unit for products in bfloat16"):
        library_with_units("bfloat16")
    asked = ["learner_products=bfloat16", "sac.hidden_units=[8]"]
    assert make_learner(load_preset("gym:Pendulum-v1", asked), VECTORS).core == "torch"
    with pytest.raises(ConfigError, match="core is native, but this processor has no unit"):
        make_learner(load_preset("gym:Pendulum-v1", [*asked, "learner_core=native"]), VECTORS)
    with pytest.raises(ConfigError, match=r"learner_products bfloat16 is the CPU's"):
        load_preset("gym:Pendulum-v1", [*asked, "learner_device=cuda"])


def test_with_the_unit_it_must_be_known_to_the_compiler(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = library._replace(has_units=True)
    monkeypatch.setattr(agent, "has_tiles", lambda: True)
    monkeypatch.setattr(agent, "native_library", lambda *_: has)
    assert library_with_units("bfloat16") is has
    monkeypatch.setattr(agent, "native_library", lambda *_: library._replace(has_units=False))
    with pytest.raises(NativeUnavailable, match="the compiler knows no unit"):
        library_with_units("bfloat16")


def test_each_precision_is_a_library_of_its_own() -> None:
    library_or_skip()
    assert compiler.built() != compiler.built(products="bfloat16")


def test_a_core_is_judged_by_float32_whatever_torch_does_elsewhere(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the unit torch itself rounds a run's products, and would find a right core wrong."""
    seen: list[str] = []
    update = Sac.update

    def watched(learner: Sac, batch: Batch) -> Losses:
        seen.append(torch.get_float32_matmul_precision())
        return update(learner, batch)

    monkeypatch.setattr(Sac, "update", watched)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        agent.check(library, PaperVectors())
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert set(seen) == {"highest"}


def test_deep_networks_fit(library: Library) -> None:
    deep = replace(SMALL, hidden_units=(8,) * 8)
    NativeSac(library, deep, 9, 3, 0).update(make_batch(0, 32, 9, 3))
