"""One native core in use: the update of one learner, on that learner's own tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int32, c_int64
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from robosac.sac.flat import FlatAdam, Layout
from robosac.sac.native.interface import (
    MOST_LAYERS,
    Batch,
    Eyes,
    Library,
    Optimiser,
    Pictures,
    Places,
    Problem,
)
from robosac.sac.policy import LOG_STD_MAX, LOG_STD_MIN
from robosac.sac.settings import FastPixels, PaperPixels, Reduction, SacSettings

LOSSES = 5


class Follower(NamedTuple):
    """What follows parameters as a moving average."""

    tensor: Tensor | None
    share: float
    """Of the newest parameters in it."""


class Place(NamedTuple):
    """Where a network lies among the parameters of the optimiser that trains it."""

    layout: Layout
    begins: int = 0
    """Elements before it."""


def places_of(layouts: Sequence[Layout]) -> list[Place]:
    """Of networks that lie one after another, as `robosac.sac.flat.pieces` shares them out."""
    begins = accumulate((layout.size for layout in layouts), initial=0)
    return [Place(layout, begin) for layout, begin in zip(layouts, begins, strict=False)]


class Storage(NamedTuple):
    """Where a learner's numbers lie; the core works on these tensors in place."""

    critics: Place
    policy: Place
    critic_adam: FlatAdam
    policy_adam: FlatAdam
    alpha_adam: FlatAdam
    target: Follower
    average: Follower


class Sight(NamedTuple):
    """How a learner from pictures sees; without one the core learns from vectors."""

    pixels: FastPixels | PaperPixels
    image_shape: tuple[int, int, int]
    units: int
    """Numbers that the encoder makes of a picture for each network."""
    critics: Sequence[Place]
    """Of the critics: encoder and projection, or their convolutions."""
    policy: Place
    """Of the policy: projection or convolutions."""


class Recipe(NamedTuple):
    """What becomes of the critics' values."""

    critic_layer_norm: bool
    target_q: Reduction
    actor_q: Reduction
    entropy_backup: bool = True


