"""What a camera is told, in which order, and whether it listened.

The order matters: the pixel format before the size, or the driver keeps an uncompressed one that
fills the USB; automatic exposure on before off, because some cameras take a manual value only at
that edge. `set` succeeding proves nothing, so every value is read back, and the shape of the first
real frame is compared as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from drivers.camera import properties as cp
from drivers.camera.frames import Image, SettingMismatch
from drivers.errors import DeviceError


class Capture(Protocol):
    """What a camera needs of `cv2.VideoCapture`; files and twins offer the same."""

    def isOpened(self) -> bool:
        """Whether there is a stream."""
        ...

    def set(self, property_id: int, value: float, /) -> bool:
        """Ask for a property; the answer is not to be trusted."""
        ...

    def get(self, property_id: int, /) -> float:
        """A property; 0 or -1 if there is no such."""
        ...

    def grab(self) -> bool:
        """Wait for the next frame and take it, not decoded yet; False: there will be none."""
        ...

    def retrieve(self) -> tuple[bool, Image | None]:
        """Decode the grabbed frame: BGR, shape (height, width, 3)."""
        ...

    def release(self) -> None:
        """Close the stream; safe to call twice."""
        ...


CaptureFactory = Callable[[], Capture]
"""Opens the camera by its stable name, again after each unplugging.

May raise WireClosed (it is not there) or DeviceError (it is another device, or refuses).
"""


class SettingsRefused(DeviceError):
    """A camera that does not keep its settings.

    Attributes:
        mismatches: what was asked for, and what it does instead.
    """

    def __init__(self, mismatches: Sequence[SettingMismatch]) -> None:
        self.mismatches = tuple(mismatches)
        found = "; ".join(str(mismatch) for mismatch in self.mismatches)
        super().__init__(
            f"the camera does not keep its settings: {found}; ask for values that it has"
            " (v4l2-ctl --list-ctrls --list-formats-ext)"
        )


@dataclass(frozen=True, slots=True)
class CameraControls:
    """The picture's controls, all locked by hand; a control the camera has not got is None."""

    exposure_s: float
    """Sent in whole steps of 100 us."""
    gain: float | None
    """In the camera's own units."""
    white_balance_k: float | None
    focus: float | None
    """In the camera's own units."""

    def __post_init__(self) -> None:
        if not self.exposure_s >= cp.EXPOSURE_UNIT_S:
            raise ValueError(f"exposure_s must be at least 1e-4 s, got {self.exposure_s}")


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """One camera's stream, and when its frames count as usable."""

    width: int
    """px"""
    height: int
    """px"""
    fps: float
    """1/s"""
    controls: CameraControls | None
    """None: the source has no controls (a file, a rendered picture)."""
    fourcc: str | None = "MJPG"
    """Pixel format; None: the source has but one."""
    buffers: int | None = 1
    """Frames the driver may hold back; None: the source does not say."""
    strict: bool = True
    """Refuse a camera that does not keep its settings; False: only list them in the status."""
    latency_s: float = 0.0
    """Calibrated time from the middle of the exposure to the stamp, s; subtracted from it."""
    output_size: tuple[int, int] | None = None
    """(width, height) of what is delivered, px, averaged by area; None: as captured."""
    max_age_s: float = 0.2
    """An older frame is not delivered."""
    deadline_s: float = 0.5
    """This long without a usable frame: dead, and opened again."""
    warm_up_frames: int = 5
    """Thrown away after each opening: exposure and gain settle, and the first are often damaged.

    0: opening waits for no frame, and the first one is judged as all others are.
    """
    frozen_after: int | None = 3
    """So many equal pictures in a row are a frozen camera; None: the source has no sensor noise."""
    black_level: float = 6.0
    """A mean brightness below this (0 to 255) is a black frame."""

    def __post_init__(self) -> None:
        sizes = (self.width, self.height, *(self.output_size or (1, 1)), self.buffers or 1)
        if min(sizes) < 1:
            raise ValueError(f"sizes and buffers must be at least 1, got {sizes}")
        times = (self.fps, self.max_age_s, self.deadline_s)
        if not (min(times) > 0 and math.isfinite(sum(times))):
            raise ValueError(f"fps, max_age_s and deadline_s must be positive, got {times}")
        if not 0.0 <= self.latency_s < self.max_age_s:
            raise ValueError(f"latency_s must be 0 to below max_age_s, got {self.latency_s}")
        if self.warm_up_frames < 0:
            raise ValueError(f"warm_up_frames must be at least 0, got {self.warm_up_frames}")
        if self.frozen_after is not None and self.frozen_after < 2:
            raise ValueError(f"frozen_after must be at least 2 pictures, got {self.frozen_after}")


class PropertyStep(NamedTuple):
    """One property to set; the last step of each name is what must be read back."""

    name: str
    property_id: int
    value: float
    tolerance: float = 0.5


def stream_steps(settings: CameraSettings) -> list[PropertyStep]:
    """Format, size and rate, in the order that works."""
    steps: list[PropertyStep] = []
    if settings.fourcc is not None:
        steps.append(PropertyStep("fourcc", cp.FOURCC, cp.fourcc(settings.fourcc)))
    steps.append(PropertyStep("width", cp.FRAME_WIDTH, settings.width))
    steps.append(PropertyStep("height", cp.FRAME_HEIGHT, settings.height))
    steps.append(PropertyStep("fps", cp.FPS, settings.fps))
    if settings.buffers is not None:
        steps.append(PropertyStep("buffers", cp.BUFFERSIZE, settings.buffers))
    return steps


def control_steps(controls: CameraControls | None) -> list[PropertyStep]:
    """The locked controls, each automatism switched off before its value is set."""
    if controls is None:
        return []
    exposure = round(controls.exposure_s / cp.EXPOSURE_UNIT_S)
    steps = [
        PropertyStep("auto_exposure", cp.AUTO_EXPOSURE, cp.EXPOSURE_APERTURE_PRIORITY),
        PropertyStep("auto_exposure", cp.AUTO_EXPOSURE, cp.EXPOSURE_MANUAL),
        PropertyStep("exposure", cp.EXPOSURE, exposure),
    ]
    if controls.white_balance_k is not None:
        steps.append(PropertyStep("auto_white_balance", cp.AUTO_WB, 0))
        steps.append(PropertyStep("white_balance", cp.WB_TEMPERATURE, controls.white_balance_k))
    if controls.gain is not None:
        steps.append(PropertyStep("gain", cp.GAIN, controls.gain))
    if controls.focus is not None:
        steps.append(PropertyStep("autofocus", cp.AUTOFOCUS, 0))
        steps.append(PropertyStep("focus", cp.FOCUS, controls.focus))
    return steps


def apply(capture: Capture, steps: Sequence[PropertyStep]) -> None:
    """Set every property in order; only reading back tells whether it was taken."""
    for step in steps:
        capture.set(step.property_id, step.value)


def read_back(capture: Capture, steps: Sequence[PropertyStep]) -> list[SettingMismatch]:
    """Compare what the camera says with the last value asked for; the differences."""
    mismatches: list[SettingMismatch] = []
    for name, property_id, value, tolerance in {step.name: step for step in steps}.values():
        found = capture.get(property_id)
        if not abs(found - value) <= tolerance:
            mismatches.append(SettingMismatch(name, value, found))
    return mismatches
