"""The learner of vectors whose update is the native core's."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robosac.errors import NativeUnavailable
from robosac.sac.agent import Sac
from robosac.sac.learner import Batch, Learner, Losses
from robosac.sac.native.compiler import built, has_tiles, unheard
from robosac.sac.native.core import Follower, NativeUpdate, Place, Recipe, Storage
from robosac.sac.native.interface import MOST_LAYERS, Library, loaded
from robosac.sac.networks import critic_layout, policy_layout
from robosac.sac.settings import (
    PAPER_VECTORS,
    Core,
    FastVectors,
    PaperVectors,
    Products,
    SacSettings,
)

SELF_TEST, SELF_TEST_UPDATES = SacSettings(hidden_units=(19, 33), batch_size=21), 3
TOLERANCE: Mapping[Products, float] = {"float32": 2e-4, "bfloat16": 2e-3}
"""Of the self-test. Each update moves a weight by at most 3e-4, and in a direction that rounding
decides where a gradient is nearly zero: bfloat16's in any update. A wrong gradient in float32 moves
most of them by three times that."""
MOMENT_TOLERANCE: Mapping[Products, float] = {"float32": 2e-3, "bfloat16": 0.15}
"""Of Adam's moments, by the largest of them: what tells a wrong gradient in bfloat16."""
CORES: Mapping[Products, Core] = {"float32": "native", "bfloat16": "native bfloat16"}
"""What a core of those products is called."""


def native_library(
    environment: Mapping[str, str] = os.environ,
    products: Products = "float32",
    tell: Callable[[str], None] = unheard,
) -> Library:
    """The native core, built or kept from before, and found to do here what it shall.

    Args:
        environment, tell: see `robosac.sac.native.compiler.built`.
        products: what it multiplies in; without AMX bfloat16 is right, but slow.

    Raises:
        NativeUnavailable: it cannot be had; the message says why.
    """
    library = loaded(built(environment, products, tell), products)
    for vectors in (PaperVectors(), FastVectors()):
        check(library, vectors)
    return library


def library_with_units(
    products: Products,
    environment: Mapping[str, str] = os.environ,
    tell: Callable[[str], None] = unheard,
) -> Library:
    """The native core that multiplies in `products` by the processor's own means.

    Raises:
        NativeUnavailable: it cannot be had; the message says why.
    """
    if products == "bfloat16" and not has_tiles():
        raise NativeUnavailable("this processor has no unit for products in bfloat16 (AMX)")
    library = native_library(environment, products, tell)
    if not library.has_units:
        raise NativeUnavailable(f"the compiler knows no unit for products in {products} (AMX)")
    return library


@contextmanager
def exact_torch() -> Iterator[None]:
    """Torch multiplies in float32, whatever this process has it do elsewhere."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def check(library: Library, vectors: PaperVectors | FastVectors) -> None:
    """Make a few small updates by the core and by torch.

    Raises:
        NativeUnavailable: they differ.
    """
    observation, action = 5, 3
    one = Sac(SELF_TEST, observation, action, seed=0, vectors=vectors)
    other = NativeSac(library, SELF_TEST, observation, action, seed=0, vectors=vectors)
    expect_alike(library, one, other, lambda rng, rows: rng.standard_normal((rows, observation)))


@exact_torch()
def expect_alike(
    library: Library,
    one: Learner[Any],
    other: Learner[Any],
    seen: Callable[[np.random.Generator, int], Any],
) -> None:
    """Make the same few updates by both; `one` is torch's, `seen` draws rows of observations.

    Raises:
        NativeUnavailable: they differ.
    """
    rng, rows = np.random.default_rng(0), SELF_TEST.batch_size
    for _ in range(SELF_TEST_UPDATES):
        batch = _Rows(
            seen(rng, rows),
            rng.uniform(-1, 1, (rows, one.action_dim)),
            rng.standard_normal(rows),
            seen(rng, rows),
            rng.integers(0, 2, rows),
        )
        one.update(batch)
        other.update(batch)
    first, second = one.state(), other.state()
    for name in (name for name in first if name.endswith(("parameters", ".mean", ".square"))):
        apart = float(np.abs(first[name] - second[name]).max())
        most = TOLERANCE[library.products]
        if not name.endswith("parameters"):
            most = MOMENT_TOLERANCE[library.products] * float(np.abs(first[name]).max())
        # Written so that NaN is wrong.
        if not apart <= most:
            raise NativeUnavailable(f"the native core's self-test: {name} is {apart:.2g} apart")


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch of the self-test."""

    observation: Any
    action: NDArray[Any]
    reward: NDArray[Any]
    next_observation: Any
    terminated: NDArray[Any]


