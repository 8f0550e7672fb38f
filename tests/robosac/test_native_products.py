"""A layer's three products in C++, at any sizes, against numpy on factors rounded alike."""

from __future__ import annotations

import ctypes
import os
import subprocess
from ctypes import c_float, c_int
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from robosac.errors import NativeUnavailable
from robosac.sac.native import compiler
from robosac.sac.settings import Products

Floats = NDArray[np.float32]
SOURCE = Path(__file__).with_name("native_products.cpp")
SIZES = st.integers(1, 75)


class Layer:
    """The products, built for one precision."""

    def __init__(self, path: Path, products: Products) -> None:
        self._library: Any = ctypes.CDLL(str(path))
        self._products = products
        if not self._library.allowed():
            pytest.skip(f"the system does not allow products in {products}")

    def rounded(self, x: Floats) -> NDArray[np.float64]:
        """As the factors of a product are."""
        if self._products == "bfloat16":
            return torch.from_numpy(x).bfloat16().double().numpy()
        return x.astype(np.float64)

    def call(self, name: str, sizes: tuple[int, ...], *arrays: Floats) -> None:
        """`widest` goes behind the sizes."""
        widest = max(*sizes, *(side for array in arrays for side in array.shape))
        assert all(array.flags.c_contiguous and array.dtype == np.float32 for array in arrays)
        pointers = [array.ctypes.data_as(ctypes.POINTER(c_float)) for array in arrays]
        getattr(self._library, name)(*(c_int(size) for size in (*sizes, widest)), *pointers)


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def layer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Layer:
    try:
        tool = compiler.compiler_in(os.environ)
    except NativeUnavailable as error:
        pytest.skip(str(error))
    products: Products = request.param
    library = tmp_path_factory.mktemp("products") / f"{products}.so"
    flags = [*compiler.FLAGS, *compiler.PRODUCTS[products], f"-I{compiler.SOURCE.parent}"]
    subprocess.run([tool, *flags, "-o", str(library), str(SOURCE)], check=True)
    return Layer(library, products)


def drawn(seed: int, *shape: int) -> Floats:
    return np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)


def assert_sums(found: Floats, expected: NDArray[np.float64], terms: int) -> None:
    """Sums of so many products of two factors, each about 1, added in float32."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=3e-6 * terms**0.5 + 1e-6)


@given(rows=SIZES, inner=SIZES, outer=SIZES)
@example(256, 256, 256)
@example(1, 1, 1)
@example(512, 17, 12)
@settings(max_examples=60, deadline=None)
def test_forward(layer: Layer, rows: int, inner: int, outer: int) -> None:
    x, weight, bias = drawn(0, rows, inner), drawn(1, inner, outer), drawn(2, outer)
    out = np.full((rows, outer), np.nan, np.float32)
    layer.call("forward", (rows, inner, outer), x, weight, bias, out)
    assert_sums(out, layer.rounded(x) @ layer.rounded(weight) + bias, inner)


@given(rows=SIZES, outer=SIZES, first=st.integers(0, 40), count=SIZES)
@example(256, 256, 112, 8)
@example(256, 256, 0, 256)
@settings(max_examples=60, deadline=None)
def test_gradient_by_the_input(layer: Layer, rows: int, outer: int, first: int, count: int) -> None:
    d, weight = drawn(3, rows, outer), drawn(4, first + count, outer)
    found = np.full((rows, count), np.nan, np.float32)
    layer.call("backward", (rows, outer, first, count), d, weight, found)
    assert_sums(found, layer.rounded(d) @ layer.rounded(weight[first:]).T, outer)


@given(rows=SIZES, inner=SIZES, outer=SIZES)
@example(256, 256, 256)
@example(256, 23, 256)
@example(256, 256, 12)
@settings(max_examples=60, deadline=None)
def test_gradient_by_the_weights(layer: Layer, rows: int, inner: int, outer: int) -> None:
    x, d = drawn(5, rows, inner), drawn(6, rows, outer)
    weight = np.full((inner, outer), np.nan, np.float32)
    bias = np.full(outer, np.nan, np.float32)
    layer.call("gradient", (rows, inner, outer), x, d, weight, bias)
    assert_sums(weight, layer.rounded(x).T @ layer.rounded(d), rows)
    assert_sums(bias, layer.rounded(d).sum(axis=0), rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38])
def test_what_is_not_finite_or_large_comes_through(layer: Layer, value: float) -> None:
    x, weight = drawn(7, 5, 40), np.ones((40, 3), np.float32)
    x[2, 33] = value
    out = np.zeros((5, 3), np.float32)
    layer.call("forward", (5, 40, 3), x, weight, np.zeros(3, np.float32), out)
    with np.errstate(over="ignore"):
        expected = (layer.rounded(x) @ layer.rounded(weight)).astype(np.float32)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    np.testing.assert_allclose(
        out[np.isfinite(expected)], expected[np.isfinite(expected)], atol=1e-4
    )
    np.testing.assert_array_equal(np.isinf(out), np.isinf(expected))
