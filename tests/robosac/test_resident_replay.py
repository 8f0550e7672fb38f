"""The copy on the learner's device gives the batches that the buffer itself would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.errors import ConfigError
from robosac.frame_replay import FrameReplay
from robosac.mixture import Mixture
from robosac.replay import Batch, Replay
from robosac.resident_replay import ResidentReplay

STATE, ACTION, IMAGE = 3, 2, (4, 4, 3)
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
DEVICES = ("cpu", pytest.param("cuda", marks=ON_GPU))


def make(pictures: bool, capacity: int) -> Any:
    if pictures:
        return FrameReplay(capacity, IMAGE, STATE, ACTION)
    return Replay(capacity, (STATE,), ACTION)


def add(replays: tuple[Any, ...], pictures: bool, number: int) -> None:
    rng = np.random.default_rng(number)

    def observation() -> Any:
        vector = rng.standard_normal(STATE).astype(np.float32)
        if not pictures:
            return vector
        return {"image": rng.integers(0, 256, IMAGE, dtype=np.uint8), "state": vector}

    first, second = observation(), observation()
    action = rng.uniform(-1, 1, ACTION).astype(np.float32)
    for replay in replays:
        replay.add(first, action, float(number), second, number % 3 == 0)


def arrays(batch: Batch[Any]) -> list[bytes]:
    found: list[bytes] = []
    for value in (
        batch.observation, batch.action, batch.reward, batch.next_observation, batch.terminated,
    ):  # fmt: skip
        for part in value.values() if isinstance(value, dict) else (value,):
            found.append(torch.as_tensor(part).cpu().numpy().tobytes())
    return found


@settings(max_examples=60)
@given(
    pictures=st.booleans(),
    capacity=st.integers(1, 9),
    added=st.lists(st.integers(0, 12), min_size=1, max_size=6),
)
def test_batches_are_those_of_the_host(pictures: bool, capacity: int, added: list[int]) -> None:
    """However the ring has turned between two batches."""
    plain, copied = make(pictures, capacity), ResidentReplay(make(pictures, capacity), "cpu")
    rngs = np.random.default_rng(0), np.random.default_rng(0)
    number = 0
    for count in added:
        for _ in range(count):
            add((plain, copied), pictures, number)
            number += 1
        if len(plain):
            assert len(copied) == len(plain)
            expected, found = plain.sample(rngs[0], 8), copied.sample(rngs[1], 8)
            assert arrays(found) == arrays(expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pictures", [False, True])
def test_after_a_state_is_loaded_batches_are_of_it(pictures: bool, device: str) -> None:
    saved = make(pictures, 6)
    for number in range(9):
        add((saved,), pictures, number)
    copied = ResidentReplay(make(pictures, 6), device)
    for number in range(20, 29):
        add((copied,), pictures, number)
        copied.sample(np.random.default_rng(0), 4)
    copied.load(saved.state())
    for _ in range(2):
        found: Batch[Any] = copied.sample(np.random.default_rng(1), 30)
        assert str(torch.as_tensor(found.action).device).startswith(device)
        assert arrays(found) == arrays(saved.sample(np.random.default_rng(1), 30))
        add((copied, saved), pictures, 40)
    ours, theirs = copied.state(), saved.state()
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert (copied.added, copied.memory_bytes) == (saved.added, saved.memory_bytes)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pictures", [False, True])
def test_a_batch_stays_as_it_was_drawn(pictures: bool, device: str) -> None:
    copied = ResidentReplay(make(pictures, 4), device)
    for number in range(4):
        add((copied,), pictures, number)
    batch = copied.sample(np.random.default_rng(0), 8)
    before = arrays(batch)
    for number in range(10, 14):
        add((copied,), pictures, number)
        copied.sample(np.random.default_rng(0), 8)
    assert arrays(batch) == before


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pictures", [False, True])
def test_demonstrations_are_mixed_in_on_the_device(pictures: bool, device: str) -> None:
    plain = Mixture(make(pictures, 9), make(pictures, 5), 0.5)
    copied = Mixture(
        ResidentReplay(make(pictures, 9), device), ResidentReplay(make(pictures, 5), device),
        0.5, torch.cat,
    )  # fmt: skip
    for number in range(5):
        add((plain.online, copied.online), pictures, number)
        add((plain.demonstrations, copied.demonstrations), pictures, 10 + number)
    expected = plain.sample(np.random.default_rng(0), 8)
    assert arrays(copied.sample(np.random.default_rng(0), 8)) == arrays(expected)


def test_a_copy_that_does_not_fit_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(torch, "empty", refuse)
    with pytest.raises(ConfigError, match=r"does not fit on cpu; lower sac\.replay_capacity"):
        ResidentReplay(make(False, 10), "cpu")


def test_an_empty_buffer_gives_no_batch() -> None:
    with pytest.raises(ValueError, match="empty"):
        ResidentReplay(make(True, 10), "cpu").sample(np.random.default_rng(0), 1)
