"""Batches drawn ahead: the same batches, and no error or thread is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.mixture import Mixture
from robosac.prefetch import THREAD, Prefetch
from robosac.replay import Batch, Replay
from tests.robosac.prefetch_rig import (
    FEW,
    add,
    frames,
    halting,
    record,
    require_whole,
    shown,
    told,
    vectors,
)


class Watched(Replay):
    """Fails where two threads are in it at once, and counts what each drew."""

    def __init__(self) -> None:
        super().__init__(20, (3,), 1)
        self._inside = threading.Lock()
        self.by_worker = self.by_owner = 0

    def add(
        self,
        observation: Any,
        action: Any,
        reward: float,
        next_observation: Any,
        terminated: bool,
    ) -> None:
        with self._alone():
            super().add(observation, action, reward, next_observation, terminated)

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]:
        with self._alone():
            if threading.current_thread().name.startswith(THREAD):
                self.by_worker += 1
            else:
                self.by_owner += 1
            return super().sample(rng, size)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        assert self._inside.acquire(blocking=False), "two threads at once"
        try:
            yield
        finally:
            self._inside.release()


def put(replay: Any, number: int) -> None:
    seen = np.full(3, number, np.float32)
    replay.add(seen, np.zeros(1, np.float32), float(number), seen + 1, False)


steps = st.lists(
    st.tuples(
        st.sampled_from(("add", "draw", "larger", "ahead", "state", "restart", "close")),
        st.integers(1, 3),
    ),
    max_size=40,
)


@given(steps=steps)
def test_whatever_happens_the_batches_are_those_drawn_on_the_spot(
    steps: list[tuple[str, int]],
) -> None:
    plain, watched = Watched(), Watched()
    prefetch = Prefetch(watched)
    rngs = np.random.default_rng(5), np.random.default_rng(5)
    for replay in (plain, prefetch):
        put(replay, 0)
    for number, (what, count) in enumerate(steps, 1):
        if what == "add":
            for replay in (plain, prefetch):
                put(replay, number)
        elif what in ("draw", "larger"):
            size = 4 if what == "draw" else 6
            batches = prefetch.sample_many(rngs[1], size, count)
            assert len(batches) == count
            for batch in batches:
                expected = plain.sample(rngs[0], size)
                np.testing.assert_array_equal(batch.reward, expected.reward)
                np.testing.assert_array_equal(batch.next_observation, expected.next_observation)
        elif what == "ahead":
            prefetch.draw_ahead(rngs[1], 4, count)
        elif what == "state":
            np.testing.assert_equal(prefetch.state(), plain.state())
            prefetch.load({name: value.copy() for name, value in plain.state().items()})
        elif what == "restart":
            # As a checkpoint that is loaded does.
            for rng in rngs:
                rng.bit_generator.state = np.random.default_rng(number).bit_generator.state
        else:
            prefetch.close()
        assert rngs[0].bit_generator.state == rngs[1].bit_generator.state
        assert (len(prefetch), prefetch.memory_bytes) == (len(plain), plain.memory_bytes)
        assert prefetch.ready(4) == plain.ready(4)
    prefetch.close()


def test_the_worker_does_draw_and_its_batch_is_what_is_given_out() -> None:
    buffer = Watched()
    prefetch, rng = Prefetch(buffer), np.random.default_rng(0)
    for number in range(20):
        put(prefetch, number)
    prefetch.sample_many(rng, 4, 1)
    assert (buffer.by_worker, buffer.by_owner) == (0, 1)
    for _ in range(5):
        prefetch.draw_ahead(rng, 4, 2)
        prefetch.sample_many(rng, 4, 2)
    assert (buffer.by_worker, buffer.by_owner) == (10, 1)
    prefetch.close()


def test_a_batch_that_is_kept_is_never_drawn_over() -> None:
    buffer = frames(50)
    for number in range(50):
        add(buffer, shown, number)
    prefetch, rng, kept = Prefetch(buffer), np.random.default_rng(0), list[Batch[Any]]()
    for _ in range(20):
        kept += prefetch.sample_many(rng, 8, 1)
        prefetch.draw_ahead(rng, 8, 1)
    for batch in kept:
        require_whole(batch)
    prefetch.close()


def test_demonstrations_beside_are_drawn_ahead_too() -> None:
    mixtures = [Mixture(frames(50), frames(10), 0.5) for _ in range(2)]
    for mixture in mixtures:
        for number in range(30):
            add(mixture, shown, number)
        for number in range(500, 510):
            add(mixture.demonstrations, shown, number)
    prefetch = Prefetch(mixtures[0])
    rngs = np.random.default_rng(0), np.random.default_rng(0)
    for _ in range(5):
        prefetch.draw_ahead(rngs[0], 8, 1)
        (batch,) = prefetch.sample_many(rngs[0], 8, 1)
        require_whole(batch)
        np.testing.assert_array_equal(batch.reward, mixtures[1].sample(rngs[1], 8).reward)
    prefetch.close()


class OutOfMemory(Replay):
    """For whoever draws in a thread of its own."""

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]:
        if threading.current_thread().name.startswith(THREAD):
            rng.integers(10)
            raise MemoryError("none left")
        return super().sample(rng, size)


@pytest.mark.parametrize(
    "call",
    [
        lambda prefetch, rng: prefetch.sample_many(rng, 4, 1),
        lambda prefetch, rng: prefetch.sample_many(rng, 5, 1),
        lambda prefetch, rng: prefetch.sample(rng, 4),
        lambda prefetch, rng: prefetch.draw_ahead(rng, 4, 1),
        lambda prefetch, rng: put(prefetch, 1),
        lambda prefetch, rng: prefetch.load(prefetch.state()),
        lambda prefetch, rng: prefetch.close(),
    ],
    ids=["sample_many", "another size", "sample", "draw_ahead", "add", "load", "close"],
)
def test_an_error_of_the_worker_is_raised_by_the_next_call_and_once(
    call: Callable[[Prefetch, np.random.Generator], object],
) -> None:
    prefetch, rng = Prefetch(OutOfMemory(10, (3,), 1)), np.random.default_rng(0)
    put(prefetch, 0)
    prefetch.draw_ahead(rng, 4, 1)
    with pytest.raises(MemoryError, match="none left"):
        call(prefetch, rng)
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
    assert len(prefetch) == 1
    expected = np.random.default_rng(0)
    prefetch.sample_many(rng, 4, 1)
    expected.integers(1, size=4)
    assert rng.bit_generator.state == expected.bit_generator.state
    prefetch.close()


def test_an_interrupt_while_waiting_leaves_the_buffer_to_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buffer, drawn = vectors(FEW), list[Batch[Any]]()
    prefetch, rng = Prefetch(buffer), np.random.default_rng(0)
    for number in range(FEW):
        add(prefetch, told, number)
    half_way, _ = halting(buffer, 0.5)
    record(buffer, drawn)
    prefetch.draw_ahead(rng, 16, 1)
    assert half_way.wait(30.0)

    def interrupted(future: Future[Any]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Future, "exception", interrupted)
        with pytest.raises(KeyboardInterrupt):
            add(prefetch, told, 100)
    # Had the worker been forgotten, the ring would be written over under it now.
    for number in range(100, 100 + FEW):
        add(prefetch, told, number)
    prefetch.close()
    (batch,) = drawn
    require_whole(batch)


def test_too_few_transitions_are_told_as_when_drawn_on_the_spot() -> None:
    prefetch, rng = Prefetch(Replay(10, (3,), 1)), np.random.default_rng(0)
    prefetch.draw_ahead(rng, 4, 1)
    with pytest.raises(ValueError, match="empty replay buffer"):
        prefetch.sample_many(rng, 4, 1)
    prefetch.close()


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(THREAD)]


def test_closing_leaves_no_thread_and_drawing_goes_on() -> None:
    before = workers()
    prefetch, rng = Prefetch(Watched()), np.random.default_rng(0)
    assert workers() == before, "none before there is something to do"
    put(prefetch, 0)
    prefetch.draw_ahead(rng, 4, 1)
    assert len(workers()) == len(before) + 1
    for _ in range(2):
        prefetch.close()
        assert workers() == before
    prefetch.draw_ahead(rng, 4, 1)
    prefetch.sample_many(rng, 4, 1)
    prefetch.close()
    assert workers() == before


def test_an_interpreter_that_ends_waits_for_nothing_but_the_batch_in_hand() -> None:
    program = """
import time
import numpy as np
from robosac.prefetch import Prefetch
from robosac.replay import Replay

class Slow(Replay):
    def sample(self, rng, size):
        time.sleep(0.3)
        return super().sample(rng, size)

prefetch = Prefetch(Slow(5, (2,), 1))
prefetch.add(np.zeros(2), np.zeros(1), 0.0, np.zeros(2), False)
prefetch.draw_ahead(np.random.default_rng(0), 4, 1)
print("over")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")
