"""The executor's process with a served quadruped, under a drawn camera.

python -m tests.robosac.served_child_rig CHANNEL BELL
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

import calibration
from robosac.config import load_preset
from robosac.connect import connect
from robosac.executor_process import BuiltRobot, main
from robosac.executor_settings import minitaur_settings
from robosac.robots.minitaur import Minitaur
from robosac.settings import MinitaurConfig
from tests.robosac.test_assembly_serial import Scene

MODULE = "tests.robosac.served_child_rig"


class Ports(msgspec.Struct, frozen=True):
    """Where the twin is served, and what its configuration differs in."""

    folder: str
    legs: str
    imu: str
    overrides: tuple[str, ...]


def build(text: str) -> BuiltRobot:
    ports = msgspec.json.decode(text, type=Ports)
    config = load_preset("minitaur", ports.overrides)
    assert isinstance(config, MinitaurConfig)
    scene = Scene(Path(ports.folder), ports.legs, ports.imu)
    file = scene.file()
    reached = connect(file, scene.open_camera)
    measured = calibration.nominal("minitaur")
    robot = Minitaur(file, measured, reached.devices, reached.clock.now)
    return BuiltRobot(
        robot,
        minitaur_settings(config.executor),
        config.executor.period_s,
        lambda: robot.bus_statistics,
        reached.warnings,
    )


if __name__ == "__main__":
    sys.exit(main(build))
