"""Updates recorded once and replayed: on a GPU the CPU no longer asks for each of their kernels.

An update is a hundred kernels of a few microseconds each, and asking for one takes the CPU as long.
A CUDA graph asks for all of them at once. What is recorded is the one page, `update`, unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Generic, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.sac.learner import Batch, Learner, Losses, PolicyT
from robosac.sac.settings import Core
from robosac.sac.staging import Memory, Staging, shapes_of

UPDATES_PER_CALL = 20
"""Updates of one recording, where so many are asked for at once."""
WARM_UPS = 2
"""Updates before the first recording: libraries choose and load their kernels then."""
LOSS_NAMES = tuple(field.name for field in fields(Losses))


class Recorder(Memory, Protocol):
    """Records work on a device and replays it."""

    def record(self, work: Callable[[], None], generator: torch.Generator) -> Callable[[], None]:
        """What does `work` again, on the same memory; may do it now, or not.

        Random numbers are the generator's next ones each time.
        """
        ...

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do `work` now, so that it can be recorded afterwards."""
        ...


class CudaRecorder:
    """CUDA graphs on one device."""

    def host_block(self, size: int) -> Tensor:
        """Page-locked, so that a transfer need not wait."""
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def mark(self) -> Callable[[], None]:
        """An event on the present stream."""
        event = torch.cuda.Event()
        event.record()
        return event.synchronize

    def record(self, work: Callable[[], None], generator: torch.Generator) -> Callable[[], None]:
        """Capture `work` in a graph; it is not done now."""
        graph = torch.cuda.CUDAGraph()
        # Else its numbers would be those of the recording each time.
        graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            work()
        return graph.replay

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do `work` on a stream of its own, as capture will."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)


class GraphedLearner(Generic[PolicyT]):
    """A learner whose updates are recorded at the first batch, and replayed from then on.

    The learner is this object's alone from now on: its buffers must stay where they were recorded.
    States are those of the learner itself, and a state that is loaded is what the next replay works
    on. A batch of another shape is recorded anew.

    Args:
        learner: on the recorder's device.
        recorder: of that device.
        updates_per_call: updates of the larger recording; the smaller makes one.
    """

    def __init__(
        self,
        learner: Learner[PolicyT],
        recorder: Recorder,
        updates_per_call: int = UPDATES_PER_CALL,
    ) -> None:
        if updates_per_call < 1:
            raise ValueError(f"updates_per_call must be 1 or more, got {updates_per_call}")
        self._learner, self._recorder = learner, recorder
        self.updates_per_call = updates_per_call
        """Batches that `update_many` makes the most of."""
        self.action_dim, self.target_entropy = learner.action_dim, learner.target_entropy
        self._staging: Staging | None = None
        self._recordings: dict[int, _Recording] = {}

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self._learner.updates

    @property
    def core(self) -> Core:
        """As the learner's."""
        return self._learner.core

    def go_on_with(self, core: Core) -> bool:
        """As the learner's."""
        return self._learner.go_on_with(core)

    def update(self, batch: Batch) -> Losses:
        """As the learner's."""
        return self.update_many([batch])[0]

    def update_many(self, batches: Sequence[Batch]) -> list[Losses]:
        """An update for each batch, in their order; `updates_per_call` of them are one call.

        Raises:
            ValueError: the batches are not of one shape.
        """
        shapes = [shapes_of(batch) for batch in batches]
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(f"batches of several shapes: {shapes}; expected one")
        losses: list[Losses] = []
        while len(losses) < len(batches):
            rest = batches[len(losses) :]
            count = self.updates_per_call if len(rest) >= self.updates_per_call else 1
            losses += self._replay(rest[:count])
        return losses

    def begin_episode(self) -> None:
        """As the learner's."""
        self._learner.begin_episode()

    def act(self, observation: Any, deterministic: bool) -> NDArray[np.float32]:
        """As the learner's."""
        return self._learner.act(observation, deterministic)

    def policy(self) -> PolicyT:
        """As the learner's: a copy, unless it is on the CPU."""
        return self._learner.policy()

    def state(self) -> dict[str, NDArray[Any]]:
        """As the learner's."""
        return self._learner.state()

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """As the learner's; it is loaded in place, so recordings stay valid.

        Raises:
            ValueError: it does not fit.
        """
        self._learner.load(state)

    def recorded(self, count: int) -> Callable[[], None]:
        """The bare replay of `count` updates over what was put last, to be timed; counts nothing.

        Raises:
            KeyError: so many were not recorded.
        """
        return self._recordings[count].replay

    def _replay(self, batches: Sequence[Batch]) -> list[Losses]:
        """As many updates as a recording makes."""
        staging = self._room_for(batches[0])
        staging.put(batches)
        count = len(batches)
        if count not in self._recordings:
            self._recordings[count] = self._record(staging, count)
        recording = self._recordings[count]
        recording.replay()
        self._learner.updates += count
        # The next replay writes over them, and averages are taken over many updates.
        return [Losses(*row.unbind()) for row in recording.losses.clone().unbind()]

    def _room_for(self, batch: Batch) -> Staging:
        """The staging that fits; where it is another, what was recorded is forgotten."""
        if self._staging is None or self._staging.shapes != shapes_of(batch):
            self._recordings.clear()
            self._staging = None
            learner, slots = self._learner, self.updates_per_call
            self._staging = Staging(batch, slots, learner.dtype, learner.device, self._recorder)
        return self._staging

    def _record(self, staging: Staging, count: int) -> _Recording:
        """Record `count` updates; the learner is left as it was."""
        learner = self._learner
        losses = torch.empty((count, len(LOSS_NAMES)), dtype=learner.dtype, device=learner.device)

        def work() -> None:
            for slot in range(count):
                seen = learner.update(staging.batch(slot))
                torch.stack([getattr(seen, name) for name in LOSS_NAMES], out=losses[slot])

        before = learner.state()
        try:
            if not self._recordings:
                for _ in range(WARM_UPS):
                    self._recorder.warm_up(lambda: _once(learner, staging))
            replay = self._recorder.record(work, learner.generator)
        finally:
            learner.load(before)
        return _Recording(replay, losses)


class _Recording:
    """A replay, and where it writes what its updates saw, (updates, losses)."""

    def __init__(self, replay: Callable[[], None], losses: Tensor) -> None:
        self.replay, self.losses = replay, losses


def _once(learner: Learner[Any], staging: Staging) -> None:
    learner.update(staging.batch(0))
