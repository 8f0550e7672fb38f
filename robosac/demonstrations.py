"""Demonstrations: whole episodes that somebody or something showed, and how they are collected.

Each camera frame is kept once: an episode of n steps has n + 1 frames and states.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from robosac.replay import Array
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition

ENDS = tuple(EpisodeEnd)
"""The end of code c is `ENDS[c - 1]`; 0: the episode goes on."""
TERMINATED = 1 + ENDS.index(EpisodeEnd.TERMINATED)


class Source(enum.StrEnum):
    """Who showed it."""

    GAIT = "gait"
    """A scripted one."""
    POLICY = "policy"
    """A trained one."""
    RECORDED = "recorded"
    """A person."""


@dataclass(frozen=True, slots=True)
class Interface:
    """What a set of demonstrations must share with the run that learns from it."""

    task: str
    """Gymnasium's id, e.g. robosac/ClawTurnPixels-v0."""
    robot: str
    image_shape: tuple[int, int, int] | None
    """(height, width, channels); None: the task has no pictures."""
    state_dim: int
    action_dim: int
    control_period_s: float


@dataclass(frozen=True, slots=True)
class DemonstrationSet:
    """Episodes one behind the other; `steps` in all, and `steps + episodes` frames."""

    interface: Interface
    source: Source
    images: Array | None
    """(frames, *image_shape) uint8; None: the task has no pictures."""
    states: Array
    """(frames, state_dim) float32"""
    requested_actions: Array
    """(steps, action_dim) float32, in [-1, 1]"""
    executed_actions: Array
    """What the limiter let through, (steps, action_dim) float32, in [-1, 1]."""
    reasons: Array
    """Bit masks of the limiter's reasons, (steps,) int64."""
    rewards: Array
    """(steps,) float32"""
    rewarded: Array
    """False: the reward could not be measured, nothing may be learned from it; (steps,) bool."""
    terminated: Array
    """True where the value target must not bootstrap, (steps,) bool."""
    ends: Array
    """Codes of EpisodeEnd, see ENDS; (steps,) uint8."""
    episode_steps: Array
    """Steps of each episode, (episodes,) int64."""
    successes: Array
    """Whether the task was done at an episode's end, (episodes,) bool."""
    claimed_successes: int
    """How many the maker of the set says there are."""

    @property
    def steps(self) -> int:
        """Steps of all episodes."""
        return len(self.rewards)

    @property
    def episodes(self) -> int:
        """Whole episodes."""
        return len(self.episode_steps)

    def spans(self) -> Iterator[tuple[slice, slice]]:
        """Of each episode: where its steps are, and where its frames are."""
        first = 0
        for episode, steps in enumerate(self.episode_steps.tolist()):
            frame = first + episode
            yield slice(first, first + steps), slice(frame, frame + steps + 1)
            first += steps

    def observation(self, frame: int) -> Any:
        """What the policy sees at a frame: a vector, or a dict with the picture."""
        if self.images is None:
            return self.states[frame]
        return {"image": self.images[frame], "state": self.states[frame]}


class Sink(Protocol):
    """What demonstrations are poured into: any of the replay buffers."""

    def add(
        self,
        observation: Any,
        action: Array,
        reward: float,
        next_observation: Any,
        terminated: bool,
    ) -> None: ...


def fill(replay: Sink, shown: DemonstrationSet) -> int:
    """Add every rewarded step with the action that was executed; return how many.

    Raises:
        ValueError: shapes differ from the buffer's, or a value is not finite.
    """
    added = 0
    for steps, frames in shown.spans():
        for step in range(steps.start, steps.stop):
            frame = frames.start + step - steps.start
            if shown.rewarded[step]:
                replay.add(
                    shown.observation(frame),
                    shown.executed_actions[step],
                    float(shown.rewards[step]),
                    shown.observation(frame + 1),
                    bool(shown.terminated[step]),
                )
                added += 1
    return added


