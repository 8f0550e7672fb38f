"""What an overhead camera with a measured lens sees: a grey floor, and a printed sheet before it.

Nothing else is there: whoever calibrates takes the robot away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from sim.camera_capture import Image, RenderedCamera
from sim.camera_sensor import Floats, Sensor, SensorSettings
from sim.lens import PlacedLens
from sim.room_light import RoomLight, softened
from sim.sheet import Held

FLOOR: Final = 0.2
"""Share of the light that the floor throws back."""


class FloorView:
    """A floor under even light, and what is held before it.

    Args:
        placed: the camera's lens, and where it hangs.
        light: of the room.
        rng: of the sensor's noise.

    Attributes:
        held: a printed sheet; None: there is none.

    Raises:
        ValueError: the lens folds its picture over.
    """

    def __init__(self, placed: PlacedLens, light: RoomLight, rng: np.random.Generator) -> None:
        self.held: Held | None = None
        self._placed, self._light = placed, light
        self._sensor = Sensor(SensorSettings(), rng)
        rays = placed.directions(placed.lens.size)
        self._spread = float(np.linalg.norm(rays[1] - rays[0]))
        self._rays = rays.astype(np.float32)

    def radiance(self) -> Floats:
        """Linear light, shape (height, width)."""
        width, height = self._placed.lens.size
        grey = np.full(len(self._rays), FLOOR, np.float32)
        if self.held is not None:
            origin = np.array(self._placed.position_m)
            seen, _ = self.held.sheet.seen(self._rays, origin, self.held, self._spread)
            grey[seen.rays] = seen.albedo
        return grey.reshape(height, width)

    def picture(self, controls: Mapping[int, float]) -> Image:
        """RGB, shape (height, width, 3), at a camera's controls."""
        grey = softened(self.radiance())
        return self._sensor.expose(grey[:, :, None] * self._light.shares(controls))


def floor_camera(
    view: FloorView,
    size: tuple[int, int],
    fps: float,
    now: Callable[[], float],
    wait_until: Callable[[float], None],
) -> RenderedCamera:
    """The camera as a driver finds it; `now` and `wait_until` are the twin's clock."""

    def picture(time: float) -> Image:
        del time
        return view.picture(device.controls)

    device = RenderedCamera(picture, size, fps, now, wait_until)
    return device
