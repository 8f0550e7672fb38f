"""Finding the right node, and setting what OpenCV does not reach; the test plays the kernel."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera import properties as cp
from drivers.camera.settings import SettingsRefused
from drivers.camera.v4l2 import V4l2Camera, parse_capability
from drivers.errors import DeviceError, ProtocolError, WireClosed

C920 = (
    b"uvcvideo".ljust(16, b"\0")
    + b"HD Pro Webcam C920".ljust(32, b"\0")
    + b"usb-0000:00:14.0-2".ljust(32, b"\0")
    + bytes.fromhex("0c0f0600 0100a084 01002004 00000000 00000000 00000000")
)
"""What v4l2-ctl --all shows of its picture node: capabilities 0x84a00001, node 0x04200001."""
C920_METADATA = C920[:88] + bytes.fromhex("0000a004") + C920[92:]
"""Its other node: 0x04a00000, metadata capture."""


class Kernel:
    """Answers the three requests, and remembers the controls."""

    def __init__(self, capability: bytes = C920) -> None:
        self.capability = capability
        self.controls = {0x00980918: 2, 0x009A0903: 1}
        self.stuck: set[int] = set()
        self.error: int | None = None

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        os.fstat(descriptor)
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        if request == 0x80685600:
            buffer[:] = self.capability
            return 0
        number, value = struct.unpack("=Ii", buffer)
        if number not in self.controls:
            raise OSError(errno.EINVAL, "Invalid argument")
        if request == 0xC008561C and number not in self.stuck:
            self.controls[number] = value
        if request == 0xC008561B:
            buffer[:] = struct.pack("=Ii", number, self.controls[number])
        return 0


@pytest.fixture
def node(tmp_path: Path) -> str:
    path = tmp_path / "usb-046d_HD_Pro_Webcam_C920-video-index0"
    path.touch()
    return str(path)


def test_power_line_and_frame_rate_are_set_before_the_stream(node: str) -> None:
    kernel = Kernel()
    capture = V4l2Camera(node, power_line_hz=50, ioctl=kernel.ioctl)()
    assert kernel.controls == {0x00980918: 1, 0x009A0903: 0}
    # An ordinary file has no stream: OpenCV says so, and the pump refuses it.
    assert not capture.isOpened()


def test_controls_that_do_not_exist_are_left_alone_when_told_so(node: str) -> None:
    kernel = Kernel()
    V4l2Camera(node, power_line_hz=None, dynamic_framerate=None, ioctl=kernel.ioctl)()
    assert kernel.controls == {0x00980918: 2, 0x009A0903: 1}


def test_a_control_that_is_not_kept_or_not_there_is_refused(node: str) -> None:
    kernel = Kernel()
    kernel.stuck = {cp.CID_POWER_LINE_FREQUENCY}
    with pytest.raises(SettingsRefused, match="power_line is 2, wanted 1"):
        V4l2Camera(node, power_line_hz=50, ioctl=kernel.ioctl)()
    del kernel.controls[cp.CID_EXPOSURE_DYNAMIC_FRAMERATE]
    with pytest.raises(SettingsRefused, match="dynamic_framerate is nan, wanted 0"):
        V4l2Camera(node, power_line_hz=None, ioctl=kernel.ioctl)()


def test_the_metadata_node_is_not_taken_for_the_camera(node: str) -> None:
    with pytest.raises(DeviceError, match=r"HD Pro Webcam C920\) delivers metadata"):
        V4l2Camera(node, 50, ioctl=Kernel(C920_METADATA).ioctl)()


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (errno.ENODEV, WireClosed, "is gone"),
        (errno.ENOTTY, DeviceError, "no Video4Linux device"),
    ],
)
def test_errors_of_the_system_are_told_apart(
    node: str, number: int, error: type[Exception], message: str
) -> None:
    kernel = Kernel()
    kernel.error = number
    with pytest.raises(error, match=message):
        V4l2Camera(node, 50, ioctl=kernel.ioctl)()


def test_the_systems_own_ioctl_on_what_is_no_camera() -> None:
    with pytest.raises(DeviceError, match="no Video4Linux device"):
        V4l2Camera("/dev/null", 50)()


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WireClosed, match="/dev/v4l/by-id"):
        V4l2Camera(str(tmp_path / "unplugged"), 50)()


def test_only_power_lines_that_exist() -> None:
    with pytest.raises(ValueError, match="50, 60, 0 or None"):
        V4l2Camera("/dev/video0", 55)


def test_a_capability_is_read_for_the_node_and_not_the_whole_device() -> None:
    assert parse_capability(C920) == ("HD Pro Webcam C920", 0x04200001)
    assert parse_capability(C920_METADATA) == ("HD Pro Webcam C920", 0x04A00000)
    older = C920[:84] + bytes.fromhex("01000004") + bytes(16)
    assert parse_capability(older) == ("HD Pro Webcam C920", 0x04000001)


@given(st.binary(max_size=110))
def test_any_bytes_are_a_capability_or_a_protocol_error(data: bytes) -> None:
    try:
        name, capabilities = parse_capability(data)
    except ProtocolError:
        assert len(data) != 104
    else:
        assert len(name) <= 32
        assert 0 <= capabilities < 1 << 32
