"""A rendered camera on a clock that only waiting moves, and settings that suit it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drivers.camera.frames import Image
from drivers.camera.pump import CameraPump
from drivers.camera.settings import CameraControls, CameraSettings
from sim.camera_capture import CaptureFaults, RenderedCamera

SIZE = (64, 48)
FPS = 30.0
PERIOD = 1 / FPS
CONTROLS = CameraControls(exposure_s=0.008, gain=20, white_balance_k=4000, focus=10)
SETTINGS = CameraSettings(*SIZE, FPS, CONTROLS, warm_up_frames=2)


class HandClock:
    """Stands still until somebody waits."""

    def __init__(self, time: float = 100.0) -> None:
        self.time = time

    def now(self) -> float:
        return self.time

    def wait_until(self, deadline: float) -> None:
        self.time = max(self.time, deadline)


def scene(time: float) -> Image:
    """RGB: red tells the time in frames, modulo 100, over some detail; no two are alike."""
    image = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    image[:, :, 0] = 50 + round(time * FPS) % 100
    image[:, :, 1] = np.arange(SIZE[0])[None, :]
    image[:, :, 2] = 200
    return image


class Bench:
    """A camera on the bench, stepped by hand."""

    def __init__(self, settings: CameraSettings = SETTINGS, depth: int = 4) -> None:
        self.clock = HandClock()
        self.camera = RenderedCamera(
            scene, SIZE, FPS, self.clock.now, self.clock.wait_until, depth=depth
        )
        self.pump = CameraPump(self.camera.open, settings, self.clock.now)

    @property
    def faults(self) -> CaptureFaults:
        return self.camera.faults

    def steps(self, count: int) -> None:
        """Step, waiting as told in between."""
        for _ in range(count):
            wait_s = self.pump.step()
            self.clock.time += wait_s

    def run_until(self, time: float) -> None:
        """Step until the clock has reached `time` (s)."""
        while self.clock.time < time:
            self.steps(1)


def settings(**changes: object) -> CameraSettings:
    """The bench's settings with some changed."""
    return replace(SETTINGS, **changes)  # type: ignore[arg-type]
