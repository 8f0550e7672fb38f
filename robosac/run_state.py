"""What a run's checkpoint holds besides its counters: learner, replay, random generators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robosac import checkpoint
from robosac.errors import RunFolderError
from robosac.generators import restore_generator

KEPT_CHECKPOINTS = 2
EXPLORATION, SAMPLING = "random.exploration", "random.sampling"


class Stateful(Protocol):
    """A learner or a replay buffer."""

    def state(self) -> dict[str, NDArray[Any]]: ...
    def load(self, state: Mapping[str, NDArray[Any]]) -> None: ...


def save_state(
    run: Path,
    learner: Stateful,
    replay: Stateful | None,
    generators: Mapping[str, NDArray[np.uint8]],
    document: Mapping[str, Any],
) -> None:
    """Write the checkpoint of `document["step"]`, and of its `updates` where it tells them.

    The oldest but KEPT_CHECKPOINTS are removed.

    Args:
        run: the run's folder.
        learner: under the prefix `learner.`.
        replay: under the prefix `replay.`; None: it is kept elsewhere.
        generators: states by name, see EXPLORATION and SAMPLING.
        document: counters.

    Raises:
        FileExistsError: this step has a checkpoint.
        OSError: the disk refuses; no checkpoint appears.
    """
    tensors = {f"learner.{name}": value for name, value in learner.state().items()}
    if replay is not None:
        tensors |= {f"replay.{name}": value for name, value in replay.state().items()}
    tensors |= generators
    folder = checkpoint.folder_for(run, document["step"], document.get("updates"))
    checkpoint.save(folder, tensors, document)
    checkpoint.prune(run, KEPT_CHECKPOINTS)


def load_state(
    folder: Path,
    learner: Stateful,
    replay: Stateful | None,
    generators: Mapping[str, np.random.Generator],
    seed: int,
) -> dict[str, Any]:
    """Take over a checkpoint; return its document.

    Raises:
        RunFolderError: it is damaged, or does not fit this run.
    """
    tensors, document = checkpoint.load(folder)
    if document["seed"] != seed:
        raise RunFolderError(f"{folder} has seed {document['seed']}, not {seed}")
    try:
        learner.load(_part(tensors, "learner."))
        if replay is not None:
            replay.load(_part(tensors, "replay."))
        for name, generator in generators.items():
            restore_generator(generator, tensors[name])
    except (KeyError, ValueError) as error:
        raise RunFolderError(f"{folder} does not fit this run: {error}") from error
    return document


def _part(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
