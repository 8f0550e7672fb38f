"""A camera is measured on the twin as with the robot, and the twin sees as a measured camera."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration import nominal
from calibration.camera import LensGoal
from calibration.camera_record import MeasuredCamera
from calibration.record import Calibration, DeviceTag, Evidence
from calibration.rotations import quaternion
from robosac import calibrate_camera, camera_twin
from robosac.assembly_claw import _camera_options
from robosac.calibration_file import save
from robosac.cli import app
from robosac.robots.claw_file import load_claw_file
from robosac.robots.measured_camera import with_camera
from robosac.robots.robot_file import load_robot_file
from robosac.robots.wiring import unmeasured
from robosac.settings.claw import TwinCameraSection
from sim.claw import ClawOptions, ClawTwin
from sim.claw_camera import ClawCameraOptions

run = CliRunner().invoke
SIDE = 300


def measured_hand(side: int = SIDE) -> MeasuredCamera:
    """A bent lens a little beside the drawn place."""
    forward = np.array([-0.60, 0.03, -0.80])
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.02, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.column_stack([right, np.cross(forward, right), forward])
    return MeasuredCamera(
        date="2026-02-01", device=DeviceTag(model="HD Webcam", serial="A1"), size=(side, side),
        focal_px=(1.22 * side, 1.20 * side), centre_px=(0.51 * side, 0.48 * side),
        distortion=(-0.15, 0.04, 0.001, -0.001, 0.0), attitude=quaternion(axes),
        position_m=(0.208, -0.004, 0.325), exposure_s=0.01,
    )  # fmt: skip


def with_hand(camera: MeasuredCamera) -> Calibration:
    evidence = Evidence(samples=100, residuals={"reprojection_rms_px": 0.1})
    return with_camera(unmeasured(load_claw_file(None)), "hand", camera, evidence)


def warm(picture: np.ndarray) -> np.ndarray:
    """Where the valve's coloured end is."""
    channels = picture.astype(int)
    return channels[..., 0] - channels[..., 2] > 80


def test_the_twin_sees_a_known_point_where_the_calibration_projects_it() -> None:
    """The tip of the coloured end: a ball of 21 mm, of which the outline is projected by OpenCV."""
    camera = measured_hand(96)
    section = TwinCameraSection(size=96, read_noise=0.0005, shot_noise=0.0)
    twin = ClawTwin(ClawOptions(camera=_camera_options(section, with_hand(camera))))
    twin.hang(0)
    assert twin.camera is not None
    picture = twin.camera.eye.render(twin.plant.data)
    seen = warm(picture)
    tip = np.array([0.0, 0.073, 0.1021])
    turn = np.linspace(0.0, 2.0 * np.pi, 2000)
    ball = tip + 0.021 * np.column_stack([np.zeros_like(turn), np.cos(turn), np.sin(turn)])
    zero = np.zeros(3)
    inside = (ball - camera.position_m) @ camera.rotation
    pixels, _ = cv2.projectPoints(inside, zero, zero, camera.matrix, np.array(camera.distortion))
    farthest = float(np.asarray(pixels)[:, 0, 0].max())
    # The last warm column's right edge is where the tip ends.
    columns = np.flatnonzero(seen.any(axis=0))
    assert columns[-1] + 0.5 == pytest.approx(farthest, abs=1.0)
    u, v = twin.camera.eye.pixel_of((0.0, 0.073, 0.1021))
    middle, _ = cv2.projectPoints(
        (tip[None, :] - camera.position_m) @ camera.rotation, zero, zero, camera.matrix,
        np.array(camera.distortion),
    )  # fmt: skip
    # A picture's own pixels begin at its edge; OpenCV's (0, 0) is the first one's middle.
    assert (u - 0.5, v - 0.5) == pytest.approx(np.asarray(middle)[0, 0].tolist(), abs=0.5)


def test_without_a_measured_camera_nothing_changes_to_the_byte() -> None:
    plain = ClawTwin(ClawOptions(camera=ClawCameraOptions()))
    section = TwinCameraSection()
    other = ClawTwin(ClawOptions(camera=_camera_options(section, nominal("claw"))))
    for twin in (plain, other):
        twin.place(3)
    assert plain.camera is not None
    assert other.camera is not None
    first, second = (camera.device.expose(0.0) for camera in (plain.camera, other.camera))
    assert first is not None
    np.testing.assert_array_equal(first, second)


