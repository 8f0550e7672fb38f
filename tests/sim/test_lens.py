"""The twin's lens against OpenCV's, which it shares nothing with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sim.lens import Lens, PlacedLens
from tests.sweeps.hidden_camera import drawn_lens


def lens_like(seed: int) -> tuple[Lens, np.ndarray]:
    """A lens as webcams have them, and its matrix."""
    hidden = drawn_lens(np.random.default_rng(seed), ((640, 480),), (40.0, 50.0))
    (fx, _, cx), (_, fy, cy), _ = hidden.matrix.tolist()
    k1, k2, p1, p2, k3 = hidden.distortion.tolist()
    return Lens((640, 480), (fx, fy), (cx, cy), (k1, k2, p1, p2, k3)), hidden.matrix


@pytest.mark.parametrize("seed", range(5))
def test_it_projects_as_opencv_does_and_goes_back(seed: int) -> None:
    lens, matrix = lens_like(seed)
    rng = np.random.default_rng(seed)
    rays = np.append(rng.uniform(-0.45, 0.45, (300, 2)), np.ones((300, 1)), axis=1)
    seen = lens.project(rays * rng.uniform(0.1, 3.0, (300, 1)))
    zero, bent = np.zeros(3), np.array(lens.distortion)
    theirs, _ = cv2.projectPoints(rays, zero, zero, matrix, bent)
    np.testing.assert_allclose(seen, np.asarray(theirs).reshape(-1, 2), atol=1e-9)
    np.testing.assert_allclose(lens.rays(seen), rays[:, :2], atol=1e-9)


def test_a_lens_that_folds_is_refused() -> None:
    lens = Lens((640, 480), (300.0, 300.0), (320.0, 240.0), (-0.5, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="folds its picture of 640 by 480 px over"):
        lens.rays(np.array([[0.0, 0.0]]))


def test_a_smaller_picture_has_the_rays_of_the_middles_of_its_larger_pixels() -> None:
    axes = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
    lens, _ = lens_like(1)
    placed = PlacedLens(lens, axes, (0.1, -0.2, 2.0))
    small = placed.directions((32, 16)).reshape(16, 32, 3)
    ray = small[3, 7]
    point = np.array(placed.position_m) + 1.7 * ray
    u, v = placed.pixel_of((float(point[0]), float(point[1]), float(point[2])))
    # Twenty by thirty pixels each.
    assert (u, v) == pytest.approx((7.5 * 20 - 0.5, 3.5 * 30 - 0.5), abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(small, axis=2), 1.0)
