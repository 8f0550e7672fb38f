"""The robot file is read strictly, and says in one line what is wrong."""

from pathlib import Path

import pytest
import yaml

from robosac.errors import ConfigError
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
