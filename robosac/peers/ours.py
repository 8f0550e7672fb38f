"""robosac's own learner and replays as contenders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from robosac.frame_replay import FrameReplay
from robosac.peers.contender import Case, Rows, single_rows
from robosac.replay import Replay
from robosac.sac import Sac, SacSettings
from robosac.sac.native.agent import NativeSac, library_with_units
from robosac.sac.settings import Products

ENTROPY = 0
"""Of the generator that draws; any number."""


class OurReplay:
    """Draws batches of vectors, or of pictures that are stored once."""

    def __init__(self, case: Case) -> None:
        self.replay: Any
        if case.side:
            shape = (case.side, case.side, 3)
            self.replay = FrameReplay(case.rows, shape, case.observation, case.action)
        else:
            self.replay = Replay(case.rows, (case.observation,), case.action)
        self._batch = case.batch
        self._rng = np.random.default_rng(ENTROPY)

    def fill(self, rows: Iterable[Rows]) -> None:
        """See `robosac.peers.contender.Contender`."""
        for observation, action, reward, next_observation in single_rows(rows):
            self.replay.add(observation, action, reward, next_observation, False)

    def sample(self) -> Any:
        """A batch."""
        return self.replay.sample(self._rng, self._batch)

    def run(self, count: int) -> None:
        """See `robosac.peers.contender.Contender`."""
        for _ in range(count):
            self.sample()

    def transition_bytes(self) -> int:
        """See `robosac.peers.contender.Contender`."""
        return self.replay.transition_bytes


class OurLearner(OurReplay):
    """The update that `robosac train` makes by recipe `paper`, sampling included."""

    def __init__(self, case: Case, products: Products = "float32") -> None:
        super().__init__(case)
        self._products: Products = products
        torch.set_float32_matmul_precision("highest" if products == "float32" else "medium")
        self.agent = self._made(SacSettings(batch_size=case.batch, hidden_units=case.hidden), case)

    def run(self, count: int) -> None:
        """See `robosac.peers.contender.Contender`."""
        for _ in range(count):
            self.agent.update(self.sample())

    def _made(self, settings: SacSettings, case: Case) -> Sac:
        return Sac(settings, case.observation, case.action, seed=0)


class OurNativeLearner(OurLearner):
    """The same by the native core, which is what `robosac train` takes where it can be had.

    Raises:
        NativeUnavailable: it cannot.
    """

    def _made(self, settings: SacSettings, case: Case) -> Sac:
        library = library_with_units(self._products)
        # As many as the process' libraries are held to.
        threads = torch.get_num_threads()
        return NativeSac(library, settings, case.observation, case.action, 0, threads=threads)