@dataclass(slots=True)
class _Episode:
    """One episode while it is collected."""

    images: list[Array] = field(default_factory=list)
    states: list[Array] = field(default_factory=list)
    steps: list[Transition] = field(default_factory=list)


class DemonstrationWriter:
    """Collects transitions; an episode counts once its end has come.

    Args:
        interface: of the environment that is acted in.
        source: who acts.
    """

    def __init__(self, interface: Interface, source: Source) -> None:
        self.interface, self.source = interface, source
        self.successes: list[bool] = []
        """Of each whole episode."""
        self._whole: list[_Episode] = []
        self._open = _Episode()

    @property
    def episodes(self) -> int:
        """Whole episodes so far."""
        return len(self._whole)

    def add(self, transition: Transition, success: bool) -> None:
        """Take the next step of an episode; `success`: the task is done as of this step.

        Raises:
            ValueError: a shape is not the interface's, or the step does not continue the last.
        """
        episode = self._open
        before, after = (
            self._parts(transition.observation),
            self._parts(transition.next_observation),
        )
        if not episode.steps:
            self._keep(before)
        elif not self._is_newest(before) or transition.step != episode.steps[-1].step + 1:
            raise ValueError(
                f"step {transition.step} of episode {transition.episode} does not continue step "
                f"{episode.steps[-1].step}; give every step of an episode, or discard it"
            )
        self._keep(after)
        episode.steps.append(transition)
        if transition.end is not None:
            self._whole.append(episode)
            self.successes.append(success)
            self._open = _Episode()

    def discard(self) -> None:
        """Forget the episode that has not ended yet."""
        self._open = _Episode()

    def collected(self) -> DemonstrationSet:
        """The whole episodes so far.

        Raises:
            ValueError: there is none.
        """
        if not self._whole:
            raise ValueError("no episode has ended yet, so there is nothing to keep")
        steps = [step for episode in self._whole for step in episode.steps]
        images = [image for episode in self._whole for image in episode.images]
        return DemonstrationSet(
            interface=self.interface,
            source=self.source,
            images=np.stack(images) if images else None,
            states=np.stack([state for episode in self._whole for state in episode.states]),
            requested_actions=np.stack([step.requested_action for step in steps]),
            executed_actions=np.stack([step.executed_action for step in steps]),
            reasons=np.array([step.reasons for step in steps], np.int64),
            rewards=np.array([step.reward for step in steps], np.float32),
            rewarded=np.array([step.rewarded for step in steps], np.bool_),
            terminated=np.array([step.terminated for step in steps], np.bool_),
            ends=np.array([end_code(step.end) for step in steps], np.uint8),
            episode_steps=np.array([len(e.steps) for e in self._whole], np.int64),
            successes=np.array(self.successes, np.bool_),
            claimed_successes=sum(self.successes),
        )

    def _parts(self, observation: Any) -> tuple[Array | None, Array]:
        """Copies of the picture and the state, of the interface's shapes."""
        image = observation["image"] if isinstance(observation, Mapping) else None
        state = observation["state"] if isinstance(observation, Mapping) else observation
        shapes = (None if image is None else np.shape(image), np.shape(state))
        expected = (self.interface.image_shape, (self.interface.state_dim,))
        if shapes != expected:
            raise ValueError(f"picture and state have shapes {shapes}; expected {expected}")
        if image is not None and image.dtype != np.uint8:
            raise ValueError(f"the picture is {image.dtype}; expected uint8, 0 to 255")
        return None if image is None else image.copy(), np.array(state, np.float32)

    def _keep(self, parts: tuple[Array | None, Array]) -> None:
        image, state = parts
        if image is not None:
            self._open.images.append(image)
        self._open.states.append(state)

    def _is_newest(self, parts: tuple[Array | None, Array]) -> bool:
        image, state = parts
        return np.array_equal(self._open.states[-1], state) and (
            image is None or np.array_equal(self._open.images[-1], image)
        )


def end_code(end: EpisodeEnd | None) -> int:
    """The number under which an end is stored; 0: the episode goes on."""
    return 0 if end is None else 1 + ENDS.index(end)
