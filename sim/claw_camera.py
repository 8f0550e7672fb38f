"""The hand's camera: what it sees of the model, through a sensor and a USB camera's habits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from sim.camera_capture import Image, RenderedCamera
from sim.camera_randomisation import CameraDraw, CameraRandomisation
from sim.camera_sensor import Sensor, SensorSettings
from sim.delays import Delays
from sim.engine import Data, Model
from sim.ray_camera import CameraLook, Colour, Lamp, RayCamera
from sim.room_light import RoomLight, softened

MARK: Final = ("lobe_0",)
"""Geoms of models/claw.xml: the valve's coloured end."""
VALVE: Final = ("hub", "lobe_1", "lobe_2")
MOUNT: Final = ("palm", "hanger", "boom", "post", "valve_plate")
FLOOR: Final = ("floor",)


@dataclass(frozen=True, slots=True)
class ClawCameraOptions:
    """A USB camera, and how it is rendered.

    Raises:
        ValueError: a number is out of its range; by what uses it.
    """

    size: tuple[int, int] = (32, 32)
    """(width, height) of the pictures, px."""
    aspect: float | None = None
    """Width over height of what is seen; None: square pixels."""
    fps: float = 30.0
    latency_s: float = 0.02
    """From exposure to arrival."""
    jitter_s: float = 0.0
    """At most so much is added to each frame's latency."""
    delays: Delays | None = None
    """As measured on one camera against the readings of its hand's joints, in the place of both."""
    depth: int = 4
    """Frames that the queue can hold; a driver may ask for fewer."""
    sensor: SensorSettings = field(default_factory=SensorSettings)
    look: CameraLook = field(default_factory=CameraLook)
    randomisation: CameraRandomisation = field(default_factory=CameraRandomisation.off)
    supersample: int = 1
    """So many rays a pixel along each side."""
    light: RoomLight | None = None
    """Of the room, by which exposure time and white balance count, and its lens blurs; None: no."""


class ClawCamera:
    """A camera before the hand's model; `drivers.camera` opens it as it opens a real one.

    Call `device.expose_due(now)` after each physics step.

    Args:
        model: of models/claw.xml.
        data: its state, read at each exposure and never written.
        now: the twin's clock, s.
        wait_until: waits on it.
        options: what camera it is.
        rng: of noise, jitter, lost frames and randomisation.

    Attributes:
        device: the camera as a driver finds it, with its faults.
        eye: the renderer.
        draw: what this episode's camera is like.
    """

    def __init__(
        self,
        model: Model,
        data: Data,
        now: Callable[[], float],
        wait_until: Callable[[float], None],
        options: ClawCameraOptions,
        rng: np.random.Generator,
    ) -> None:
        self.options = options
        self._data = data
        width, height = options.size
        self.eye = RayCamera(
            model,
            "hand",
            width,
            height,
            options.aspect,
            options.look,
            options.supersample,
        )
        self._sensor = Sensor(options.sensor, rng)
        self.device = RenderedCamera(
            self._picture,
            options.size,
            options.fps,
            now,
            wait_until,
            options.depth,
            rng,
            options.latency_s,
            options.jitter_s,
            options.delays,
        )
        self.draw = CameraDraw()
        self.place(rng)

    def place(self, rng: np.random.Generator) -> None:
        """Begin an episode: a camera drawn anew, frames counted from now; all random from `rng`.

        Takes the model's fixed parts as they are: follow the drawing of the hand with it.
        """
        options = self.options
        self.draw = options.randomisation.draw(rng)
        self.eye.arrange(_look(options.look, self.draw))
        exposure = options.sensor.exposure * self.draw.exposure
        self._sensor.reset(replace(options.sensor, exposure=exposure), rng)
        self.device.restart(rng)

    def _picture(self, time: float) -> Image:
        """Of the moment: the model knows no other."""
        del time
        radiance, light = self.eye.radiance(self._data), self.options.light
        if light is not None:
            radiance = softened(radiance) * light.shares(self.device.controls)
        return self._sensor.expose(radiance)


def _look(nominal: CameraLook, draw: CameraDraw) -> CameraLook:
    """The nominal look as `draw` changes it."""
    colours: dict[str, Colour] = dict(nominal.colours)
    groups = ((MARK, draw.mark), (VALVE, draw.valve), (MOUNT, draw.mount), (FLOOR, draw.floor))
    for names, colour in groups:
        if colour is not None:
            colours.update(dict.fromkeys(names, colour))
    return replace(
        nominal,
        colours=colours,
        ambient=nominal.ambient * draw.ambient_scale,
        lamps=tuple(_turned(lamp, draw) for lamp in nominal.lamps),
        shift_m=_sum(nominal.shift_m, draw.shift_m),
        turn_rad=_sum(nominal.turn_rad, draw.turn_rad),
    )


def _turned(lamp: Lamp, draw: CameraDraw) -> Lamp:
    """Turned about the vertical and away from it, but never below the horizon."""
    x, y, z = lamp.towards
    about, away = draw.light_turn_rad
    azimuth = math.atan2(y, x) + about
    zenith = min(max(math.atan2(math.hypot(x, y), z) + away, 0.0), math.pi / 2.0)
    flat = math.sin(zenith)
    towards = (flat * math.cos(azimuth), flat * math.sin(azimuth), math.cos(zenith))
    return Lamp(towards, lamp.strength * draw.light_scale)


def _sum(one: tuple[float, float, float], other: tuple[float, float, float]) -> Colour:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])
