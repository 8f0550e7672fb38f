"""What goes onto the wire in a servo's turn."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """Bytes that one servo puts onto the wire in its turn, or a row of servos all at once."""

    data: bytes
    """b"": it is missing, and its turn passes."""
    size: int
    """Bytes that the turn takes on the wire."""
    delay_s: float
    """What its servo waits of its own accord."""
    hold_s: float = 0.0
    """How much later than that it comes by a fault."""
