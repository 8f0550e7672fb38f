"""A person is guided through the routines; what they refuse is asked for again."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from calibration.imu import GRAVITY_M_S2
from robosac.errors import CalibrationMismatch, ConfigError, RobotError
from robosac.fixture import load_fixture
from robosac.guiding import ATTEMPTS, ATTITUDES, TURNS, guide_imu, guide_joints
from robosac.robots.claw_file import load_claw_file

FILE = load_claw_file(None)
STOPS = {"base": 0.6, "middle": 1.25, "tip": 1.75}
FIXTURE = "joints:\n" + "".join(
    "  valve: {jig_rad: 0.5}\n"
    if name == "valve"
    else f"  {name}: {{lower_rad: -{STOPS[name.split('_')[0]]}, upper_rad:"
    f" {STOPS[name.split('_')[0]]}, jig_rad: 0.1}}\n"
    for name in FILE.joint_names
)


class Scene:
    """A person who does what is asked, and the hand he does it to: `Person` and `Bench`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.shaky = 0
        """So many of the next rests on a lower stop are not still."""
        self.sign = dict.fromkeys(FILE.joint_names, 1)
        self._line = ""

    def ask(self, line: str) -> None:
        self.asked.append(line)
        self._line = line

    def tell(self, line: str) -> None:
        self.told.append(line)

    def motors(self, seconds: float) -> np.ndarray:
        count = round(seconds / 0.01)
        index = next(i for i, name in enumerate(FILE.joint_names) if f" {name}" in self._line)
        name = FILE.joint_names[index]
        stop, share = STOPS.get(name.split("_")[0], 1.0), np.linspace(0.0, 1.0, count)
        joint = np.zeros(count)
        if "lower stop" in self._line:
            joint = np.full(count, -stop)
            if self.shaky:
                self.shaky -= 1
                joint = joint + 0.1 * share
        elif "guide" in self._line:
            joint = stop * (2.0 * share - 1.0)
        elif "upper stop" in self._line:
            joint = np.full(count, stop)
        elif "jig" in self._line:
            joint = np.full(count, 0.5 if name == "valve" else 0.1)
        elif "push" in self._line:
            joint = 0.35 * share
        shafts = np.zeros((count, len(FILE.joint_names)))
        shafts[:, index] = math.pi + 0.02 + self.sign[name] * joint
        return shafts

    def inertial(self, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A sensor that sits square."""
        count = round(seconds / 0.005)
        time, none = np.arange(count) * 0.005, np.zeros((count, 3))
        axis = next((axis for name, axis in TURNS.items() if name in self._line), None)
        if axis is not None:
            return time, np.tile(np.array(axis) * 0.5, (count, 1)), none
        up = next(up for name, up in ATTITUDES.items() if f" {name}" in self._line)
        return time, none, np.tile(np.array(up) * GRAVITY_M_S2, (count, 1))


def fixture(folder: Path, text: str = FIXTURE) -> Path:
    file = folder / "fixture.yaml"
    file.write_text(text)
    return file


def test_every_joint_is_asked_for_and_measured(tmp_path: Path) -> None:
    scene = Scene()
    found = guide_joints(FILE, load_fixture(fixture(tmp_path), FILE), 0.0, scene, scene)
    assert list(found) == list(FILE.joint_names)
    for name, result in found.items():
        assert result.zero_rad == pytest.approx(math.pi + 0.02), name
        assert result.sign == 1
    assert math.isinf(found["valve"].upper_rad)
    assert len(scene.asked) == 9 * 6 + 3
    assert "joint tip_2, 9 of 10" in scene.told


def test_what_is_refused_is_asked_for_again(tmp_path: Path) -> None:
    scene = Scene()
    scene.shaky = ATTEMPTS - 1
    guide_joints(FILE, load_fixture(fixture(tmp_path), FILE), 0.0, scene, scene)
    again = [line for line in scene.told if line.startswith("Not good: joint base_0: lower stop")]
    assert len(again) == ATTEMPTS - 1


def test_after_some_attempts_it_is_given_up(tmp_path: Path) -> None:
    scene = Scene()
    scene.shaky = 100
    with pytest.raises(RobotError, match=r"joint base_0: lower stop: .* given up after 3 attempts"):
        guide_joints(FILE, load_fixture(fixture(tmp_path), FILE), 0.0, scene, scene)


def test_joints_that_turn_the_other_way_are_named(tmp_path: Path) -> None:
    scene = Scene()
    scene.sign["middle_1"] = scene.sign["valve"] = -1
    with pytest.raises(CalibrationMismatch, match="joints middle_1, valve turn the other way"):
        guide_joints(FILE, load_fixture(fixture(tmp_path), FILE), 0.0, scene, scene)


def test_all_attitudes_and_turns_are_asked_for() -> None:
    scene = Scene()
    found = guide_imu(scene, scene)
    assert found.mounting == pytest.approx((1.0, 0.0, 0.0, 0.0), abs=1e-7)
    assert len(scene.asked) == len(ATTITUDES) + len(TURNS)
    assert scene.told[-1].startswith("imu: axes ('+x', '+y', '+z')")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("joints: {}", "has the joints"),
        ("[", "is not valid"),
        (FIXTURE.replace("jig_rad: 0.5", "upper_rad: 0.5"), "both stops, or none"),
        (FIXTURE.replace("valve: {jig_rad: 0.5}", "valve: {}"), "without stops it needs jig_rad"),
        (FIXTURE.replace("jig_rad: 0.5", "jig: 0.5"), "jig"),
        (FIXTURE.replace("lower_rad: -0.6", "lower_rad: 0.7"), "no range"),
        (FIXTURE.replace("tip_2", "toe_2"), "toe_2"),
    ],
)
def test_a_wrong_fixture_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load_fixture(fixture(tmp_path, text), FILE)
    assert "\n" not in str(caught.value)


def test_a_fixture_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        load_fixture(tmp_path / "none.yaml", FILE)
