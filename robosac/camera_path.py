"""What opens the camera that a robot file names."""

from __future__ import annotations

from drivers.camera.settings import CaptureFactory
from drivers.camera.unix_socket import SCHEME, SocketCamera
from drivers.camera.v4l2 import V4l2Camera


def camera_at(
    path: str, power_line_hz: int | None, dynamic_framerate: bool | None
) -> CaptureFactory:
    """A USB camera under Linux, or `unix:PATH`: one whose pictures another process sends.

    Raises:
        ValueError: another power line frequency, or a socket without a path.
    """
    if path.startswith(SCHEME):
        return SocketCamera(path)
    return V4l2Camera(path, power_line_hz, dynamic_framerate)
