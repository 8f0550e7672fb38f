"""The learner of pictures whose update is the native core's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robosac.sac.learner import Batch, Losses
from robosac.sac.native.agent import (
    SELF_TEST,
    OnCore,
    check_layers,
    expect_alike,
    library_with_units,
)
from robosac.sac.native.compiler import unheard
from robosac.sac.native.core import Follower, NativeUpdate, Recipe, Sight, Storage, places_of
from robosac.sac.native.interface import Library
from robosac.sac.pixel_agent import PixelSac
from robosac.sac.settings import FastPixels, PaperPixels, Products, SacSettings

SELF_TESTS = (FastPixels(patches=(2, 3), filters=(11, 37), units=9), PaperPixels(filters=(4, 5)))
"""Recipes that a core is tried with before it learns from pictures."""


def pixel_library(
    products: Products,
    environment: Mapping[str, str] = os.environ,
    tell: Callable[[str], None] = unheard,
) -> Library:
    """As `library_with_units`, and found to learn from pictures as it shall.

    Raises:
        NativeUnavailable: it cannot be had; the message says why.
    """
    library = library_with_units(products, environment, tell)
    for pixels in SELF_TESTS:
        check_pixels(library, pixels)
    return library


def check_pixels(library: Library, pixels: FastPixels | PaperPixels) -> None:
    """Make a few small updates from pictures by the core and by torch.

    Raises:
        NativeUnavailable: they differ.
    """
    image_shape, state, action = (12, 24, 3), 5, 3

    def seen(rng: np.random.Generator, rows: int) -> dict[str, NDArray[Any]]:
        return {
            "image": rng.integers(0, 256, (rows, *image_shape), dtype=np.uint8),
            "state": rng.standard_normal((rows, state)),
        }

    one = PixelSac(SELF_TEST, pixels, image_shape, state, action, seed=0)
    other = NativePixelSac(library, SELF_TEST, pixels, image_shape, state, action, seed=0)
    expect_alike(library, one, other, seen)


class NativePixelSac(OnCore, PixelSac):
    """`PixelSac` with its update in C++: same storage, same noise, same states, same policy.

    A run may begin as the one and go on as the other; the two differ by rounding.

    Args:
        library: from `pixel_library`.
        settings, pixels, image_shape, state_dim, action_dim, seed: as of `PixelSac`.
        threads: of the core; torch's number is the process'.

    Raises:
        ValueError: more layers than the core can do, or patches that do not tile the picture.
    """

    def __init__(
        self,
        library: Library,
        settings: SacSettings,
        pixels: FastPixels | PaperPixels,
        image_shape: tuple[int, ...],
        state_dim: int,
        action_dim: int,
        seed: int,
        threads: int = 1,
    ) -> None:
        self._begin(library, settings, threads)
        check_layers(pixels.filters, "layers of an encoder")
        super().__init__(settings, pixels, image_shape, state_dim, action_dim, seed)

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """As `PixelSac.update`, whose noise and order of events it keeps."""
        if not self._native:
            return super().update(batch)
        seen = self._vectors(batch)
        rows = len(seen[0])
        images = (batch.observation["image"], batch.next_observation["image"])
        # Without shifts `PixelSac` draws no offsets.
        still = self.pixels.shift_px == 0
        offsets = torch.zeros((2, 2, rows), dtype=torch.int64) if still else self._offsets(rows)
        pictures = [*(torch.as_tensor(image) for image in images), offsets]
        told = self._core_for(rows)(seen, self._gaussian_noise(2 * rows), pictures)
        self.updates += 1
        return Losses(*told.unbind())

    def _obtained(self, products: Products) -> Library:
        """See `OnCore`."""
        return pixel_library(products)

    def _made(self, rows: int) -> NativeUpdate:
        *critic_eyes, critics = places_of(self.layouts["critics"])
        *policy_eyes, policy = places_of(self.layouts["policy"])
        storage = Storage(
            critics,
            policy,
            self._critic_adam,
            self._policy_adam,
            self._alpha_adam,
            Follower(self._target, self.settings.target_smoothing),
            Follower(None, 1.0),
        )
        pixels = self.pixels
        recipe = Recipe(
            pixels.critic_layer_norm, pixels.target_q, pixels.actor_q, pixels.entropy_backup
        )
        height, width, channels = self.image_shape
        shape = (height, width, channels)
        sight = Sight(pixels, shape, self._units, critic_eyes, policy_eyes[0])
        sizes = (rows, self.state_dim, self.action_dim)
        return NativeUpdate(
            *(self._library, self.settings, recipe, storage, self.target_entropy, sizes),
            sight=sight,
            threads=self._threads,
        )
