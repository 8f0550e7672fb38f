"""The hand's fingers stay out of one another, and out of the palm they hang on.

Links are capsules inside the real ones: a commanded pose may touch and press, but not lie deeper in
another finger than `HandGeometry.press` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from robosac.hal import BoolArray, FloatArray

_LINKS = 3
_TINY = 1e-12


@dataclass(frozen=True)
class HandGeometry:
    """The hand of ROBEL (Ahn et al. 2019, arXiv 1909.11639), `chain3xh.xml`, in the palm's frame.

    z points from the palm to the fingertips. All lengths in m, angles in rad. Capsules lie inside
    the boxes of that model: a servo's half sides are 0.0175 and 0.015, a pad's radius 0.011.
    """

    bases: tuple[tuple[float, float, float], ...] = (
        (0.03, -0.052, 0.003),
        (0.03, 0.052, 0.003),
        (-0.06, 0.0, 0.003),
    )
    """Where fingers are screwed to the palm."""
    yaws: tuple[float, ...] = (math.pi / 6, 5 * math.pi / 6, -math.pi / 2)
    """Which way fingers are turned about z."""
    hip: float = 0.01425
    """From the screws to the base joint's axis (y)."""
    base: float = 0.0675
    """From the base joint's axis to the middle joint's (x)."""
    middle: float = 0.068
    """From the middle joint's axis to the tip joint's (x)."""
    tip: float = 0.073
    """From the tip joint's axis to the centre of the pad's round end."""
    body_radius: float = 0.015
    """Of base and middle links: half the thinner side of their servos."""
    body_end: float = 0.065
    """Where the capsules of base and middle links end, along the link: 0.080 less the radius."""
    pad_radius: float = 0.011
    """Of the tip link."""
    fixed_servo: tuple[float, float, float, float] = (0.003, 0.021, 0.014, 0.015)
    """Servo on the palm, in its finger's frame: from x to x, at z, radius."""
    palm: float = 0.004
    """The palm's surface, z."""
    press: float = 0.005
    """How deep two commanded poses may lie in one another: a finger that presses on another."""

    def __post_init__(self) -> None:
        if not len(self.bases) == len(self.yaws) == 3:
            raise ValueError(f"keep-out: three fingers, got {len(self.bases)}, {len(self.yaws)}")
        if not 0.0 <= self.press < math.inf:
            raise ValueError(f"keep-out: press must not be negative, got {self.press} m")


