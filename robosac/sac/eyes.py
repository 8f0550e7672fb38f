"""The two encoders without torch: pictures to features in numpy, for the robot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from robosac.sac.patches import GREY, PIXEL_SCALE, to_patches

Array = NDArray[Any]
KERNEL = 3
"""Side of the paper's convolutions."""
POOL = 2
"""Side and stride of the paper's max-pooling. Its text says 3x3; the authors' release, which this
follows, pools 2x2 with stride 2."""
EPSILON = 1e-5
"""Added to the variance by layer normalisation."""


class PatchEye:
    """The `fast` recipe's: `PatchEncoder`, then the policy's own `Projection`.

    `encoder` and `projection` hold their arrays by the names those give them, biases of shape (n,).

    Raises:
        ValueError: the layers do not fit each other or the pictures.
    """

    def __init__(
        self,
        encoder: Mapping[str, Array],
        projection: Mapping[str, Array],
        image_shape: tuple[int, ...],
    ) -> None:
        self._layers = _pairs(encoder, "encoder")
        self._weight, self._bias = _pairs(projection, "projection")[0]
        self._sides: list[int] = []
        depth, cells = image_shape[-1], math.prod(image_shape[:2])
        for weight, bias in self._layers:
            side = math.isqrt(len(weight) // depth)
            if side * side * depth != len(weight) or bias.shape != weight.shape[1:]:
                raise ValueError(
                    f"encoder layer of weight {weight.shape} and bias {bias.shape} does not take "
                    f"square patches of depth {depth}"
                )
            self._sides.append(side)
            depth, cells = weight.shape[1], cells // side**2
        check_sides(image_shape, self._sides)
        if self._weight.shape[0] != cells * depth or self._bias.shape != self._weight.shape[1:]:
            raise ValueError(
                f"projection has weight {self._weight.shape} and bias {self._bias.shape}; pictures "
                f"{image_shape} give {cells * depth} features"
            )
        self.units: int = self._weight.shape[1]

    def see(self, images: NDArray[np.uint8]) -> Array:
        """What the policy reads of images (rows, height, width, channels): (rows, units)."""
        first = self._layers[0][0]
        x = (to_patches(images, self._sides).astype(first.dtype) - GREY) * PIXEL_SCALE
        for weight, bias in self._layers:
            x = x.reshape(-1, len(weight)) @ weight
            x += bias
            np.maximum(x, 0, out=x)
        raw = x.reshape(len(images), -1) @ self._weight + self._bias
        raw -= raw.mean(axis=1, keepdims=True)
        return np.tanh(raw / np.sqrt(raw.var(axis=1, keepdims=True) + EPSILON))


class ConvolutionEye:
    """The paper's: each layer a 3x3 convolution of the same size, ReLU, max-pooling.

    `convolutions` holds `weight{i}` of shape (filters, in, 3, 3) and `bias{i}` of shape (filters,).

    Raises:
        ValueError: the layers do not fit each other or the pictures.
    """

    def __init__(self, convolutions: Mapping[str, Array], image_shape: tuple[int, ...]) -> None:
        self._layers = _pairs(convolutions, "convolutions")
        height, width, depth = image_shape
        for weight, bias in self._layers:
            if weight.shape[1:] != (depth, KERNEL, KERNEL) or bias.shape != weight.shape[:1]:
                raise ValueError(
                    f"convolution of weight {weight.shape} and bias {bias.shape}; expected "
                    f"(n, {depth}, {KERNEL}, {KERNEL}) and (n,)"
                )
            height, width, depth = height // POOL, width // POOL, len(weight)
        self.units = height * width * depth

    def see(self, images: NDArray[np.uint8]) -> Array:
        """What the policy reads of images (rows, height, width, channels): (rows, units)."""
        dtype = self._layers[0][0].dtype
        x = (images.astype(dtype) - GREY) * PIXEL_SCALE
        x = x.transpose(0, 3, 1, 2)
        for weight, bias in self._layers:
            x = _pool(_convolve(x, weight) + bias[:, None, None])
            np.maximum(x, 0, out=x)
        return x.reshape(len(x), -1)


def check_sides(image_shape: Sequence[int], sides: Sequence[int]) -> None:
    """Check that patches tile the picture.

    Raises:
        ValueError: height or width is no multiple of the sides' product.
    """
    whole = math.prod(sides)
    if image_shape[0] % whole or image_shape[1] % whole:
        raise ValueError(
            f"pictures of {image_shape[0]} x {image_shape[1]} are not tiled by patches of "
            f"{' x '.join(map(str, sides))}; height and width must be multiples of {whole}"
        )


def _convolve(x: Array, weight: Array) -> Array:
    """Correlate x (rows, in, height, width), zero-padded, with weight (out, in, 3, 3)."""
    edge = KERNEL // 2
    padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    windows = sliding_window_view(padded, (KERNEL, KERNEL), axis=(2, 3))
    rows, _, height, width = x.shape
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(rows, -1, height * width)
    return (weight.reshape(len(weight), -1) @ columns).reshape(rows, -1, height, width)


def _pool(x: Array) -> Array:
    """Largest of each 2x2; a last odd line or column is left out, as torch does."""
    rows, depth, height, width = x.shape
    x = x[..., : height // POOL * POOL, : width // POOL * POOL]
    return x.reshape(rows, depth, height // POOL, POOL, width // POOL, POOL).max(axis=(3, 5))


def _pairs(weights: Mapping[str, Array], what: str) -> list[tuple[Array, Array]]:
    count = len(weights) // 2
    expected = {f"{kind}{index}" for kind in ("weight", "bias") for index in range(count)}
    if count == 0 or set(weights) != expected:
        raise ValueError(
            f"{what} weights are {sorted(weights)}; expected weight0, bias0, weight1, bias1, ..."
        )
    return [(weights[f"weight{index}"], weights[f"bias{index}"]) for index in range(count)]
