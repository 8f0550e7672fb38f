"""A camera with a thread of its own: the newest frame, with the time it was captured.

The thread drains the driver's queue, so that what is asked for is never what waited there. Decoding
costs milliseconds a frame: a process with a control loop keeps its cameras in another process, and
the process that owns a camera calls `cv2.setNumThreads(1)` when it starts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from drivers.background import Background
from drivers.camera.frames import CameraFrame, CameraStatus
from drivers.camera.judgement import judged, shown
from drivers.camera.pump import CameraPump
from drivers.camera.settings import CameraSettings, CaptureFactory
from drivers.errors import BusTimeout
from drivers.opened import Opened


class Camera(Opened):
    """A running camera; satisfies `drivers.camera.frames.FrameSource`. May be used by any thread.

    Args:
        open_capture: opens the stream by its stable name: `drivers.camera.v4l2.V4l2Camera`, a file
            (`drivers.camera.files`), or a twin.
        settings: what to set and when to give up.
        now: the clock, monotonic seconds.
    """

    def __init__(
        self,
        open_capture: CaptureFactory,
        settings: CameraSettings,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._now = now
        self._pump = CameraPump(open_capture, settings, now)
        self._changed = threading.Condition()
        self._background = Background("the camera")
        self._frame: CameraFrame | None = None
        self._status = CameraStatus()

    def open(self) -> Self:
        """Open the camera and start its thread; later losses it repairs itself.

        Raises:
            WireClosed: it cannot be opened, or does not deliver.
            DeviceError: it is another device, or does not keep its settings (SettingsRefused).
            RuntimeError: it is open already.
        """
        self._background.require_stopped()
        self._pump.open()
        self._publish()
        self._background.start(self._run)
        return self

    def newest(self, now: float) -> CameraFrame | None:
        """The newest frame; None if older than `max_age_s` at `now` (s), or the camera is dead."""
        status, frame = self._judged(now)
        return shown(frame, status, self.settings, now)

    def fresh(self, max_age_s: float) -> CameraFrame:
        """The newest frame, at most `max_age_s` old, and in no case older than the settings allow.

        Raises:
            BusTimeout: there is none; the message says how the camera is.
        """
        now = self._now()
        frame = self.newest(now)
        if frame is None or now - frame.time > max_age_s:
            status, _ = self._judged(now)
            fault = f", {status.fault.value}: {status.detail}" if status.fault else ""
            raise BusTimeout(
                f"no frame younger than {max_age_s:g} s: the newest is {status.age_s(now):.3f} s"
                f" old; the camera is {status.state.value}{fault}"
            )
        return frame

    def wait_newer(self, sequence: int, timeout_s: float) -> CameraFrame | None:
        """Wait for a frame with a higher number than `sequence`; None if none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_newer(sequence), timeout_s)
            return self._frame if self._is_newer(sequence) else None

    def status(self) -> CameraStatus:
        """How the camera is now, even if its driver does not come back from a call."""
        return self._judged(self._now())[0]

    def close(self) -> None:
        """Stop the thread and release the camera; safe to call twice.

        Raises:
            BusTimeout: the driver does not come back from a call; the camera stays with it.
        """
        self._background.stop()

    def _run(self) -> None:
        try:
            while not self._background.stopping.is_set():
                wait_s = self._pump.step()
                self._publish()
                if wait_s > 0.0:
                    self._background.stopping.wait(wait_s)
        finally:
            self._pump.close()
            self._publish()

    def _publish(self) -> None:
        with self._changed:
            self._frame, self._status = self._pump.newest, self._pump.status()
            self._changed.notify_all()

    def _is_newer(self, sequence: int) -> bool:
        return self._frame is not None and self._frame.sequence > sequence

    def _judged(self, now: float) -> tuple[CameraStatus, CameraFrame | None]:
        """The last word of the thread, unless that is too long ago."""
        with self._changed:
            status, frame = self._status, self._frame
        return judged(status, self.settings, now), frame
