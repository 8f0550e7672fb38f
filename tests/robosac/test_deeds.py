"""Hands that read what a person reads: every line that is asked is understood, and done."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest

from robosac.deeds import Guide, Hold, Push, Rest, Turn, deed_of
from robosac.errors import RobotError
from robosac.fixture import load_fixture
from robosac.guiding import ATTITUDES, PUSH_S, TURNS, WAY_S, guide_imu, guide_joints
from robosac.twin_person import ATTITUDES as ROLL_AND_PITCH
from robosac.twin_person import TwinPerson
from tests.robosac.test_guiding import FILE, STOPS, Scene, fixture


def near(angle_rad: float) -> Any:
    """That angle, as a line writes it."""
    return pytest.approx(angle_rad, abs=1e-4)


def test_every_line_about_joints_says_what_to_do(tmp_path: Path) -> None:
    scene = Scene()
    guide_joints(FILE, load_fixture(fixture(tmp_path), FILE), 0.0, scene, scene)
    deeds = [deed_of(line) for line in scene.asked]
    first, jig = near(STOPS["base"]), near(0.1)
    assert deeds[0] == Rest("base_0", near(-STOPS["base"]))
    assert deeds[1] == Guide("base_0", first, WAY_S)
    assert deeds[2] == Rest("base_0", first)
    assert deeds[3] == Rest("base_0", jig)
    assert deeds[4] == deeds[5] == Push("base_0", math.radians(20.0), PUSH_S)
    assert {deed.joint for deed in deeds if isinstance(deed, Rest)} == set(FILE.joint_names)


def test_every_line_about_the_body_says_what_to_do() -> None:
    scene = Scene()
    guide_imu(scene, scene)
    deeds = [deed_of(line) for line in scene.asked]
    holds = [deed.attitude for deed in deeds if isinstance(deed, Hold)]
    turns = [deed.how for deed in deeds if isinstance(deed, Turn)]
    assert holds == list(ATTITUDES) == list(ROLL_AND_PITCH)
    assert turns == list(TURNS)


@pytest.mark.parametrize(
    "line", ["", "Rest tip_0 wherever you like", "Hold the body", "Press Enter"]
)
def test_a_line_that_says_too_little_is_not_guessed_at(line: str) -> None:
    with pytest.raises(RobotError, match="nobody's hands know"):
        deed_of(line)


def test_hands_are_of_a_twin_of_ours_alone() -> None:
    sink = io.StringIO()
    person = TwinPerson(object(), ("tip_0",), sink)
    with pytest.raises(RobotError, match="object is no twin"):
        person.ask("Rest tip_0 in the jig, at 10.00 degrees in the drawing, and press Enter")
    assert sink.getvalue().startswith("the twin's hands: Rest tip_0")
