"""The state of a numpy random generator as an array, so that a checkpoint can hold it."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray


def generator_state(rng: np.random.Generator) -> NDArray[np.uint8]:
    """The generator's state as the bytes of its JSON form (its integers exceed 64 bits)."""
    return np.frombuffer(json.dumps(rng.bit_generator.state).encode(), np.uint8)


def restore_generator(rng: np.random.Generator, state: NDArray[np.uint8]) -> None:
    """Set `rng` to a state that `generator_state` returned.

    Raises:
        ValueError: the state is damaged, or belongs to another kind of generator.
    """
    kind = type(rng.bit_generator)
    try:
        document = json.loads(state.tobytes())
        found = document.get("bit_generator") if isinstance(document, dict) else None
        if found != kind.__name__:
            raise ValueError(f"random state is of {found!r}; expected {kind.__name__!r}")
        # Tried on another one first: a state that is refused half-way leaves `rng` as it was.
        kind().state = document
        rng.bit_generator.state = document
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"random state is damaged: {type(error).__name__} {error}") from error
