"""Random damage for a twin's wire, from a generator that can be seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.wire import Direction


@dataclass(frozen=True)
class FaultRates:
    """How likely each kind of damage is, for every line or other piece of bytes; 0 to 1."""

    drop: float = 0.0
    flip: float = 0.0
    """One bit turned over."""
    truncate: float = 0.0
    """Cut off at a random byte."""
    duplicate: float = 0.0


class RandomFaults:
    """Damages what passes, piece by piece: a piece ends with a line end or with the chunk.

    Attributes:
        rates: may be exchanged at any time.
        damaged: how many pieces did not arrive as they were sent.
    """

    def __init__(self, rates: FaultRates, rng: np.random.Generator) -> None:
        self.rates = rates
        self.damaged = 0
        self._rng = rng

    def mangle(self, data: bytes, direction: Direction) -> bytes:
        return b"".join(self._mangle_one(piece) for piece in data.splitlines(keepends=True))

    def _mangle_one(self, piece: bytes) -> bytes:
        drop, flip, truncate, duplicate = self._rng.random(4) < (
            self.rates.drop,
            self.rates.flip,
            self.rates.truncate,
            self.rates.duplicate,
        )
        self.damaged += bool(drop or flip or truncate or duplicate)
        if drop:
            return b""
        if flip:
            index = int(self._rng.integers(len(piece)))
            bit = 1 << int(self._rng.integers(8))
            piece = piece[:index] + bytes([piece[index] ^ bit]) + piece[index + 1 :]
        if truncate:
            piece = piece[: int(self._rng.integers(len(piece)))]
        return piece * 2 if duplicate else piece
