"""The learner of vectors whose update is the native core's."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robosac.errors import NativeUnavailable
from robosac.sac.agent import Sac
from robosac.sac.learner import Batch, Losses
from robosac.sac.native.compiler import built
from robosac.sac.native.core import Core, Follower, Storage, fits, loaded
from robosac.sac.networks import critic_layout, policy_layout
from robosac.sac.settings import PAPER_VECTORS, FastVectors, PaperVectors, SacSettings

TOLERANCE = 1e-4
"""Of the self-test: four updates move a weight by 1e-3."""


class NativeSac(Sac):
    """`Sac` with its update in C++: same storage, same noise, same states, same policy.

    A run may begin as the one and go on as the other; the two differ by float32's rounding.

    Args:
        library: from `native_library`.
        settings, observation_dim, action_dim, seed, vectors: as of `Sac`.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        settings: SacSettings,
        observation_dim: int,
        action_dim: int,
        seed: int,
        vectors: PaperVectors | FastVectors = PAPER_VECTORS,
    ) -> None:
        super().__init__(settings, observation_dim, action_dim, seed, vectors=vectors)
        self._library = library
        self._core: Core | None = None

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """As `Sac.update`, whose noise and order of events it keeps."""
        seen = self._seen(batch)
        rows = len(seen[0])
        if self._core is None or self._core.sizes[0] != rows:
            self._core = self._made(rows)
        told = self._core.update(seen, self._gaussian_noise(2 * rows))
        self.updates += 1
        return Losses(*told.unbind())

    def _made(self, rows: int) -> Core:
        sizes = (self.observation_dim, self.action_dim, self.settings.hidden_units)
        average = self._average if self._averages else None
        storage = Storage(
            critic_layout(*sizes),
            policy_layout(*sizes),
            self._critic_adam,
            self._policy_adam,
            self._alpha_adam,
            Follower(self._target, self.settings.target_smoothing),
            Follower(average, self.vectors.policy_average),
        )
        shape = (rows, self.observation_dim, self.action_dim)
        return Core(
            self._library, self.settings, self.vectors, storage, self.target_entropy, shape
        )
