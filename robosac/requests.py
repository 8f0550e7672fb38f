"""What the executor is asked to do, and the ages and budgets within which it does it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from robosac.arming import ArmingSettings
from robosac.errors import SlowLimiterError
from robosac.hal import Fault, FloatArray
from robosac.keepout import KeepOut
from robosac.reasons import REJECTED, Reason
from robosac.recovery import RecoverySettings
from robosac.safety import is_vector
from robosac.thermal import ThermalSettings
from robosac.watch import Reaction, WatchSettings

TOLD_CHARACTERS = 300
"""Of a request that was rejected, kept in its fault."""


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """Ages, budgets and the settings of the parts."""

    hold_after: float = 0.1
    """Age of the newest request that holds the robot, s."""
    damp_after: float = 0.5
    """Age of the newest request that damps it, s."""
    stop_after: float = 2.0
    """Age of the newest request that switches torque off, s."""
    silence: float = 0.08
    """Time without a look from an actor in another process that holds the robot, s."""
    deadline_share: float = 0.8
    """Share of the period an exchange may take."""
    settle_s: float = 0.2
    """How long `disarm` damps before torque goes, s."""
    rejected_hold: int = 3
    """Rejected requests in a row that hold the robot."""
    rejected_fault: int = 10
    """Rejected requests in a row that cut torque."""
    late_hold: int = 3
    """Ticks in a row outside [T/2, 2T] that hold the robot."""
    max_distance: float = 1.0
    """How far a goal may lie from the measured position, rad."""
    limiter_s: float = 0.05
    """How long the limiter may take before torque is cut, s: less than motors' watchdogs (41)."""
    astray_rad: float = 0.8
    """How far the limiter may leave a joint from where it was asked to be, rad; inf: any far.

    Random exploration is limited in most ticks, so it is not counted that a tick was limited but
    how much: in 3,000 random steps of each preset the farthest was 0.65 rad.
    """
    astray_share: float = 0.5
    """Share of `astray_window_s` farther than that which holds the robot (hazard 3)."""
    astray_window_s: float = 1.0
    """s"""
    arming: ArmingSettings = field(default_factory=ArmingSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    thermal: ThermalSettings = field(default_factory=ThermalSettings)
    soft_zone: float = 0.0
    """Width of the soft zone before each stop, rad; 0: none."""
    keep_out: KeepOut | None = None
    """Regions of joint positions to stay out of; None: none."""
    low_pass: float | None = None
    """Cut-off of the filter before the limiter, Hz; None: no filter."""
    recovery: RecoverySettings | None = None
    """Bounds under which a fallen robot may be armed; None: never."""

    def __post_init__(self) -> None:
        if not 0 < self.hold_after < self.damp_after < self.stop_after:
            raise ValueError(
                "executor ages must satisfy 0 < hold_after < damp_after < stop_after, got "
                f"{self.hold_after}, {self.damp_after}, {self.stop_after}"
            )
        if not self.silence > 0:
            raise ValueError(f"executor.silence must be positive, got {self.silence}")
        if not 0 < self.deadline_share <= 1:
            raise ValueError(
                f"executor.deadline_share must lie in (0, 1], got {self.deadline_share}"
            )
        if not (self.astray_rad > 0 and 0 < self.astray_share <= 1 and self.astray_window_s > 0):
            raise ValueError(
                "executor.astray_rad and astray_window_s must be positive and astray_share in "
                f"(0, 1], got {self.astray_rad}, {self.astray_window_s}, {self.astray_share}"
            )

    def refuse_slow(self, taken: float) -> None:
        """Refuse a command that the limiter took `taken` s for: what it began from is over.

        Raises:
            SlowLimiterError: that is more than `limiter_s`.
        """
        if not taken <= self.limiter_s:
            raise SlowLimiterError(
                f"the limiter took {taken:.3f} s; valid is up to {self.limiter_s:g} s"
            )


def interval(begin: float, end: float) -> float:
    """Time from `begin` to `end`, s, in whole nanoseconds.

    Finer than that is only the rounding of large clock times, which would make what follows depend
    on when a run was started.
    """
    return round(end - begin, 9)


@dataclass(frozen=True, slots=True)
class Request:
    """The newest goal and how to get there."""

    goal: object
    start: FloatArray
    """Commanded position when the request came, rad."""
    time: float
    """When it was made, s; its age counts from then."""
    ramp: float
    """How long the straight way takes, s."""
    begun: float | None = None
    """When the way begins, s; None: when it was made."""

    def target(self, now: float) -> object:
        """The goal, or the point on the straight way to it that belongs to `now` (s)."""
        elapsed = interval(self.time if self.begun is None else self.begun, now)
        if elapsed >= self.ramp or not is_vector(self.goal, self.start.shape):
            return self.goal
        if elapsed <= 0.0:
            return self.start
        share = elapsed / self.ramp
        return self.start * (1.0 - share) + self.goal * share


class Inbox:
    """The newest request, how old it is, and how many in a row were rejected."""

    def __init__(self, settings: ExecutorSettings, now: float) -> None:
        self._settings = settings
        self._request: Request | None = None
        self._judged: Request | None = None
        self._fresh_at = now
        self._rejected = 0
        self._refusal = Reason.NONE
        self._offending: object = None
        self._astray = Astray(settings)

    @property
    def newest(self) -> Request | None:
        """The newest request; None before the first since arming."""
        return self._request

    def empty(self, now: float) -> None:
        """Begin anew, as at arming, which counts as a request made `now` (s)."""
        self._request = self._judged = None
        self._fresh_at, self._rejected, self._refusal = now, 0, Reason.NONE
        self._astray = Astray(self._settings)

    def put(self, request: Request) -> None:
        """Replace the newest request."""
        self._request = request

    def judge(self, reasons: Reason) -> None:
        """Note, once for each request, for which `reasons` the limiter rejected it, if any."""
        if self._request is None or self._request is self._judged:
            return
        self._judged, self._refusal = self._request, reasons & REJECTED
        if self._refusal:
            self._rejected += 1
            self._offending = self._request.goal
        else:
            self._rejected, self._fresh_at = 0, self._request.time

    def note_astray(self, target: object, executed: FloatArray, now: float) -> None:
        """Note at `now` (s) how far the limiter has kept `executed` (rad) from its `target`."""
        self._astray.note(target, executed, now)

    def why(self, now: float) -> Reason:
        """What is wrong with the newest request: its age, and why it was rejected."""
        refusal = self._refusal if self._request is self._judged else Reason.NONE
        if self._astray.too_long(now):
            refusal |= Reason.DISTANCE
        return refusal | Reason.AGE if self.age(now) > self._settings.hold_after else refusal

    def age(self, now: float) -> float:
        """Age of the newest request that was not rejected, s; arming counts as one."""
        if self._request is not None and self._request is not self._judged:
            return interval(self._request.time, now)
        return interval(self._fresh_at, now)

    def demand(self, now: float) -> Reaction:
        """The reaction that age and rejections call for."""
        age, settings = self.age(now), self._settings
        if self._rejected >= settings.rejected_fault:
            return Reaction.FAULT
        if age > settings.stop_after:
            return Reaction.STOP
        if age > settings.damp_after:
            return Reaction.DAMP
        # A newer request may end a row of rejected ones, so it gets its chance first.
        spoilt = self._rejected >= settings.rejected_hold and self._request is self._judged
        held = spoilt or age > settings.hold_after or self._astray.too_long(now)
        return Reaction.HOLD if held else Reaction.NONE

    def fault(self) -> Fault:
        """The row of rejected requests as a fault."""
        return Fault(
            "request_rejected",
            "request",
            f"{self._rejected} requests in a row were not finite or not of the robot's shape; the "
            f"newest of them: {_told(self._offending)}",
        )


class Astray:
    """How long, of late, commands were kept far from their targets (hazard 3).

    Time is counted in a leaky sum: what lies a window back has gone. In a steady row of far ticks
    it tends to the whole window. It goes down by itself, so that a hold ends: at half of the sum
    that began it, or hold and motion would alternate from tick to tick.
    """

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        self._allowed = settings.astray_share * settings.astray_window_s
        self._counted, self._at = 0.0, math.inf
        self._tripped = False

    def note(self, target: object, executed: FloatArray, now: float) -> None:
        """Count the time since the last note, at most a tenth of the window, if it was far."""
        settings = self._settings
        if not is_vector(target, executed.shape):
            return
        far = not float(np.abs(target - executed).max()) <= settings.astray_rad
        if far or self._counted:
            dt = min(max(now - self._at, 0.0), settings.astray_window_s / 10.0)
            self._counted = self._left(now) + (dt if far else 0.0)
            self._tripped = self._counted > self._allowed or self.too_long(now)
        self._at = now

    def too_long(self, now: float) -> bool:
        """Whether it was more than the allowed share of the window, as of `now` (s)."""
        return self._tripped and self._left(now) > self._allowed / 2.0

    def _left(self, now: float) -> float:
        window = self._settings.astray_window_s
        left = self._counted * math.exp(-max(now - self._at, 0.0) / window)
        return left if left > 1e-6 else 0.0


def _told(request: object) -> str:
    """A request in one line of at most TOLD_CHARACTERS, whatever it is."""
    if isinstance(request, np.ndarray):
        text = f"{request.dtype}{request.shape} " + np.array2string(request, threshold=16)
    else:
        text = f"{type(request).__name__} {request!r}"
    return " ".join(text.split())[:TOLD_CHARACTERS]
