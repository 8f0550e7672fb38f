"""What a camera delivers, and how it says that it cannot."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class CameraFrame:
    """One picture."""

    time: float
    """Monotonic time of the exposure, s: the stamp less the calibrated latency, not the arrival."""
    image: Image
    """Shape (height, width, 3), RGB, contiguous, not writeable."""
    sequence: int
    """Counts the frames that were delivered, from 1; never starts again."""


class FrameSource(Protocol):
    """Anything that delivers pictures."""

    def newest(self, now: float) -> CameraFrame | None:
        """The newest frame at `now` (s); None: there is none that is young enough."""
        ...


class CameraState(enum.Enum):
    """How a camera is."""

    STARTING = "starting"
    """The stream is on, and its first frame is still to come."""
    LIVE = "live"
    BLIND = "blind"
    """Frames arrive, but not one that can be used; the fault says why."""
    DEAD = "dead"
    """No stream: unplugged, silent, refused, or being opened again."""
    CLOSED = "closed"


class CameraFault(enum.Enum):
    """Why there is no usable frame."""

    UNPLUGGED = "unplugged"
    """It cannot be opened, or reading it failed."""
    SILENT = "silent"
    """No frame came before the deadline."""
    FROZEN = "frozen"
    """The same picture again and again; a live sensor has noise."""
    BLACK = "black"
    """Cap on, lights out, or an exposure that was lost."""
    DAMAGED = "damaged"
    """Frames that cannot be decoded, or of another shape than was set."""
    SETTINGS = "settings"
    """The camera does not keep what was set."""


@dataclass(frozen=True, slots=True)
class SettingMismatch:
    """A setting that the camera did not take."""

    name: str
    wanted: float
    found: float
    """NaN: the camera does not tell."""

    def __str__(self) -> str:
        return f"{self.name} is {self.found:g}, wanted {self.wanted:g}"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A snapshot of how a camera is, and of its counters since it was made."""

    state: CameraState = CameraState.CLOSED
    fault: CameraFault | None = None
    """What is wrong at present."""
    detail: str = ""
    """The fault in words."""
    usable_at: float = float("-inf")
    """When the last usable frame arrived, or the stream was opened if that was later, s."""
    frame_time: float = float("-inf")
    """Time of the newest delivered frame, s."""
    fps: float = 0.0
    """Rate of the last delivered frames, 1/s; 0: fewer than two."""
    frames: int = 0
    """Delivered."""
    dropped: int = 0
    """Never came: gaps between stamps."""
    overtaken: int = 0
    """Thrown away unread, because a newer one was waiting behind."""
    identical: int = 0
    """Withheld: equal to the one before, bit for bit, or with the same stamp."""
    black: int = 0
    """Withheld."""
    damaged: int = 0
    """Withheld: not decodable, or of a wrong shape."""
    host_stamped: int = 0
    """Delivered with the time of arrival, for want of a believable stamp from the kernel."""
    opened: int = 0
    """Times the stream was opened with all its settings."""
    mismatches: tuple[SettingMismatch, ...] = ()
    """Settings that the camera did not take, found when last looked."""

    def age_s(self, now: float) -> float:
        """How old the newest frame is at `now` (s); infinite before the first."""
        return now - self.frame_time
