"""The actor: observe, act, record."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robosac.observation import Observation, as_observation
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition

Environment = gymnasium.Env[Any, Any]


class Actor:
    """Lives one episode after another in an environment, and turns each step into a Transition.

    Args:
        env: actions in [-1, 1]; its `info` may say more (see `robosac.tasks.walk`).
        actor_id: who recorded this.
        sequence: number of the next transition.
    """

    def __init__(self, env: Environment, actor_id: str, sequence: int = 0) -> None:
        self.env, self.actor_id, self.sequence = env, actor_id, sequence
        self.observation: Observation = np.zeros(0, np.float32)
        """The newest observation; what the next action must answer."""
        self.info: dict[str, Any] = {}
        """The newest `info`, and the executor's `ticks` where the environment has some."""
        self._episode = self._step = 0

    def begin(self, episode: int, seed: int) -> None:
        """Reset the environment for an episode."""
        observation, info = self.env.reset(seed=seed)
        self.info = self._with_ticks(info)
        self.observation = as_observation(observation)
        self._episode, self._step = episode, 0

    def step(self, action: NDArray[np.float32], policy_version: int) -> Transition:
        """Act once and return what came of it; its `end` says whether the episode goes on.

        How old the policy is, only its owner knows.
        """
        before, observed_at = self.observation, self._time()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.observation = as_observation(observation)
        self.info = info = self._with_ticks(info)
        transition = Transition(
            actor_id=self.actor_id,
            episode=self._episode,
            step=self._step,
            sequence=self.sequence,
            policy_version=policy_version,
            observation=before,
            requested_action=np.asarray(action, dtype=np.float32),
            executed_action=np.asarray(info.get("executed_action", action), dtype=np.float32),
            reasons=info["reasons"].value if "reasons" in info else 0,
            reward=float(reward),
            rewarded=info.get("rewarded", True),
            terms=info.get("terms", {"reward": float(reward)}),
            next_observation=self.observation,
            end=_end(terminated, truncated, info),
            observed_at=observed_at,
            commanded_at=info["ticks"][0].time if info["ticks"] else observed_at,
        )
        self._step += 1
        self.sequence += 1
        return transition

    def _time(self) -> float:
        """Time of the newest observation on the robot's clock, s; 0 where there is no robot."""
        ticks = self.info["ticks"]
        return ticks[-1].state.time if ticks else 0.0

    def _with_ticks(self, info: dict[str, Any]) -> dict[str, Any]:
        return {**info, "ticks": getattr(self.env.unwrapped, "ticks", [])}


def _end(terminated: bool, truncated: bool, info: dict[str, Any]) -> EpisodeEnd | None:
    if "end" in info:
        return info["end"]
    if terminated:
        return EpisodeEnd.TERMINATED
    return EpisodeEnd.TRUNCATED if truncated else None


def episode_seed(seed: int, stream: int, episode: int) -> int:
    """The seed of one episode: the same for a run that was killed as for one that was not."""
    return int(np.random.SeedSequence((seed, stream, episode)).generate_state(1)[0] >> 1)
