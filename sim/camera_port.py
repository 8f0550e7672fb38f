"""A twin's camera on a Unix socket: what `drivers.camera.unix_socket` opens."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from drivers.camera import properties as cp
from drivers.camera.unix_socket import SCHEME, frame_message
from sim.camera_capture import RenderedCamera, RenderedCapture

BUFFER_BYTES: Final = 1 << 20
"""Room for whole frames, so that sending one seldom takes two turns."""


class CameraPort:
    """Sends a camera's frames to at most one client; frames that it does not take are lost.

    Args:
        camera: the camera; its frames are exposed when `turn` is called.
        path: of the socket to make.
        monotonic: the machine's clock, whose stamps a driver understands, s.
        what: what it sees, in words.
        sheet: what a robot file says of such a camera, beside its path.

    Raises:
        OSError: the socket cannot be made.
    """

    def __init__(
        self,
        camera: RenderedCamera,
        path: Path,
        monotonic: Callable[[], float],
        what: str = "pictures",
        sheet: Mapping[str, object] | None = None,
    ) -> None:
        self.camera, self.what, self.sheet = camera, what, sheet or {}
        self._file, self._monotonic = path, monotonic
        self._capture: RenderedCapture = camera.open()
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None
        self._unsent = memoryview(b"")
        self.plug_in()

    @property
    def path(self) -> str:
        """What a robot file names."""
        return f"{SCHEME}{self._file}"

    @property
    def plugged(self) -> bool:
        """False while the cable is out."""
        return self._listener is not None

    def plug_in(self) -> None:
        """Put the cable back."""
        if self._listener is not None:
            return
        self._file.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._file))
            listener.listen(1)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self._listener = listener

    def unplug(self) -> None:
        """Pull the cable: the client's next call fails, and the name is gone."""
        self._drop()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._file.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the socket back; safe to call twice."""
        self.unplug()

    def turn(self) -> None:
        """Expose what is due, and send what there is room for."""
        camera, now = self.camera, self.camera.now()
        camera.expose_due(now)
        while camera.ready() and self._capture.grab():
            shown, image = self._capture.retrieve()
            if shown and image is not None and not self._unsent:
                exposed = self._capture.get(cp.POS_MSEC) / 1000.0
                stamp = self._monotonic() - (now - exposed)
                self._unsent = memoryview(frame_message(image, camera.fps, stamp))
        self._accept()
        self._send()

    def _accept(self) -> None:
        if self._listener is None:
            return
        with contextlib.suppress(BlockingIOError):
            client, _ = self._listener.accept()
            self._drop()
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            self._client = client

    def _send(self) -> None:
        if self._client is None:
            self._unsent = memoryview(b"")
        elif self._unsent:
            try:
                sent = self._client.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self._drop()
                return
            self._unsent = self._unsent[sent:]

    def _drop(self) -> None:
        """Forget the client and what it had not taken yet."""
        self._unsent = memoryview(b"")
        if self._client is not None:
            self._client.close()
            self._client = None
