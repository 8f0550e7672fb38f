"""How long a bus takes to answer, and a command to become motion: distributions, not means.

The motion that a step of the goal sets off begins gently: force is there at once, but position
grows with the square of time, and later still is it seen. So its beginning is not where it crosses
a threshold. Joint and position loop together are a spring, a mass and a damper; their response to
a step is fitted to the first rise of all steps together, and its foot is the delay. Then each step
is shifted until it fits best: that tells how delays are spread. Their mean is some 2 ms off by what
this motion does not know, dry friction and a loop that sees late; `calibration.motion_delay` finds
it better, where there is a twin.

Steps must be sampled at changing times after their command (`dither`), else a loop of fixed period
sees the same few points of the motion every time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.errors import Undetermined
from calibration.record import Delay

FloatArray = NDArray[np.float64]

LEAST_ROUND_TRIPS: Final = 100
"""For a 99th percentile to be one."""
LEAST_STEPS: Final = 20
EARLY_SHARE: Final = 0.5
"""Of the whole motion, that is fitted: what else hangs on the joint shows in the rest."""
LEAST_EARLY: Final = 40
"""Readings of that part, over all steps."""
LEAST_SIGNAL: Final = 10.0
"""Size of a step over the readings' noise before it."""
LONGEST_DELAY_S: Final = 0.2
SCATTER_S: Final = 0.003
"""So far before its command a single step may seem to move: that is noise, and counts as 0."""
GRID_S: Final = 0.0002
ROUNDS: Final = 4
ITERATIONS: Final = 12
MOST_MISFIT: Final = 0.05
"""Root mean square of the fit's residuals, as a share of the step, beyond the noise."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a goal, and the joint's motion."""

    commanded_s: float
    """When the command was sent."""
    time_s: FloatArray
    """When each reading arrived, shape (n,), increasing; from before the motion to its end."""
    position_rad: FloatArray
    """Shape (n,)."""
    size_rad: float
    """The goal's step; its sign is the motion's."""


@dataclass(frozen=True, slots=True)
class StepResponse:
    """From command to motion seen."""

    delay: Delay
    each_s: FloatArray
    """The delay of each step, s."""
    misfit: float
    """Root mean square of the fit's residuals, as a share of the step."""


def round_trips(seconds: ArrayLike) -> Delay:
    """The distribution of times that something took, s.

    Raises:
        Undetermined: too few, or some that are no times.
    """
    values = np.asarray(seconds, dtype=np.float64).reshape(-1)
    if len(values) < LEAST_ROUND_TRIPS:
        raise Undetermined(
            f"{len(values)} times; valid are at least {LEAST_ROUND_TRIPS}, for a 99th percentile"
        )
    return _distribution(values)


def dither(rng: np.random.Generator, count: int, period_s: float) -> FloatArray:
    """When to read after a command, s: `count` times, each anywhere within its period."""
    return (np.arange(count) + rng.random(count)) * period_s


def step_response(steps: Sequence[Step]) -> StepResponse:
    """How long after its command each step's motion begins to be seen.

    Raises:
        Undetermined: too few steps, no motion, motion before the command, too few readings of its
            beginning, or a motion that does not begin like one.
    """
    if len(steps) < LEAST_STEPS:
        raise Undetermined(f"{len(steps)} steps; valid are at least {LEAST_STEPS}")
    runs = [_normalised(step, number) for number, step in enumerate(steps, 1)]
    foot, rise = _crossings(runs)
    delays = np.full(len(runs), foot)
    motion = _Motion(1.5 / rise, 1.0 / rise)
    misfit = math.inf
    for _ in range(ROUNDS):
        early = _early(runs, delays)
        motion, shift, misfit = _fit(early, motion)
        delays = delays + shift
        delays = np.array(
            [_fitted(run, motion, early.reach, near) for run, near in _pairs(runs, delays)]
        )
    noise = float(np.median([run.noise for run in runs]))
    if not misfit <= noise + MOST_MISFIT:
        raise Undetermined(
            f"the motions do not begin alike: {misfit:.3f} of a step from the common shape; valid"
            f" is up to {noise + MOST_MISFIT:.3f}"
        )
    if not (delays >= -SCATTER_S).all() or not float(np.median(delays)) >= -GRID_S:
        raise Undetermined(
            f"step {int(np.argmin(delays)) + 1} moved {-1e3 * float(delays.min()):.1f} ms before"
            " its command; was something else moving it?"
        )
    delays = np.maximum(delays, 0.0)
    return StepResponse(_distribution(delays), delays, misfit)


