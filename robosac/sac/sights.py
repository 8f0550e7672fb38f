"""How the networks see: each recipe's encoders, what each network reads, what trains which."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from robosac.sac.convolutions import Convolutions, JointPass, convolution_layout
from robosac.sac.encoders import PatchEncoder, Projection, patch_layout, projection_layout
from robosac.sac.eyes import POOL, check_sides
from robosac.sac.flat import Layout, Piece
from robosac.sac.networks import CRITICS
from robosac.sac.patches import GREY, PIXEL_SCALE
from robosac.sac.pictures import Images, Pictures
from robosac.sac.settings import FastPixels, PaperPixels


@dataclass(frozen=True, slots=True)
class Views:
    """What each network reads of a batch's pictures; (rows, units) but for the paper's critics."""

    policy: Tensor
    """Of s, then of s'."""
    critics: Tensor
    """Of s; the paper's are (CRITICS, rows, units), for each has its own eyes."""
    targets: Tensor
    """Of s', as `critics`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Layouts of a recipe's encoders, by the loss that trains them."""

    critics: list[Layout]
    """Trained by the critics' loss and followed by targets."""
    policy: list[Layout]
    """Trained by the policy's loss."""
    units: int
    """Columns of what a network reads."""


class Sight(Protocol):
    """Encoders of one recipe, as the learner uses them."""

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights."""
        ...

    def look(self, images: Images, next_images: Images) -> Views:
        """What the networks read in both states of a batch."""
        ...

    def backward(self, d_critics: Tensor, d_policy: Tensor) -> None:
        """Write the gradients of both losses, given their derivatives by the views of s.

        `d_critics` is (CRITICS, rows, units), `d_policy` (rows, units).
        """
        ...

    def weights(self) -> dict[str, Tensor]:
        """What the policy sees by, named as `PixelPolicy` names it."""
        ...


class SharedSight:
    """`fast`: one encoder trained by the critics alone; each network projects its features.

    Targets have encoder and projection of their own, like the policy a projection alone.
    """

    def __init__(
        self,
        pixels: FastPixels,
        critics: list[Piece],
        policy: list[Piece],
        targets: list[Piece],
        pictures: Pictures,
    ) -> None:
        self._sides, self._pictures = pixels.patches, pictures
        self.projection, self.target_projection, self.policy_projection = (
            Projection(*piece) for piece in (critics[1], targets[1], policy[0])
        )
        features = len(self.projection.weights["weight0"])
        self.encoder = PatchEncoder(features, *critics[0])
        self.target_encoder = PatchEncoder(features, *targets[0])

    @staticmethod
    def plan(pixels: FastPixels, image_shape: tuple[int, ...]) -> Plan:
        """Layouts for pictures of that shape.

        Raises:
            ValueError: the patches do not tile it.
        """
        check_sides(image_shape, pixels.patches)
        cells = math.prod(image_shape[:2]) // math.prod(pixels.patches) ** 2
        projection = projection_layout(cells * pixels.filters[-1], pixels.units)
        encoder = patch_layout(image_shape, pixels.patches, pixels.filters)
        return Plan([encoder, projection], [projection], pixels.units)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights but the targets'."""
        for network in (self.encoder, self.projection, self.policy_projection):
            network.initialise(generator)

    def look(self, images: Images, next_images: Images) -> Views:
        """What the networks read in both states; the encoder runs once over both."""
        patches, next_patches = (
            self._pictures.patches(x, self._sides) for x in (images, next_images)
        )
        features = self.encoder.forward([patches, next_patches])
        next_features = self.target_encoder.forward([next_patches])
        return Views(
            policy=self.policy_projection.forward(features),
            critics=self.projection.forward(features[: len(images)]),
            targets=self.target_projection.forward(next_features),
        )

    def backward(self, d_critics: Tensor, d_policy: Tensor) -> None:
        """Write the gradients; the critics share one view, and the policy leaves the encoder be."""
        d_raw = self.projection.backward(d_critics.sum(dim=0))
        self.encoder.backward(self.projection.into_features(d_raw))
        self.policy_projection.backward(d_policy)

    def weights(self) -> dict[str, Tensor]:
        """Encoder and the policy's projection."""
        encoder = {f"encoder.{name}": x for name, x in self.encoder.weights.items()}
        projection = self.policy_projection.weights.items()
        return encoder | {f"projection.{name}": x for name, x in projection}


class OwnSight:
    """`paper`: policy and each critic have convolutions of their own, trained by their own loss."""

    def __init__(
        self,
        critics: list[Piece],
        policy: list[Piece],
        targets: list[Piece],
        pictures: Pictures,
    ) -> None:
        self._bytes = pictures
        self.critics, self.targets, self.policy = (
            Convolutions(*piece) for piece in (critics[0], targets[0], policy[0])
        )
        self._now = JointPass([self.policy, self.critics], 1 + CRITICS)
        self._next = JointPass([self.policy, self.targets], 1 + CRITICS)

    @staticmethod
    def plan(pixels: PaperPixels, image_shape: tuple[int, ...]) -> Plan:
        """Layouts for pictures of that shape.

        Raises:
            ValueError: pooling leaves nothing of it.
        """
        height, width, channels = image_shape
        shrink = POOL ** len(pixels.filters)
        if min(height, width) < shrink:
            raise ValueError(
                f"of pictures of {height} x {width} pooling leaves nothing; height and width must"
                f" be at least {shrink}"
            )
        units = (height // shrink) * (width // shrink) * pixels.filters[-1]
        critics = convolution_layout(CRITICS, channels, pixels.filters)
        return Plan([critics], [convolution_layout(1, channels, pixels.filters)], units)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights but the targets'."""
        self.critics.initialise(generator)
        self.policy.initialise(generator)

    def look(self, images: Images, next_images: Images) -> Views:
        """What the networks read in both states."""
        seen = self._now.forward(self._pictures(images))
        next_seen = self._next.forward(self._pictures(next_images))
        return Views(torch.cat([seen[0], next_seen[0]]), seen[1:], next_seen[1:])

    def backward(self, d_critics: Tensor, d_policy: Tensor) -> None:
        """Write the gradients of all convolutions but the targets'."""
        self._now.backward(torch.cat([d_policy.unsqueeze(0), d_critics]))

    def weights(self) -> dict[str, Tensor]:
        """The policy's convolutions."""
        return {f"convolutions.{name}": x for name, x in self.policy.weights.items()}

    def _pictures(self, images: Images) -> Tensor:
        """(rows, channels, height, width), in [-0.5, 0.5]."""
        pictures = self._bytes.tensor(images).to(self.policy.weights["weight0"].dtype)
        return pictures.sub_(GREY).mul_(PIXEL_SCALE).permute(0, 3, 1, 2)


def make_plan(pixels: PaperPixels | FastPixels, image_shape: tuple[int, ...]) -> Plan:
    """The encoders' layouts of the recipe that `pixels` chooses.

    Raises:
        ValueError: it cannot see pictures of that shape.
    """
    if isinstance(pixels, FastPixels):
        return SharedSight.plan(pixels, image_shape)
    return OwnSight.plan(pixels, image_shape)


def make_sight(
    pixels: PaperPixels | FastPixels,
    critics: list[Piece],
    policy: list[Piece],
    targets: list[Piece],
    pictures: Pictures,
) -> Sight:
    """The encoders of the recipe that `pixels` chooses, on storage for its plan."""
    if isinstance(pixels, FastPixels):
        return SharedSight(pixels, critics, policy, targets, pictures)
    return OwnSight(critics, policy, targets, pictures)
