"""One camera to be measured: what the command line asks for, and what it is measured with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from calibration.board import BoardSpec
from calibration.record import DeviceTag
from drivers.camera.settings import CameraSettings
from robosac import connect_claw, overhead
from robosac.calibrate_target import Target
from robosac.camera_fixture import CameraFixture
from robosac.camera_guiding import Controls, OpenEye
from robosac.guiding import Person
from robosac.robots.claw_file import CameraSection, ClawFile
from robosac.robots.robot_file import RobotFile
from robosac.robots.sections import TrackerSection

Section = CameraSection | TrackerSection


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    preset: str
    overrides: list[str]
    target: Target
    fixture: Path
    board: BoardSpec
    keep_controls: bool


@dataclass(frozen=True)
class Job:
    """One camera to be measured."""

    name: str
    """hand or tracker."""
    file: ClawFile | RobotFile
    section: Section
    device: DeviceTag
    fixture: CameraFixture
    spec: BoardSpec
    person: Person
    progress: Callable[[str], None]
    open_eye: OpenEye
    keep_controls: bool
    """Exposure and white balance stay as the robot file has them."""


def settings_at(section: Section, controls: Controls) -> CameraSettings:
    """As the robot opens its camera, with these controls and at full resolution.

    The policy's picture is scaled from that.

    Raises:
        ValueError: a value cannot be.
    """
    changed = msgspec.structs.replace(
        section, exposure_s=controls.exposure_s, white_balance_k=controls.white_balance_k
    )
    if isinstance(changed, CameraSection):
        return dataclasses.replace(connect_claw.camera_settings(changed), output_size=None)
    return overhead.camera_settings(changed)
