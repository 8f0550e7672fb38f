"""The learner of vectors whose update is the native core's."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robosac.errors import NativeUnavailable
from robosac.sac.agent import Sac
from robosac.sac.learner import Batch, Losses
from robosac.sac.native.compiler import built
from robosac.sac.native.core import MOST_LAYERS, Follower, NativeUpdate, Storage, loaded
from robosac.sac.networks import critic_layout, policy_layout
from robosac.sac.settings import PAPER_VECTORS, Core, FastVectors, PaperVectors, SacSettings

SELF_TEST_UPDATES = 3
TOLERANCE = 2e-4
"""Of the self-test. Each update moves a weight by at most 3e-4, and in a direction that rounding
decides where a gradient is nearly zero; a wrong gradient moves most of them by three times that."""
MOMENT_TOLERANCE = 2e-3
"""Of Adam's moments, by the largest of them."""


def native_library(environment: Mapping[str, str] = os.environ) -> ctypes.CDLL:
    """The native core, built or kept from before, and found to do here what it shall.

    Args:
        environment: see `robosac.sac.native.compiler.built`.

    Raises:
        NativeUnavailable: it cannot be had; the message says why.
    """
    library = loaded(built(environment))
    for vectors in (PaperVectors(), FastVectors()):
        check(library, vectors)
    return library


def check(library: ctypes.CDLL, vectors: PaperVectors | FastVectors) -> None:
    """Make a few small updates by the core and by torch.

    Raises:
        NativeUnavailable: they differ.
    """
    observation, action, rows = 5, 3, 21
    settings = SacSettings(hidden_units=(19, 33), batch_size=rows)
    one = Sac(settings, observation, action, seed=0, vectors=vectors)
    other = NativeSac(library, settings, observation, action, seed=0, vectors=vectors)
    rng = np.random.default_rng(0)
    for _ in range(SELF_TEST_UPDATES):
        batch = _Rows(
            rng.standard_normal((rows, observation)),
            rng.uniform(-1, 1, (rows, action)),
            rng.standard_normal(rows),
            rng.standard_normal((rows, observation)),
            rng.integers(0, 2, rows),
        )
        one.update(batch)
        other.update(batch)
    first, second = one.state(), other.state()
    for name in (name for name in first if name.endswith(("parameters", ".mean", ".square"))):
        apart = float(np.abs(first[name] - second[name]).max())
        most = TOLERANCE
        if not name.endswith("parameters"):
            most = MOMENT_TOLERANCE * float(np.abs(first[name]).max())
        # Written so that NaN is wrong.
        if not apart <= most:
            raise NativeUnavailable(f"the native core's self-test: {name} is {apart:.2g} apart")


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch."""

    observation: NDArray[Any]
    action: NDArray[Any]
    reward: NDArray[Any]
    next_observation: NDArray[Any]
    terminated: NDArray[Any]


class NativeSac(Sac):
    """`Sac` with its update in C++: same storage, same noise, same states, same policy.

    A run may begin as the one and go on as the other; the two differ by float32's rounding.

    Args:
        library: from `native_library`.
        settings, observation_dim, action_dim, seed, vectors: as of `Sac`.

    Raises:
        ValueError: more layers than the core can do.
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
        if len(settings.hidden_units) >= MOST_LAYERS:
            raise ValueError(
                f"the native core does at most {MOST_LAYERS - 1} hidden layers, got"
                f" {len(settings.hidden_units)}"
            )
        super().__init__(settings, observation_dim, action_dim, seed, vectors=vectors)
        self._library, self._native = library, True
        sizes = (observation_dim, action_dim, settings.hidden_units)
        self.layouts = {"critics": critic_layout(*sizes), "policy": policy_layout(*sizes)}
        """Where each layer lies in flat storage."""
        self._update: NativeUpdate | None = None

    @property
    def core(self) -> Core:
        """See `Learner`; torch once the run turned out to have been learned with it."""
        return "native" if self._native else "torch"

    def go_on_with(self, core: Core) -> bool:
        """See `Learner`: this one has both."""
        self._native = core == "native"
        return True

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """As `Sac.update`, whose noise and order of events it keeps."""
        if not self._native:
            return super().update(batch)
        seen = self._seen(batch)
        rows = len(seen[0])
        if self._update is None or self._update.sizes[0] != rows:
            self._update = self._made(rows)
        told = self._update(seen, self._gaussian_noise(2 * rows))
        self.updates += 1
        return Losses(*told.unbind())

    def _made(self, rows: int) -> NativeUpdate:
        average = self._average if self._averages else None
        storage = Storage(
            self.layouts["critics"],
            self.layouts["policy"],
            self._critic_adam,
            self._policy_adam,
            self._alpha_adam,
            Follower(self._target, self.settings.target_smoothing),
            Follower(average, self.vectors.policy_average),
        )
        shape = (rows, self.observation_dim, self.action_dim)
        return NativeUpdate(
            self._library, self.settings, self.vectors, storage, self.target_entropy, shape
        )
