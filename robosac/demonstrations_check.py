"""What is wrong with a set of demonstrations, told before anything learns from it.

Wrong masks, frozen or wrongly scaled pictures and actions out of range do not stop a learner; it
learns nothing, and nobody knows why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from robosac.demonstrations import ENDS, TERMINATED, DemonstrationSet, Interface
from robosac.replay import Array

ACTION_SLACK = 1e-6
"""How far beyond [-1, 1] rounding may take an action."""
TELLING_STEPS = 3
"""An episode this short may well be of one action or one picture."""
TELLING_EPISODES = 3
"""So many episodes that all terminate after the same number of steps have met a time limit."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    text: str
    episode: int | None = None
    """None: it concerns the whole set."""
    step: int | None = None
    """The first step concerned, within its episode; for pictures and states, the frame."""

    def __str__(self) -> str:
        if self.episode is None:
            return self.text
        step = "" if self.step is None else f", step {self.step}"
        return f"episode {self.episode}{step}: {self.text}"


@dataclass(frozen=True, slots=True)
class Report:
    """All that is wrong with a set."""

    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is."""
        return not self.problems

    def lines(self, most: int) -> list[str]:
        """The first problems, and how many more there are."""
        more = len(self.problems) - most
        return [str(p) for p in self.problems[:most]] + ([f"and {more} more"] if more > 0 else [])


def validate(shown: DemonstrationSet, expected: Interface) -> Report:
    """Find every problem of a set that a run with this interface would learn from."""
    problems = [*_interface(shown.interface, expected), *_whole_set(shown)]
    for episode, (steps, frames) in enumerate(shown.spans()):
        if steps.start == steps.stop:
            problems.append(Problem("it has no step", episode))
            continue
        problems += _ends(episode, shown.ends[steps], shown.terminated[steps])
        problems += _actions(episode, "requested", shown.requested_actions[steps])
        problems += _actions(episode, "executed", shown.executed_actions[steps])
        rewarded = shown.rewarded[steps]
        # What no rewarded step shows is never learned from: after a lost camera it is black.
        used = np.append(rewarded, False) | np.insert(rewarded, 0, False)
        bad = rewarded & np.logical_not(np.isfinite(shown.rewards[steps]))
        problems += _first(episode, bad, "the reward is not finite")
        bad = used & np.logical_not(np.isfinite(shown.states[frames]).all(axis=1))
        problems += _first(episode, bad, "the state holds a value that is not finite")
        if shown.images is not None:
            problems += _images(episode, shown.images[frames], used)
    return Report(tuple(problems))


def _interface(found: Interface, expected: Interface) -> Iterator[Problem]:
    for name in (f.name for f in fields(Interface)):
        value, wanted = getattr(found, name), getattr(expected, name)
        if value != wanted:
            yield Problem(f"the set's {name.replace('_', ' ')} is {value}; this run needs {wanted}")


def _whole_set(shown: DemonstrationSet) -> Iterator[Problem]:
    if not shown.episodes:
        yield Problem("the set has no episode")
        return
    if not shown.rewarded.any():
        yield Problem("no step has a measured reward, so that nothing can be learned")
    successes = int(shown.successes.sum())
    if successes != shown.claimed_successes:
        yield Problem(f"the set claims {shown.claimed_successes} successes and shows {successes}")
    lasts = np.cumsum(shown.episode_steps) - 1
    lengths = set(shown.episode_steps.tolist())
    if (
        shown.episodes >= TELLING_EPISODES
        and len(lengths) == 1
        and min(lengths) > 0
        and shown.terminated[lasts].all()
    ):
        yield Problem(
            f"all {shown.episodes} episodes terminate after exactly {lengths.pop()} steps: a time "
            "limit is a truncation, recorded as terminated it teaches that nothing comes after"
        )


def _ends(episode: int, ends: Array, terminated: Array) -> Iterator[Problem]:
    last = len(ends) - 1
    if ends.max() > len(ENDS):
        yield from _first(episode, ends > len(ENDS), f"unknown end; codes go up to {len(ENDS)}")
        return
    yield from _first(episode, ends[:-1] != 0, "an end before the episode's last step")
    if ends[last] == 0:
        yield Problem("the last step has no end", episode, last)
    yield from _first(
        episode,
        terminated & (ends != TERMINATED),
        "terminated is set where the task did not end the episode (a truncation, or no end at "
        "all); the value there would not bootstrap",
    )
    yield from _first(
        episode,
        ~terminated & (ends == TERMINATED),
        "the task ended the episode but terminated is not set; the value would bootstrap beyond it",
    )


def _actions(episode: int, which: str, actions: Array) -> Iterator[Problem]:
    bad = np.logical_not(np.isfinite(actions).all(axis=1))
    yield from _first(episode, bad, f"the {which} action is not finite")
    size = np.abs(actions).max(axis=1)
    yield from _first(
        episode,
        size > 1.0 + ACTION_SLACK,
        f"the {which} action reaches {np.nanmax(size):.3g}; it must lie in [-1, 1]"
        if np.isfinite(size).any()
        else "",
    )
    if len(actions) >= TELLING_STEPS and (actions == actions[0]).all():
        kind = "zero" if not actions.any() else "the same"
        yield Problem(f"all {len(actions)} {which} actions are {kind}", episode)


def _images(episode: int, images: Array, used: Array) -> Iterator[Problem]:
    flat = images.reshape(len(images), -1)
    least, most = flat.min(axis=1), flat.max(axis=1)
    if most.max() == 1:
        yield Problem(
            "pictures hold nothing but 0 and 1: they were scaled to 0..1 before they became bytes; "
            "valid is uint8 from 0 to 255",
            episode,
        )
        return
    yield from _first(episode, used & (most == 0), "the picture is black")
    yield from _first(
        episode, used & (least == most) & (most > 0), "the picture is of one flat colour"
    )
    if len(flat) > TELLING_STEPS and most.max() > 0 and (flat == flat[0]).all():
        yield Problem(f"all {len(flat)} pictures are the same: the camera was frozen", episode)


def _first(episode: int, bad: Array | np.bool_, text: str) -> Iterator[Problem]:
    """One problem for all the steps at which something is bad."""
    if bad.any():
        count = int(bad.sum())
        more = f" (and {count - 1} more of its steps)" if count > 1 else ""
        yield Problem(text + more, episode, int(bad.argmax()))
