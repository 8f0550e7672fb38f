"""A camera whose pictures another process sends over a Unix socket; named `unix:PATH`.

Every message is a header and one BGR picture. It has no controls: what is set is kept, and read
back, but changes nothing; size and rate are those that the sender says.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import Final

import numpy as np

from drivers.camera import properties as cp
from drivers.camera.frames import Image
from drivers.errors import ProtocolError, WireClosed

SCHEME: Final = "unix:"
HEADER: Final = struct.Struct("<4sHHddI")
"""Magic, width and height (px), rate (1/s), CLOCK_MONOTONIC of the exposure (s), bytes to come."""
MAGIC: Final = b"RCAM"
MOST_BYTES: Final = 3 * 4096 * 4096
GRAB_TIMEOUT_S: Final = 10.0
"""As OpenCV's V4L2 backend waits for a frame."""


def frame_message(image: Image, fps: float, exposed_s: float) -> bytes:
    """One picture (BGR, shape (height, width, 3)) as it is sent.

    Raises:
        ValueError: another shape, or a picture that is too large.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not 0 < image.nbytes <= MOST_BYTES:
        raise ValueError(f"a picture has shape (height, width, 3), got {image.shape}")
    height, width, _ = image.shape
    raw = np.ascontiguousarray(image).tobytes()
    return HEADER.pack(MAGIC, width, height, fps, exposed_s, len(raw)) + raw


class SocketCapture:
    """One opening of such a camera; a `drivers.camera.settings.Capture`.

    Args:
        path: of the socket.
        timeout_s: how long a frame is waited for, s.

    Raises:
        WireClosed: nobody is there.
        ProtocolError: something else than a camera is.
    """

    def __init__(self, path: str, timeout_s: float = GRAB_TIMEOUT_S) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open = True
        self._properties: dict[int, float] = {}
        self._image: Image | None = None
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(path)
            # The first frame tells size and rate, which are asked for before any frame is.
            first = self._message()
        except OSError as error:
            self.release()
            raise WireClosed(f"cannot open {SCHEME}{path}: {error}") from error
        except ProtocolError:
            self.release()
            raise
        if first is None:
            self.release()
            raise WireClosed(f"{SCHEME}{path} opens, but sends no picture")

    def isOpened(self) -> bool:
        return self._open

    def set(self, property_id: int, value: float, /) -> bool:
        if property_id not in (cp.FRAME_WIDTH, cp.FRAME_HEIGHT, cp.FPS, cp.POS_MSEC):
            self._properties[property_id] = value
        return True

    def get(self, property_id: int, /) -> float:
        return self._properties.get(property_id, -1.0)

    def grab(self) -> bool:
        if not self._open:
            return False
        try:
            self._image = self._message()
        except OSError:
            self._image = None
        return self._image is not None

    def retrieve(self) -> tuple[bool, Image | None]:
        return self._image is not None, self._image

    def release(self) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _message(self) -> Image | None:
        """The next picture; None: the sender has gone, or is silent for too long.

        Raises:
            ProtocolError: what comes is no picture.
            OSError: the socket fails.
        """
        deadline = time.monotonic() + self._timeout_s
        head = self._exactly(HEADER.size, deadline)
        if head is None:
            return None
        magic, width, height, fps, exposed_s, size = HEADER.unpack(head)
        if magic != MAGIC or size != 3 * width * height or not 0 < size <= MOST_BYTES:
            raise ProtocolError(f"{SCHEME}{self._path} sends no pictures of ours: {head!r}")
        raw = self._exactly(size, deadline)
        if raw is None:
            return None
        sent = {cp.FRAME_WIDTH: width, cp.FRAME_HEIGHT: height, cp.FPS: fps}
        self._properties |= {**sent, cp.POS_MSEC: exposed_s * 1e3}
        return np.frombuffer(raw, dtype=np.uint8).reshape(height, width, 3)

    def _exactly(self, size: int, deadline: float) -> bytearray | None:
        data = bytearray(size)
        view, filled = memoryview(data), 0
        while filled < size:
            left = deadline - time.monotonic()
            if left <= 0.0 or not select.select([self._socket], [], [], left)[0]:
                return None
            got = self._socket.recv_into(view[filled:])
            if not got:
                return None
            filled += got
        return data


class SocketCamera:
    """Opens such a camera, as a `CaptureFactory`: call it again after each loss.

    Args:
        path: `unix:PATH`.

    Raises:
        ValueError: another form.
    """

    def __init__(self, path: str) -> None:
        if not path.startswith(SCHEME) or path == SCHEME:
            raise ValueError(f"a camera of another process is named {SCHEME}PATH, got {path!r}")
        self._path = path.removeprefix(SCHEME)

    def __call__(self) -> SocketCapture:
        return SocketCapture(self._path)
