"""Pictures to a file that a browser plays, without OpenGL and without an ffmpeg program."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
_CODECS = ("VP90", "VP80")
_KNOWN_NOTE = b"is not supported with codec id"
"""OpenCV says this of every WebM file, then writes it correctly."""


def write_video(path: Path, frames: Sequence[Frame], frames_per_s: float) -> Path:
    """Write frames as VP9 or VP8 WebM, or as animated WebP where OpenCV has no such encoder.

    The file is decoded again before it takes its name.

    Args:
        path: where to; the suffix becomes .webm or .webp.
        frames: uint8 arrays (height, width, 3), RGB, all of one shape; at least one.
        frames_per_s: frames per second.

    Returns:
        The path written.

    Raises:
        ValueError: no frames, or frames of different shapes.
        OSError: the file cannot be written, or does not decode to as many frames.
    """
    _check(frames, frames_per_s)
    for codec in _CODECS:
        aside = path.with_name(f".{path.stem}.part.webm")
        if _encode_webm(aside, frames, frames_per_s, codec):
            return _accept(aside, path.with_suffix(".webm"), count_frames(aside), len(frames))
        aside.unlink(missing_ok=True)
    return write_webp(path, frames, frames_per_s)


def write_webp(path: Path, frames: Sequence[Frame], frames_per_s: float) -> Path:
    """Write frames as an animated WebP (through Pillow); as `write_video` otherwise."""
    from PIL import Image

    _check(frames, frames_per_s)
    aside = path.with_name(f".{path.stem}.part.webp")
    first, *rest = (Image.fromarray(frame) for frame in frames)
    period_ms = round(1000 / frames_per_s)
    first.save(aside, save_all=True, append_images=rest, duration=period_ms, loop=0, quality=80)
    with Image.open(aside) as image:
        found = getattr(image, "n_frames", 1)
    # WebP merges equal neighbours, so fewer frames are in order; none are not.
    return _accept(aside, path.with_suffix(".webp"), min(found, len(frames)), found)


def count_frames(path: Path) -> int:
    """How many frames of a video file decode."""
    import cv2

    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


def _check(frames: Sequence[Frame], frames_per_s: float) -> None:
    if not frames:
        raise ValueError("no frames to write; valid is at least one")
    shapes = {(frame.shape, str(frame.dtype)) for frame in frames}
    shape, kind = next(iter(shapes))
    if len(shapes) != 1 or len(shape) != 3 or shape[2] != 3 or kind != "uint8":
        raise ValueError(f"frames are {shapes}; valid is one shape (height, width, 3) of uint8")
    if not frames_per_s > 0:
        raise ValueError(f"frames_per_s is {frames_per_s}; valid is a positive number")


def _encode_webm(path: Path, frames: Sequence[Frame], frames_per_s: float, codec: str) -> bool:
    """Write all frames; False where this OpenCV has no such encoder."""
    import cv2

    # The chroma planes are half size: an odd last row or column cannot be stored.
    height, width = (size - size % 2 for size in frames[0].shape[:2])
    fourcc = cv2.VideoWriter.fourcc(*codec)
    with _without_known_note():
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, frames_per_s, (width, height))
    if not writer.isOpened():
        return False
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[:height, :width, ::-1]))
    writer.release()
    return True


def _accept(aside: Path, path: Path, found: int, expected: int) -> Path:
    if found != expected or found == 0:
        aside.unlink(missing_ok=True)
        raise OSError(f"{path}: {found} of {expected} frames decode; the file was discarded")
    aside.replace(path)
    return path


@contextmanager
def _without_known_note() -> Iterator[None]:
    """Drop OpenCV's false warning, written past Python to file descriptor 2; pass on the rest."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file:
                if _KNOWN_NOTE not in line:
                    os.write(2, line)
