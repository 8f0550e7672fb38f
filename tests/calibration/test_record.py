"""The calibration file is read strictly."""

from pathlib import Path

import pytest

import calibration

GOOD = """
robot: minitaur
date: "2026-01-01"
joints:
  a: {motor_id: 1, offset_correction_rad: 0.25}
  b: {motor_id: 2}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "calibration.yaml"
    file.write_text(text)
    return file


def test_a_good_file_is_read(tmp_path: Path) -> None:
    found = calibration.load(written(tmp_path, GOOD))
    assert found.offsets(("b", "a")).tolist() == [0.0, 0.25]
    assert found.imu_mounting == (1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "colour: red\n", "colour"),
        (GOOD + "imu_mounting: [1, 1, 0, 0]\n", "unit quaternion"),
        (GOOD.replace("0.25", "4.0"), "outside"),
        (GOOD.replace("0.25", ".nan"), "outside"),
        (GOOD.replace("robot: minitaur", ""), "robot"),
        ("[", "not a calibration"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        calibration.load(written(tmp_path, text))


def test_an_unknown_robot_lists_the_known() -> None:
    with pytest.raises(ValueError, match="minitaur"):
        calibration.nominal("cat")
