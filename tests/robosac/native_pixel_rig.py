"""The native core from pixels as tests get it, and its gradients beside those of float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.replay import Batch
from robosac.sac import FastPixels, PaperPixels, PixelSac, SacSettings
from robosac.sac.flat import FlatAdam, pieces
from robosac.sac.native.interface import Library
from robosac.sac.native.pixel_agent import NativePixelSac
from tests.robosac.native_rig import cosine

Shape = tuple[int, int, int]
Pixels = FastPixels | PaperPixels
SMALL = SacSettings(hidden_units=(24, 40), batch_size=32)
PIXELS = FastPixels(patches=(2, 3), filters=(11, 37), units=9)
SHAPE: Shape = (12, 18, 3)
STATE, ACTION = 7, 3


def make_pixel_batch(
    seed: int, rows: int, shape: Shape = SHAPE, state: int = STATE, action: int = ACTION
) -> Batch:
    """Random transitions, a fifth of them terminated."""
    rng = np.random.default_rng(seed)

    def seen() -> dict[str, NDArray[Any]]:
        return {
            "image": rng.integers(0, 256, (rows, *shape), dtype=np.uint8),
            "state": rng.standard_normal((rows, state), dtype=np.float32),
        }

    return Batch(
        observation=seen(),
        action=rng.uniform(-1, 1, (rows, action)).astype(np.float32),
        reward=rng.standard_normal(rows, dtype=np.float32),
        next_observation=seen(),
        terminated=(rng.random(rows) < 0.2).astype(np.float32),
    )


def pixel_pair(
    library: Library,
    settings: SacSettings = SMALL,
    pixels: Pixels = PIXELS,
    shape: Shape = SHAPE,
    state: int = STATE,
    action: int = ACTION,
    warm_ups: int = 5,
) -> tuple[PixelSac, NativePixelSac]:
    """Two learners of one state, after a few updates by torch: see `native_rig.pair`."""
    plain = PixelSac(settings, pixels, shape, state, action, 0)
    native = NativePixelSac(library, settings, pixels, shape, state, action, 1)
    for seed in range(warm_ups):
        plain.update(make_pixel_batch(100 + seed, settings.batch_size, shape, state, action))
    native.load(plain.state())
    return plain, native


class _Float64(PixelSac):
    """`PixelSac` in float64, with the noise that one in float32 draws."""

    def _gaussian_noise(self, rows: int) -> Tensor:
        return torch.randn(rows, self.action_dim, generator=self._noise).double()

    def gradients(self) -> dict[str, Tensor]:
        """Of the last update, flat, by the optimiser's name."""
        return {"critics": self._critic_adam.gradient, "policy": self._policy_adam.gradient}


def gradients_beside_float64(
    native: NativePixelSac, batch: Batch
) -> Iterator[tuple[str, float, float]]:
    """For each weight: its name, the cosine with float64's gradient, and the ratio of lengths.

    Makes one update. The core keeps no gradient: it is what Adam's mean followed.
    """
    before = native.state()
    double = _Float64(
        native.settings,
        native.pixels,
        native.image_shape,
        native.state_dim,
        native.action_dim,
        0,
        dtype=torch.float64,
    )
    double.load(
        {
            name: array.astype(np.float64)
            if array.dtype == np.float32 and not name.endswith("count")
            else array
            for name, array in before.items()
        }
    )
    double.update(batch)
    native.update(batch)
    after = native.state()
    for owner, expected in double.gradients().items():
        old, new = (state[f"{owner}.mean"].astype(np.float64) for state in (before, after))
        found = torch.from_numpy(old + (new - old) / (1 - FlatAdam.beta1))
        layouts = native.layouts[owner]
        for index, (one, other) in enumerate(
            zip(pieces(layouts, found), pieces(layouts, expected), strict=True)
        ):
            reference = other.layout.views(other.parameters)
            for name, gradient in one.layout.views(one.parameters).items():
                ratio = float(gradient.norm() / reference[name].norm())
                yield f"{owner} {index} {name}", cosine(gradient, reference[name]), ratio