def claw_file(folder: Path) -> Path:
    """The hand's robot file with a camera of few pixels."""
    file = load_claw_file(None)
    assert file.camera is not None
    small = msgspec.structs.replace(file.camera, size=(SIDE, SIDE))
    path = folder / "hand.yaml"
    path.write_text(json.dumps(msgspec.to_builtins(msgspec.structs.replace(file, camera=small))))
    return path


@pytest.mark.slow
def test_a_dry_run_recovers_the_hidden_camera_of_the_twin(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text("board: {origin_m: [-0.10, -0.08, 0.13]}\n")
    out = tmp_path / "measured.yaml"
    save(out, with_hand(measured_hand()))
    before = out.read_bytes()
    told = run(app, [
        "calibrate", "camera", "claw", "--robot.file", str(claw_file(tmp_path)), "--dry-run",
        "--fixture", str(tmp_path / "board.yaml"), "--out", str(out), "--json",
        "--pictures", str(tmp_path / "pages"),
    ])  # fmt: skip
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout.splitlines()[-1])
    assert document["dry_run"] is True
    twin = document["twin"]
    assert twin["focal_px"] == pytest.approx([1.22 * SIDE, 1.20 * SIDE])
    assert twin["place_off_mm"] < 3.0
    assert twin["turn_off_deg"] < 0.5
    assert document["evidence"]["residuals"]["reprojection_rms_px"] < 0.3
    assert "the twin's own place: 0.2080, -0.0040, 0.3250 m; found within" in told.output
    assert f"no port was opened, and {out} is as it was" in told.output
    assert out.read_bytes() == before
    page = (tmp_path / "pages" / "measured.yaml.hand.html").read_text()
    assert "place off the twin" in page


@pytest.mark.slow
def test_a_dry_run_of_the_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = msgspec.structs.replace(
        camera_twin.NOMINAL_TRACKER,
        size=(800, 450),
        calibration=msgspec.structs.replace(
            camera_twin.NOMINAL_TRACKER.calibration,
            matrix=((569.0, 0.0, 400.0), (0.0, 569.0, 225.0), (0.0, 0.0, 1.0)),
            distortion=(-0.1, 0.02, 0.0, 0.0, 0.0),
            position=(0.0, 0.0, 1.6),
        ),
    )
    monkeypatch.setattr(camera_twin, "NOMINAL_TRACKER", small)
    # So few pixels tell less than 1280 by 720.
    monkeypatch.setattr(calibrate_camera, "FAR", LensGoal(0.001, 0.6))
    (tmp_path / "floor.yaml").write_text("board: {origin_m: [-0.36, -0.24, 0.0]}\n")
    assert load_robot_file(None).tracker is None
    told = run(app, [
        "calibrate", "tracker", "minitaur", "--dry-run", "--fixture", str(tmp_path / "floor.yaml"),
        "--out", str(tmp_path / "out.yaml"), "--json", "--pictures", str(tmp_path / "pages"),
        "--keep-controls",
    ])  # fmt: skip
    assert told.exit_code == 0, told.output
    twin = json.loads(told.stdout.splitlines()[-1])["twin"]
    assert twin["place_off_mm"] < 3.0
    assert twin["turn_off_deg"] < 0.5
    assert not (tmp_path / "out.yaml").exists()
    assert (tmp_path / "pages" / "out.yaml.tracker.png").exists()


def test_a_camera_of_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text("board: {origin_m: [-0.10, -0.08, 0.13]}\n")
    out = tmp_path / "measured.yaml"
    save(out, with_hand(measured_hand()))
    told = run(app, [
        "calibrate", "camera", "claw", "--dry-run", "--fixture", str(tmp_path / "board.yaml"),
        "--out", str(out), "--pictures", str(tmp_path / "pages"),
    ])  # fmt: skip
    assert told.exit_code != 0
    assert "calibrated at 300 by 300 px" in told.output
