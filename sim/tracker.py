"""An overhead camera's view of the robot: late, at its own rate, and not quite right."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from drivers.tracker import PlanarFix
from sim.delays import Delays


class Planar(Protocol):
    """A true place on the floor: x and y in m, yaw in rad."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def yaw(self) -> float: ...


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """A common 60 Hz camera looking at a fiducial marker from about 3 m."""

    rate_hz: float = 60.0
    latency_s: float = 0.04
    """From exposure to the picture."""
    jitter_s: float = 0.0
    """At most so much is added to each picture's latency."""
    delays: Delays | None = None
    """From exposure to the picture as measured on one camera, in the place of both."""
    search_s: float = 0.01
    """From the picture to the finished fix (assumed; a marker takes 2 to 30 ms to find)."""
    position_noise_m: float = 0.002
    """Standard deviation in x and in y."""
    yaw_noise_rad: float = 0.005
    """Standard deviation."""
    velocity_filter_s: float = 0.1
    """Time constant of the low-pass filter on the differenced position; the velocity lags by it."""

    @property
    def longest_s(self) -> float:
        """From exposure to the finished fix at most, s."""
        picture_s = self.latency_s + self.jitter_s if self.delays is None else self.delays.max_s
        return picture_s + self.search_s


class OverheadTracker:
    """Fixes as a camera would give them; satisfies `drivers.tracker.Tracker`.

    Velocity is never read from the simulator: it is the filtered difference of the noisy positions,
    along the noisy heading, as on the real floor.

    Args:
        pose: the true place, asked for at each exposure.
        settings: rate, delays and errors.
        rng: source of the errors; a later `reset` may replace it.
    """

    def __init__(
        self,
        pose: Callable[[], Planar],
        settings: TrackerSettings | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.settings = settings or TrackerSettings()
        self._pose = pose
        self._period = 1.0 / self.settings.rate_hz
        self._share = 1.0 - math.exp(-self._period / self.settings.velocity_filter_s)
        self.reset(rng or np.random.default_rng(0), 0.0)

    def reset(self, rng: np.random.Generator, now: float) -> None:
        """Forget every fix, take errors from `rng`, and expose next at `now` (s)."""
        self._rng = rng
        self._start = now
        self._exposures = 0
        self._next = 0.0
        self._last_elapsed = 0.0
        # Fixes still on their way, and two more: what falls out unread has long been overtaken.
        on_their_way = math.ceil(self.settings.longest_s * self.settings.rate_hz)
        self._pending: deque[tuple[float, PlanarFix]] = deque(maxlen=on_their_way + 2)
        self._arrived: PlanarFix | None = None
        self._last: PlanarFix | None = None

    def step(self, now: float) -> None:
        """Expose if it is time to; call once every physics step."""
        # Rounded, so that an episode's fixes do not depend on when it began, to the last bit.
        elapsed = round(now - self._start, 9)
        if elapsed < self._next - 1e-9:
            return
        self._exposures += 1
        self._next = self._exposures * self._period
        fix = self._measure(now, elapsed - self._last_elapsed)
        self._last_elapsed = elapsed
        self._last = fix
        self._pending.append((now + self._transit_s(), fix))

    def newest(self, now: float) -> PlanarFix | None:
        """Return the newest fix that has arrived by `now` (s); None before the first."""
        while self._pending and self._pending[0][0] <= now + 1e-9:
            _, self._arrived = self._pending.popleft()
        return self._arrived

    def _transit_s(self) -> float:
        """From exposure to the finished fix, drawn for one picture, s."""
        settings = self.settings
        if settings.delays is not None:
            return settings.delays.draw(self._rng) + settings.search_s
        jitter_s = settings.jitter_s * self._rng.random() if settings.jitter_s > 0.0 else 0.0
        return settings.latency_s + jitter_s + settings.search_s

    def _measure(self, now: float, elapsed: float) -> PlanarFix:
        """One exposure: errors added, velocity from this fix and the one `elapsed` (s) before."""
        true, settings = self._pose(), self.settings
        errors = self._rng.standard_normal(3).tolist()
        x = true.x + settings.position_noise_m * errors[0]
        y = true.y + settings.position_noise_m * errors[1]
        yaw = math.remainder(true.yaw + settings.yaw_noise_rad * errors[2], math.tau)
        last = self._last
        if last is None:
            return PlanarFix(now, x, y, yaw, 0.0)
        along = ((x - last.x) * math.cos(yaw) + (y - last.y) * math.sin(yaw)) / elapsed
        velocity = last.forward_velocity + self._share * (along - last.forward_velocity)
        return PlanarFix(now, x, y, yaw, velocity)
