"""The robot file is read strictly, and says in one line what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from robosac.errors import ConfigError
from robosac.overhead import aruco_settings, camera_model, camera_settings
from robosac.robots.robot_file import load_robot_file

NOMINAL = Path(__file__).parents[2] / "robosac" / "robots" / "minitaur.yaml"


def changed(folder: Path, **changes: object) -> Path:
    document = yaml.safe_load(NOMINAL.read_text())
    for dotted, value in changes.items():
        part = document
        *parents, key = dotted.split("__")
        for parent in parents:
            part = part[parent]
        part[key] = value
    file = folder / "robot.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def test_the_nominal_file_describes_eight_joints_in_pairs() -> None:
    robot = load_robot_file(None, "minitaur")
    assert len(robot.joint_names) == 8
    assert robot.joint_names[:2] == ("front_left_front", "front_left_rear")
    assert [motor.direction for motor in robot.motors.values()] == [-1] * 4 + [1] * 4
    assert robot.joint_limits().lower.tolist() == [0.5] * 8


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"limits__lower_rad": 3.5}, "lower_rad 3.5 is not below upper_rad"),
        ({"limits__velocity_rad_s": -1.0}, "velocity_rad_s"),
        ({"colour": "red"}, "colour"),
        ({"motors__front_left_front": {"id": 2, "direction": 1, "offset_rad": 0}}, "different"),
        (
            {"motors__front_left_front": {"id": 1, "direction": 0, "offset_rad": 0}},
            "valid are 1 and -1",
        ),
        ({"motors__front_left_front": {"id": 300, "direction": 1, "offset_rad": 0}}, "126"),
        ({"watchdog_s": 0}, "watchdog_s"),
        ({"supply_v": {"lower": 18.0, "upper": 14.0}}, "lower 18.0 is not below upper 14.0"),
        ({"name": 7}, "str"),
        ({"imu_baud": 921600}, "imu_baud"),
        ({"imu__kind": "bno055"}, "bno055"),
        ({"imu__baud": 250000}, "a vn100 has no 250000 bit/s; valid: [9600, "),
        ({"imu": {"kind": "hi91", "baud": 128000}}, "a hi91 has no 128000 bit/s"),
        ({"controllers": {"bounds": {"lower_rad": 2.0, "upper_rad": 1.0}}}, "2.0 is not below"),
        ({"controllers": {"max_current_a": 0}}, "max_current_a"),
        ({"controllers": {"kp": 4}}, "kp"),
        ({"tracker": {"camera": "/dev/video0"}}, "tracker"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    file = changed(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        load_robot_file(file, "minitaur")
    assert says in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2", "\x00", "- 1\n- 2\n", "!!python/object:os.system x"])
def test_what_is_no_robot_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="robot file"):
        load_robot_file(file, "minitaur")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_robot_file(tmp_path / "none.yaml", "minitaur")


def with_tracker(folder: Path) -> Path:
    """The nominal file with the section that it shows in comments."""
    text, found, shown = NOMINAL.read_text().partition("# tracker:\n")
    assert found
    file = folder / "robot.yaml"
    section = found + shown
    file.write_text(text + "".join(line.removeprefix("# ") for line in section.splitlines(True)))
    return file


def test_the_section_that_is_shown_describes_a_tracker(tmp_path: Path) -> None:
    section = load_robot_file(with_tracker(tmp_path), "minitaur").tracker
    assert section is not None
    assert section.size == (1280, 720)
    assert section.marker.side_m == 0.12
    camera = camera_model(section)
    # It hangs 2.5 m above the origin and looks straight down, its x axis to the robot's right.
    np.testing.assert_allclose(camera.project(np.zeros((1, 3))), [[640.0, 360.0]])
    right = camera.project(np.array([[0.0, -0.5, 0.0]]))
    np.testing.assert_allclose(right, [[640.0 + 910.0 * 0.5 / 2.5, 360.0]])
    controls = camera_settings(section).controls
    assert controls is not None
    assert (controls.exposure_s, controls.gain, controls.focus) == (0.004, 20.0, 0.0)
    assert aruco_settings(section).mount.up_m == 0.05


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ("fps: 60.0", "fps: 0", "fps"),
        ("exposure_s: 0.004", "exposure_s: 2", "exposure_s"),
        ("power_line_hz: 50", "power_line_hz: 55", "55"),
        ("{id: 7,", "{id: 50,", "id"),
        ("size: [1280, 720]", "size: [1280]", "size"),
        ("position: [0.0, 0.0, 2.5]", "position: [0.0, 2.5]", "position"),
        ("camera: /dev", "cammera: /dev", "cammera"),
    ],
)
def test_a_wrong_tracker_is_refused(tmp_path: Path, line: str, instead: str, says: str) -> None:
    file = with_tracker(tmp_path)
    text = file.read_text()
    assert line in text
    file.write_text(text.replace(line, instead))
    with pytest.raises(ConfigError, match=says) as caught:
        load_robot_file(file, "minitaur")
    assert "\n" not in str(caught.value)


def test_without_a_word_on_it_the_sensor_is_a_vn100(tmp_path: Path) -> None:
    document = yaml.safe_load(NOMINAL.read_text())
    for key in ("imu", "controllers"):
        del document[key]
    file = tmp_path / "robot.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    robot = load_robot_file(file, "minitaur")
    assert (robot.imu.kind, robot.imu.baud) == ("vn100", 921600)
    assert robot.controllers.voltage_mode_control is None
    assert robot.tracker is None
