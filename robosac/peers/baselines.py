"""stable-baselines3's learner and replays, and SBX's learner (the same in JAX), as contenders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np

from robosac.peers.contender import Case, Rows, single_rows


class RandomWorld(gymnasium.Env[Any, np.ndarray]):
    """Spaces of a given size; never stepped."""

    def __init__(self, case: Case) -> None:
        state = gymnasium.spaces.Box(-np.inf, np.inf, (case.observation,))
        self.observation_space: gymnasium.Space[Any] = state
        if case.side:
            image = gymnasium.spaces.Box(0, 255, (case.side, case.side, 3), np.uint8)
            self.observation_space = gymnasium.spaces.Dict({"image": image, "state": state})
        self.action_space = gymnasium.spaces.Box(-1, 1, (case.action,))


def store(buffer: Any, rows: Iterable[Rows]) -> None:
    """Put transitions into a buffer for one environment, as its learner does."""
    going_on = np.zeros(1, bool)
    for observation, action, reward, next_observation in single_rows(rows):
        seen, following = _for_one(observation), _for_one(next_observation)
        buffer.add(seen, following, action[None], np.array([reward]), going_on, [{}])


def bytes_each(buffer: Any) -> int:
    """Of its arrays, divided by the transitions they have room for."""
    total = 0
    for value in vars(buffer).values():
        parts = value.values() if isinstance(value, dict) else (value,)
        total += sum(part.nbytes for part in parts if isinstance(part, np.ndarray))
    return -(-total // buffer.buffer_size)


class BaselinesReplay:
    """Draws batches from a replay buffer of stable-baselines3."""

    def __init__(self, case: Case) -> None:
        from stable_baselines3.common import buffers  # pyright: ignore[reportMissingImports]

        world = RandomWorld(case)
        kind = buffers.DictReplayBuffer if case.side else buffers.ReplayBuffer
        self._buffer = kind(case.rows, world.observation_space, world.action_space, device="cpu")
        self._batch = case.batch

    def fill(self, rows: Iterable[Rows]) -> None:
        """See `robosac.peers.contender.Contender`."""
        store(self._buffer, rows)

    def run(self, count: int) -> None:
        """See `robosac.peers.contender.Contender`."""
        for _ in range(count):
            self._buffer.sample(self._batch)

    def transition_bytes(self) -> int:
        """See `robosac.peers.contender.Contender`."""
        return bytes_each(self._buffer)


class Baselines:
    """stable-baselines3's SAC with its default settings."""

    def __init__(self, case: Case) -> None:
        from stable_baselines3 import SAC  # pyright: ignore[reportMissingImports]

        self._agent = _agent(SAC, case, device="cpu")
        self._batch = case.batch

    def fill(self, rows: Iterable[Rows]) -> None:
        """See `robosac.peers.contender.Contender`."""
        store(self._agent.replay_buffer, rows)

    def run(self, count: int) -> None:
        """See `robosac.peers.contender.Contender`."""
        self._agent.train(gradient_steps=count, batch_size=self._batch)

    def transition_bytes(self) -> int:
        """See `robosac.peers.contender.Contender`."""
        return bytes_each(self._agent.replay_buffer)


class Jax:
    """SBX's SAC with its default settings.

    Its update is compiled by XLA. Several updates of one call are one compiled loop over as many
    batches, drawn at once.

    Args:
        case: the sizes.
        updates_per_call: 1, or as many as one call shall make.
    """

    def __init__(self, case: Case, updates_per_call: int) -> None:
        from sbx import SAC  # pyright: ignore[reportMissingImports]

        self._agent = _agent(SAC, case)
        self._batch, self._each = case.batch, updates_per_call

    def fill(self, rows: Iterable[Rows]) -> None:
        """See `robosac.peers.contender.Contender`."""
        store(self._agent.replay_buffer, rows)

    def run(self, count: int) -> None:
        """See `robosac.peers.contender.Contender`."""
        import jax  # pyright: ignore[reportMissingImports]

        while count:
            steps = min(count, self._each)
            self._agent.train(batch_size=self._batch, gradient_steps=steps)
            count -= steps
        # A call returns before its work is done.
        jax.block_until_ready((self._agent.policy.qf_state, self._agent.policy.actor_state))

    def transition_bytes(self) -> int:
        """See `robosac.peers.contender.Contender`."""
        return bytes_each(self._agent.replay_buffer)


def _agent(kind: Any, case: Case, **given: Any) -> Any:
    from stable_baselines3.common.logger import Logger  # pyright: ignore[reportMissingImports]

    networks = {"net_arch": list(case.hidden)}
    agent = kind(
        "MlpPolicy", RandomWorld(case), buffer_size=case.rows, batch_size=case.batch, seed=0,
        policy_kwargs=networks, **given,
    )  # fmt: skip
    agent.set_logger(Logger(folder=None, output_formats=[]))
    return agent


def _for_one(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {name: array[None] for name, array in observation.items()}
    return observation[None]
