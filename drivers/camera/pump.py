"""Opens a camera, takes its frames and opens it again, one step at a time: no thread, no waiting.

Whoever runs it waits between steps; a test does so on a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2

from drivers.camera import properties as cp
from drivers.camera.frames import (
    CameraFault,
    CameraFrame,
    CameraState,
    CameraStatus,
    Image,
    SettingMismatch,
)
from drivers.camera.keeper import FrameKeeper, Verdict
from drivers.camera.settings import (
    CameraSettings,
    Capture,
    CaptureFactory,
    SettingsRefused,
    apply,
    control_steps,
    read_back,
    stream_steps,
)
from drivers.errors import DriverError, WireClosed

BACK_OFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits before the first, second, ... try to open again, s; the last one repeats."""
RECHECK_S: Final = 1.0
"""Some cameras fall back to automatic exposure when the stream starts: look again after this, s."""
QUICK_GRAB_S: Final = 0.002
"""A grab that returns sooner found its frame waiting in the driver's queue."""
BACKLOG_PERIODS: Final = 2.0
"""After a longer pause the queue holds old frames."""
OLDEST_QUEUED_S: Final = 10.0
"""A stamp older than this is another clock's, s."""
MOST_QUEUED: Final = 10
"""OpenCV's V4L2 backend never queues more buffers (MAX_V4L_BUFFERS)."""


