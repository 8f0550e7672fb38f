"""What every learner here has: temperature, random states, optimisers, exact resume."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.exploration import SmoothNormals
from robosac.generators import generator_state, restore_generator
from robosac.sac.flat import FlatAdam
from robosac.sac.settings import Core, SacSettings

PolicyT = TypeVar("PolicyT")


class Batch(Protocol):
    """Transitions to learn from: arrays or tensors with a leading batch axis."""

    @property
    def observation(self) -> Any: ...
    @property
    def action(self) -> Any: ...
    @property
    def reward(self) -> Any: ...
    @property
    def next_observation(self) -> Any: ...
    @property
    def terminated(self) -> Any: ...


PARTS = ("observation", "action", "reward", "next_observation", "terminated")
"""Of a batch."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What one update saw, as tensors without an axis; read them with `floats()`, seldom."""

    critic_loss: Tensor
    """J_Q, Equation 5, summed over the critics."""
    actor_loss: Tensor
    """J_pi, Equation 9."""
    alpha: Tensor
    """Temperature the update used."""
    entropy: Tensor
    """Batch estimate of the policy's entropy, nats."""
    q_mean: Tensor
    """Mean of the critics at the batch's own actions."""

    def floats(self) -> dict[str, float]:
        """The values by name; waits for the device."""
        return {field.name: float(getattr(self, field.name)) for field in fields(self)}


class Learner(ABC, Generic[PolicyT]):
    """Base of the learners; a subclass makes the networks, then sets the three fields it declares.

    `update` of a subclass is Algorithm 1 on one page.
    """

    _critic_adam: FlatAdam
    _policy_adam: FlatAdam
    _target: Tensor
    """Parameters of the target critics, flat."""
    updates_per_call = 1
    """Batches that `update_many` makes the most of."""

    @property
    def core(self) -> Core:
        """What makes the updates."""
        return "torch"

    def go_on_with(self, core: Core) -> bool:
        """Make updates with that core from now on, to go on to the bit; False: it cannot."""
        return core == self.core

    def __init__(
        self, settings: SacSettings, action_dim: int, seed: int, device: str, dtype: torch.dtype
    ) -> None:
        self.settings = settings
        self.action_dim = action_dim
        self.device, self.dtype = torch.device(device), dtype
        given = settings.target_entropy
        self.target_entropy = -float(action_dim) if given is None else given
        """Entropy the temperature aims at, nats (Table 1: minus the action dimensions)."""
        self.updates = 0
        """Updates made so far."""
        noise_seed, acting_seed = np.random.SeedSequence(seed).generate_state(2)
        self._noise = torch.Generator(self.device).manual_seed(int(noise_seed))
        self._acting = np.random.default_rng(acting_seed)
        self._acting_noise = SmoothNormals(self._acting, settings.noise_correlation)
        self._log_alpha = self._zeros(1).fill_(math.log(settings.initial_alpha))
        self._alpha_adam = FlatAdam(self._log_alpha, settings.learning_rate)
        self._acting_policy: tuple[int, PolicyT] | None = None

    @abstractmethod
    def update(self, batch: Batch) -> Losses:
        """One gradient step of everything."""

    def update_many(self, batches: Sequence[Batch]) -> list[Losses]:
        """An update for each batch, in their order."""
        return [self.update(batch) for batch in batches]

    @abstractmethod
    def act(self, observation: Any, deterministic: bool) -> NDArray[np.float32]:
        """An action in [-1, 1], (a,) or (n, a), for one observation or n of them."""

    def begin_episode(self) -> None:
        """The next action is an episode's first: its noise has none to be like."""
        self._acting_noise.begin()

    @abstractmethod
    def policy(self) -> PolicyT:
        """The policy for inference; on the CPU it shares the learner's memory and follows it."""

    @property
    def generator(self) -> torch.Generator:
        """Where the noise of every update comes from."""
        return self._noise

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that determines later updates and actions, by name.

        Actions of an episode to come: with `noise_correlation` those of one that has begun also
        hang on the last one's noise.
        """
        return {
            name: tensor.cpu().numpy().copy() for name, tensor in self._tensor_state().items()
        } | {
            "updates": np.array(self.updates, np.int64),
            "noise": self._noise.get_state().numpy(),
            "acting": generator_state(self._acting),
        }

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state()` returned; the learner then goes on to the bit as that one would.

        Raises:
            ValueError: the state is of a learner with other names, sizes or precision.
        """
        tensors = self._tensor_state()
        expected = {*tensors, "updates", "noise", "acting"}
        if set(state) != expected:
            raise ValueError(f"learner state holds {sorted(state)}; expected {sorted(expected)}")
        loaded = {name: torch.from_numpy(np.array(state[name])) for name in tensors}
        for name, tensor in tensors.items():
            found = loaded[name]
            if found.shape != tensor.shape or found.dtype != tensor.dtype:
                raise ValueError(
                    f"learner state {name} is {found.dtype} {tuple(found.shape)}; this learner has "
                    f"{tensor.dtype} {tuple(tensor.shape)}"
                )
        noise = torch.from_numpy(np.array(state["noise"]))
        if noise.shape != self._noise.get_state().shape:
            raise ValueError(
                f"learner state noise has {len(noise)} bytes, another device's; this learner is on "
                f"{self.device.type}, where it has {len(self._noise.get_state())}"
            )
        self._noise.set_state(noise)
        restore_generator(self._acting, state["acting"])
        self._acting_noise.begin()
        for name, tensor in tensors.items():
            tensor.copy_(loaded[name])
        self.updates = int(state["updates"])
        self._acting_policy = None

    def load_parameters(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state()` returned but for the random states: enough for its policy.

        For a state that another kind of device wrote, whose random numbers cannot go on here.

        Raises:
            ValueError: as `load`.
        """
        self.load({**state, "noise": self._noise.get_state().numpy()})

    def _newest_policy(self) -> PolicyT:
        """The policy to act with now; copied from another device at most once an update."""
        held = self._acting_policy
        if held is None or (self.device.type != "cpu" and held[0] != self.updates):
            held = self._acting_policy = (self.updates, self.policy())
        return held[1]

    def _tensor_state(self) -> dict[str, Tensor]:
        optimisers = {
            "critics": self._critic_adam,
            "policy": self._policy_adam,
            "log_alpha": self._alpha_adam,
        }
        tensors = {"target_critics": self._target}
        for owner, adam in optimisers.items():
            tensors |= {f"{owner}.{name}": tensor for name, tensor in adam.state().items()}
        return tensors

    def _zeros(self, size: int) -> Tensor:
        return torch.zeros(size, dtype=self.dtype, device=self.device)

    def _tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(values, dtype=self.dtype, device=self.device)

    def _gaussian_noise(self, rows: int) -> Tensor:
        """Standard normal, (rows, a), from the learner's own generator."""
        return torch.randn(
            rows, self.action_dim, generator=self._noise, dtype=self.dtype, device=self.device
        )
