"""A person with a board before a hidden camera: what `robosac.camera_guiding` needs, drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from calibration.board import BoardSpec, Image
from calibration.camera import Lens as FoundLens
from calibration.camera_pose import CameraPose
from calibration.valve_colour import Mark, mark_masks
from robosac.camera_guiding import VALVE_PLACES, Controls
from tests.sweeps.camera_traps import FACE, turn
from tests.sweeps.hidden_camera import HiddenCamera, Look, drawn_lens, printed

SIZE = (480, 360)
RIGHT_S, RIGHT_K = 0.008, 5000.0
"""Where grey is grey."""
SPEC = BoardSpec()


class Studio:
    """A camera, and a person who does what is asked.

    Args:
        seed: draws the lens.
        floor: the camera hangs above a floor; else it is the hand's.
    """

    def __init__(self, seed: int, floor: bool) -> None:
        rng = np.random.default_rng(seed)
        self.lens = drawn_lens(rng, (SIZE,), (45.0, 50.0))
        look = Look(blur_px=0.5, noise=1.5, vignetting=0.1, slope=(0.0, 0.0), paper=210.0)
        self.camera = HiddenCamera(self.lens, look, rng)
        self.sheet = printed(SPEC)
        self.floor = floor
        self.rotation, self.centre = self._pose()
        self.told: list[str] = []
        self.asked: list[str] = []
        self.now = 0.0
        self.opened: list[Controls] = []
        self._mode, self._number, self._valve = "free", 0, 0
        self._controls = Controls(RIGHT_S, RIGHT_K)

    def ask(self, line: str) -> None:
        self.asked.append(line)
        for word, mode in (("grey patch", "grey"), ("hold it still", "held"),
                           ("into its place", "placed"), ("flat on the floor", "laid"),
                           ("coloured end", "valve")):  # fmt: skip
            if word in line:
                self._valve = self._valve + 1 if mode == self._mode == "valve" else 0
                self._number = 0 if "on its crosses" in line else self._number + 1
                self._mode = mode

    def tell(self, line: str) -> None:
        self.told.append(line)

    @contextmanager
    def open_eye(self, controls: Controls) -> Iterator[Studio]:
        self.opened.append(controls)
        self._controls = controls
        yield self

    def picture(self) -> Image:
        self.now += 0.033
        if self._mode == "valve":
            return self._valve_picture()
        grey = self.camera.see([(self.sheet, *self._board())]).astype(np.float64)
        gain = (self._controls.exposure_s / RIGHT_S) ** 0.45
        kelvin = self._controls.white_balance_k or RIGHT_K
        tint = math.exp(0.0004 * (1e6 / kelvin - 1e6 / RIGHT_K))
        colours = np.stack([grey * gain * tint, grey * gain, grey * gain / tint], axis=2)
        return np.clip(np.rint(colours), 0, 255).astype(np.uint8)

    @property
    def true_pose(self) -> tuple[CameraPose, FoundLens]:
        """What is to be found."""
        nothing = np.zeros((6, 6)), np.zeros((6, 9))
        pose = CameraPose(self.rotation, self.centre, 0.0, 0.0, *nothing, 0.0, 0.0, 4)
        return pose, FoundLens(SIZE, self.lens.matrix, self.lens.distortion, np.zeros((9, 9)))

    def _pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns: the camera's axes, and its centre, in the base's or the floor's frame."""
        if self.floor:
            return FACE @ turn(np.array([0.05, -0.04, 0.1])), np.array([0.02, -0.01, 0.45])
        # At the hand's own place: in front, looking down at the valve.
        right = np.array([0.0, 1.0, 0.0])
        forward = np.array([-0.643, 0.0, -0.766])
        axes = np.column_stack([right, np.cross(forward, right), forward])
        return axes, np.array([0.213, 0.004, 0.320])

    def _board(self) -> tuple[np.ndarray, np.ndarray]:
        """The board's rotation and place in the camera's frame."""
        middle = np.array([*SPEC.size_m, 0.0]) / 2.0
        if self._mode == "grey":
            return FACE, np.array([0.0, -0.01, 0.42]) - FACE @ middle
        if self._mode == "placed":
            return self.rotation.T, self.rotation.T @ (ABOVE - self.centre)
        if self._mode == "laid":
            across, up = (self._number % 3 - 1) * 0.07, (self._number // 3 - 1) * 0.05
            turned = turn(np.array([0.0, 0.0, 0.0 if self._number == 0 else 0.2 * across]))
            corner = np.array([*(PLACE[:2] if self._number == 0 else (across, up)), 0.0])
            if self._number:
                corner = corner - turned @ middle
            return self.rotation.T @ turned, self.rotation.T @ (corner - self.centre)
        return self._held(middle)

    def _held(self, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Somewhere else every other picture."""
        step = round(self.now / 0.033) // 2
        lean, angle = step % 4 * math.pi / 2.0, 0.45 + 0.1 * (step % 3)
        turned = turn(-angle * np.array([-math.sin(lean), math.cos(lean), 0.0])) @ FACE
        at = np.array([[(step % 5 + 0.5) / 5.0 * SIZE[0], (step // 5 % 4 + 0.5) / 4.0 * SIZE[1]]])
        ray = np.append(self.lens.rays(at)[0], 1.0)
        return turned, (0.24 + 0.02 * (step % 4)) * ray - turned @ middle

    def _valve_picture(self) -> Image:
        image = np.full((SIZE[1], SIZE[0], 3), (150, 155, 160), np.uint8)
        image[:100, :80] = (60, 110, 170)
        pose, lens = self.true_pose
        own, rim = mark_masks(Mark(), VALVE_PLACES[self._valve][1], pose, lens)
        image[own | rim] = (230, 80, 30)
        noise = np.random.default_rng(self._valve).normal(0.0, 3.0, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)


PLACE, ABOVE = np.array([-0.10, -0.08, 0.0]), np.array([-0.10, -0.08, 0.13])
"""Where the board's lower left corner lies, its axes along those of the frame: on the floor, and
above the hand's valve."""
