"""Makes demonstrations of the hand's task: by a scripted gait, or by a policy that knows the angle.

Neither a keyboard nor a gamepad is needed. Who shows may know more than who learns: the valve's
angle is told to the gait and to the teacher, and hidden from the pictures they leave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robosac.actor import Actor, episode_seed
from robosac.demonstrations import DemonstrationSet, DemonstrationWriter, Interface, Source
from robosac.tasks.gaits import ScriptedTurn
from robosac.tasks.turn import ClawTurn
from robosac.tasks.turn_definitions import CENTRE, RANGE

DEMONSTRATION_STREAM = 4
"""Demonstrations draw their seeds from a stream of their own."""
ATTEMPTS = 5
"""So many episodes are tried for each that is wanted."""


class Shower(Protocol):
    """Who shows one episode."""

    def act(self, env: ClawTurn) -> NDArray[np.floating]:
        """The next action in [-1, 1]."""
        ...


class Gait:
    """The scripted gait."""

    def __init__(self) -> None:
        self._gait = ScriptedTurn()

    def act(self, env: ClawTurn) -> NDArray[np.floating]:
        sight = env.sight
        pose = self._gait.act(sight.angle, sight.error, sight.fingers)
        return env.action_to(CENTRE + RANGE * pose)


@dataclass(frozen=True, slots=True)
class Teacher:
    """A policy that was trained with the valve's angle."""

    policy: Any

    def act(self, env: ClawTurn) -> NDArray[np.floating]:
        return self.policy.mean_action(env.vector(env.sight))


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one episode."""

    number: int
    success: bool
    error_rad: float
    """At its end."""
    kept: int
    """Successful episodes so far."""


def demonstrate(
    env: ClawTurn,
    interface: Interface,
    source: Source,
    shower: Callable[[], Shower],
    episodes: int,
    seed: int,
    on_attempt: Callable[[Attempt], None] = lambda attempt: None,
) -> DemonstrationSet:
    """Show the task until `episodes` episodes have succeeded; only those are kept.

    Args:
        env: where to act.
        interface: what the set is for.
        source: who shows, by name.
        shower: makes who shows one episode.
        episodes: how many are wanted; after five times as many attempts, fewer will do.
        seed: of the episodes.
        on_attempt: called after each attempt.

    Raises:
        ValueError: not one attempt succeeded.
    """
    actor = Actor(env, "demonstration")
    writer = DemonstrationWriter(interface, source)
    for number in range(ATTEMPTS * episodes):
        actor.begin(number, episode_seed(seed, DEMONSTRATION_STREAM, number))
        solved = abs(float(actor.info["angle_error"])) < env.definition.success_rad
        showing, steps = shower(), []
        while not steps or steps[-1].end is None:
            action = np.asarray(showing.act(env), dtype=np.float32)
            steps.append(actor.step(action, 0))
        # An episode that began at its target shows nothing.
        success = bool(actor.info["success"]) and not solved
        if success:
            for step in steps:
                writer.add(step, success)
        error = float(actor.info["angle_error"])
        on_attempt(Attempt(number, success, error, writer.episodes))
        if writer.episodes == episodes:
            break
    if not writer.episodes:
        raise ValueError(
            f"none of {ATTEMPTS * episodes} attempts succeeded; valid is a gait or a policy that"
            " turns the valve"
        )
    return writer.collected()
