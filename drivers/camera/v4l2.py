"""A USB camera under Linux: opened by its stable path, with the controls OpenCV does not reach.

Sources: Linux `videodev2.h` (VIDIOC_QUERYCAP, VIDIOC_G_CTRL, VIDIOC_S_CTRL), `v4l2-controls.h`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Final, cast

import cv2

from drivers.camera import properties as cp
from drivers.camera.frames import SettingMismatch
from drivers.camera.settings import Capture, SettingsRefused
from drivers.errors import DeviceError, DriverError, ProtocolError, WireClosed

Ioctl = Callable[[int, int, bytearray], int]
_CAPABILITY: Final = struct.Struct("=16s32s32s6I")
_CONTROL: Final = struct.Struct("=Ii")
_POWER_LINE: Final = {0: 0, 50: 1, 60: 2}


def _system_ioctl(descriptor: int, request: int, buffer: bytearray) -> int:
    return fcntl.ioctl(descriptor, request, buffer, True)


class V4l2Camera:
    """Opens one camera, as a `CaptureFactory`: call it again after each unplugging.

    Args:
        path: a stable name, /dev/v4l/by-id/...-video-index0; numbers change with each plugging.
        power_line_hz: of the room's lights, against flicker: 50, 60, or 0 for off; None: the camera
            has no such control.
        dynamic_framerate: False keeps the frame rate in the dark; None: it has no such control.
        ioctl: the system's; a test gives its own.

    Raises:
        ValueError: another power line frequency.
    """

    def __init__(
        self,
        path: str,
        power_line_hz: int | None,
        dynamic_framerate: bool | None = False,
        ioctl: Ioctl = _system_ioctl,
    ) -> None:
        if power_line_hz is not None and power_line_hz not in _POWER_LINE:
            raise ValueError(f"power_line_hz must be 50, 60, 0 or None, got {power_line_hz}")
        self.path = path
        self._ioctl = ioctl
        self._controls: list[tuple[str, int, int]] = []
        if power_line_hz is not None:
            value = _POWER_LINE[power_line_hz]
            self._controls.append(("power_line", cp.CID_POWER_LINE_FREQUENCY, value))
        if dynamic_framerate is not None:
            number = cp.CID_EXPOSURE_DYNAMIC_FRAMERATE
            self._controls.append(("dynamic_framerate", number, int(dynamic_framerate)))

    def __call__(self) -> Capture:
        """Check that this is the camera's picture node, set the controls, and open the stream.

        Raises:
            WireClosed: it is not there.
            DeviceError: it takes no pictures, or does not keep a control (SettingsRefused).
        """
        self._prepare()
        return cast(Capture, cv2.VideoCapture(self.path, cv2.CAP_V4L2))

    def _prepare(self) -> None:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise WireClosed(
                f"cannot open {self.path}: {error}; valid is a path under /dev/v4l/by-id"
            ) from error
        try:
            self._check_node(descriptor)
            mismatches = [
                SettingMismatch(name, value, found)
                for name, number, value in self._controls
                if (found := self._set_control(descriptor, number, value)) != value
            ]
        finally:
            os.close(descriptor)
        if mismatches:
            raise SettingsRefused(mismatches)

    def _check_node(self, descriptor: int) -> None:
        buffer = bytearray(_CAPABILITY.size)
        try:
            self._ioctl(descriptor, cp.VIDIOC_QUERYCAP, buffer)
        except OSError as error:
            raise self._told(error, "is no Video4Linux device") from error
        card, capabilities = parse_capability(bytes(buffer))
        if not capabilities & cp.CAP_VIDEO_CAPTURE:
            what = "metadata" if capabilities & cp.CAP_META_CAPTURE else "no pictures"
            raise DeviceError(
                f"{self.path} ({card}) delivers {what}; valid is the camera's other node, whose"
                " name ends in -video-index0"
            )

    def _set_control(self, descriptor: int, number: int, value: int) -> float:
        """Set a control and read it back; NaN: the camera does not know it."""
        try:
            self._ioctl(descriptor, cp.VIDIOC_S_CTRL, bytearray(_CONTROL.pack(number, value)))
            buffer = bytearray(_CONTROL.pack(number, 0))
            self._ioctl(descriptor, cp.VIDIOC_G_CTRL, buffer)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return float("nan")
            raise self._told(error, f"refuses control {number:#x}") from error
        _, found = _CONTROL.unpack(buffer)
        return float(found)

    def _told(self, error: OSError, what: str) -> DriverError:
        if error.errno == errno.ENODEV:
            return WireClosed(f"{self.path} is gone: {error}")
        return DeviceError(f"{self.path} {what}: {error}")


def parse_capability(data: bytes) -> tuple[str, int]:
    """The card's name, and the capabilities of this node, of a struct v4l2_capability.

    Raises:
        ProtocolError: not 104 bytes.
    """
    if len(data) != _CAPABILITY.size:
        raise ProtocolError(f"v4l2_capability has {_CAPABILITY.size} bytes, got {len(data)}")
    _, card, _, _, device, node, *_ = _CAPABILITY.unpack(data)
    name = card.split(b"\0", 1)[0].decode("ascii", "replace")
    return name, node if device & cp.CAP_DEVICE_CAPS else device
