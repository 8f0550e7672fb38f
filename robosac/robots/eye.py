"""The robot's camera: what it shows at present, and why it shows nothing."""

from __future__ import annotations

from typing import Protocol

from drivers.camera.frames import CameraFrame, CameraState, CameraStatus
from robosac.hal import CameraView, Frame


class Camera(Protocol):
    """What the robot needs of a camera."""

    def newest(self, now: float) -> CameraFrame | None:
        """The newest frame at `now` (s); None: there is none that is young enough."""
        ...

    def status(self) -> CameraStatus:
        """How it is."""
        ...

    def close(self) -> None:
        """Release it; safe to call twice."""
        ...


def look(camera: Camera, now: float) -> CameraView:
    """What `camera` shows at `now` (s): its newest good picture while that is young enough."""
    frame = camera.newest(now)
    if frame is not None:
        return CameraView(Frame(frame.time, frame.image, frame.sequence))
    status = camera.status()
    if status.fault is not None:
        return CameraView(None, status.fault.value)
    return CameraView(None, "unplugged" if status.state is CameraState.CLOSED else "late")
