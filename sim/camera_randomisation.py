"""What differs from one camera and its scene to the next: ranges, and one of them drawn."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.ranges import Range, check_range

Colour = tuple[float, float, float]
"""Red, green and blue as displayed, 0 to 1."""
Vector = tuple[float, float, float]

_SIGNED: Final = ("mark_hue_rad", "tint", "light_turn_rad", "shift_m", "turn_rad")
_SHARES: Final = ("mark_saturation", "mark_value", "grey")


@dataclass(frozen=True, slots=True)
class CameraDraw:
    """One camera before one scene. The defaults are the nominal one; None keeps the model's own."""

    mark: Colour | None = None
    """Of the lobe that tells the valve's angle."""
    valve: Colour | None = None
    """Of the rest of the valve."""
    mount: Colour | None = None
    """Of what holds the hand."""
    floor: Colour | None = None
    light_scale: float = 1.0
    """Of every lamp's strength."""
    ambient_scale: float = 1.0
    light_turn_rad: tuple[float, float] = (0.0, 0.0)
    """The lamps' directions, turned by so much about the vertical, and away from it."""
    shift_m: Vector = (0.0, 0.0, 0.0)
    """The camera's place, off by so much along right, up and backward."""
    turn_rad: Vector = (0.0, 0.0, 0.0)
    """The camera's attitude, off by this rotation vector in the same axes."""
    exposure: float = 1.0


@dataclass(frozen=True, slots=True)
class CameraRandomisation:
    """Uniform ranges (low, high) that a camera is drawn from; None leaves that property alone.

    Raises:
        ValueError: a range is upside down, not finite, or reaches what cannot be.
    """

    mark_hue_rad: Range | None = None
    """Of the coloured lobe, on the circle of hues: 0 is red, 2 pi/3 green."""
    mark_saturation: Range | None = None
    mark_value: Range | None = None
    """Saturation and value of the coloured lobe count where its hue is drawn."""
    grey: Range | None = None
    """Brightness of valve, mount and floor, each drawn separately."""
    tint: Range | None = None
    """How far each of their three colours is off the grey."""
    light_scale: Range | None = None
    """Lamps and ambient light are drawn separately."""
    light_turn_rad: Range | None = None
    shift_m: Range | None = None
    """Along each axis."""
    turn_rad: Range | None = None
    """About each axis."""
    exposure: Range | None = None

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            check_range(
                name,
                getattr(self, name),
                floor=-math.inf if name in _SIGNED else 0.0,
                top=1.0 if name in _SHARES else math.inf,
                positive=name in ("light_scale", "exposure"),
            )

    @classmethod
    def off(cls) -> CameraRandomisation:
        """Every camera is the nominal one."""
        return cls()

    @classmethod
    def mild(cls) -> CameraRandomisation:
        """One rig set up again by hand: another valve and lamp, the camera where it roughly was.

        Camera place and attitude within 1 cm and 2 degrees. ROBEL (arXiv 1909.11639) draws every
        colour from 0.2 to 0.9; here the mark stays a warm colour, and the rest a grey.
        """
        return cls(
            mark_hue_rad=(math.radians(-12.0), math.radians(32.0)),
            mark_saturation=(0.85, 1.0),
            mark_value=(0.75, 1.0),
            grey=(0.35, 0.9),
            tint=(-0.04, 0.04),
            light_scale=(0.75, 1.25),
            light_turn_rad=(-0.5, 0.5),
            shift_m=(-0.01, 0.01),
            turn_rad=(math.radians(-2.0), math.radians(2.0)),
            exposure=(0.8, 1.2),
        )

    def draw(self, rng: np.random.Generator) -> CameraDraw:
        """Draw one camera.

        Always takes the same number of variates, so that switching one property off leaves the
        others' draws as they were.
        """
        shares = iter(rng.random(26).tolist())

        def pick(span: Range | None, nominal: float) -> float:
            share = next(shares)
            return nominal if span is None else span[0] + share * (span[1] - span[0])

        hue, saturation, value = (
            pick(self.mark_hue_rad, 0.0),
            pick(self.mark_saturation, 1.0),
            pick(self.mark_value, 1.0),
        )
        mark = colorsys.hsv_to_rgb(hue / math.tau % 1.0, saturation, value)

        def grey() -> Colour | None:
            brightness = pick(self.grey, 0.0)
            red, green, blue = (
                min(1.0, max(0.0, brightness + pick(self.tint, 0.0))) for _ in range(3)
            )
            return None if self.grey is None else (red, green, blue)

        def three(span: Range | None) -> Vector:
            return (pick(span, 0.0), pick(span, 0.0), pick(span, 0.0))

        return CameraDraw(
            mark=None if self.mark_hue_rad is None else mark,
            valve=grey(),
            mount=grey(),
            floor=grey(),
            light_scale=pick(self.light_scale, 1.0),
            ambient_scale=pick(self.light_scale, 1.0),
            light_turn_rad=(pick(self.light_turn_rad, 0.0), pick(self.light_turn_rad, 0.0)),
            shift_m=three(self.shift_m),
            turn_rad=three(self.turn_rad),
            exposure=pick(self.exposure, 1.0),
        )
