"""A film or a folder of pictures as a camera: paced, late frames dropped, unplugged at its end.

OpenCV reads files as fast as it can; here frame k is due k periods after the first, on the clock of
the owner, and a reader that comes late gets the frame that is due then, as from a real camera.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, cast

import cv2
import numpy as np

from drivers.camera import properties as cp
from drivers.camera.frames import Image
from drivers.camera.settings import Capture
from drivers.errors import WireClosed

PICTURES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")


def sleep_until(deadline: float) -> None:
    """Sleep until `deadline` (s) of `time.monotonic`; not at all if it has passed."""
    time.sleep(max(0.0, deadline - time.monotonic()))


class Pictures(Protocol):
    """A row of pictures that is read once through, or again from its start."""

    def skip(self) -> bool:
        """Pass over the next picture; False at the end."""
        ...

    def read(self) -> Image | None:
        """Decode the picture passed last: BGR; None: it cannot be decoded."""
        ...

    def rewind(self) -> None:
        """Begin again."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class VideoFile:
    """A film.

    Attributes:
        fps: as the file says, 1/s; 0 or less: it does not say.

    Raises:
        WireClosed: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._film = self._open()
        self.fps = self._film.get(cv2.CAP_PROP_FPS)

    def skip(self) -> bool:
        return self._film.grab()

    def read(self) -> Image | None:
        decoded, image = self._film.retrieve()
        return np.asarray(image, np.uint8) if decoded else None

    def rewind(self) -> None:
        # Opened anew: seeking lands on another frame with some codecs.
        self._film.release()
        self._film = self._open()

    def close(self) -> None:
        self._film.release()

    def _open(self) -> cv2.VideoCapture:
        film = cv2.VideoCapture(str(self._path))
        if not film.isOpened():
            raise WireClosed(f"{self._path} cannot be opened as a film")
        return film


class PictureFolder:
    """A folder's pictures by name.

    Raises:
        WireClosed: there is no such folder, or no picture in it.
    """

    def __init__(self, path: Path) -> None:
        names = sorted(path.iterdir()) if path.is_dir() else []
        self._paths = [name for name in names if name.suffix.lower() in PICTURES]
        if not self._paths:
            raise WireClosed(f"{path} is no folder with pictures ({' '.join(PICTURES)})")
        self._next = 0

    def skip(self) -> bool:
        if self._next >= len(self._paths):
            return False
        self._next += 1
        return True

    def read(self) -> Image | None:
        image = cast("Image | None", cv2.imread(str(self._paths[self._next - 1])))
        return None if image is None else np.asarray(image, np.uint8)

    def rewind(self) -> None:
        self._next = 0

    def close(self) -> None:
        pass


class FileCapture:
    """Pictures as a `Capture`.

    Args:
        pictures: what to show.
        fps: rate of the pictures, 1/s.
        loop: begin again at the end, instead of being unplugged.
        now: the clock, monotonic seconds.
        wait_until: waits on that clock.

    Raises:
        ValueError: `fps` is not positive.
        WireClosed: the first picture cannot be read.
    """

    def __init__(
        self,
        pictures: Pictures,
        fps: float,
        loop: bool,
        now: Callable[[], float],
        wait_until: Callable[[float], None],
    ) -> None:
        if not fps > 0:
            raise ValueError(f"fps must be positive, got {fps}; give it if the file does not say")
        self._pictures, self._fps, self._loop = pictures, fps, loop
        self._now, self._wait_until = now, wait_until
        self._height, self._width = self._first_shape()
        self._start: float | None = None
        self._index = -1
        self._open = True

    def isOpened(self) -> bool:
        return self._open

    def set(self, property_id: int, value: float, /) -> bool:
        """Nothing can be set on a file."""
        return False

    def get(self, property_id: int, /) -> float:
        """Size, rate, and as the stamp the time at which the grabbed picture was due, ms."""
        if property_id == cp.POS_MSEC:
            return 0.0 if self._start is None else self._due(self._start) * 1000.0
        known = {cp.FRAME_WIDTH: self._width, cp.FRAME_HEIGHT: self._height, cp.FPS: self._fps}
        return float(known.get(property_id, -1.0))

    def grab(self) -> bool:
        if not self._open:
            return False
        if self._start is None:
            self._start = self._now()
        due = max(self._index + 1, int((self._now() - self._start) * self._fps))
        while self._index < due:
            self._index += 1
            if not self._pictures.skip() and not self._begin_again():
                return False
        self._wait_until(self._due(self._start))
        return True

    def retrieve(self) -> tuple[bool, Image | None]:
        image = self._pictures.read()
        return image is not None, image

    def release(self) -> None:
        self._open = False
        self._pictures.close()

    def _due(self, start: float) -> float:
        return start + self._index / self._fps

    def _begin_again(self) -> bool:
        if not self._loop:
            return False
        self._pictures.rewind()
        return self._pictures.skip()

    def _first_shape(self) -> tuple[int, int]:
        image = self._pictures.read() if self._pictures.skip() else None
        if image is None:
            self._pictures.close()
            raise WireClosed("the first picture cannot be read")
        self._pictures.rewind()
        height, width = image.shape[:2]
        return height, width


def open_file(
    path: Path,
    fps: float | None = None,
    loop: bool = False,
    now: Callable[[], float] = time.monotonic,
    wait_until: Callable[[float], None] = sleep_until,
) -> Capture:
    """Open a film, or a folder of pictures, as a camera; `functools.partial` makes it a factory.

    The camera's settings then have `controls`, `fourcc` and `buffers` None, and `frozen_after` too
    if pictures repeat themselves.

    Args:
        path: the film or the folder.
        fps: rate, 1/s; None: what the film says. A folder needs it.
        loop: begin again at the end, instead of being unplugged.
        now: the clock, monotonic seconds.
        wait_until: waits on that clock.

    Raises:
        WireClosed: it cannot be read.
        ValueError: no rate is known.
    """
    if path.is_dir():
        return FileCapture(PictureFolder(path), fps or 0.0, loop, now, wait_until)
    film = VideoFile(path)
    return FileCapture(film, film.fps if fps is None else fps, loop, now, wait_until)
