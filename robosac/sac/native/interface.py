"""The native core's interface: what `interface.h` declares, told to ctypes."""

from __future__ import annotations

import ctypes
from ctypes import Structure, c_double, c_int32, c_int64, c_void_p
from pathlib import Path
from typing import NamedTuple

from robosac.errors import NativeUnavailable
from robosac.sac.settings import Products

MOST_LAYERS = 9
"""Of a network, its head among them."""


class Optimiser(Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("parameters", "mean", "square", "count")),
        ("follower", c_void_p),
        ("rate", c_double),
        ("share", c_double),
    )


class Places(Structure):
    _fields_ = (("weight", c_int64 * MOST_LAYERS), ("bias", c_int64 * MOST_LAYERS))


class Problem(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("batch", "observation", "action", "hidden_layers")),
        ("hidden", c_int32 * (MOST_LAYERS - 1)),
        *((name, c_int32) for name in ("critic_norm", "mean_target", "mean_actor")),
        ("entropy_backup", c_int32),
        *((name, c_double) for name in ("discount", "target_entropy")),
        *((name, c_double) for name in ("least_log_std", "most_log_std")),
        *((name, Places) for name in ("critics", "policy")),
        *((name, Optimiser) for name in ("critic_adam", "policy_adam", "alpha_adam")),
    )


class Eyes(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("own", "height", "width", "channels")),
        *((name, c_int32) for name in ("state", "units", "shift", "layers")),
        *((name, c_int32 * MOST_LAYERS) for name in ("side", "filters")),
        *((name, Places) for name in ("encoder", "projection", "policy")),
    )


class Batch(Structure):
    _fields_ = tuple(
        (name, c_void_p)
        for name in (
            *("observation", "action", "reward", "next_observation", "terminated", "noise"),
            "told",
        )
    )


class Pictures(Structure):
    _fields_ = tuple((name, c_void_p) for name in ("image", "next_image", "offset"))


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
    library.robosac_create.restype = c_void_p
    library.robosac_create.argtypes = [c_void_p, c_void_p, c_int32]
    library.robosac_destroy.argtypes, library.robosac_destroy.restype = [c_void_p], None
    library.robosac_update.argtypes, library.robosac_update.restype = [c_void_p] * 3, None
    library.robosac_allowed.argtypes, library.robosac_allowed.restype = [], c_int32
    kinds = (Problem, Optimiser, Eyes, Batch, Pictures)
    *found, units = (library.robosac_layout(which) for which in range(len(kinds) + 2))
    sizes = [ctypes.sizeof(kind) for kind in kinds]
    if found != [*sizes, MOST_LAYERS]:
        raise NativeUnavailable(f"the native core has layout {found}; expected {sizes}")
    if not library.robosac_allowed():
        raise NativeUnavailable(f"the system does not allow products in {products} by AMX")
    return Library(library, products, bool(units))
