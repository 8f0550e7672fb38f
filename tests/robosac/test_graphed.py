"""Recorded updates: the same bits as the update itself, whatever is loaded or asked for between.

On a CPU the recorder is one of ours, which keeps the rules of a CUDA graph: replays run on the
memory they were recorded with, and touch nothing but memory. With a GPU the same tests run on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.replay import Batch
from robosac.sac import (
    FastPixels,
    FastVectors,
    PaperPixels,
    PaperVectors,
    PixelSac,
    Sac,
    SacSettings,
)
from robosac.sac.graphed import CudaRecorder, GraphedLearner, Recorder
from robosac.sac.learner import Learner
from robosac.sac.staging import Staging
from robosac.symmetry import Image, Reordering, Symmetry
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]

OBSERVATION, ACTION, ROWS = 4, 2, 12
IMAGE = (16, 24, 3)
SMALL = SacSettings(hidden_units=(16, 16), batch_size=ROWS, initial_alpha=0.3)
FAST = FastPixels(filters=(8, 6), units=7)
PIXELS = {"paper": PaperPixels(), "fast": FAST}
MIRRORED = Image(Reordering((1, 0, 2, 3), (1, 1, -1, 1)), Reordering((1, 0), (1, 1)))
SYMMETRY = Symmetry((MIRRORED,))
VECTORS = {"vectors": PaperVectors(), "fast vectors": FastVectors(symmetry=SYMMETRY)}
KINDS = (*VECTORS, *PIXELS)
BLOCK = 3
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
DEVICES = ("cpu", pytest.param("cuda", marks=ON_GPU))
State = dict[str, NDArray[Any]]


class MemoryRecorder:
    """Replays by doing the work again, with what is no memory put back as it was."""

    def __init__(self, learner: Learner[Any]) -> None:
        self._learner = learner
        self.recorded = self.warmed = 0

    def host_block(self, size: int) -> Tensor:
        return torch.full((size,), 0xFF, dtype=torch.uint8)

    def mark(self) -> Callable[[], None]:
        return lambda: None

    def record(self, work: Callable[[], None], generator: torch.Generator) -> Callable[[], None]:
        assert generator is self._learner.generator
        assert self.warmed, "libraries may allocate at first use, which a graph does not allow"
        self.recorded += 1

        def replay() -> None:
            updates = self._learner.updates
            work()
            self._learner.updates = updates

        return replay

    def warm_up(self, work: Callable[[], None]) -> None:
        self.warmed += 1
        work()


def make_learner(kind: str, device: str, seed: int = 0) -> Any:
    if kind in VECTORS:
        return Sac(SMALL, OBSERVATION, ACTION, seed, device, vectors=VECTORS[kind])
    return PixelSac(SMALL, PIXELS[kind], IMAGE, OBSERVATION, ACTION, seed, device)


def graphed(learner: Any) -> GraphedLearner[Any]:
    on_cpu = learner.device.type == "cpu"
    recorder: Recorder = MemoryRecorder(learner) if on_cpu else CudaRecorder()
    return GraphedLearner(learner, recorder, BLOCK)


def make_batch(kind: str, seed: int, rows: int = ROWS) -> Batch[Any]:
    rng = np.random.default_rng(seed)

    def observation() -> Any:
        vector = rng.standard_normal((rows, OBSERVATION), dtype=np.float32)
        if kind in VECTORS:
            return vector
        return {"image": rng.integers(0, 256, (rows, *IMAGE), dtype=np.uint8), "state": vector}

    return Batch(
        observation(),
        rng.uniform(-1, 1, (rows, ACTION)).astype(np.float32),
        rng.standard_normal(rows, dtype=np.float32),
        observation(),
        (rng.random(rows) < 0.3).astype(np.float32),
    )


def batches(kind: str, seeds: range) -> list[Batch[Any]]:
    return [make_batch(kind, seed) for seed in seeds]


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_replays_equal_the_update_to_the_bit(kind: str, device: str) -> None:
    """Blocks and single updates, losses and states, through several calls."""
    plain, recorded = make_learner(kind, device), graphed(make_learner(kind, device))
    seen: list[Any] = []
    # Blocks of three: 2 + 1, then one, then 1 + 2 singles.
    for seeds in (range(7), range(7, 8), range(8, 13)):
        made = recorded.update_many(batches(kind, seeds))
        assert len(made) == len(seeds)
        seen += made
    expected = [plain.update(batch).floats() for batch in batches(kind, range(13))]
    assert [losses.floats() for losses in seen] == expected
    assert same(recorded.state(), plain.state())
    assert recorded.updates == 13


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_replay_draws_new_noise(kind: str, device: str) -> None:
    recorded = graphed(make_learner(kind, device))
    # Next to no learning: the entropies differ by the noise alone.
    entropies = [
        losses.floats()["entropy"] for losses in recorded.update_many([make_batch(kind, 0)] * 7)
    ]
    assert len(set(entropies)) == 7


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_goes_on_to_the_bit_in_new_and_in_recorded_learners(kind: str, device: str) -> None:
    first = graphed(make_learner(kind, device))
    first.update_many(batches(kind, range(4)))
    saved = first.state()
    fresh, used = (graphed(make_learner(kind, device, seed=99)) for _ in range(2))
    used.update_many(batches(kind, range(20, 25)))
    for other in (fresh, used):
        other.load(saved)
        assert other.updates == 4
    whole = [learner.update_many(batches(kind, range(4, 9))) for learner in (first, fresh, used)]
    assert same(first.state(), fresh.state())
    assert same(first.state(), used.state())
    told = [[losses.floats() for losses in made] for made in whole]
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("device", DEVICES)
def test_losses_are_kept_when_more_updates_follow(device: str) -> None:
    recorded = graphed(make_learner("vectors", device))
    made = recorded.update_many(batches("vectors", range(3)))
    before = [losses.floats() for losses in made]
    recorded.update_many(batches("vectors", range(3, 9)))
    assert [losses.floats() for losses in made] == before


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_another_size_are_recorded_anew(kind: str, device: str) -> None:
    plain, recorded = make_learner(kind, device), graphed(make_learner(kind, device))
    for index, rows in enumerate((ROWS, 2 * ROWS, 5, ROWS)):
        batch = make_batch(kind, index, rows)
        recorded.update(batch)
        plain.update(batch)
    assert same(recorded.state(), plain.state())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_batches_on_the_device_give_the_same_bits(kind: str, device: str) -> None:
    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: moved(part) for name, part in value.items()}
        return torch.from_numpy(value).to(device)

    def on_device(batch: Batch[Any]) -> Batch[Any]:
        names = ("observation", "action", "reward", "next_observation", "terminated")
        return Batch(**{name: moved(getattr(batch, name)) for name in names})

    given, plain = batches(kind, range(4)), make_learner(kind, device)
    recorded = graphed(make_learner(kind, device))
    recorded.update_many([on_device(batch) for batch in given])
    for batch in given:
        plain.update(on_device(batch))
    assert same(recorded.state(), plain.state())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_that_acts_is_the_newest(kind: str, device: str) -> None:
    recorded = graphed(make_learner(kind, device))
    observation = make_batch(kind, 50, rows=1).observation
    acted: list[bytes] = []
    start = recorded.state()
    for seed in range(3):
        recorded.update(make_batch(kind, seed))
        action = recorded.act(observation, deterministic=True)
        assert action.tobytes() == recorded.policy().mean_action(observation).tobytes()
        acted.append(action.tobytes())
    assert len(set(acted)) == 3
    assert recorded.act(observation, deterministic=True).tobytes() == acted[-1]
    recorded.load(start | {"updates": np.array(3)})
    assert recorded.act(observation, deterministic=True).tobytes() not in acted


def test_recordings_are_made_once_and_reused() -> None:
    learner = make_learner("vectors", "cpu")
    recorder = MemoryRecorder(learner)
    recorded = GraphedLearner(learner, recorder, BLOCK)
    recorded.update_many(batches("vectors", range(10)))
    recorded.update_many(batches("vectors", range(10)))
    assert recorder.recorded == 2
    warmed = recorder.warmed
    recorded.update(make_batch("vectors", 0, rows=5))
    assert (recorder.recorded, recorder.warmed) == (3, 2 * warmed)


def test_a_failed_recording_leaves_the_learner_as_it_was() -> None:
    class Failing(MemoryRecorder):
        def record(self, work: Callable[[], None], generator: torch.Generator) -> Any:
            work()
            raise RuntimeError("the device refuses")

    learner = make_learner("vectors", "cpu")
    before = learner.state()
    recorded = GraphedLearner(learner, Failing(learner), BLOCK)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="refuses"):
            recorded.update(make_batch("vectors", 0))
    assert same(learner.state(), before)


def test_no_batch_no_update() -> None:
    recorded = graphed(make_learner("vectors", "cpu"))
    assert recorded.update_many([]) == []
    assert recorded.updates == 0
    with pytest.raises(ValueError, match="1 or more"):
        GraphedLearner(make_learner("vectors", "cpu"), CudaRecorder(), 0)


def test_batches_of_two_shapes_in_one_call_are_refused_and_nothing_is_learned() -> None:
    recorded = graphed(make_learner("vectors", "cpu"))
    before = recorded.state()
    odd = replace(make_batch("vectors", 1), reward=np.zeros((ROWS, 1), np.float32))
    with pytest.raises(ValueError, match="expected"):
        recorded.update_many([*batches("vectors", range(BLOCK + 1)), odd])
    assert same(recorded.state(), before)


@pytest.mark.parametrize("device", DEVICES)
def test_staged_batches_hold_what_was_put(device: str) -> None:
    memory: Any = MemoryRecorder(make_learner("fast", "cpu")) if device == "cpu" else CudaRecorder()
    given = batches("fast", range(6))
    staging = Staging(given[0], 3, torch.float32, torch.device(device), memory)
    placed = [staging.batch(slot) for slot in range(3)]
    for start in (0, 3):
        staging.put(given[start : start + 3])
        for batch, found in zip(given[start : start + 3], placed, strict=True):
            for part in ("image", "state"):
                for state in ("observation", "next_observation"):
                    expected = getattr(batch, state)[part]
                    assert (getattr(found, state)[part].cpu().numpy() == expected).all()
            assert (found.action.cpu().numpy() == batch.action).all()
            assert (found.terminated.cpu().numpy() == batch.terminated).all()
    with pytest.raises(ValueError, match="room for 3"):
        staging.put(given[:4])
    wrong = replace(given[0], observation=given[0].observation | {"image": np.ones((ROWS, *IMAGE))})
    with pytest.raises(TypeError, match="cast"):
        staging.put([wrong])


@ON_GPU
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpus_update_equals_the_cpus_in_float64(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same noise for both; pictures are not shifted, for that is another random draw."""
    rng = np.random.default_rng(0)
    draws = [rng.standard_normal((2 * ROWS, ACTION)) for _ in range(5)]

    def make(device: str) -> Any:
        if kind in VECTORS:
            seed, chosen = 0, VECTORS[kind]
            return Sac(SMALL, OBSERVATION, ACTION, seed, device, torch.float64, chosen)
        pixels = PaperPixels() if kind == "paper" else replace(FAST, shift_px=0)
        return PixelSac(SMALL, pixels, IMAGE, OBSERVATION, ACTION, 0, device, torch.float64)

    start = make("cpu").state()
    ended: list[State] = []
    for device in ("cpu", "cuda"):
        agent, left = make(device), iter(draws)
        agent.load_parameters(start)
        monkeypatch.setattr(
            agent,
            "_gaussian_noise",
            lambda _, left=left, device=device: torch.from_numpy(next(left)).to(device),
        )
        for index in range(5):
            agent.update(make_batch(kind, index))
        ended.append(agent.state())
    for name in ended[0].keys() - {"noise", "acting"}:
        np.testing.assert_allclose(ended[1][name], ended[0][name], rtol=0, atol=1e-8, err_msg=name)


def test_another_devices_random_state_is_refused_but_its_policy_can_be_had() -> None:
    made, other = make_learner("vectors", "cpu"), make_learner("vectors", "cpu", seed=9)
    made.update(make_batch("vectors", 0))
    # What a CUDA generator tells of itself: seed and offset.
    state = made.state() | {"noise": np.zeros(16, np.uint8)}
    before = other.state()
    with pytest.raises(ValueError, match="another device's"):
        other.load(state)
    assert same(other.state(), before)
    other.load_parameters(state)
    seen = make_batch("vectors", 3).observation
    assert (other.policy().mean_action(seen) == made.policy().mean_action(seen)).all()
