"""The native core's interface: what `update.cpp` declares, told to ctypes; and one core in use."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import Structure, c_double, c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from robosac.errors import NativeUnavailable
from robosac.sac.flat import FlatAdam, Layout
from robosac.sac.policy import LOG_STD_MAX, LOG_STD_MIN
from robosac.sac.settings import FastVectors, PaperVectors, Products, SacSettings

MOST_LAYERS = 9
"""Of a network, its head among them."""
LOSSES = 5


class _Optimiser(Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("parameters", "mean", "square", "count")),
        ("follower", c_void_p),
        ("rate", c_double),
        ("share", c_double),
    )


class _Places(Structure):
    _fields_ = (("weight", c_int64 * MOST_LAYERS), ("bias", c_int64 * MOST_LAYERS))


class _Problem(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("batch", "observation", "action", "hidden_layers")),
        ("hidden", c_int32 * (MOST_LAYERS - 1)),
        *((name, c_int32) for name in ("critic_norm", "mean_target", "mean_actor")),
        *((name, c_double) for name in ("discount", "target_entropy")),
        *((name, c_double) for name in ("least_log_std", "most_log_std")),
        *((name, _Places) for name in ("critics", "policy")),
        *((name, _Optimiser) for name in ("critic_adam", "policy_adam", "alpha_adam")),
    )


class _Batch(Structure):
    _fields_ = tuple(
        (name, c_void_p)
        for name in (
            *("observation", "action", "reward", "next_observation", "terminated", "noise"),
            "told",
        )
    )


class Follower(NamedTuple):
    """What follows parameters as a moving average."""

    tensor: Tensor | None
    share: float
    """Of the newest parameters in it."""


class Storage(NamedTuple):
    """Where a learner's numbers lie; the core works on these tensors in place."""

    critics: Layout
    policy: Layout
    critic_adam: FlatAdam
    policy_adam: FlatAdam
    alpha_adam: FlatAdam
    target: Follower
    average: Follower


class Library(NamedTuple):
    """The native core, loaded."""

    functions: ctypes.CDLL
    products: Products
    has_units: bool
    """Whether it has the processor's own means for these products; else it is right, but slow."""


def loaded(path: Path, products: Products = "float32") -> Library:
    """The library with its functions' types.

    Args:
        path: of the library.
        products: what it was built for.

    Raises:
        NativeUnavailable: it cannot be loaded, is not the one this module was written for, or the
            system does not allow what it multiplies by.
    """
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeUnavailable(f"the native core cannot be loaded: {error}") from error
    library.robosac_layout.argtypes, library.robosac_layout.restype = [c_int32], c_int64
    library.robosac_create.argtypes, library.robosac_create.restype = [c_void_p], c_void_p
    library.robosac_destroy.argtypes, library.robosac_destroy.restype = [c_void_p], None
    library.robosac_update.argtypes, library.robosac_update.restype = [c_void_p, c_void_p], None
    library.robosac_allowed.argtypes, library.robosac_allowed.restype = [], c_int32
    *found, units = (library.robosac_layout(which) for which in range(5))
    sizes = [ctypes.sizeof(kind) for kind in (_Problem, _Optimiser, _Batch)]
    if found != [*sizes, MOST_LAYERS]:
        raise NativeUnavailable(f"the native core has layout {found}; expected {sizes}")
    if not library.robosac_allowed():
        raise NativeUnavailable(f"the system does not allow products in {products} by AMX")
    return Library(library, products, bool(units))


class NativeUpdate:
    """The update of one learner, for batches of one size.

    Args:
        library: from `loaded`.
        settings: the learner's.
        vectors: the learner's recipe.
        storage: the learner's; kept alive as long as this object.
        target_entropy: nats.
        sizes: batch, observation, action.

    Raises:
        MemoryError: there is none left.
    """

    def __init__(
        self,
        library: Library,
        settings: SacSettings,
        vectors: PaperVectors | FastVectors,
        storage: Storage,
        target_entropy: float,
        sizes: tuple[int, int, int],
    ) -> None:
        self.sizes = sizes
        """Batch, observation, action."""
        self._library, self._storage = library.functions, storage
        hidden = settings.hidden_units
        problem = _Problem(
            *sizes,
            len(hidden),
            (c_int32 * (MOST_LAYERS - 1))(*hidden),
            vectors.critic_layer_norm,
            vectors.target_q == "mean",
            vectors.actor_q == "mean",
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
        self._learner: int | None = self._library.robosac_create(ctypes.byref(problem))
        if self._learner is None:
            raise MemoryError(f"no memory for the native core of {sizes}")

    def __call__(self, seen: Sequence[Tensor], noise: Tensor) -> Tensor:
        """One update of everything but the random generator; returns `Losses` in their order.

        Args:
            seen: observation, action, reward, next observation, terminated.
            noise: standard normal, (2 batch, action).
        """
        batch, observation, action = self.sizes
        shapes = [(batch, observation), (batch, action), (batch,), (batch, observation), (batch,)]
        given = [*seen, noise]
        for tensor, shape in zip(given, [*shapes, (2 * batch, action)], strict=True):
            if tensor.shape != shape or tensor.dtype != torch.float32:
                raise ValueError(f"got {tensor.dtype} {tuple(tensor.shape)}, expected {shape}")
        told = torch.empty(LOSSES)
        # Held by name: their memory is used until the call returns.
        held = [tensor.contiguous() for tensor in given]
        pointers = _Batch(*(tensor.data_ptr() for tensor in (*held, told)))
        self._library.robosac_update(self._learner, ctypes.byref(pointers))
        return told

    def __del__(self) -> None:
        learner, self._learner = getattr(self, "_learner", None), None
        if learner is not None:
            self._library.robosac_destroy(learner)


def _places(layout: Layout) -> _Places:
    kind: Any = c_int64 * MOST_LAYERS
    layers = range(len(layout.shapes) // 2)
    return _Places(
        kind(*(layout.offset(f"weight{index}") for index in layers)),
        kind(*(layout.offset(f"bias{index}") for index in layers)),
    )


def _optimiser(adam: FlatAdam, follower: Follower) -> _Optimiser:
    state = adam.state()
    tensors = [adam.parameters, state["mean"], state["square"], state["count"]]
    for tensor in [*tensors, *([] if follower.tensor is None else [follower.tensor])]:
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise ValueError(f"the native core needs float32 on the CPU, got {tensor.dtype}")
    return _Optimiser(
        *(tensor.data_ptr() for tensor in tensors),
        None if follower.tensor is None else follower.tensor.data_ptr(),
        adam.learning_rate,
        follower.share,
    )
