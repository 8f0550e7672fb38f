"""Judging a stream of inertial frames: when each was measured, and whether the stream is alive."""

from __future__ import annotations

import math
from typing import Final

from drivers.imu import ImuFault, ImuStatistics

CLOCK_DRIFT: Final = 1e-4
"""Two crystals agree within this: 50 parts per million each is a poor one."""
SILENT_AFTER_S: Final = 0.02
"""No new frame for this long is a fault (PX4's sensor validator: 20 ms), s."""
SILENT_AFTER_PERIODS: Final = 4
"""... or for this many periods, if that is longer."""
FROZEN_AFTER: Final = 100
"""So many equal frames in a row are a stuck sensor (PX4's sensor validator)."""
RESTART_NS: Final = 1_000_000_000
"""A device clock that falls back by more began anew; by less, it is an old frame again."""
RATE_WINDOW_NS: Final = 1_000_000_000
"""Device time over which the rate is measured."""
RATE_TOLERANCE: Final = 0.25
"""Share by which the rate may be off before it is a fault."""


class HostTime:
    """Puts a device's time on the host's clock.

    Every arrival is the measurement plus a delay that is never negative, so the least difference of
    arrival and device time is nearest to the true offset of the clocks. That least value is kept;
    it may rise by CLOCK_DRIFT, else a device whose crystal is slow would never be followed.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the device's clock: it began anew."""
        self._offset = math.inf
        self._newest = self._measured = -math.inf

    def measured(self, device_s: float, arrival: float) -> float:
        """Host time of the measurement that carries `device_s` and came at `arrival`, both s.

        Never after `arrival`, and never before an earlier measurement, if device times and
        arrivals ascend.
        """
        drift = CLOCK_DRIFT * max(0.0, device_s - self._newest) if self._offset < math.inf else 0.0
        self._newest = device_s
        self._offset = min(self._offset + drift, arrival - device_s)
        self._measured = min(arrival, max(self._measured, device_s + self._offset))
        return self._measured


class StreamMonitor:
    """Counts and judges the frames of one sensor; the port asks it before it hands one out."""

    def __init__(self) -> None:
        self._host_time = HostTime()
        self._period_ns = 0
        self._silent_after_s = math.inf
        self.frames = self.implausible = 0
        self._repeated = self._missing = self._frozen = self._restarts = 0
        self.begin(0, 0.0)

    def begin(self, period_ns: int, now: float) -> None:
        """A stream with frames every `period_ns` starts now; 0: unknown, then it has no rate."""
        self._period_ns = period_ns
        self._silent_after_s = (
            max(SILENT_AFTER_S, SILENT_AFTER_PERIODS * period_ns * 1e-9) if period_ns else math.inf
        )
        self._host_time.reset()
        self._arrival = now
        self._device_ns: int | None = None
        self._values: object = None
        self._equal = 0
        self._restarted = False
        self._window_ns, self._window_frames = 0, 0
        self._rate_hz = math.nan

    def accept(self, device_ns: int, values: object, arrival: float) -> bool:
        """Whether a plausible frame is new and may be handed out.

        Args:
            device_ns: the device's time of it.
            values: what it measured; only compared with the frame before.
            arrival: when it came, s of the host's clock.
        """
        if not self._advance(device_ns):
            return False
        self._arrival = arrival
        self._equal = self._equal + 1 if values == self._values else 0
        self._values = values
        if self._equal >= FROZEN_AFTER - 1:
            self._frozen += 1
            return False
        return not self._restarted

    def measured(self, device_ns: int, arrival: float) -> float:
        """Host time of an accepted frame's measurement, s."""
        return self._host_time.measured(device_ns * 1e-9, arrival)

    def fault(self, now: float) -> ImuFault | None:
        """What is wrong with the stream at host time `now` (s), worst first."""
        if self._restarted:
            return ImuFault.RESTARTED
        if now - self._arrival > self._silent_after_s:
            return ImuFault.SILENT
        if self._equal >= FROZEN_AFTER - 1:
            return ImuFault.FROZEN
        # Written so that an unknown rate, NaN, is no fault.
        if abs(self._rate_hz * self._period_ns * 1e-9 - 1.0) > RATE_TOLERANCE and self._period_ns:
            return ImuFault.OFF_RATE
        return None

    def statistics(self, skipped_bytes: int) -> ImuStatistics:
        """A snapshot of the counters; `skipped_bytes` are the parser's."""
        return ImuStatistics(
            frames=self.frames,
            skipped_bytes=skipped_bytes,
            implausible=self.implausible,
            repeated=self._repeated,
            missing=self._missing,
            frozen=self._frozen,
            restarts=self._restarts,
            rate_hz=self._rate_hz,
        )

    def _advance(self, device_ns: int) -> bool:
        """Follow the device's clock; False: the frame is not newer than the last."""
        last = self._device_ns
        if last is None:
            self._window_ns = device_ns
        elif device_ns > last:
            self._count(device_ns, device_ns - last)
        elif last - device_ns <= RESTART_NS:
            self._repeated += 1
            return False
        else:
            self._restarts += 1
            self._restarted = True
            self._host_time.reset()
            self._window_ns, self._window_frames = device_ns, 0
        self._device_ns = device_ns
        return True

    def _count(self, device_ns: int, step_ns: int) -> None:
        """One frame `step_ns` after the last: gaps and rate."""
        if self._period_ns:
            self._missing += max(0, (step_ns + self._period_ns // 2) // self._period_ns - 1)
        self._window_frames += 1
        span = device_ns - self._window_ns
        if span >= RATE_WINDOW_NS:
            self._rate_hz = self._window_frames * 1e9 / span
            self._window_ns, self._window_frames = device_ns, 0
