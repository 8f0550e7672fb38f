"""A camera without a thread, for a clock that only its owner moves: it takes what is there.

A thread would read a virtual clock at times of its own, and a grab that waits would advance it.
Here frames are taken by whoever asks for the newest, and only those that are waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from drivers.camera.frames import CameraFrame, CameraStatus
from drivers.camera.judgement import judged, shown
from drivers.camera.pump import CameraPump
from drivers.camera.settings import CameraSettings, CaptureFactory
from drivers.opened import Opened


class SteppedCamera(Opened):
    """A camera run by its reader; satisfies `drivers.camera.frames.FrameSource`.

    Ask at least as often as frames come, or the queue fills with old ones. Age, silence and every
    fault are judged as `drivers.camera.device.Camera` does.

    Args:
        open_capture: opens the stream.
        settings: what to set and when to give up; without frames to warm up, which would have to be
            waited for.
        now: the clock, monotonic seconds; never waited on.
        ready: whether the next grab of the open stream comes back at once, be it with a frame or
            with a failure.

    Raises:
        ValueError: frames to warm up.
    """

    def __init__(
        self,
        open_capture: CaptureFactory,
        settings: CameraSettings,
        now: Callable[[], float],
        ready: Callable[[], bool],
    ) -> None:
        if settings.warm_up_frames != 0:
            raise ValueError(
                "a stepped camera cannot wait for frames to warm up: warm_up_frames must be 0, got"
                f" {settings.warm_up_frames}"
            )
        self.settings = settings
        self._now, self._ready = now, ready
        self._pump = CameraPump(open_capture, settings, now, ready)

    def open(self) -> Self:
        """Open the camera; later losses it repairs itself.

        Raises:
            WireClosed: it cannot be opened.
            DeviceError: it is another device, or does not keep its settings (SettingsRefused).
            RuntimeError: it is open already.
        """
        if self._pump.running:
            raise RuntimeError("the camera is open already; close it first")
        self._pump.open()
        # A stream starts with the first question for a frame.
        self._take_waiting()
        return self

    def newest(self, now: float) -> CameraFrame | None:
        """The newest frame; None if older than `max_age_s` at `now` (s), or the camera is dead."""
        self._take_waiting()
        status = judged(self._pump.status(), self.settings, now)
        return shown(self._pump.newest, status, self.settings, now)

    def status(self) -> CameraStatus:
        """How the camera is now."""
        self._take_waiting()
        return judged(self._pump.status(), self.settings, self._now())

    def close(self) -> None:
        """Release the camera; safe to call twice."""
        self._pump.close()

    def _take_waiting(self) -> None:
        """Take every frame that waits; open a lost camera again once its time has come."""
        pump = self._pump
        if pump.running and not pump.streaming:
            pump.step()
        while pump.streaming and self._ready():
            pump.step()
