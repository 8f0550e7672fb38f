"""The learner's loop against a scripted channel: no process, no clock, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosac import checkpoint
from robosac.async_training import begin_of
from robosac.config import load_preset
from robosac.errors import LinkError
from robosac.experience import make_replay
from robosac.frame_replay import FrameReplay
from robosac.generators import generator_state
from robosac.learner_loop import LearnerLoop, TransitionRefused
from robosac.learner_process import ToldSpaces, spaces_of
from robosac.messages import (
    Acknowledged,
    Begin,
    Counters,
    EpisodeEnded,
    Experience,
    Published,
    Ready,
    Save,
    Saved,
    Stop,
    ToLearner,
    decode_to_actor,
    decode_to_learner,
    encode,
    experience_of,
    transition_of,
)
from robosac.replay import Replay
from robosac.runs import RunFolder
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition
from tests.robosac.learner_rig import SMALL, CountingLearner


class ScriptedChannel:
    """Gives one batch of messages at each look; closes when it is waited for with none left."""

    def __init__(self, batches: Sequence[Sequence[ToLearner]]) -> None:
        self._batches = [list(batch) for batch in batches]
        self.closed = False
        self.waiting_bytes = 0
        self.told: list[Any] = []
        self.waits: list[float] = []

    def send(self, payload: bytes) -> None:
        self.told.append(decode_to_actor(payload))

    def receive(self) -> list[bytes]:
        return [encode(message) for message in (self._batches.pop(0) if self._batches else [])]

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.closed = not self._batches

    def flush(self) -> None: ...

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.told if isinstance(message, kind)]


def experience(sequence: int, reward: float = 1.0, rewarded: bool = True) -> ToLearner:
    seen = np.full(3, sequence, np.float32)
    action = np.zeros(1, np.float32)
    terms: dict[str, float] = {}
    return experience_of(
        Transition(
            "actor", 0, sequence, sequence, 0, seen, action, action, 0, reward, rewarded, terms,
            seen + 1, None, 0.0, 0.0,
        )
    )  # fmt: skip


def save_at(step: int) -> Save:
    counters = Counters(step=step, episode=2, robot_s=3.0, wall_s=4.0, falls=1, clock_steps=None)
    state = generator_state(np.random.default_rng(5)).tobytes()
    return Save(counters=counters, exploration=state)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def served(
    folder: Path, *batches: Sequence[ToLearner], overrides: Sequence[str] = ()
) -> tuple[LearnerLoop, ScriptedChannel]:
    """A loop that has served these batches to the end."""
    if folder.exists():
        run = RunFolder.open(folder)
    else:
        run = RunFolder.create(folder, load_preset("gym:Pendulum-v1", [*SMALL, *overrides]))
    channel = ScriptedChannel(batches)
    replay = Replay(run.config.sac.replay_capacity, (3,), 1)
    loop = LearnerLoop(channel, run, CountingLearner(3, 1), replay, lambda: 0.0)  # type: ignore[arg-type]
    loop.run()
    return loop, channel


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ratio=st.sampled_from((0.1, 0.5, 1.0, 3.0)),
    sizes=st.lists(st.integers(0, 60), max_size=6),
    repeated=st.integers(0, 5),
)
def test_updates_keep_the_ratio_and_repeats_count_once(
    tmp_path_factory: pytest.TempPathFactory, ratio: float, sizes: list[int], repeated: int
) -> None:
    batches: list[list[ToLearner]] = []
    total = 0
    for size in sizes:
        first = max(0, total - repeated)
        batches.append([experience(number) for number in range(first, total + size)])
        total += size
    folder = tmp_path_factory.mktemp("loop") / "run"
    overrides = (f"sac.updates_per_step={ratio}", "sac.random_steps=20")
    loop, channel = served(folder, *batches, overrides=overrides)
    assert loop.sequence == total - 1
    assert len(loop.replay) == total
    assert loop.learner.updates == int(ratio * max(0, total - 19) + 1e-6)
    told = channel.of(Acknowledged)
    assert all(message.owed > -1e-6 for message in told), "never ahead"
    assert all(wait > 0.0 for wait in channel.waits), "ahead it blocks; it never spins"


def test_a_missing_transition_is_not_passed_over(folder: Path) -> None:
    with pytest.raises(LinkError, match="transition 2 came after 0"):
        served(folder, [experience(0), experience(2)])


def test_what_must_not_be_learned_from_is_refused_by_number(folder: Path) -> None:
    with pytest.raises(TransitionRefused, match="transition 1: reward"):
        served(folder, [experience(0), experience(1, reward=float("nan"))])


def test_a_step_that_earned_nothing_counts_and_is_not_learned_from(folder: Path) -> None:
    loop, _ = served(folder, [experience(0), experience(1, float("nan"), rewarded=False)])
    assert (loop.sequence, len(loop.replay)) == (1, 1)


def test_a_checkpoint_holds_the_replay_and_what_is_owed(folder: Path) -> None:
    first = [experience(number) for number in range(150)]
    loop, channel = served(folder, [*first, save_at(150)], [experience(150)])
    assert channel.of(Saved) == [Saved(sequence=149)]
    newest = checkpoint.latest(folder)
    assert newest is not None
    _, document = checkpoint.load(newest)
    assert (document["owed"], document["episode"]) == (51.0, 2)
    assert loop.learner.updates == 52
    # Killed now, it knows nothing of transition 150, and takes it again.
    again, channel = served(folder, [experience(150)])
    ready = channel.of(Ready)[0]
    assert (ready.sequence, ready.exploration) == (149, save_at(150).exploration)
    assert len(again.replay) == 151
    assert again.learner.updates == 52


def test_a_save_at_another_step_is_refused(folder: Path) -> None:
    with pytest.raises(LinkError, match="step 3 shall be saved"):
        served(folder, [experience(0), save_at(3)])


def test_a_policy_comes_at_the_start_and_after_an_episode(folder: Path) -> None:
    first = [experience(number) for number in range(150)]
    ended = EpisodeEnded(episode=0, end=EpisodeEnd.TRUNCATED)
    _, channel = served(folder, [*first, ended])
    assert [message.version for message in channel.of(Published)] == [0, 51]


def test_stop_ends_it_whatever_is_owed(folder: Path) -> None:
    first = [experience(number) for number in range(150)]
    loop, _ = served(folder, [*first, Stop()])
    assert loop.learner.updates == 0


def test_pictures_arrive_as_pictures() -> None:
    shown = ToldSpaces(
        Dict({"image": Box(0, 255, (4, 6, 3), np.uint8), "state": Box(-1, 1, (2,), np.float32)}),
        Box(-1, 1, (9,), np.float32),
    )
    begin = decode_to_learner(encode(begin_of(shown)))
    assert isinstance(begin, Begin)
    replay = make_replay(load_preset("claw-pixels"), spaces_of(begin))
    assert isinstance(replay, FrameReplay)
    rng, action = np.random.default_rng(0), np.zeros(9, np.float32)
    frames = [
        {"image": rng.integers(0, 256, (4, 6, 3), np.uint8), "state": rng.random(2, np.float32)}
        for _ in range(2)
    ]
    transition = Transition(
        "actor", 0, 0, 0, 0, frames[0], action, action, 0, 1.0, True, {}, frames[1], None, 0.0, 0.0
    )
    came = decode_to_learner(encode(experience_of(transition)))
    assert isinstance(came, Experience)
    told = transition_of(came)
    assert isinstance(told.observation, dict)
    assert isinstance(told.next_observation, dict)
    replay.add(told.observation, told.executed_action, 1.0, told.next_observation, False)
    state = replay.state()
    for part in ("image", "state"):
        np.testing.assert_array_equal(state[part], [frame[part] for frame in frames])
