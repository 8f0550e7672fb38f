"""A camera is measured by a person with a board, written, reported, and looked at by the check."""

import dataclasses
import io
import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.camera import NEAR, LensGoal
from calibration.camera_record import MeasuredCamera
from calibration.file import load
from calibration.record import DeviceTag
from robosac import calibrate_camera, camera_guiding
from robosac.board_deeds import Face, Lay, Put, TakeAway, TurnMark, board_deed_of
from robosac.calibrate_camera import GuidedConsole
from robosac.calibrate_target import Target
from robosac.camera_fixture import CameraFixture, LyingBoard, load_camera_fixture
from robosac.camera_guiding import Controls
from robosac.camera_job import Asked, Job
from robosac.cli import app
from robosac.errors import ConfigError, RobotError
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.robots.sections import CameraCalibration, Marker, TrackerSection
from tests.robosac.camera_rig import ABOVE, PLACE, RIGHT_K, RIGHT_S, SIZE, SPEC, Studio

run = CliRunner().invoke
TAG = DeviceTag(model="HD Webcam", serial="A1")


def lying(place: np.ndarray) -> CameraFixture:
    x, y, z = place.tolist()
    return CameraFixture(board=LyingBoard(origin_m=(x, y, z)))


def hand_job(studio: Studio, lines: list[str]) -> Job:
    file = load_claw_file(None)
    assert file.camera is not None
    section = msgspec.structs.replace(file.camera, size=SIZE, exposure_s=0.005)
    return Job(
        "hand", file, section, TAG, lying(ABOVE), SPEC, studio, lines.append,
        studio.open_eye, keep_controls=False,
    )  # fmt: skip


def tracker_job(studio: Studio, lines: list[str]) -> Job:
    unit = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    section = TrackerSection(
        camera="/dev/video0", size=SIZE, fps=60.0, exposure_s=0.004,
        marker=Marker(id=7, side_m=0.12, height_m=0.25),
        calibration=CameraCalibration(unit, (0.0,) * 5, unit, (0.0, 0.0, 2.0)),
    )  # fmt: skip
    file = load_robot_file(None)
    return Job(
        "tracker", file, section, TAG, lying(PLACE), SPEC, studio, lines.append,
        studio.open_eye, keep_controls=True,
    )  # fmt: skip


def off(studio: Studio, camera: MeasuredCamera) -> tuple[float, float]:
    """Distance (m) and angle (rad) from the hidden camera's pose."""
    between = camera.rotation.T @ studio.rotation
    angle = math.acos(min(1.0, (float(np.trace(between)) - 1.0) / 2.0))
    return float(np.linalg.norm(camera.position_m - studio.centre)), angle


def test_a_hands_camera_from_the_box_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, lines = Studio(3, floor=False), list[str]()
    job = hand_job(studio, lines)
    monkeypatch.setattr(calibrate_camera, "_job", lambda asked, name: (job, None))
    out = tmp_path / "calibration.yaml"
    asked = Asked("claw", [], Target(out), tmp_path / "board.yaml", SPEC, keep_controls=False)
    told = calibrate_camera.calibrate(asked, "hand")
    found = load(out).cameras["hand"]
    assert (found.device, found.size) == (TAG, SIZE)
    # At 8 ms and white paper of 210 the patch is at 97, and 110 is wanted.
    assert found.exposure_s == pytest.approx(RIGHT_S * (110.0 / 97.0) ** (1.0 / 0.45), rel=0.1)
    assert found.white_balance_k == pytest.approx(RIGHT_K, rel=0.02)
    assert found.exposure_s == studio.opened[-1].exposure_s
    place, angle = off(studio, found)
    assert place < 0.003
    assert angle < math.radians(0.5)
    residuals = load(out).evidence["camera_hand"].residuals
    assert residuals["reprojection_rms_px"] < 0.3
    assert residuals["mark_margin_in_policy_picture"] > 1.5
    assert any("set exposure_s to" in line for line in studio.told)
    assert "of 4 tilts; show the board at the" in lines[0]
    assert lines[-1].endswith("the lens is known")
    turns = [TurnMark(angle * math.tau / 3.0) for angle in range(3)]
    understood = [board_deed_of(line) for line in studio.asked]
    assert understood == [Face(), Face(), Put(), TakeAway(), *turns]
    page = Path(str(told["report"]))
    assert page == out.with_name(f"{out.name}.hand.html")
    assert "mark_margin" in page.read_text()
    assert out.with_name(f"{out.name}.hand.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads(json.dumps(told))["measured"]["size"] == list(SIZE)


def test_a_tracker_above_its_floor(tmp_path: Path) -> None:
    studio, lines = Studio(4, floor=True), list[str]()
    job = tracker_job(studio, lines)
    # A toy camera, 0.45 m above the floor, need not be known as well as one at 2.5 m.
    findings, controls, evidence = _measured(job)
    assert controls.exposure_s == 0.004
    assert findings.floor is not None
    assert len(findings.floor.shape_m) == camera_guiding.FLOOR_PLACES
    assert float(np.linalg.norm(findings.pose.position_m - studio.centre)) < 0.003
    assert evidence.residuals["worst_shape_mm"] < 1.0
    understood = [board_deed_of(line) for line in studio.asked]
    assert understood == [Face(), *(Lay(number) for number in range(9))]
    page = calibrate_camera.write_report(
        tmp_path / "c.yaml", "tracker", findings,
        calibrate_camera.measured_camera(findings.lens, findings.pose, TAG, controls, "2026-02-01"),
        evidence,
    )  # fmt: skip
    assert "Camera tracker" in page.read_text()
    assert page.with_suffix(".png").exists()


def _measured(job: Job) -> tuple:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate_camera, "FAR", LensGoal(0.001, 1.0))
        return calibrate_camera.measure(job)


