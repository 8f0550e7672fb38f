"""Twins whose cameras are late by what nobody tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from robosac import assembly_claw, assembly_minitaur
from robosac.connection import Reached
from sim.camera_capture import RenderedCamera
from sim.claw import DT, ClawTwin
from sim.lens import Lens, PlacedLens
from sim.minitaur import MinitaurTwin
from sim.overhead_camera import OverheadView

Kind = Literal["hand", "overhead"]
PRESETS: Final = {"hand": "claw-pixels", "overhead": "minitaur"}
SIZE: Final = (320, 240)


@dataclass(frozen=True)
class Hidden:
    """A twin that is about to be made."""

    latency_s: float
    jitter_s: float
    fps: float
    host_stamped: bool
    seed: int
    kind: Kind = "hand"
    lag_s: float = DT
    """How old the joints' readings are, against which the pictures are timed."""

    @classmethod
    def drawn(cls, seed: int, kind: Kind) -> Hidden:
        """All from `seed`."""
        rng = np.random.default_rng([seed, 11])
        fps = float(rng.uniform(20.0, 60.0))
        latency_s = float(rng.uniform(0.005, 0.06))
        jitter_s = float(rng.uniform(0.0, min(0.015, 0.4 / fps)))
        # A step of the servos' firmware; the quadruped's readings are older.
        lag_s = DT if kind == "hand" else float(rng.uniform(0.002, 0.02))
        return cls(
            latency_s=latency_s if kind == "hand" else latency_s + lag_s,
            jitter_s=jitter_s,
            fps=fps,
            host_stamped=seed % 2 == 1,
            seed=seed,
            kind=kind,
            lag_s=lag_s,
        )

    @property
    def preset(self) -> str:
        """Whose twin it is."""
        return PRESETS[self.kind]

    @property
    def overrides(self) -> list[str]:
        """Settings of the twin."""
        section = "camera" if self.kind == "hand" else "overhead"
        common = [
            f"twin.{section}.latency_s={self.latency_s}",
            f"twin.{section}.jitter_s={self.jitter_s}",
            f"twin.{section}.fps={self.fps}",
        ]
        if self.kind == "hand":
            return [*common, "twin.camera.randomisation=mild", "twin.randomisation=robel"]
        return [*common, f"twin.sensor_latency_s={self.lag_s}"]


def hung_anywhere(rng: np.random.Generator) -> PlacedLens:
    """A lens above the robot: 2 to 3 m high, up to 0.4 m aside, askew, and bent by its glass."""
    place = np.array([*rng.uniform(-0.4, 0.4, 2), rng.uniform(2.0, 3.0)])
    forward = np.array([*rng.uniform(-0.1, 0.1, 2), 0.2]) - place
    forward /= np.linalg.norm(forward)
    roll = rng.uniform(-np.pi, np.pi)
    right = np.cross(forward, [np.sin(roll), np.cos(roll), 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    focal = float(rng.uniform(180.0, 260.0))
    lens = Lens(
        SIZE,
        (focal, focal),
        (159.5 + float(rng.uniform(-8.0, 8.0)), 119.5 + float(rng.uniform(-8.0, 8.0))),
        (float(rng.uniform(-0.15, 0.05)), 0.0, 0.0, 0.0, 0.0),
    )
    axes = tuple(tuple(axis.tolist()) for axis in (right, down, forward))
    return PlacedLens(lens, axes, tuple(place.tolist()))  # pyright: ignore[reportArgumentType]


@contextmanager
def spied(hidden: Hidden) -> Iterator[list[float]]:
    """Every delay that the next twin's camera draws, s; its stamps are as `hidden` has them."""
    drawn: list[float] = []
    room = assembly_claw if hidden.kind == "hand" else assembly_minitaur
    real, real_view = room.reach, assembly_minitaur.overhead_view

    def reach(*arguments: Any, **named: Any) -> Reached[Any, Any]:
        found = real(*arguments, **named)
        device = _device(found.operator)
        device.faults.no_stamps = hidden.host_stamped
        draw = device.transit_s

        def transit_s() -> float:
            drawn.append(draw())
            return drawn[-1]

        device.transit_s = transit_s
        return found

    def view(*arguments: Any) -> OverheadView:
        placed = hung_anywhere(np.random.default_rng([hidden.seed, 12]))
        return replace(real_view(*arguments), placed=placed)

    room.reach, assembly_minitaur.overhead_view = reach, view
    try:
        yield drawn
    finally:
        room.reach, assembly_minitaur.overhead_view = real, real_view


def _device(twin: object) -> RenderedCamera:
    if isinstance(twin, ClawTwin):
        assert twin.camera is not None
        return twin.camera.device
    assert isinstance(twin, MinitaurTwin)
    assert twin.overhead is not None
    return twin.overhead