class FingersApart:
    """Clearances of the hand, m: each two fingers, then each finger and the palm with its servos.

    Args:
        geometry: the hand.
        joints: number of the robot's joints; first base, middle and tip of each finger.
        resolution: see `robosac.keepout.KeepOut`, rad.

    Raises:
        ValueError: fewer than nine joints, or a resolution that is not positive.
    """

    def __init__(
        self,
        geometry: HandGeometry | None = None,
        joints: int = 10,
        resolution: float = 0.005,
    ) -> None:
        if joints < 9:
            raise ValueError(f"keep-out: a hand has at least 9 joints, got {joints}")
        if not 0.0 < resolution < math.inf:
            raise ValueError(f"keep-out: resolution must be positive, got {resolution} rad")
        self.geometry = part = geometry or HandGeometry()
        self.resolution = resolution
        pairs = list(combinations(range(3), 2))
        self.involved: BoolArray = np.zeros((6, joints), dtype=np.bool_)
        for row, fingers in enumerate([*pairs, (0,), (1,), (2,)]):
            for finger in fingers:
                self.involved[row, 3 * finger : 3 * finger + 3] = True
        # A point moves by no more than its distance from each joint's axis allows; both fingers do.
        reach = (part.tip + (part.middle + part.tip) + (part.base + part.middle + part.tip)) * 2.0
        self.slack = reach * resolution / 2.0
        self._frames = np.array([_turn(yaw + math.pi) for yaw in part.yaws])
        self._roots = np.array(part.bases) + np.array([0.0, 0.0, part.hip])
        self._radii = np.array([part.body_radius, part.body_radius, part.pad_radius])
        self._ways = np.array(list(product(range(_LINKS), range(_LINKS))))
        self._pairs = np.array(pairs)
        self._fixed = _fixed_servos(part)

    def links(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both ends of each link's capsule in the palm's frame, m, shape (..., 3, 3, 3).

        Args:
            positions: joint positions, rad, shape (..., n).

        Axes behind the batch: finger; base, middle and tip link; x, y, z.
        """
        part = self.geometry
        angles = positions[..., :9].reshape(*positions.shape[:-1], 3, 3)
        side = angles[..., 0]
        bend = np.stack(
            (np.zeros_like(side), angles[..., 1], angles[..., 1] + angles[..., 2]), axis=-1
        )
        side = side[..., None]
        # Rz(yaw + pi) Ry(base) Rx(bend) e_z
        local = np.stack(
            (np.cos(bend) * np.sin(side), -np.sin(bend), np.cos(bend) * np.cos(side)), axis=-1
        )
        directions = np.einsum("fij,...flj->...fli", self._frames, local)
        lengths = np.array([part.base, part.middle])[:, None]
        starts = np.empty(directions.shape)
        starts[..., 0, :] = self._roots
        starts[..., 1:, :] = self._roots[:, None] + np.cumsum(
            directions[..., :2, :] * lengths, axis=-2
        )
        ends = np.array([part.body_end, part.body_end, part.tip])[:, None]
        return starts, starts + directions * ends

    def clearance(self, positions: FloatArray) -> FloatArray:
        """See `robosac.keepout.KeepOut`; shape (..., 6), m."""
        starts, ends = self.links(positions)
        batch = positions.shape[:-1]
        one, other = self._ways[:, 0], self._ways[:, 1]
        a, b = self._pairs[:, 0, None], self._pairs[:, 1, None]
        between = segment_distance(
            starts[..., a, one, :], ends[..., a, one, :],
            starts[..., b, other, :], ends[..., b, other, :],
        ) - (self._radii[one] + self._radii[other])  # fmt: skip
        result = np.empty((*batch, 6))
        result[..., :3] = between.min(axis=-1)
        result[..., 3:] = self._from_palm(starts, ends)
        return result + self.geometry.press

    def clearances(self, points: list[list[float]]) -> list[list[float]]:
        """See `robosac.keepout.KeepOut`."""
        return self.clearance(np.array(points)).tolist()

    def _from_palm(self, starts: FloatArray, ends: FloatArray) -> FloatArray:
        """Middle and tip links from the palm's disc and the servos on it, m, shape (..., 3)."""
        radii, part = self._radii[1:, None], self.geometry
        servo = segment_distance(
            starts[..., 1:, None, :], ends[..., 1:, None, :], self._fixed[0], self._fixed[1]
        ) - (radii + part.fixed_servo[3])
        disc = np.minimum(starts[..., 1:, 2], ends[..., 1:, 2]) - part.palm - radii[:, 0]
        return np.minimum(servo.min(axis=(-1, -2)), disc.min(axis=-1))


def segment_distance(
    first: FloatArray, first_end: FloatArray, second: FloatArray, second_end: FloatArray
) -> FloatArray:
    """Least distance of two straight segments, m; arrays (..., 3) that broadcast.

    Ericson 2005, Real-Time Collision Detection, section 5.1.9; segments have some length.
    """
    way, other, gap = first_end - first, second_end - second, first - second
    a, e = _dot(way, way), _dot(other, other)
    b, c, f = _dot(way, other), _dot(way, gap), _dot(other, gap)
    area = a * e - b * b
    # Parallel ones are equally far from each other along a stretch: any point of it will do.
    s = np.where(area > _TINY * a * e, (b * f - c * e) / np.maximum(area, _TINY * a * e), 0.0)
    s = np.minimum(np.maximum(s, 0.0), 1.0)
    t = np.minimum(np.maximum((b * s + f) / e, 0.0), 1.0)
    s = np.minimum(np.maximum((b * t - c) / a, 0.0), 1.0)
    apart = gap + way * s[..., None] - other * t[..., None]
    return np.sqrt(_dot(apart, apart))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.einsum("...i,...i->...", a, b)


def _turn(angle: float) -> FloatArray:
    """Rotation about z by `angle` (rad)."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _fixed_servos(part: HandGeometry) -> tuple[FloatArray, FloatArray]:
    """Both ends of the capsules of the servos on the palm, m, shape (3, 3)."""
    near, far, height, _ = part.fixed_servo
    frames = np.array([_turn(yaw) for yaw in part.yaws])
    bases = np.array(part.bases)
    return bases + frames @ [near, 0.0, height], bases + frames @ [far, 0.0, height]
