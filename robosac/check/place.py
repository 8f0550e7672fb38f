"""Whether there is a robot on the ports, or a twin."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable

from robosac.stage import is_twin

PSEUDO = "/dev/pts/"
"""Where Linux keeps pseudo-terminals; no cable ends there."""


class Place(enum.Enum):
    """Where the robot is."""

    IN_PROCESS = "twin"
    """A twin in this process, in virtual time."""
    SERVED = "served twin"
    """A twin behind pseudo-terminals, in real time."""
    REAL = "robot"
    """Anything else: it counts as metal."""


def is_pseudo(path: str) -> bool:
    """Whether the port at `path` is a pseudo-terminal."""
    return os.path.realpath(path).startswith(PSEUDO)


def place_of(address: str, robot: str, ports: Iterable[str]) -> Place:
    """Where the robot is, by its setting `robot.address` and its ports.

    One port that is no pseudo-terminal is enough to be metal. A robot whose bytes come over a
    network into a pseudo-terminal (socat) cannot be told from a twin.

    Args:
        address: twin://NAME or serial.
        robot: minitaur or claw.
        ports: the robot file's; at least one.

    Raises:
        ConfigError: the address is neither.
    """
    if is_twin(address, robot):
        return Place.IN_PROCESS
    paths = tuple(ports)
    return Place.SERVED if paths and all(map(is_pseudo, paths)) else Place.REAL
