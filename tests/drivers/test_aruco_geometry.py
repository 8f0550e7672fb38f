"""Corners to pose, against a projection written out in the tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.aruco.geometry import (
    CameraModel,
    MarkerMount,
    PosePrior,
    base_pose,
    corners_of,
    pose_from_corners,
    rotation_of,
)
from drivers.errors import ProtocolError
from tests.drivers.overhead import (
    BARREL,
    MOUNT,
    NO_DISTORTION,
    SIZE,
    Stance,
    camera_model,
    seen_corners,
    turn,
)

PRIOR = PosePrior()
LEVEL = PosePrior(height_m=1e-3, tilt_rad=5e-3)
ON_FIELD = {
    "x": st.floats(-0.4, 0.6),
    "y": st.floats(-0.7, 0.7),
    "yaw": st.floats(-math.pi, math.pi),
}


def angle(a: float, b: float) -> float:
    return abs(math.remainder(a - b, math.tau))


@pytest.mark.parametrize("distortion", [NO_DISTORTION, BARREL])
@settings(max_examples=60, deadline=None)
@given(**ON_FIELD)
def test_perfect_corners_give_the_true_place(
    distortion: tuple[float, ...], x: float, y: float, yaw: float
) -> None:
    camera = camera_model(distortion)
    marker = pose_from_corners(seen_corners(camera, Stance(x, y, yaw)), camera, MOUNT, PRIOR)
    assert math.hypot(marker.x - x, marker.y - y) < 1e-5
    assert angle(marker.yaw, yaw) < 1e-5
    assert marker.reprojection_px < 1e-2


@settings(max_examples=40, deadline=None)
@given(
    **ON_FIELD,
    forward=st.floats(-0.2, 0.2),
    left=st.floats(-0.2, 0.2),
    mounted=st.floats(-math.pi, math.pi),
)
def test_the_mounting_leads_from_the_marker_to_the_base(
    x: float, y: float, yaw: float, forward: float, left: float, mounted: float
) -> None:
    camera = camera_model(BARREL)
    mount = MarkerMount(0.12, 0.25, forward, left, up_m=0.1, yaw_rad=mounted)
    corners = seen_corners(camera, Stance(x, y, yaw), mount)
    base = base_pose(pose_from_corners(corners, camera, mount, PRIOR), mount)
    assert math.hypot(base.x - x, base.y - y) < 1e-4
    assert angle(base.yaw, yaw) < 1e-4


def errors_mm_deg(prior: PosePrior) -> np.ndarray:
    """A walk with 6 deg of tilt, 15 mm of bounce and 0.15 px of noise: rms place and heading."""
    rng, camera = np.random.default_rng(3), camera_model(NO_DISTORTION)
    errors: list[tuple[float, float]] = []
    for _ in range(200):
        place = rng.uniform((-0.4, -0.7, -3.1), (0.6, 0.7, 3.1))
        stance = Stance(*place, *(rng.standard_normal(3) * (0.1, 0.1, 0.015)))
        corners = seen_corners(camera, stance) + 0.15 * rng.standard_normal((4, 2))
        base = base_pose(pose_from_corners(corners, camera, MOUNT, prior), MOUNT)
        away = math.hypot(base.x - stance.x, base.y - stance.y)
        errors.append((away * 1e3, math.degrees(angle(base.yaw, stance.yaw))))
    return np.sqrt((np.array(errors) ** 2).mean(axis=0))


def test_tilt_and_bounce_shift_the_place_little() -> None:
    fitted, level = errors_mm_deg(PRIOR), errors_mm_deg(LEVEL)
    assert fitted[0] < 3.0
    assert fitted[1] < 0.6
    # Believing the marker level and at its height is what this fit is measured against.
    assert (fitted < 0.75 * level).all()


@pytest.mark.parametrize("side", [0.08, 0.16, 0.2])
def test_a_marker_of_another_size_tells_by_its_fit_or_its_height(side: float) -> None:
    camera = camera_model(NO_DISTORTION)
    corners = seen_corners(camera, Stance(0.2, 0.1, 0.3), MarkerMount(side, 0.25))
    pose = pose_from_corners(corners, camera, MOUNT, PRIOR)
    assert pose.reprojection_px > 2.0 or abs(pose.z - 0.25) > 0.15


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True) | st.floats(-1500.0, 1500.0),
        min_size=8,
        max_size=8,
    )
)
def test_any_corners_give_a_finite_pose_or_protocol_error(values: list[float]) -> None:
    corners = np.array(values).reshape(4, 2)
    for distortion in (NO_DISTORTION, BARREL):
        try:
            pose = pose_from_corners(corners, camera_model(distortion), MOUNT, PRIOR)
        except ProtocolError:
            continue
        assert np.isfinite(pose).all()


@pytest.mark.parametrize("shape", [(3, 2), (4, 3), (8,), (0, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolError, match="four corners"):
        pose_from_corners(np.zeros(shape), camera_model(NO_DISTORTION), MOUNT, PRIOR)


def test_a_camera_that_looks_up_sees_no_floor() -> None:
    down = camera_model(NO_DISTORTION)
    up = CameraModel(
        down.matrix, down.distortion, turn(0, math.pi) @ down.rotation, down.position, SIZE
    )
    with pytest.raises(ProtocolError, match="do not meet the plane"):
        pose_from_corners(seen_corners(down, Stance(0.2, 0, 0)), up, MOUNT, PRIOR)


def test_rotation_and_corners_follow_the_stated_axes() -> None:
    expected = turn(2, 0.3) @ turn(1, -0.2) @ turn(0, 0.1)
    assert np.allclose(rotation_of(0.3, -0.2, 0.1), expected)
    corners = corners_of(np.eye(3), np.array([1.0, 2.0, 3.0]), 0.2)
    assert np.allclose(corners[0], (1.1, 2.1, 3.0))
    assert np.allclose(corners[2], (0.9, 1.9, 3.0))


def good() -> dict[str, object]:
    camera = camera_model(NO_DISTORTION)
    return {
        "matrix": camera.matrix,
        "distortion": camera.distortion,
        "rotation": camera.rotation,
        "position": camera.position,
        "size": SIZE,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("matrix", np.eye(2)),
        ("matrix", np.diag([-1.0, 1.0, 1.0])),
        ("matrix", np.full((3, 3), np.nan)),
        ("distortion", np.zeros(3)),
        ("rotation", np.eye(3) * 1.01),
        ("rotation", np.diag([1.0, 1.0, -1.0])),
        ("position", np.zeros(2)),
    ],
)
def test_what_is_no_camera_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"camera|coefficients|rotation"):
        CameraModel(**{**good(), field: value})  # type: ignore[arg-type]


def test_a_camera_model_cannot_be_changed() -> None:
    camera = camera_model(BARREL)
    with pytest.raises(ValueError, match="read-only"):
        camera.matrix[0, 0] = 1.0


@pytest.mark.parametrize("side", [0.0, -1.0, math.nan, math.inf])
def test_a_marker_needs_a_size(side: float) -> None:
    with pytest.raises(ValueError, match="positive side"):
        MarkerMount(side, 0.2)
