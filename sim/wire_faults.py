"""Damage to single messages of a wire, from a seeded generator.

`RandomFaults` damages at once and fits any `TwinWire`. What needs time, a message that comes late
or in two parts, and what is scripted is the work of `sim.faulty_line`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from sim.fault_spec import Kind
from sim.wire import Direction
from sim.wire_framing import LINES, Framing


@dataclass(frozen=True)
class FaultRates:
    """How likely each kind of damage is for every message, 0 to 1."""

    drop: float = 0.0
    flip: float = 0.0
    """One bit turned over."""
    truncate: float = 0.0
    """Cut off at a random byte."""
    duplicate: float = 0.0
    wrong_id: float = 0.0
    """A reply with a right check, but from somebody else."""

    def items(self) -> tuple[tuple[Kind, float], ...]:
        """Every kind with its rate, in a fixed order."""
        return (
            (Kind.DROP, self.drop),
            (Kind.FLIP, self.flip),
            (Kind.TRUNCATE, self.truncate),
            (Kind.DUPLICATE, self.duplicate),
            (Kind.WRONG_ID, self.wrong_id),
        )


class RandomFaults:
    """Damages what passes, message by message.

    Attributes:
        rates: may be exchanged at any time.
        damaged: how many messages did not arrive as they were sent.
    """

    def __init__(
        self, rates: FaultRates, rng: np.random.Generator, framing: Framing = LINES
    ) -> None:
        self.rates = rates
        self.damaged = 0
        self._rng, self._framing = rng, framing

    def mangle(self, data: bytes, direction: Direction) -> bytes:
        """What arrives in place of `data`."""
        return b"".join(self._mangle_one(piece) for piece in self._framing.cut(data))

    def _mangle_one(self, piece: bytes) -> bytes:
        rng = self._rng
        kinds = [kind for kind, rate in self.rates.items() if rng.random() < rate]
        arrives = damage(piece, kinds, self._framing, rng)
        self.damaged += arrives != piece
        return arrives


def damage(
    piece: bytes, kinds: Collection[Kind], framing: Framing, rng: np.random.Generator
) -> bytes:
    """What is left of one message after everything in `kinds` that takes no time."""
    if Kind.DROP in kinds or not piece:
        return b""
    if Kind.WRONG_ID in kinds:
        piece = framing.relabel(piece)
    if Kind.FLIP in kinds:
        index = int(rng.integers(len(piece)))
        bit = 1 << int(rng.integers(8))
        piece = piece[:index] + bytes([piece[index] ^ bit]) + piece[index + 1 :]
    if Kind.TRUNCATE in kinds:
        piece = piece[: int(rng.integers(len(piece)))]
    return piece * 2 if Kind.DUPLICATE in kinds else piece