def check_layers(sizes: Sequence[int], what: str) -> None:
    """Whether the core has room for so many layers.

    Raises:
        ValueError: it has not.
    """
    if len(sizes) >= MOST_LAYERS:
        raise ValueError(f"the native core does at most {MOST_LAYERS - 1} {what}, got {len(sizes)}")


class OnCore(ABC):
    """What learners whose update is the native core's have in common."""

    _library: Library
    _threads: int
    _native: bool
    _update: NativeUpdate | None

    def _begin(self, library: Library, settings: SacSettings, threads: int) -> None:
        """To be called first.

        Raises:
            ValueError: more layers than the core can do.
        """
        check_layers(settings.hidden_units, "hidden layers")
        self._library, self._threads = library, threads
        self._native, self._update = True, None

    @property
    def core(self) -> Core:
        """See `Learner`; torch once the run turned out to have been learned with it."""
        return CORES[self._library.products] if self._native else "torch"

    def go_on_with(self, core: Core) -> bool:
        """See `Learner`: this one has torch, and gets the core with the other products."""
        if core == "torch":
            self._native = False
            return True
        products: Products = "float32" if core == "native" else "bfloat16"
        if products != self._library.products:
            try:
                self._library = self._obtained(products)
            except NativeUnavailable:
                return False
            self._update = None
        self._native = True
        return True

    def _core_for(self, rows: int) -> NativeUpdate:
        """The update of batches of so many rows; made anew where the last ones had others."""
        if self._update is None or self._update.sizes[0] != rows:
            self._update = self._made(rows)
        return self._update

    @abstractmethod
    def _made(self, rows: int) -> NativeUpdate:
        """The update of batches of so many rows."""

    def _obtained(self, products: Products) -> Library:
        """A core that multiplies in those and makes this learner's updates.

        Raises:
            NativeUnavailable: there is none.
        """
        return library_with_units(products)


class NativeSac(OnCore, Sac):
    """`Sac` with its update in C++: same storage, same noise, same states, same policy.

    A run may begin as the one and go on as the other; the two differ by rounding.

    Args:
        library: from `native_library`.
        settings, observation_dim, action_dim, seed, vectors: as of `Sac`.
        threads: of the core; torch's number is the process'.

    Raises:
        ValueError: more layers than the core can do.
    """

    def __init__(
        self,
        library: Library,
        settings: SacSettings,
        observation_dim: int,
        action_dim: int,
        seed: int,
        vectors: PaperVectors | FastVectors = PAPER_VECTORS,
        threads: int = 1,
    ) -> None:
        self._begin(library, settings, threads)
        super().__init__(settings, observation_dim, action_dim, seed, vectors=vectors)
        sizes = (observation_dim, action_dim, settings.hidden_units)
        self.layouts = {"critics": critic_layout(*sizes), "policy": policy_layout(*sizes)}
        """Where each layer lies in flat storage."""

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """As `Sac.update`, whose noise and order of events it keeps."""
        if not self._native:
            return super().update(batch)
        seen = self._seen(batch)
        rows = len(seen[0])
        told = self._core_for(rows)(seen, self._gaussian_noise(2 * rows))
        self.updates += 1
        return Losses(*told.unbind())

    def _made(self, rows: int) -> NativeUpdate:
        average = self._average if self._averages else None
        storage = Storage(
            Place(self.layouts["critics"]),
            Place(self.layouts["policy"]),
            self._critic_adam,
            self._policy_adam,
            self._alpha_adam,
            Follower(self._target, self.settings.target_smoothing),
            Follower(average, self.vectors.policy_average),
        )
        vectors = self.vectors
        recipe = Recipe(vectors.critic_layer_norm, vectors.target_q, vectors.actor_q)
        sizes = (rows, self.observation_dim, self.action_dim)
        return NativeUpdate(
            *(self._library, self.settings, recipe, storage, self.target_entropy, sizes),
            threads=self._threads,
        )