@dataclass(frozen=True, slots=True)
class _Run:
    """A step by itself: time since the command, and the share of the step that was moved."""

    time: FloatArray
    share: FloatArray
    noise: float


def _normalised(step: Step, number: int) -> _Run:
    time = np.asarray(step.time_s, dtype=np.float64) - step.commanded_s
    position = np.asarray(step.position_rad, dtype=np.float64)
    if time.ndim != 1 or time.shape != position.shape:
        raise Undetermined(f"step {number}: times {time.shape}, positions {position.shape}")
    finite = np.isfinite(time).all() and np.isfinite(position).all()
    if not (finite and math.isfinite(step.size_rad) and step.size_rad != 0.0):
        raise Undetermined(f"step {number}: not every number is finite, or its size is zero")
    if not (np.diff(time) > 0.0).all():
        raise Undetermined(f"step {number}: times must increase")
    before = position[time <= 0.0]
    if len(before) < 3:
        raise Undetermined(f"step {number}: {len(before)} readings before it; valid are at least 3")
    share = (position - before.mean()) / step.size_rad
    noise = float(share[time <= 0.0].std())
    reached = float(share[-max(3, len(share) // 10) :].mean())
    if not reached >= max(0.25, LEAST_SIGNAL * noise):
        raise Undetermined(
            f"step {number}: it moved by {reached:.2f} of the step, with noise of {noise:.3f};"
            f" valid is {LEAST_SIGNAL:.0f} times the noise, and a quarter"
        )
    return _Run(time, share / reached, noise / reached)


@dataclass(frozen=True, slots=True)
class _Motion:
    """A spring, a mass and a damper: natural frequency and decay, 1/s."""

    frequency: float
    decay: float

    def at(self, since: FloatArray) -> FloatArray:
        """The share of a step that is done, `since` (s) after it."""
        late = np.maximum(since, 0.0)
        root = np.sqrt(complex(self.decay**2 - self.frequency**2))
        # Both roots alike are the limit of two that nearly are.
        root = root if abs(root) > 1e-4 * self.frequency else complex(1e-4 * self.frequency)
        a, b = -self.decay + root, -self.decay - root
        return 1.0 + np.real((b * np.exp(a * late) - a * np.exp(b * late)) / (a - b))


@dataclass(frozen=True, slots=True)
class _Early:
    """The first rise of all steps together."""

    since: FloatArray
    """Time since each one's foot, s."""
    share: FloatArray
    reach: float
    """How long the rise lasts, s."""


def _crossings(runs: list[_Run]) -> tuple[float, float]:
    """A delay for all steps alike, and the time from there to half the motion; s, roughly."""
    time = np.concatenate([run.time for run in runs])
    share = np.concatenate([run.share for run in runs])
    grid = np.arange(0.0, max(LONGEST_DELAY_S, float(time.max())), GRID_S)
    passed: list[float] = []
    for level in (0.1, 0.5):
        below, above = np.sort(time[share < level]), np.sort(time[share >= level])
        # Where as few readings as can be lie on the wrong side.
        wrong = np.searchsorted(above, grid) + len(below) - np.searchsorted(below, grid)
        passed.append(float(grid[int(np.argmin(wrong))]))
    tenth, half = passed
    # A square law passes a tenth of the way after 45 % of the time to half of it.
    rise = max(2.0 * GRID_S, (half - tenth) / 0.55)
    return half - rise, rise


def _early(runs: list[_Run], delays: FloatArray) -> _Early:
    since = np.concatenate([run.time - delay for run, delay in _pairs(runs, delays)])
    share = np.concatenate([run.share for run in runs])
    moved = np.sort(since[(share >= EARLY_SHARE) & (since > 0.0)])
    if not len(moved):
        raise Undetermined("no step moves most of its way")
    # The first few may be noise.
    reach = float(moved[min(len(moved) - 1, len(runs) // 4)])
    chosen = (since > -reach) & (since <= reach)
    count = int(np.count_nonzero(chosen & (since > 0.0)))
    if count < LEAST_EARLY:
        raise Undetermined(
            f"{count} readings while joints rise; valid are at least {LEAST_EARLY}: read faster,"
            " or step more often"
        )
    return _Early(since[chosen], share[chosen], reach)


def _fit(early: _Early, begin: _Motion) -> tuple[_Motion, float, float]:
    """The common motion, how much later it begins (s), and the misfit: by Gauss and Newton."""
    best: tuple[FloatArray, float] | None = None
    for faster, damping in ((1.0, 0.5), (1.0, 0.9), (2.0, 2.0), (3.0, 5.0)):
        frequency = faster * begin.frequency
        start = np.array([math.log(frequency), math.log(damping * frequency), 0.0])
        found = _descended(early, start)
        if best is None or found[1] < best[1]:
            best = found
    assert best is not None
    (frequency, decay, shift), misfit = best[0].tolist(), best[1]
    return _Motion(math.exp(frequency), math.exp(decay)), shift * early.reach, misfit


def _descended(early: _Early, start: FloatArray) -> tuple[FloatArray, float]:
    """Logarithms of frequency and decay, and the shift over `reach`, with less misfit."""

    def residual(values: FloatArray) -> FloatArray:
        frequency, decay, shift = values.tolist()
        motion = _Motion(math.exp(frequency), math.exp(decay))
        return motion.at(early.since - shift * early.reach) - early.share

    values, wrong = start, residual(start)
    for _ in range(ITERATIONS):
        slopes = np.stack([residual(values + step) - wrong for step in 1e-4 * np.eye(3)]) / 1e-4
        change, *_ = np.linalg.lstsq(slopes.T, -wrong, rcond=None)
        change = np.clip(change, -0.5, 0.5)
        for _ in range(4):
            tried = residual(values + change)
            if tried @ tried < wrong @ wrong:
                values, wrong = values + change, tried
                break
            change = change / 4.0
        else:
            break
    return values, float(np.sqrt(np.mean(wrong**2)))


def _fitted(run: _Run, motion: _Motion, reach: float, near: float) -> float:
    """The delay at which one step fits the common motion best, s."""
    delay, small = near, 1e-3 * reach
    for _ in range(ITERATIONS):
        since = run.time - delay
        chosen = (since > -reach) & (since <= reach)
        wrong = run.share[chosen] - motion.at(since[chosen])
        slope = (motion.at(since[chosen] - small) - motion.at(since[chosen] + small)) / (2 * small)
        size = float(slope @ slope)
        if not size > 0.0:
            break
        delay += float(np.clip(slope @ wrong / size, -0.2 * reach, 0.2 * reach))
    return min(max(delay, near - reach), near + reach)


def _pairs(runs: list[_Run], delays: FloatArray) -> list[tuple[_Run, float]]:
    return list(zip(runs, delays.tolist(), strict=True))


def _distribution(values: FloatArray) -> Delay:
    if not (np.isfinite(values).all() and (values >= 0.0).all()):
        raise Undetermined("times must be finite and not negative")
    p50, p99 = np.percentile(values, (50.0, 99.0)).tolist()
    most = float(values.max())
    # A mean of equal numbers may be rounded above them.
    return Delay(
        count=len(values),
        mean_s=min(float(values.mean()), most),
        p50_s=min(p50, p99, most),
        p99_s=min(p99, most),
        max_s=most,
    )


def moved_to(response: StepResponse, mean_s: float) -> StepResponse:
    """`response` with the mean `mean_s`, found in another way; its spread stays.

    Raises:
        ValueError: the mean is negative.
    """
    each = np.maximum(0.0, response.each_s + (mean_s - response.delay.mean_s))
    return replace(response, delay=shifted(response.delay, mean_s), each_s=each)


def shifted(delay: Delay, mean_s: float) -> Delay:
    """`delay` with the mean `mean_s`, found in another way; its spread stays.

    Raises:
        ValueError: the mean is negative.
    """
    if not 0.0 <= mean_s < math.inf:
        raise ValueError(f"mean_s is {mean_s}; valid is at least 0")
    change = mean_s - delay.mean_s
    p50, p99, most = (max(0.0, part + change) for part in (delay.p50_s, delay.p99_s, delay.max_s))
    # All of it may have been cut off at 0 but for the mean.
    most = max(most, mean_s)
    return Delay(count=delay.count, mean_s=mean_s, p50_s=p50, p99_s=p99, max_s=most)


def needed_history(delay: Delay, control_period_s: float) -> int:
    """Past observations that a policy must be shown so that the last command's effect is in them.

    Raises:
        ValueError: the period is not positive.
    """
    if not control_period_s > 0.0:
        raise ValueError(f"control_period_s is {control_period_s}; valid is above 0")
    return math.ceil(delay.max_s / control_period_s)
