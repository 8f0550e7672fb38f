"""When a store writes, how much may wait, and when it is full. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """Bounds of an outbox.

    Raises:
        ValueError: one is not positive, or the window is longer than 0.1 s.
    """

    window_s: float = 0.05
    """Rows that come within so long are committed together: what a power cut may take, s."""
    most_waiting_bytes: int = 64_000_000
    """Memory between the control loop and the disk; from half of it on the store is full."""
    most_kept_bytes: int = 20_000_000_000
    """Rows that no checkpoint holds, at most: about 2.7 h of two 50 KiB pictures at 20 Hz."""
    reserve_bytes: int = 500_000_000
    """Room on the disk that the store leaves free."""
    most_group_bytes: int = 8_000_000
    """One transaction writes no more, unless a single row is larger."""
    retry_s: float = 1.0
    """Time between two tries to write while the disk refuses, s."""

    def __post_init__(self) -> None:
        if not 0 < self.window_s <= 0.1:
            raise ValueError(f"window_s must be above 0 and at most 0.1 s, got {self.window_s}")
        for name in ("most_waiting_bytes", "most_kept_bytes", "most_group_bytes", "retry_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.reserve_bytes < 0:
            raise ValueError(f"reserve_bytes must not be negative, got {self.reserve_bytes}")


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a store is."""

    waiting_bytes: int
    """In memory."""
    kept_bytes: int
    """On the disk."""
    free_bytes: int
    """Room on the disk."""


def why_full(fill: Fill, limits: StoreLimits) -> str | None:
    """Why the episode should end and no other begin; None: there is room."""
    if 2 * fill.waiting_bytes >= limits.most_waiting_bytes:
        return f"{fill.waiting_bytes} bytes wait for the disk"
    if fill.kept_bytes + fill.waiting_bytes >= limits.most_kept_bytes:
        return f"{fill.kept_bytes} bytes are kept that no checkpoint holds"
    if fill.free_bytes <= limits.reserve_bytes:
        return f"{fill.free_bytes} bytes are free on the disk"
    return None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the disk."""

    since: float
    """When the oldest of it came, s."""
    size: int
    """Bytes."""


def commit_in(
    waiting: Waiting | None, now: float, retry_at: float, closing: bool, limits: StoreLimits
) -> float | None:
    """Seconds until a commit is due (0: now); None: nothing waits.

    Args:
        waiting: what waits, or None.
        now: monotonic, s.
        retry_at: no try before then, s; after a failure.
        closing: nothing more comes, and no disk is waited for.
        limits: the window, and how much makes it end early.
    """
    if waiting is None:
        return None
    if closing:
        return 0.0
    due = now if waiting.size >= limits.most_group_bytes else waiting.since + limits.window_s
    return max(0.0, due - now, retry_at - now)
