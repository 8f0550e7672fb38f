"""Policies on their way from learner to actor: files in the run folder, told of by message.

A file appears whole or not at all. The actor believes nothing: it checks sum, shapes, finiteness
and what the policy does at a known observation, and only then takes it.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np

from robosac.errors import PolicyRefused
from robosac.files import write_whole
from robosac.messages import Published
from robosac.observation import IMAGE, STATE, Observation
from robosac.policies import parse_policy, policy_bytes
from robosac.sac import PixelPolicy, Policy

FOLDER = "policies"
_GOLDEN_SEED = 1812_05905
_GOLDEN_TOLERANCE = 1e-4
"""Largest difference between two computers' float32 products that is still the same policy."""


def golden_observation(policy: Policy | PixelPolicy) -> Observation:
    """The observation at which a policy is tried, always the same for the same shapes."""
    rng = np.random.default_rng(_GOLDEN_SEED)
    if isinstance(policy, PixelPolicy):
        picture = rng.integers(0, 256, policy.image_shape, dtype=np.uint8)
        return {IMAGE: picture, STATE: rng.standard_normal(policy.state_dim, dtype=np.float32)}
    return rng.standard_normal(policy.observation_dim, dtype=np.float32)


class PolicyFeed:
    """Both ends of the way: a run's folder of policies. The newest two are kept.

    Args:
        run: the run's folder.
    """

    def __init__(self, run: Path) -> None:
        self._folder = run / FOLDER
        self._kept: list[str] = []

    def publish(self, policy: Policy | PixelPolicy, version: int) -> Published:
        """Write a policy that has seen `version` updates, and return what to tell the actor.

        Raises:
            OSError: the disk refuses.
        """
        data = policy_bytes(policy)
        # As it will be read: what was written is tried, not what is still being learned.
        written: Policy | PixelPolicy = parse_policy(data, "the new policy")
        digest = hashlib.sha256(data).hexdigest()
        name = f"{version:010d}-{digest[:8]}.safetensors"
        self._folder.mkdir(exist_ok=True)
        write_whole(self._folder / name, data)
        self._prune(name)
        return Published(
            file=name,
            version=version,
            sha256=digest,
            shapes={key: value.shape for key, value in written.weights().items()},
            golden_action=_golden_action(written),
        )

    def take(self, told: Published, like: Policy | PixelPolicy | None) -> Policy | PixelPolicy:
        """The policy that a message tells of, after every check.

        Args:
            told: what the learner said.
            like: the policy in use, whose kind and dimensions a new one must have.

        Raises:
            PolicyRefused: anything is not as told; the message says what.
        """
        source = f"policy {told.version}"
        if Path(told.file).name != told.file:
            raise PolicyRefused(f"{source}: {told.file!r} is not the name of a file")
        try:
            data = (self._folder / told.file).read_bytes()
        except OSError as error:
            raise PolicyRefused(f"{source} cannot be read: {error}") from error
        if hashlib.sha256(data).hexdigest() != told.sha256:
            raise PolicyRefused(f"{source} is damaged: its SHA-256 is not the one told")
        policy = parse_policy(data, source)
        _check(policy, told, source)
        if like is not None and _kind(policy) != _kind(like):
            raise PolicyRefused(f"{source} is {_kind(policy)}; the one in use is {_kind(like)}")
        return policy

    def _prune(self, newest: str) -> None:
        """Keep this file and the one before it, which the actor may be about to read."""
        self._kept = [*(name for name in self._kept if name != newest), newest][-2:]
        if len(self._kept) == 2:
            for file in self._folder.iterdir():
                if file.name not in self._kept:
                    file.unlink()


def check_fits(policy: Policy | PixelPolicy, observation: Observation, action_dim: int) -> None:
    """Refuse a policy that cannot act on such an observation.

    Raises:
        PolicyRefused: with both shapes.
    """
    wanted = golden_observation(policy)
    if _shapes(wanted) != _shapes(observation) or policy.action_dim != action_dim:
        raise PolicyRefused(
            f"the policy sees {_shapes(wanted)} and gives {policy.action_dim} numbers; here are"
            f" {_shapes(observation)} and {action_dim}"
        )


def _check(policy: Policy | PixelPolicy, told: Published, source: str) -> None:
    weights = policy.weights()
    shapes = {name: value.shape for name, value in weights.items()}
    if shapes != told.shapes:
        raise PolicyRefused(f"{source} has arrays {shapes}; told were {told.shapes}")
    broken = [name for name, value in weights.items() if not np.isfinite(value).all()]
    if broken:
        raise PolicyRefused(f"{source}: {', '.join(broken)} hold values that are not finite")
    found = _golden_action(policy)
    if len(found) != len(told.golden_action) or not all(
        math.isclose(a, b, rel_tol=0.0, abs_tol=_GOLDEN_TOLERANCE)
        for a, b in zip(found, told.golden_action, strict=True)
    ):
        raise PolicyRefused(
            f"{source} does {found} at the known input; told was {told.golden_action}"
        )


def _golden_action(policy: Policy | PixelPolicy) -> tuple[float, ...]:
    observation = golden_observation(policy)
    return tuple(float(value) for value in policy.mean_action(observation))  # type: ignore[arg-type]


def _kind(policy: Policy | PixelPolicy) -> tuple[object, int]:
    return _shapes(golden_observation(policy)), policy.action_dim


def _shapes(observation: Observation) -> object:
    if isinstance(observation, dict):
        return {name: value.shape for name, value in observation.items()}
    return observation.shape
