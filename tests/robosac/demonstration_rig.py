"""Episodes to make demonstrations of."""

from __future__ import annotations

from typing import Any

import numpy as np

from robosac.demonstrations import DemonstrationSet, DemonstrationWriter, Interface, Source
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition

SHAPE = (4, 4, 3)
PICTURES = Interface("robosac/ClawTurnPixels-v0", "claw", SHAPE, 3, 2, 0.1)
VECTORS = Interface("robosac/ClawTurn-v0", "claw", None, 3, 2, 0.1)


def episode(
    number: int, steps: int, interface: Interface, end: EpisodeEnd = EpisodeEnd.TRUNCATED
) -> list[Transition]:
    """Random states, pictures and actions; each step's reward tells episode and step."""
    rng = np.random.default_rng(number)
    seen = [_observation(rng, interface) for _ in range(steps + 1)]
    return [
        Transition(
            actor_id="rig",
            episode=number,
            step=step,
            sequence=step,
            policy_version=0,
            observation=seen[step],
            requested_action=rng.uniform(-1, 1, 2).astype(np.float32),
            executed_action=rng.uniform(-1, 1, 2).astype(np.float32),
            reasons=step % 2,
            reward=100.0 * number + step,
            rewarded=step != 1,
            terms={},
            next_observation=seen[step + 1],
            end=end if step == steps - 1 else None,
            observed_at=0.1 * step,
            commanded_at=0.1 * step,
        )
        for step in range(steps)
    ]


def _observation(rng: np.random.Generator, interface: Interface) -> Any:
    state = rng.standard_normal(3).astype(np.float32)
    if interface.image_shape is None:
        return state
    return {"image": rng.integers(0, 256, interface.image_shape, np.uint8), "state": state}


def shown(interface: Interface = PICTURES) -> DemonstrationSet:
    """Three episodes of 5, 6 and 7 steps; the last two successful, the last one terminated."""
    writer = DemonstrationWriter(interface, Source.GAIT)
    for number in range(3):
        end = EpisodeEnd.TERMINATED if number == 2 else EpisodeEnd.TRUNCATED
        for transition in episode(number, 5 + number, interface, end):
            writer.add(transition, success=number > 0)
    return writer.collected()