def test_nobody_who_shows_the_board_is_waited_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(camera_guiding, "PATIENCE_S", 0.5)
    studio = Studio(3, floor=False)
    monkeypatch.setattr(studio, "picture", lambda: _blank(studio))
    with pytest.raises(RobotError, match=r"no new view for 0.5 s: 0 views"):
        camera_guiding.guide_lens(studio, studio, SPEC, SIZE, NEAR, print_nothing)


def _blank(studio: Studio) -> np.ndarray:
    studio.now += 0.1
    return np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)


def print_nothing(line: str) -> None:
    del line


def test_what_is_refused_is_asked_for_again_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(3, floor=False)
    monkeypatch.setattr(studio, "picture", lambda: _blank(studio))
    present = Controls(0.005, None)
    with pytest.raises(RobotError, match="given up after 3 attempts"):
        camera_guiding.guide_controls(studio, studio.open_eye, SPEC, present, 0.03)
    assert len(studio.asked) == 3
    assert studio.told[0].startswith("Not good: the board is not in the picture")


def test_interrupted_it_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(3, floor=False)
    job = dataclasses.replace(hand_job(studio, []), keep_controls=True)

    def interrupted() -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(studio, "picture", interrupted)
    monkeypatch.setattr(calibrate_camera, "_job", lambda asked, name: (job, None))
    out = tmp_path / "calibration.yaml"
    asked = Asked("claw", [], Target(out), tmp_path / "board.yaml", SPEC, keep_controls=True)
    with pytest.raises(KeyboardInterrupt):
        calibrate_camera.calibrate(asked, "hand")
    assert not list(tmp_path.iterdir())


class Terminal(io.StringIO):
    """A screen."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("sink", "shown"),
    [
        (io.StringIO(), "one\ntwo\ngood\none\nWell: "),
        (Terminal(), "\r\x1b[Kone\r\x1b[Ktwo\ngood\n\r\x1b[Kone\nWell: "),
    ],
)
def test_a_line_of_progress_is_written_over_and_what_is_told_is_not(
    sink: io.StringIO, shown: str
) -> None:
    person = GuidedConsole(io.StringIO("\n"), sink)
    for line in ("one", "one", "two"):
        person.progress(line)
    person.tell("good")
    person.progress("one")
    person.ask("Well")
    assert sink.getvalue() == shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("camera", "minitaur"), "valid is claw"),
        (("tracker", "claw"), "valid is minitaur"),
        (("camera", "claw"), "nobody can hold a board"),
        (("tracker", "minitaur", "--robot.address", "serial"), "describes no such camera"),
        (("camera", "claw", "--robot.address", "serial"), "is not there"),
        (("camera", "claw", "--columns", "2"), "at least 3 by 3"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    fixture, out = str(tmp_path / "board.yaml"), str(tmp_path / "out.yaml")
    told = run(app, ["calibrate", *arguments, "--fixture", fixture, "--out", out])
    assert told.exit_code == 2
    assert says in told.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("board: {origin_m: [0, 0]}", "origin_m"),
        ("board: {origin_m: [0, 0, 0], tilt: 1}", "tilt"),
        ("board: {origin_m: [0, 0, .nan]}", "finite"),
        ("{}", "board"),
        ("board: {origin_m: [0, 0, 0]}\nmark: {inner_m: [0, 0, 0], outer_m: [0, 1, 0],"
         " radius_m: 0.0, free_from: 0.4}", "radius"),
    ],
)  # fmt: skip
def test_a_fixture_is_read_strictly(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_camera_fixture(path)
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_camera_fixture(path)


def test_a_fixture_tells_where_the_board_lies(tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    path.write_text("board: {origin_m: [0.1, 0.2, 0.3], yaw_deg: 90}\n")
    found = load_camera_fixture(path).board.place
    assert found.origin_m == (0.1, 0.2, 0.3)
    assert found.yaw_rad == pytest.approx(math.pi / 2.0)
    assert found.pitch_rad == 0.0


@pytest.mark.parametrize("command", ["board", "camera", "tracker"])
def test_help_has_an_example(command: str) -> None:
    told = run(app, ["calibrate", command, "--help"])
    assert told.exit_code == 0
    assert "Example" in told.output
