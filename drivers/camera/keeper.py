"""Which of the pictures that arrive may be shown, and with what time: no I/O, thread or clock."""

from __future__ import annotations

import enum
from collections import deque
from typing import Final, NamedTuple

import cv2
import numpy as np

from drivers.camera.frames import CameraFault, CameraFrame, Image
from drivers.camera.settings import CameraSettings

KERNEL_WINDOW_S: Final = 0.2
"""A first stamp this much before its arrival is of our clock; further off it is another's."""
SAMPLE_STRIDE: Final = 16
"""Every so many-th row and column: nearly always tells two pictures apart by itself."""
SAMPLES_A_SIDE: Final = 16
"""Of a small picture at least so many rows and columns."""
GAP_PERIODS: Final = 1.5
"""A longer gap between two stamps means that a frame is missing."""
RATE_FRAMES: Final = 32
"""The rate is taken over so many frames."""


class Verdict(enum.Enum):
    """What became of a picture."""

    DELIVERED = "delivered"
    IDENTICAL = "identical"
    BLACK = "black"
    DAMAGED = "damaged"


class Stamp(NamedTuple):
    """When a frame was captured, as well as it is known."""

    time: float
    """s"""
    by_kernel: bool
    """False: the time of arrival, for want of a better one."""
    repeated: bool
    """The kernel's stamp has not moved on: this is the buffer of before."""


class StampJudge:
    """Chooses between the kernel's stamp and the time of arrival, both s of the monotonic clock.

    The kernel's is believed if it lies in [arrival - 0.2 s, arrival]. Once it has shown to be of
    our clock, an older one is an old frame and stays old: arrival would make it look fresh.
    """

    def __init__(self) -> None:
        self._last: float | None = None

    def judge(self, host_s: float, kernel_s: float) -> Stamp:
        """The time of the frame that arrived at `host_s` with the stamp `kernel_s`."""
        ours = 0.0 <= host_s - kernel_s <= KERNEL_WINDOW_S
        aged = self._last is not None and self._last <= kernel_s <= host_s
        if not (kernel_s > 0.0 and (ours or aged)):
            return Stamp(host_s, by_kernel=False, repeated=False)
        repeated = self._last is not None and kernel_s <= self._last
        self._last = kernel_s
        return Stamp(kernel_s, by_kernel=True, repeated=repeated)


class FrameKeeper:
    """Judges each picture, keeps the newest good one, and counts the rest.

    Attributes:
        newest: the last frame delivered, whatever its age.
        fault: why the last picture was not delivered; None: it was.
    """

    def __init__(self, settings: CameraSettings) -> None:
        self.newest: CameraFrame | None = None
        self.identical = self.black = self.damaged = self.dropped = self.host_stamped = 0
        self._settings = settings
        self._shape = (settings.height, settings.width, 3)
        self._sequence = 0
        self._delivered_at: deque[float] = deque(maxlen=RATE_FRAMES)
        self._previous: Image | None = None
        self._equal_run = 1
        self.fault: CameraFault | None = None
        self._stamps = StampJudge()
        self._previous_stamp: float | None = None

    def restart(self) -> None:
        """A new stream begins: the pause before it is no gap, and counts for no rate.

        Nothing else is forgotten. A frozen camera that is opened again shows its picture once more,
        and that is not a new one; and what clock the stamps are of tells an old frame from a young.
        """
        self._previous_stamp = None
        self._delivered_at.clear()

    @property
    def delivered(self) -> int:
        """How many frames were delivered."""
        return self._sequence

    @property
    def fps(self) -> float:
        """Rate of the last frames, 1/s; 0 with fewer than two, or if all came at once."""
        times = self._delivered_at
        elapsed = times[-1] - times[0] if times else 0.0
        return (len(times) - 1) / elapsed if elapsed > 0.0 else 0.0

    def accept(self, image: Image | None, host_s: float, kernel_s: float) -> Verdict:
        """Judge a picture: BGR as decoded (None: it could not be), arrival and stamp in s."""
        stamp = self._stamps.judge(host_s, kernel_s)
        self._count_gap(stamp.time)
        if image is None or image.shape != self._shape or image.dtype != np.uint8:
            self.damaged += 1
            self.fault = CameraFault.DAMAGED
            return Verdict.DAMAGED
        if stamp.repeated or self._is_identical(image):
            return self._withhold_identical()
        self._previous, self._equal_run = image, 1
        if float(_sample(image).mean()) < self._settings.black_level:
            self.black += 1
            self.fault = CameraFault.BLACK
            return Verdict.BLACK
        self.fault = None
        self.host_stamped += not stamp.by_kernel
        self._deliver(image, stamp.time)
        return Verdict.DELIVERED

    def _count_gap(self, stamp: float) -> None:
        if self._previous_stamp is not None:
            periods = (stamp - self._previous_stamp) * self._settings.fps
            if periods > GAP_PERIODS:
                self.dropped += round(periods) - 1
        self._previous_stamp = stamp

    def _is_identical(self, image: Image) -> bool:
        if self._settings.frozen_after is None or self._previous is None:
            return False
        if not np.array_equal(_sample(image), _sample(self._previous)):
            return False
        return np.array_equal(image, self._previous)

    def _withhold_identical(self) -> Verdict:
        """An equal picture is never shown as new; so many in a row are a fault."""
        self.identical += 1
        self._equal_run += 1
        limit = self._settings.frozen_after
        if limit is not None and self._equal_run >= limit and self.fault is not CameraFault.BLACK:
            self.fault = CameraFault.FROZEN
        return Verdict.IDENTICAL

    def _deliver(self, image: Image, stamp: float) -> None:
        self._delivered_at.append(stamp)
        self._sequence += 1
        size = self._settings.output_size
        if size is not None:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        rgb.setflags(write=False)
        self.newest = CameraFrame(stamp - self._settings.latency_s, rgb, self._sequence)


def _sample(image: Image) -> Image:
    stride = max(1, min(SAMPLE_STRIDE, min(image.shape[:2]) // SAMPLES_A_SIDE))
    return image[::stride, ::stride]
