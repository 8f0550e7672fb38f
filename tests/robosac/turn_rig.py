"""The hand's task over its twin, small and fresh, with the parts that tests break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.executor import Executor
from robosac.settings import TrainConfig
from robosac.stage import Stage
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.turn import ClawTurn
from sim.claw import ClawTwin

FAITHFUL = (
    "twin.servos=xh430",
    "task.action=relative",
    "task.speed_rad_s=3.0",
    "task.reset.tolerance_rad=0.087",
)
"""The hand as it is, under actions that count from its joints: what `claw-pixels` has."""
QUICK: dict[str, float] = {
    "task.reset.settle_s": 0.05,
    "task.reset.finger_speed_rad_s": 5.0,
    "task.reset.valve_speed_rad_s": 5.0,
}
"""A reset in little more than half the time, for tests of what comes after it."""
STILL = np.zeros(9, dtype=np.float32)


@dataclass
class TurnRig:
    """A stage, and what is in it."""

    config: TrainConfig
    stage: Stage
    env: ClawTurn
    twin: ClawTwin

    @property
    def executor(self) -> Executor:
        """In this process, for the twin stands still between its ticks."""
        assert isinstance(self.env.executor, Executor)
        return self.env.executor

    def until_end(self, most: int = 40) -> tuple[Any, dict[str, Any], list[dict[str, Any]]]:
        """Rest until the episode is over: the last observation, its info, and all infos."""
        infos: list[dict[str, Any]] = []
        for _ in range(most):
            observation, _, terminated, truncated, info = self.env.step(STILL)
            assert not terminated, "no fault may cut the bootstrap"
            infos.append(info)
            if truncated:
                return observation, info, infos
        raise AssertionError(f"the episode did not end in {most} steps")

    def fails_with(self, end: EpisodeEnd) -> None:
        """The episode ends with `end`, and its last step teaches nothing."""
        _, info, infos = self.until_end()
        assert info["end"] is end
        assert not info["rewarded"]
        # A camera that fails shows its last picture for one more step, and that teaches nothing.
        taught = [earlier["rewarded"] for earlier in infos[:-1]]
        assert all(taught[:-1] if self.env.picture else taught)


def quick() -> list[str]:
    """`QUICK` as overrides."""
    return [f"{name}={value}" for name, value in QUICK.items()]


def make_rig(preset: str = "claw", *overrides: str) -> TurnRig:
    """Build a rig with overrides such as `task.episode_steps=20`."""
    config = load_preset(preset, overrides)
    stage = make_stage(config)
    env = stage.env
    assert isinstance(env, ClawTurn)
    twin = env.attendant
    assert isinstance(twin, ClawTwin)
    return TurnRig(config, stage, env, twin)
