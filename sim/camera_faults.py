"""What can be wrong with a rendered camera."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class CaptureFaults:
    """What is wrong with the camera; may be changed at any time.

    In the common vocabulary of faults: off (`unplugged`, `blocked`), stuck (`frozen`), garbage
    (`undecodable`), wrong (`black`, `wrong_size`, `refused`, `forgets_controls`), slow (`slow`),
    delayed (`late_s`), intermittent (`drop`).
    """

    unplugged: bool = False
    """Every grab fails, and it cannot be opened."""
    blocked: bool = False
    """No frame is made; a grab waits 10 s and then fails."""
    raises: OSError | None = None
    """Reading it raises this."""
    frozen: bool = False
    """The same picture for ever, with new stamps."""
    black: bool = False
    undecodable: bool = False
    """Frames arrive, but decoding them fails."""
    wrong_size: bool = False
    """Half the size that was agreed on."""
    slow: int = 1
    """Only every so many-th frame is made, as with automatic exposure in the dark."""
    late_s: float = 0.0
    """From exposure to the queue, s, on top of the camera's own latency."""
    drop: float = 0.0
    """Share of frames that are lost, 0 to 1."""
    no_stamps: bool = False
    """The kernel's stamp is always 0."""
    refused: frozenset[int] = field(default_factory=frozenset[int])
    """Properties that cannot be set, though `set` says they were."""
    forgets_controls: bool = False
    """Falls back to automatic exposure at the first grab after opening."""