class NativeUpdate:
    """The update of one learner, for batches of one size.

    Args:
        library: from `loaded`.
        settings: the learner's.
        recipe: the learner's.
        storage: the learner's; kept alive as long as this object.
        target_entropy: nats.
        sizes: batch, observation (of a learner from pictures: the state beside them), action.
        sight: of a learner from pictures.
        threads: that make an update together; the result is that of one, to the bit.

    Raises:
        MemoryError: there is none left, or no more threads can be started.
    """

    def __init__(
        self,
        library: Library,
        settings: SacSettings,
        recipe: Recipe,
        storage: Storage,
        target_entropy: float,
        sizes: tuple[int, int, int],
        sight: Sight | None = None,
        threads: int = 1,
    ) -> None:
        self.sizes = sizes
        """Batch, observation, action."""
        self._library, self._storage, self._sight = library.functions, storage, sight
        hidden = settings.hidden_units
        batch, observation, action = sizes
        problem = Problem(
            batch,
            observation if sight is None else observation + sight.units,
            action,
            len(hidden),
            (c_int32 * (MOST_LAYERS - 1))(*hidden),
            recipe.critic_layer_norm,
            recipe.target_q == "mean",
            recipe.actor_q == "mean",
            recipe.entropy_backup,
            settings.discount,
            target_entropy,
            LOG_STD_MIN,
            LOG_STD_MAX,
            _places(storage.critics),
            _places(storage.policy),
            _optimiser(storage.critic_adam, storage.target),
            _optimiser(storage.policy_adam, storage.average),
            _optimiser(storage.alpha_adam, Follower(None, 1.0)),
        )
        eyes = None if sight is None else ctypes.byref(_eyes(sight, observation))
        self._learner: int | None = self._library.robosac_create(
            ctypes.byref(problem), eyes, threads
        )
        if self._learner is None:
            raise MemoryError(f"no memory, or no {threads} threads, for the native core of {sizes}")

    def __call__(
        self, seen: Sequence[Tensor], noise: Tensor, pictures: Sequence[Tensor] = ()
    ) -> Tensor:
        """One update of everything but the random generator; returns `Losses` in their order.

        Args:
            seen: observation, action, reward, next observation, terminated.
            noise: standard normal, (2 batch, action).
            pictures: of a learner from pictures: uint8 (batch, height, width, channels) of this
                state and the next, and int64 (2, 2, batch), in each state down and right, where
                crops begin in pictures padded by `shift_px`: 0 to twice that.

        Raises:
            ValueError: other shapes or types, or a crop that begins elsewhere.
        """
        batch, observation, action = self.sizes
        shapes = [(batch, observation), (batch, action), (batch,), (batch, observation), (batch,)]
        told = torch.empty(LOSSES)
        # Held by name: their memory is used until the call returns.
        held = _checked([*seen, noise], [*shapes, (2 * batch, action)], [torch.float32] * 6)
        shown = self._shown(pictures)
        rows = Batch(*(tensor.data_ptr() for tensor in (*held, told)))
        crops = None if not shown else Pictures(*(tensor.data_ptr() for tensor in shown))
        self._library.robosac_update(
            self._learner, ctypes.byref(rows), None if crops is None else ctypes.byref(crops)
        )
        return told

    def _shown(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        """Pictures and where their crops begin; nothing of a learner from vectors."""
        if self._sight is None:
            return _checked(pictures, [], [])
        batch, most = self.sizes[0], 2 * self._sight.pixels.shift_px
        shape = (batch, *self._sight.image_shape)
        types = [torch.uint8, torch.uint8, torch.int64]
        shown = _checked(pictures, [shape, shape, (2, 2, batch)], types)
        offset = shown[-1]
        # The core would read beside the picture.
        if int(offset.min()) < 0 or int(offset.max()) > most:
            raise ValueError(
                f"crops begin from {offset.min()} to {offset.max()}; valid: 0 to {most}"
            )
        return shown

    def __del__(self) -> None:
        learner, self._learner = getattr(self, "_learner", None), None
        if learner is not None:
            self._library.robosac_destroy(learner)


def _checked(
    given: Sequence[Tensor], shapes: Sequence[tuple[int, ...]], types: Sequence[torch.dtype]
) -> list[Tensor]:
    """The tensors, each in one piece of memory."""
    for tensor, shape, kind in zip(given, shapes, types, strict=True):
        if tensor.shape != shape or tensor.dtype != kind:
            raise ValueError(f"got {tensor.dtype} {tuple(tensor.shape)}, expected {kind} {shape}")
    return [tensor.contiguous() for tensor in given]


def _places(place: Place) -> Places:
    kind: Any = c_int64 * MOST_LAYERS
    layout = place.layout
    layers = range(len(layout.shapes) // 2)
    return Places(
        kind(*(place.begins + layout.offset(f"weight{index}") for index in layers)),
        kind(*(place.begins + layout.offset(f"bias{index}") for index in layers)),
    )


def _eyes(sight: Sight, state: int) -> Eyes:
    pixels, numbers = sight.pixels, c_int32 * MOST_LAYERS
    own = isinstance(pixels, PaperPixels)
    critics = [_places(place) for place in sight.critics]
    return Eyes(
        own,
        *sight.image_shape,
        state,
        sight.units,
        pixels.shift_px,
        len(pixels.filters),
        numbers(*(() if own else pixels.patches)),
        numbers(*pixels.filters),
        critics[0],
        Places() if own else critics[1],
        _places(sight.policy),
    )


def _optimiser(adam: FlatAdam, follower: Follower) -> Optimiser:
    state = adam.state()
    tensors = [adam.parameters, state["mean"], state["square"], state["count"]]
    for tensor in [*tensors, *([] if follower.tensor is None else [follower.tensor])]:
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise ValueError(f"the native core needs float32 on the CPU, got {tensor.dtype}")
    return Optimiser(
        *(tensor.data_ptr() for tensor in tensors),
        None if follower.tensor is None else follower.tensor.data_ptr(),
        adam.learning_rate,
        follower.share,
    )
