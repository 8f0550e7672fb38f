"""Speed from sightings, and which sightings to believe: pure, on the times of the captures."""

from __future__ import annotations

import enum
import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from drivers.aruco.geometry import PlanarPose


class Velocity(NamedTuple):
    """A speed along the robot's own heading, and when it was true."""

    forward: float
    """m/s"""
    time: float
    """The middle of the sightings it is made of, s: half the window before the newest."""


class VelocityEstimator:
    """The slope of a straight line through the sightings of a short window (least squares).

    Causal: only the past is used, so what comes out is the speed in the middle of the window, that
    is `window_s / 2` late. For n sightings at distance dt with noise s (m) its own noise is
    s / dt / sqrt(n (n^2 - 1) / 12): 2 mm at 60 Hz over 0.1 s (7 sightings) give 23 mm/s.

    Args:
        window_s: length of the window, s.
        least: sightings without which there is no velocity, at least 2.

    Raises:
        ValueError: a window that is not positive, or fewer than 2 sightings.
    """

    def __init__(self, window_s: float = 0.1, least: int = 3) -> None:
        if not (window_s > 0 and least >= 2):
            raise ValueError(f"need window_s > 0 and least >= 2, got {window_s} s and {least}")
        self.window_s, self.least = window_s, least
        self._sightings: deque[tuple[float, float, float, float]] = deque()

    @property
    def delay_s(self) -> float:
        """How late the velocity is, behind the fix that carries it, once the window is full, s."""
        return self.window_s / 2

    def reset(self) -> None:
        """Forget every sighting."""
        self._sightings.clear()

    def add(self, time: float, pose: PlanarPose) -> Velocity | None:
        """Take a sighting of `time` (s); the velocity, or None while there are too few.

        Raises:
            ValueError: `time` is not after the last sighting's.
        """
        yaw = pose.yaw
        if self._sightings:
            last_time, _, _, last_yaw = self._sightings[-1]
            if not time > last_time:
                raise ValueError(f"sightings must come in order: {time} s after {last_time} s")
            yaw = last_yaw + math.remainder(yaw - last_yaw, math.tau)
        self._sightings.append((time, pose.x, pose.y, yaw))
        while time - self._sightings[0][0] > self.window_s + 1e-6:
            self._sightings.popleft()
        if len(self._sightings) < self.least:
            return None
        return self._slope()

    def _slope(self) -> Velocity:
        count = len(self._sightings)
        origin = self._sightings[0][0]
        times = [sighting[0] - origin for sighting in self._sightings]
        middle = sum(times) / count
        spread = sum((time - middle) ** 2 for time in times)
        dx = sum((t - middle) * s[1] for t, s in zip(times, self._sightings, strict=True))
        dy = sum((t - middle) * s[2] for t, s in zip(times, self._sightings, strict=True))
        heading = sum(sighting[3] for sighting in self._sightings) / count
        forward = (dx * math.cos(heading) + dy * math.sin(heading)) / spread
        return Velocity(forward, origin + middle)


class Admission(enum.Enum):
    """What became of a sighting."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    RESTARTED = "restarted"
    """The robot was carried: the new place is believed, and nothing before it."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How fast the robot can be."""

    speed_m_s: float = 3.0
    turn_rad_s: float = 8.0
    slack_m: float = 0.03
    """What noise may add to any step."""
    slack_rad: float = 0.15
    restart_after: int = 5
    """So many refused sightings that agree with one another are the new truth."""


class JumpGate:
    """Refuses a sighting that the robot cannot have reached since the last one admitted."""

    def __init__(self, limits: GateLimits | None = None) -> None:
        self._limits = limits or GateLimits()
        self._admitted: tuple[float, PlanarPose] | None = None
        self._refused: tuple[float, PlanarPose] | None = None
        self._agreeing = 0

    def admit(self, time: float, pose: PlanarPose) -> Admission:
        """Judge the sighting of `time` (s)."""
        if self._admitted is None or self._reachable(self._admitted, time, pose):
            self._admitted, self._refused, self._agreeing = (time, pose), None, 0
            return Admission.ADMITTED
        agrees = self._refused is not None and self._reachable(self._refused, time, pose)
        self._agreeing = self._agreeing + 1 if agrees else 1
        self._refused = (time, pose)
        if self._agreeing < self._limits.restart_after:
            return Admission.REFUSED
        self._admitted, self._refused, self._agreeing = (time, pose), None, 0
        return Admission.RESTARTED

    def _reachable(self, since: tuple[float, PlanarPose], time: float, pose: PlanarPose) -> bool:
        then, place = since
        limits, elapsed = self._limits, time - then
        distance = math.hypot(pose.x - place.x, pose.y - place.y)
        turned = abs(math.remainder(pose.yaw - place.yaw, math.tau))
        return (
            distance <= limits.speed_m_s * elapsed + limits.slack_m
            and turned <= limits.turn_rad_s * elapsed + limits.slack_rad
        )
