"""Pictures of joints and inertial sensor, as they were measured."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from calibration.imu import ImuResult
from calibration.joints import JointResult
from robosac.bolted_pictures import imu_figure, imu_page, joints_figure, joints_page
from robosac.errors import ConfigError
from robosac.plot_style import LIGHT, render
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.robots.wiring import Wiring

SENSOR = ImuResult(
    mounting=(math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)),
    gyro_bias_rad_s=(0.001, -0.002, 0.0005),
    gyro_noise_rad_s=(0.003, 0.003, 0.004),
    acceleration_noise_m_s2=(0.01, 0.02, 0.03),
    rms_rad=0.004,
    worst_rad=0.01,
    worst="turn <left>",
    uncertain_rad=0.002,
    coverage=0.9,
    axes=("+y", "-x", "+z"),
    readings=4000,
)


def results(file: Wiring, off_rad: float = 0.1) -> dict[str, JointResult]:
    return {
        name: JointResult(
            name, motor.direction, -motor.offset_rad + off_rad, -1.0, 1.2, 0.004, 0.0005, 1, 300
        )
        for name, motor in file.motors.items()
    }


@pytest.mark.parametrize("load", [load_robot_file, load_claw_file])
def test_every_joint_has_a_line_and_a_bar(load: object, tmp_path: Path) -> None:
    file: Wiring = load(None)  # type: ignore[operator]
    found = results(file)
    endless = file.joint_names[-1]
    found[endless] = replace(found[endless], lower_rad=-math.inf, upper_rad=math.inf)
    page = joints_page(tmp_path / "c.yaml", file, found)
    text = page.read_text()
    assert page.name == "c.yaml.joints.html"
    for name in file.joint_names:
        assert name in text
    assert "<td>none</td>" in text
    assert "0.23" in text, "the misfit in degrees"
    with Image.open(tmp_path / "c.yaml.joints.png") as image:
        assert image.width > 800
    other = render(lambda theme: joints_figure(file, results(file, 0.3), theme), LIGHT)
    assert other != (tmp_path / "c.yaml.joints.png").read_bytes()


def test_the_sensor_shows_its_axes_and_its_bias(tmp_path: Path) -> None:
    text = imu_page(tmp_path / "c.yaml", SENSOR).read_text()
    assert "+y, -x, +z" in text
    assert "turn &lt;left&gt;" in text
    assert "+1.000" in text
    picture = (tmp_path / "c.yaml.imu.png").read_bytes()
    assert picture == render(lambda theme: imu_figure(SENSOR, theme), LIGHT)
    askew = replace(SENSOR, mounting=(1.0, 0.0, 0.0, 0.0), axes=None)
    assert picture != render(lambda theme: imu_figure(askew, theme), LIGHT)
    assert "It sits askew" in imu_page(tmp_path / "c.yaml", askew).read_text()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        imu_page(tmp_path / "no" / "c.yaml", SENSOR)
