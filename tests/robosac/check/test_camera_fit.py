"""A camera that is another, or set otherwise than it was measured, arms nothing."""

import dataclasses
import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from calibration.file import dump
from calibration.record import DeviceTag
from robosac.check.camera_fit import CameraAsFiled, camera_fit_row
from robosac.check.place import Place
from robosac.check.row import Level, Row
from robosac.check.standing import camera_fit_rows
from robosac.check.subject import subject_of
from robosac.check.system import System
from robosac.config import load_preset
from robosac.errors import CalibrationMismatch
from robosac.robots.measured_camera import with_measured_tracker
from robosac.robots.robot_file import load_robot_file
from robosac.settings import MinitaurConfig
from tests.calibration.specimens import MEASURED
from tests.calibration.test_camera_record import CAMERA, EVIDENCE

FILED = CameraAsFiled(
    name="tracker",
    size=(1280, 720),
    exposure_s=0.004,
    gain=20.0,
    white_balance_k=4600.0,
    focus=0.0,
    device=CAMERA.device,
)
TODAY = datetime.date(2026, 2, 11)


def row(filed: CameraAsFiled = FILED, today: datetime.date = TODAY, **camera: Any) -> Row:
    measured = msgspec.structs.replace(CAMERA, **camera)
    return camera_fit_row(filed, measured, Place.REAL, today, 180.0)


def test_the_camera_that_was_measured_is_green() -> None:
    found = row()
    assert found.level is Level.GREEN
    assert "10 days old" in found.found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": (640, 480)}, "size is 640 by 480 px, calibrated at 1280 by 720 px"),
        ({"device": DeviceTag(model="HD Webcam", serial="B2")}, "serial is 'B2'"),
        ({"device": DeviceTag(model="HD Webcam")}, "serial is None"),
        ({"device": DeviceTag(model="Other", serial="A1")}, "model is 'Other'"),
        ({"device": None}, "not there"),
        ({"focus": 30.0}, "focus is 30, calibrated at 0"),
        ({"focus": None}, "focus is none"),
        ({"exposure_s": 0.0041}, "exposure_s is 0.0041, calibrated at 0.004"),
        ({"gain": 21.0}, "gain is 21"),
        ({"white_balance_k": float("nan")}, "white_balance_k is nan"),
    ],
)
def test_every_difference_is_red_and_named(change: dict[str, Any], says: str) -> None:
    found = row(dataclasses.replace(FILED, **change))
    assert found.level is Level.RED
    assert says in found.found


@pytest.mark.parametrize(
    ("days", "level"),
    [(-2, Level.RED), (-1, Level.GREEN), (90, Level.GREEN), (91, Level.AMBER), (180, Level.AMBER),
     (181, Level.RED)],
)  # fmt: skip
def test_a_camera_has_an_age_of_its_own(days: int, level: Level) -> None:
    measured = datetime.date.fromisoformat(CAMERA.date)
    assert row(today=measured + datetime.timedelta(days)).level is level


@pytest.mark.parametrize(
    ("name", "place", "level"),
    [
        ("tracker", Place.REAL, Level.RED),
        ("hand", Place.REAL, Level.AMBER),
        ("tracker", Place.SERVED, Level.TWIN),
        ("hand", Place.IN_PROCESS, Level.TWIN),
    ],
)
def test_a_camera_that_was_not_measured(name: str, place: Place, level: Level) -> None:
    filed = dataclasses.replace(FILED, name=name)
    assert camera_fit_row(filed, None, place, TODAY, 180.0).level is level


def robot(folder: Path) -> MinitaurConfig:
    """A quadruped on ports that are not there, whose tracker's camera the system knows."""
    nominal = (resources.files("robosac.robots") / "minitaur.yaml").read_text()
    tracker = nominal[nominal.index("# tracker:") :].replace("\n# ", "\n").removeprefix("# ")
    document = yaml.safe_load(nominal) | yaml.safe_load(tracker)
    (folder / "robot.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    config = load_preset(
        "minitaur", ["robot.address=serial", f"robot.file={folder / 'robot.yaml'}",
                     f"robot.calibration={folder / 'calibration.yaml'}"]
    )  # fmt: skip
    assert isinstance(config, MinitaurConfig)
    return config


def test_the_row_is_of_the_files_and_the_system(tmp_path: Path) -> None:
    parts = {
        "cameras": {"tracker": CAMERA},
        "evidence": {**MEASURED.evidence, "camera_tracker": EVIDENCE},
    }
    measured = msgspec.structs.replace(MEASURED, **parts)
    (tmp_path / "calibration.yaml").write_bytes(dump(measured))
    config = robot(tmp_path)
    subject = subject_of(config)
    name = "usb-YOUR_CAMERA-video-index0"
    node = tmp_path / "sys/class/video4linux" / name
    device = tmp_path / "sys/devices/usb1/1-1"
    (device / "1-1:1.0").mkdir(parents=True)
    node.mkdir(parents=True)
    (node / "device").symlink_to(device / "1-1:1.0")
    (node / "name").write_text("HD Webcam\n")
    system = System(
        sysfs=tmp_path / "sys", wall=lambda: datetime.datetime(2026, 2, 11, 12, tzinfo=datetime.UTC)
    )
    (found,) = camera_fit_rows(subject, system)
    assert found.level is Level.RED
    assert "serial is None, calibrated on 'A1'" in found.found
    (device / "serial").write_text("A1\n")
    (found,) = camera_fit_rows(subject, system)
    assert found.level is Level.GREEN, found


def test_the_tracker_sees_by_the_measured_numbers(tmp_path: Path) -> None:
    config = robot(tmp_path)
    file = load_robot_file(config.robot.file)
    assert with_measured_tracker(file, MEASURED) is file
    measured = msgspec.structs.replace(MEASURED, cameras={"tracker": CAMERA})
    found = with_measured_tracker(file, measured).tracker
    assert found is not None
    assert found.calibration.matrix[0] == (910.0, 0.0, 640.0)
    assert found.calibration.position == (0.1, -0.2, 2.5)
    assert found.calibration.rotation[0] == pytest.approx((0.0, -1.0, 0.0))
    assert file.tracker is not None
    assert found.marker == file.tracker.marker
    small = msgspec.structs.replace(CAMERA, size=(640, 480), centre_px=(320.0, 240.0))
    with pytest.raises(
        CalibrationMismatch, match="640 by 480 px, but the robot file's size is 1280"
    ):
        with_measured_tracker(file, msgspec.structs.replace(MEASURED, cameras={"tracker": small}))
