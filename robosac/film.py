"""Pictures of an evaluation: the robot from outside, and beside it what its camera shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
FILM_S = 10.0
"""Episodes are filmed from the first on, until there is this much robot time."""
MOST_FRAMES_PER_S = 25.0
STRIP, GAP, FONT_SIZE = 26, 8, 14
"""Pixels: height of the caption below, width between the pictures, and height of the letters."""
BACK, INK = (23, 28, 35), (231, 235, 240)


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """What is shown beside the outside view."""

    image: Picture | None
    """None: there was no picture; the caption says why."""
    caption: str


def camera_picture(observation: object, info: Mapping[str, Any]) -> CameraPicture | None:
    """The policy's own picture, or that of the robot's camera; None for a robot without one.

    Args:
        observation: what the policy sees: a vector, or a mapping with an `image`.
        info: the step's, with the executor's `ticks`.
    """
    if isinstance(observation, Mapping) and "image" in observation:
        image = np.asarray(observation["image"])
        return CameraPicture(image, f"what the policy sees, {image.shape[1]} x {image.shape[0]}")
    view = info["ticks"][-1].state.camera if info["ticks"] else None
    if view is None:
        return None
    if view.frame is None:
        return CameraPicture(None, f"camera: {view.fault or 'no picture'}")
    height, width = view.frame.image.shape[:2]
    return CameraPicture(view.frame.image, f"camera, {width} x {height}, not seen by the policy")


def compose(outside: Picture, caption: str, beside: CameraPicture | None = None) -> Picture:
    """One frame: the outside view, the camera's picture enlarged to its height, captions below."""
    from PIL import Image, ImageDraw

    height, width = outside.shape[:2]
    total = width if beside is None else width + GAP + height
    canvas = np.empty((height + STRIP, total, 3), np.uint8)
    canvas[:] = BACK
    canvas[:height, :width] = outside
    if beside is not None and beside.image is not None:
        shown = enlarged(beside.image, height)
        top, left = (height - shown.shape[0]) // 2, (height - shown.shape[1]) // 2
        left += width + GAP
        canvas[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    drawn = Image.fromarray(canvas)
    pen, font = ImageDraw.Draw(drawn), _font()
    middle = height + STRIP // 2
    pen.text((6, middle), caption, INK, font, anchor="lm")
    if beside is not None:
        pen.text((width + GAP, middle), beside.caption, INK, font, anchor="lm")
    return np.asarray(drawn)


@cache
def _font() -> Any:
    """Pillow's own letters; unpacking them takes longer than drawing a frame."""
    from PIL import ImageFont

    return ImageFont.load_default(FONT_SIZE)


def enlarged(image: Picture, size: int) -> Picture:
    """`image` at the greatest whole magnification that fits `size` pixels; shrunk if it must.

    Its pixels stay squares of one colour, so that a person sees no more than the policy does.
    """
    longest = max(image.shape[:2])
    if longest <= size:
        factor = size // longest
        return image.repeat(factor, axis=0).repeat(factor, axis=1)
    from PIL import Image

    height, width = (max(1, round(side * size / longest)) for side in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


class Film:
    """Takes a picture of every policy step, or of every second or third one of a fast robot.

    Args:
        render: (width, height) -> the outside view.
        size: width and height of the outside view, pixels.
        period_s: control period, s.
    """

    def __init__(
        self, render: Callable[[int, int], Picture], size: tuple[int, int], period_s: float
    ) -> None:
        self._render, self._size, self._period_s = render, size, period_s
        self._stride = max(1, round(1 / (MOST_FRAMES_PER_S * period_s)))
        self.frames_per_s = 1 / (self._stride * period_s)
        self.frames: list[Picture] = []

    @property
    def is_full(self) -> bool:
        """True once no further episode need be filmed."""
        return len(self.frames) >= FILM_S * self.frames_per_s

    def add(self, episode: int, step: int, observation: object, info: Mapping[str, Any]) -> None:
        """Take the picture after a step, unless the stride passes over it.

        Args:
            episode, step: numbers from 0.
            observation, info: what the step gave.
        """
        if step % self._stride:
            return
        caption = f"episode {episode + 1}, {(step + 1) * self._period_s:.1f} s"
        for name, words, unit in (
            ("angle_error", "error", "rad"),
            ("forward_velocity", "speed", "m/s"),
        ):
            if np.isfinite(info.get(name, np.nan)):
                caption += f", {words} {info[name]:.2f} {unit}"
        beside = camera_picture(observation, info)
        self.frames.append(compose(self._render(*self._size), caption, beside))
