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
        ValueError: the state belongs to another kind of generator.
    """
    document = json.loads(state.tobytes())
    expected = type(rng.bit_generator).__name__
    if document.get("bit_generator") != expected:
        raise ValueError(
            f"random state is of {document.get('bit_generator')!r}; expected {expected!r}"
        )
    rng.bit_generator.state = document
