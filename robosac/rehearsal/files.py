"""The robot file of a served twin: the nominal one, with the twin's ports and its camera."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from robosac.errors import ConfigError
from robosac.files import write_whole

ROBOTS = {"minitaur": "minitaur", "claw": "claw", "claw-pixels": "claw"}
"""What can be rehearsed, and the robot (and twin) of each preset."""

ROBOT_FILE, CALIBRATION_FILE = "robot.yaml", "calibration.yaml"


def robot_of(preset: str) -> str:
    """The robot of a preset.

    Raises:
        ConfigError: there is no rehearsal for it.
    """
    if preset not in ROBOTS:
        raise ConfigError(f"{preset!r} cannot be rehearsed; valid are {', '.join(ROBOTS)}")
    return ROBOTS[preset]


def write_robot(
    folder: Path, robot: str, ports: Mapping[str, Mapping[str, Any]]
) -> tuple[Path, Path]:
    """Write robot.yaml and calibration.yaml for a served twin into `folder`; their paths.

    Args:
        folder: where to.
        robot: `minitaur` or `claw`.
        ports: as the serving process tells them; its cameras bring their part of the robot file.
    """
    text = (resources.files("robosac.robots") / f"{robot}.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    if robot == "minitaur":
        document["ports"] = {name: ports[name]["path"] for name in ("legs", "imu")}
    else:
        port = ports["servos"]
        document["port"] = {"path": port["path"], "baud": port["baud"]}
        document.pop("camera")
    document |= camera_sections(ports)
    file, measured = folder / ROBOT_FILE, folder / CALIBRATION_FILE
    write_whole(file, yaml.safe_dump(document, sort_keys=False).encode())
    nominal = resources.files("calibration") / "nominal" / f"{robot}.yaml"
    write_whole(measured, nominal.read_bytes())
    return file, measured


def camera_sections(ports: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a robot file says of the cameras among a served twin's ports, by section."""
    found: dict[str, dict[str, Any]] = {}
    if "overhead" in ports:
        found["tracker"] = {"camera": ports["overhead"]["path"], **ports["overhead"]["sheet"]}
    if "hand" in ports:
        found["camera"] = {"path": ports["hand"]["path"], **ports["hand"]["sheet"]}
    return found
