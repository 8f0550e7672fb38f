"""The learner that a run needs: of vectors, or of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
import torch
from msgspec.structs import asdict
from numpy.typing import NDArray

from robosac.errors import ConfigError, NativeUnavailable
from robosac.observation import IMAGE, STATE, Spaces, has_picture, shape_of
from robosac.replay import Batch
from robosac.sac import Losses, PixelPolicy, PixelSac, Policy, Sac, SacSettings
from robosac.sac.graphed import CudaRecorder, GraphedLearner
from robosac.sac.native.agent import NativeSac, library_with_units
from robosac.sac.native.compiler import unheard
from robosac.sac.native.interface import Library
from robosac.sac.native.pixel_agent import NativePixelSac, pixel_library
from robosac.sac.settings import (
    PAPER_VECTORS,
    Core,
    FastPixels,
    FastVectors,
    PaperPixels,
    PaperVectors,
)
from robosac.settings import ClawConfig, MinitaurConfig, TrainConfig
from robosac.tasks.turn_symmetry import turn_symmetry
from robosac.tasks.walk_symmetry import walk_symmetry


class Learner(Protocol):
    """What training needs of a learner."""

    action_dim: int
    target_entropy: float
    updates_per_call: int

    @property
    def updates(self) -> int:
        """Updates made so far."""
        ...

    @property
    def core(self) -> Core:
        """What makes the updates."""
        ...

    def go_on_with(self, core: Core) -> bool:
        """Make updates with that core from now on, to go on to the bit; False: it cannot."""
        ...

    def update_many(self, batches: Sequence[Batch[Any]]) -> list[Losses]:
        """An update for each batch, in their order; best `updates_per_call` at once."""
        ...

    def begin_episode(self) -> None:
        """The next action is an episode's first."""
        ...

    def act(self, observation: Any, deterministic: bool) -> NDArray[np.float32]:
        """An action in [-1, 1], (a,)."""
        ...

    def policy(self) -> Policy | PixelPolicy:
        """The policy for inference."""
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that determines later updates and actions, by name."""
        ...

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state()` returned; ValueError where it does not fit."""
        ...


def make_learner(
    config: TrainConfig, env: Spaces, tell: Callable[[str], None] = unheard
) -> Learner:
    """A learner of the configured size for what `env` shows and takes; sets torch's threads.

    `tell` is told before the native core is built, which keeps one waiting.

    Raises:
        ConfigError: it shall be on a device, or have a core, that is not there.
    """
    check_device(config.learner_device)
    made = _learner(config, env, config.learner_device, _native(config, tell))
    if config.learner_device == "cpu":
        return made
    # Pictures keep a GPU busy for longer than one more call takes the CPU, and twenty batches of
    # them are much memory for nothing.
    if isinstance(made, PixelSac):
        return GraphedLearner(made, CudaRecorder(), updates_per_call=1)
    return GraphedLearner(made, CudaRecorder())


def policy_of(
    config: TrainConfig, env: Spaces, state: Mapping[str, NDArray[Any]]
) -> Policy | PixelPolicy:
    """The policy of a learner's state, whatever device that learner was on.

    Raises:
        ValueError: the state does not fit the configuration.
    """
    learner = _learner(config, env, "cpu", None)
    learner.load_parameters(state)
    return learner.policy()


def check_device(device: str) -> None:
    """Whether updates can be made there.

    Raises:
        ConfigError: they cannot.
    """
    if device == "cuda" and not torch.cuda.is_available():
        build = "is built without CUDA" if torch.version.cuda is None else "finds no NVIDIA GPU"
        raise ConfigError(
            f"learner_device is cuda, but torch {torch.__version__} {build}; valid here is cpu"
        )


def check_threads(config: TrainConfig) -> None:
    """Whether the settings say how many threads.

    Raises:
        ConfigError: they ask for a measurement, which is made where a run begins beside its robot.
    """
    if config.measures_threads:
        raise ConfigError(
            "learner_threads 0 is measured by a new run of `robosac train` alone; valid here are 1"
            " and more"
        )


def _native(config: TrainConfig, tell: Callable[[str], None]) -> Library | None:
    """The native core where it is wanted; None: torch makes the updates."""
    if config.learner_core == "torch" or not config.native_fits:
        return None
    obtained = pixel_library if config.pixels else library_with_units
    try:
        return obtained(config.learner_products, tell=tell)
    except NativeUnavailable as error:
        if config.learner_core == "auto":
            return None
        raise ConfigError(
            f"learner_core is native, but {error}; valid here are auto and torch"
        ) from error


def _learner(
    config: TrainConfig, env: Spaces, device: str, native: Library | None
) -> Sac | PixelSac:
    check_threads(config)
    torch.set_num_threads(config.learner_threads)
    rounded = config.learner_products == "bfloat16"
    # Where the processor has no means for it torch goes on in float32, or does as if.
    torch.set_float32_matmul_precision("medium" if rounded else "highest")
    section, space = config.sac, env.observation_space
    settings = SacSettings(**{f.name: getattr(section, f.name) for f in fields(SacSettings)})
    actions = shape_of(env.action_space)[0]
    if not has_picture(space):
        seen = shape_of(space)[0]
        vectors = _vectors(config, seen)
        if native is not None:
            sizes = (seen, actions, config.seed)
            return NativeSac(native, settings, *sizes, vectors, config.learner_threads)
        return Sac(settings, seen, actions, config.seed, device, vectors=vectors)
    pixels = PaperPixels()
    if config.recipe == "fast":
        pixels = FastPixels(**asdict(section.pixels))
    image, state = shape_of(space, IMAGE), shape_of(space, STATE)[0]
    if native is not None:
        sizes = (image, state, actions, config.seed)
        return NativePixelSac(native, settings, pixels, *sizes, config.learner_threads)
    return PixelSac(settings, pixels, image, state, actions, config.seed, device)


def _vectors(config: TrainConfig, observations: int) -> PaperVectors | FastVectors:
    """How the run's recipe learns from vectors of so many numbers."""
    if config.recipe == "paper":
        return PAPER_VECTORS
    chosen, symmetry = asdict(config.sac.vectors), None
    # `TrainConfig` has refused the wish where a task has none.
    if chosen.pop("symmetry"):
        if isinstance(config, MinitaurConfig):
            symmetry = walk_symmetry(config.task.history)
        elif isinstance(config, ClawConfig):
            symmetry = turn_symmetry(observations)
    return FastVectors(**chosen, symmetry=symmetry)
