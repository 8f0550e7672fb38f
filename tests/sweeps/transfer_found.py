"""What was found of a policy on hidden robots: the table, and the JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tests.sweeps.saying import say

DRAWINGS, MEASURED, FORETOLD = "drawings", "measured", "foretold"
PARTS = ("joints", "imu", "actuators")
TITLES = {
    DRAWINGS: "hidden robot, drawings' numbers",
    MEASURED: "hidden robot, calibrated",
    "joints": "only joints hidden, drawings' numbers",
    "imu": "only sensor hidden, drawings' numbers",
    "actuators": "only actuators and latency hidden",
    FORETOLD: "the calibrated twin, foretelling",
}


@dataclass
class Walks:
    """Episodes of one robot, driven in one way."""

    speed_m_s: list[float] = field(default_factory=list[float])
    """Of each episode, as long as it lasted."""
    lasted: list[float] = field(default_factory=list[float])
    """Share of each episode's time until its end."""
    falls: int = 0
    stopped: int = 0
    """Ended by anything else before the time was up."""
    refused: str = ""
    """Why the robot was not armed, or did not stand; then it did not walk at all."""

    @property
    def speed(self) -> float:
        """Mean while it walked, m/s; NaN if it was refused."""
        if not self.speed_m_s:
            return math.nan
        return float(np.average(self.speed_m_s, weights=self.lasted))

    @property
    def way(self) -> float:
        """Way forward by the whole time, m/s: after a fall nothing more comes; NaN: refused."""
        if not self.speed_m_s:
            return math.nan
        return float(np.mean(np.multiply(self.speed_m_s, self.lasted)))


@dataclass
class Robot:
    """One hidden robot."""

    seed: int
    walks: dict[str, Walks] = field(default_factory=dict[str, Walks])


@dataclass
class Found:
    """All robots."""

    nominal: Walks
    robots: list[Robot] = field(default_factory=list[Robot])
    uncalibrated: list[str] = field(default_factory=list[str])
    """What the routines said of robots that they refused."""
    any_way: list[str] = field(default_factory=list[str])
    """Of robots put together in any way: why each was not armed; empty for one that was."""

    def line(self, way: str) -> str:
        """For the table."""
        walks = [robot.walks[way] for robot in self.robots if way in robot.walks]
        armed = [walk for walk in walks if not walk.refused]
        kept = np.array([walk.speed for walk in armed] or [math.nan]) / self.nominal.speed
        ways = np.array([walk.way for walk in armed] or [math.nan]) / self.nominal.way
        episodes = sum(len(walk.speed_m_s) for walk in walks)
        falls = sum(walk.falls for walk in walks)
        return (
            f"{TITLES[way]:40} {len(walks):6d} {np.median(kept):7.2f} {kept.min():7.2f}"
            f" {kept.max():7.2f} {np.median(ways):7.2f} {falls:5d} of {episodes:3d}"
            f" {sum(walk.stopped for walk in walks):8d} {sum(bool(w.refused) for w in walks):8d}"
        )

    def foretold_off(self) -> float:
        """By how much of the nominal speed the calibrated twin is off the robot; median."""
        both = [
            (robot.walks[FORETOLD].speed, robot.walks[MEASURED].speed)
            for robot in self.robots
            if FORETOLD in robot.walks
        ]
        off = [abs(told - true) / self.nominal.speed for told, true in both]
        return float(np.median(off)) if off else math.nan

    def tell(self) -> None:
        """The table."""
        nominal = self.nominal
        say(
            f"nominal twin: {nominal.speed:.3f} m/s while it walks, {nominal.way:.3f} over all the"
            f" time, {nominal.falls} falls in {len(nominal.speed_m_s)} episodes"
        )
        say(
            f"{'':40} {'robots':>6} {'kept':>7} {'least':>7} {'most':>7} {'way':>7} {'falls':>9}"
            f" {'stopped':>8} {'refused':>8}"
        )
        for way in (DRAWINGS, MEASURED, *PARTS, FORETOLD):
            if any(way in robot.walks for robot in self.robots):
                say(self.line(way))
        say(f"foretold by the calibrated twin, off the robot: median {self.foretold_off():.2f}")
        refused = sum(bool(why) for why in self.any_way)
        say(f"put together in any way, drawings' numbers: {refused} of {len(self.any_way)} refused")
        for why in self.uncalibrated:
            say(f"not calibrated: {why}")

    def write(self, path: Path, options: dict[str, Any]) -> None:
        """Everything, as JSON."""
        path.write_text(json.dumps({"options": options, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Found:
        """What `write` wrote. Raises OSError, msgspec.DecodeError, ValidationError."""
        document = msgspec.json.decode(path.read_bytes())
        document.pop("options")
        return msgspec.convert(document, cls)
