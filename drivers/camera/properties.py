"""Numbers of OpenCV's capture interface and of Video4Linux: constants only.

Sources: OpenCV 5.0 `videoio.hpp` (VideoCaptureProperties); Linux `videodev2.h`, `v4l2-controls.h`.
"""

from __future__ import annotations

from typing import Final

POS_MSEC: Final = 0
"""On V4L2: the kernel's stamp of the grabbed buffer, ms of CLOCK_MONOTONIC."""
FRAME_WIDTH: Final = 3
FRAME_HEIGHT: Final = 4
FPS: Final = 5
FOURCC: Final = 6
GAIN: Final = 14
EXPOSURE: Final = 15
"""On V4L2: units of 100 us."""
AUTO_EXPOSURE: Final = 21
FOCUS: Final = 28
BUFFERSIZE: Final = 38
AUTOFOCUS: Final = 39
AUTO_WB: Final = 44
WB_TEMPERATURE: Final = 45
"""K"""

EXPOSURE_UNIT_S: Final = 1e-4
"""V4L2_CID_EXPOSURE_ABSOLUTE counts in these, s."""
EXPOSURE_MANUAL: Final = 1
"""V4L2_EXPOSURE_MANUAL"""
EXPOSURE_APERTURE_PRIORITY: Final = 3
"""V4L2_EXPOSURE_APERTURE_PRIORITY: what webcams call automatic."""

VIDIOC_QUERYCAP: Final = 0x80685600
"""Fills struct v4l2_capability: driver[16], card[32], bus_info[32], then version, capabilities,
device_caps and 3 reserved words of 32 bits; 104 bytes."""
VIDIOC_G_CTRL: Final = 0xC008561B
"""Fills struct v4l2_control: u32 id, s32 value."""
VIDIOC_S_CTRL: Final = 0xC008561C
CAP_VIDEO_CAPTURE: Final = 0x0000_0001
CAP_META_CAPTURE: Final = 0x0080_0000
CAP_DEVICE_CAPS: Final = 0x8000_0000
"""Set if device_caps tells about this node, and not about the whole device."""
CID_POWER_LINE_FREQUENCY: Final = 0x0098_0918
"""0 off, 1: 50 Hz, 2: 60 Hz"""
CID_EXPOSURE_DYNAMIC_FRAMERATE: Final = 0x009A_0903
"""V4L2_CID_EXPOSURE_AUTO_PRIORITY: 1 lets the camera halve its rate in the dark."""


def fourcc(code: str) -> int:
    """The number of a four-letter pixel format, such as "MJPG".

    Raises:
        ValueError: not four ASCII letters.
    """
    if len(code) != 4 or not code.isascii():
        raise ValueError(f"a pixel format has four ASCII letters such as 'MJPG', got {code!r}")
    return int.from_bytes(code.encode("ascii"), "little")
