"""A batch's pictures on their way to the encoders: bytes moved by numpy, or by a device's kernels.

A CPU moves runs of bytes fastest with numpy; a GPU must have no step that waits for the CPU. Both
give the same bytes, which a test holds against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from robosac.sac import augmentation, patches

Images = Any
"""uint8 (rows, height, width, channels); an array on the CPU, else a tensor on the device."""


class Pictures(Protocol):
    """What is done with pictures before anything is learned from them."""

    def take(self, images: Any) -> Images:
        """Pictures of a batch, where the two below want them."""
        ...

    def shift(self, images: Images, offsets: Tensor, pixels: int) -> Images:
        """As `augmentation.shift`."""
        ...

    def patches(self, images: Images, sides: Sequence[int]) -> Tensor:
        """As `patches.to_patches`, on the device."""
        ...

    def tensor(self, images: Images) -> Tensor:
        """The pictures as they are, on the device."""
        ...


class HostPictures:
    """By numpy, in the computer's memory."""

    def take(self, images: Any) -> Images:
        """Pictures of a batch as an array."""
        return np.asarray(images)

    def shift(self, images: Images, offsets: Tensor, pixels: int) -> Images:
        """As `augmentation.shift`."""
        return augmentation.shift(images, offsets.numpy(), pixels)

    def patches(self, images: Images, sides: Sequence[int]) -> Tensor:
        """As `patches.to_patches`."""
        return torch.from_numpy(patches.to_patches(images, sides))

    def tensor(self, images: Images) -> Tensor:
        """The same memory."""
        return torch.from_numpy(images)


class DevicePictures:
    """By torch, on any device; nothing in it waits."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._places: dict[int, Tensor] = {}

    def take(self, images: Any) -> Images:
        """Pictures of a batch as a tensor on the device."""
        return torch.as_tensor(images, device=self._device)

    def shift(self, images: Images, offsets: Tensor, pixels: int) -> Images:
        """As `augmentation.shift`: reading past an edge reads the edge."""
        rows, height, width, channels = images.shape
        line, column = (
            (self._place(length) + (offset - pixels).unsqueeze(1)).clamp_(0, length - 1)
            for length, offset in zip((height, width), offsets, strict=True)
        )
        line += height * self._place(rows)[:, None]
        # Of ways to say it, this one takes a GPU least: pixels by number, of one long list.
        pixel = (width * line)[:, :, None] + column[:, None, :]
        return images.reshape(-1, channels).index_select(0, pixel.view(-1)).view(images.shape)

    def patches(self, images: Images, sides: Sequence[int]) -> Tensor:
        """As `patches.to_patches`."""
        rows, height, width, channels = images.shape
        whole, levels = math.prod(sides), tuple(reversed(sides))
        split = images.reshape(rows, height // whole, *levels, width // whole, *levels, channels)
        half = len(levels) + 1
        pairs = ((1 + index, 1 + half + index) for index in range(half))
        axes = [0, *(axis for pair in pairs for axis in pair), 2 * half + 1]
        return split.permute(axes).reshape(-1, levels[-1] ** 2 * channels)

    def tensor(self, images: Images) -> Tensor:
        """A copy, colour by colour in memory: so pooling's gradient is the same bits each time."""
        return images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)

    def _place(self, count: int) -> Tensor:
        """0, 1, 2 ... `count` - 1; made once."""
        if count not in self._places:
            self._places[count] = torch.arange(count, device=self._device)
        return self._places[count]


def pictures_on(device: torch.device) -> Pictures:
    """The way that suits the device."""
    return HostPictures() if device.type == "cpu" else DevicePictures(device)
