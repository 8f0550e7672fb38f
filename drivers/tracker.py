"""What an overhead tracker tells: the robot's place on the floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PlanarFix:
    """One sighting of the robot, in the floor's frame."""

    time: float
    """Monotonic time of the capture (not of the arrival), s."""
    x: float
    """m"""
    y: float
    """m"""
    yaw: float
    """rad, counter-clockwise seen from above"""
    forward_velocity: float
    """Velocity along the robot's own heading, m/s; late by the tracker's own filter."""


class Tracker(Protocol):
    """Anything that can say where the robot is."""

    def newest(self, now: float) -> PlanarFix | None:
        """The newest fix that had arrived at `now` (s); None: there is none, or it is too old."""
        ...