class CameraPump:
    """One camera; every method must be called from one thread at a time.

    Args:
        open_capture: opens the stream by its stable name.
        settings: what to set and when to give up.
        now: the clock, monotonic seconds; the kernel's stamps are of CLOCK_MONOTONIC.
        ready: whether another grab comes back at once; None: only grabbing tells.
    """

    def __init__(
        self,
        open_capture: CaptureFactory,
        settings: CameraSettings,
        now: Callable[[], float],
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self.settings = settings
        self._open_capture, self._now, self._ready = open_capture, now, ready
        self._keeper = FrameKeeper(settings)
        self._stream, self._controls = stream_steps(settings), control_steps(settings.controls)
        self._capture: Capture | None = None
        self._state = CameraState.CLOSED
        self._fault: CameraFault | None = None
        self._detail = ""
        self._mismatches: tuple[SettingMismatch, ...] = ()
        self._usable_at = self._last_grab = self._retry_at = float("-inf")
        self._recheck_at: float | None = None
        self._failures = self._overtaken = self._opened = 0

    @property
    def running(self) -> bool:
        """True from opening to closing, also while the camera is lost."""
        return self._state is not CameraState.CLOSED

    @property
    def streaming(self) -> bool:
        """True while there is a stream to take frames from."""
        return self._capture is not None

    @property
    def newest(self) -> CameraFrame | None:
        """The last frame delivered, whatever its age."""
        return self._keeper.newest

    def status(self) -> CameraStatus:
        """How the camera was after the last step."""
        keeper, newest = self._keeper, self._keeper.newest
        return CameraStatus(
            state=self._state,
            fault=self._fault,
            detail=self._detail,
            usable_at=self._usable_at,
            frame_time=float("-inf") if newest is None else newest.time,
            fps=keeper.fps,
            frames=keeper.delivered,
            dropped=keeper.dropped,
            overtaken=self._overtaken,
            identical=keeper.identical,
            black=keeper.black,
            damaged=keeper.damaged,
            host_stamped=keeper.host_stamped,
            opened=self._opened,
            mismatches=self._mismatches,
        )

    def open(self) -> None:
        """Open the stream, set and check everything, and throw the warm-up frames away.

        Raises:
            WireClosed: it cannot be opened, or does not deliver.
            DeviceError: it is another device, or does not keep its settings.
        """
        self._release()
        capture = self._open_capture()
        try:
            self._initialise(capture)
            self._capture = capture
        except DriverError:
            raise
        except (cv2.error, OSError) as error:
            raise WireClosed(f"the camera failed while it was being opened: {error}") from error
        finally:
            if self._capture is None:
                capture.release()
        self._keeper.restart()
        self._opened += 1
        self._state = CameraState.STARTING
        self._usable_at = self._last_grab = self._now()
        self._recheck_at = self._now() + RECHECK_S if self._controls else None

    def step(self) -> float:
        """Take one frame, or try to open again if it is time to; how long to wait then, s."""
        if self._capture is None:
            return self._reopen()
        try:
            self._take_frame(self._capture)
            self._recheck(self._capture)
        except (cv2.error, DriverError, OSError) as error:
            self._die(error)
        return 0.0

    def close(self) -> None:
        """Release the camera; safe to call twice."""
        self._release()
        self._state = CameraState.CLOSED

    def _initialise(self, capture: Capture) -> None:
        if not capture.isOpened():
            raise WireClosed(
                "the camera does not open; valid is the stable path of a camera nobody else holds"
            )
        apply(capture, self._stream)
        apply(capture, self._controls)
        self._check_settings(capture)
        if self.settings.warm_up_frames:
            self._warm_up(capture)

    def _warm_up(self, capture: Capture) -> None:
        image: Image | None = None
        for _ in range(self.settings.warm_up_frames):
            if not capture.grab():
                raise WireClosed("the camera opens, but delivers no frame")
            decoded, picture = capture.retrieve()
            image = picture if decoded else image
        self._check_shape(image)
        # The stream is on only now, and that is when some cameras forget their exposure.
        self._check_settings(capture)

    def _check_settings(self, capture: Capture) -> None:
        self._mismatches = tuple(read_back(capture, [*self._stream, *self._controls]))
        if self._mismatches and self.settings.strict:
            raise SettingsRefused(self._mismatches)

    def _check_shape(self, image: Image | None) -> None:
        """A driver may agree to a size and still send another; never acceptable."""
        if image is None:
            raise WireClosed("the camera's first frames cannot be decoded")
        if image.ndim != 3 or image.shape[2] != 3:
            raise WireClosed(f"the camera sends pictures of shape {image.shape}, not three colours")
        height, width, _ = image.shape
        wanted = (("frame width", self.settings.width), ("frame height", self.settings.height))
        wrong = [
            SettingMismatch(name, size, found)
            for (name, size), found in zip(wanted, (width, height), strict=True)
            if found != size
        ]
        if wrong:
            raise SettingsRefused(wrong)

    def _take_frame(self, capture: Capture) -> None:
        arrived, kernel_s = self._grab_newest(capture)
        decoded, image = capture.retrieve()
        verdict = self._keeper.accept(image if decoded else None, arrived, kernel_s)
        if verdict is Verdict.DELIVERED:
            self._usable_at, self._failures = arrived, 0
            self._state, self._fault, self._detail = CameraState.LIVE, None, ""
            return
        if self._keeper.fault is not None:
            self._state, self._fault = CameraState.BLIND, self._keeper.fault
            self._detail = f"the last picture is {verdict.value}"
        if arrived - self._usable_at > self.settings.deadline_s:
            fault = self._keeper.fault or CameraFault.SILENT
            raise _Unusable(fault, f"no usable frame for {arrived - self._usable_at:.2f} s")

    def _grab_newest(self, capture: Capture) -> tuple[float, float]:
        """Grab past what piled up in the queue: time of arrival and the kernel's stamp, both s."""
        old_s = BACKLOG_PERIODS / self.settings.fps
        paused = self._now() - self._last_grab > old_s
        arrived, kernel_s, waited_s = self._grab(capture)
        for _ in range(MOST_QUEUED):
            # Stamps of another clock lie years away: they tell nothing about the queue.
            queued = paused or old_s < arrived - kernel_s < OLDEST_QUEUED_S
            if not queued or waited_s > QUICK_GRAB_S or not self._may_grab_again():
                break
            self._overtaken += 1
            arrived, kernel_s, waited_s = self._grab(capture)
        self._last_grab = arrived
        return arrived, kernel_s

    def _may_grab_again(self) -> bool:
        return self._ready is None or self._ready()

    def _grab(self, capture: Capture) -> tuple[float, float, float]:
        """Time of arrival, the kernel's stamp, and how long it took, all s."""
        began = self._now()
        if not capture.grab():
            raise WireClosed("the camera delivers no more frames")
        arrived = self._now()
        return arrived, capture.get(cp.POS_MSEC) / 1000.0, arrived - began

    def _recheck(self, capture: Capture) -> None:
        """Look at the controls once more; set them again if they were lost, but only once."""
        if self._recheck_at is None or self._now() < self._recheck_at:
            return
        self._recheck_at = None
        if read_back(capture, self._controls):
            apply(capture, self._controls)
        self._check_settings(capture)

    def _reopen(self) -> float:
        now = self._now()
        if now < self._retry_at:
            return self._retry_at - now
        try:
            self.open()
        except DriverError as error:
            self._die(error)
        return 0.0

    def _die(self, error: Exception) -> None:
        """Give the stream up at once, say why, and set the time of the next try."""
        self._release()
        self._state, self._fault, self._detail = CameraState.DEAD, _fault_of(error), str(error)
        wait = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._retry_at = self._now() + wait
        self._failures += 1

    def _release(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


class _Unusable(DriverError):
    """Frames arrive, but none has been usable for too long."""

    def __init__(self, fault: CameraFault, message: str) -> None:
        self.fault = fault
        super().__init__(message)


def _fault_of(error: Exception) -> CameraFault:
    if isinstance(error, _Unusable):
        return error.fault
    if isinstance(error, SettingsRefused):
        return CameraFault.SETTINGS
    return CameraFault.UNPLUGGED
