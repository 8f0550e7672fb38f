"""The short form of the sweep of a policy on hidden robots: what is hidden, and what is told."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.errors import ArmingError
from tests.sweeps.transfer_found import DRAWINGS, FORETOLD, MEASURED, Found, Robot, Walks
from tests.sweeps.transfer_picture import picture
from tests.sweeps.transfer_robot import OFFSET_RAD, Build, Spans, settings, write_drawn

SPANS = Spans(math.radians(8.0), math.radians(8.0))


def near() -> Build:
    return Build.drawn(np.random.default_rng(4), SPANS)


def test_a_robot_by_the_drawing_is_off_it_by_no_more_than_its_spans() -> None:
    build = near()
    off = np.abs(build.bolted.zero_rad - OFFSET_RAD)
    assert off.min() > 0.0
    assert off.max() <= SPANS.horns_rad
    assert 2.0 * math.acos(build.bolted.mounting[0]) <= SPANS.mounting_rad + 1e-9
    assert build.actuators is not None
    assert build.bolted.latency_s == build.actuators.latency_s


def test_a_part_is_hidden_alone() -> None:
    build = near()
    plain = build.only("nothing")
    assert plain.actuators is None
    assert build.only("actuators").actuators is build.actuators
    for part, changed in (("joints", {"zero_rad"}), ("imu", {"mounting"})):
        one = build.only(part)
        assert one.actuators is None
        names = ("sign", "zero_rad", "mounting", "gyro_bias")
        differ = {
            name
            for name in names
            if not np.array_equal(getattr(one.bolted, name), getattr(plain.bolted, name))
        }
        assert differ == changed


def first_angles(build: Build, folder: Path) -> np.ndarray:
    """Where the robot believes its joints, less where they are, as it stands; drawings' numbers."""
    write_drawn(folder)
    with build.on_the_wire():
        stage = make_stage(load_preset("minitaur", settings(folder, False)))
    try:
        stage.env.reset(seed=1)
        env = stage.env.unwrapped
        state = env.ticks[-1].state  # pyright: ignore[reportAttributeAccessIssue]
        true = env.operator.plant.joint_position  # pyright: ignore[reportAttributeAccessIssue]
        return state.joints.position - true
    finally:
        stage.close()


def test_by_the_drawings_numbers_joints_are_believed_where_they_are_not(tmp_path: Path) -> None:
    build = near()
    wrong = first_angles(build, tmp_path)
    assert wrong == pytest.approx(build.bolted.zero_rad - OFFSET_RAD, abs=0.03)
    assert np.abs(first_angles(build.only("nothing"), tmp_path)).max() < 0.03


def test_one_that_is_put_together_in_any_way_is_not_armed(tmp_path: Path) -> None:
    with pytest.raises(ArmingError, match=r"position|tilt"):
        first_angles(Build.drawn(np.random.default_rng(4), None), tmp_path)


def walks(speed: float, lasted: float = 1.0) -> Walks:
    return Walks([speed, speed], [lasted, 1.0], falls=int(lasted < 1.0))


def test_the_table_and_the_picture(tmp_path: Path) -> None:
    told = {DRAWINGS: walks(0.2, 0.5), MEASURED: walks(0.4), FORETOLD: walks(0.45)}
    refused = replace(Walks(), refused="position: too far")
    found = Found(walks(0.5), [Robot(1, told), Robot(2, {**told, DRAWINGS: refused})])
    assert told[DRAWINGS].speed == pytest.approx(0.2)
    assert told[DRAWINGS].way == pytest.approx(0.15)
    assert math.isnan(refused.speed)
    ending = "2 0.40 0.40 0.40 0.30 1 of 2 0 1"
    assert " ".join(found.line(DRAWINGS).split()).endswith(ending)
    assert found.foretold_off() == pytest.approx(0.1)
    path = tmp_path / "found.json"
    found.write(path, {})
    assert Found.read(path) == found
    assert picture(found).startswith(b"\x89PNG")
