"""The twin is made to move as a robot did: least squares on whole motions.

Levenberg and Marquardt, with slopes that are differences of the twin's own motions; from one
evaluation of them to the next they are carried on by Broyden's rule. See `calibration.actuators`
for what is sought.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.errors import Undetermined

FloatArray = NDArray[np.float64]

ROUNDS: Final = 20
GOOD_ENOUGH: Final = 2e-3
"""Share by which the squares must still fall for another round."""
LEAST_READINGS: Final = 100
LONGEST_DELAY_S: Final = 0.1
SAME_DIGITS: Final = 9
"""Decimals of a radian, by which readings of one and the same count are alike."""


class Twin(Protocol):
    """Moves as the robot would."""

    @property
    def step_s(self) -> float:
        """Between two positions, s."""
        ...

    def trajectory(
        self, table: FloatArray, time_s: FloatArray, commanded_rad: FloatArray
    ) -> FloatArray:
        """Joint positions, rad, `step_s` apart from the first command on, shape (steps, n).

        Args:
            table: of the actuators, shape (n, 4), in the order of `PARAMETERS`.
            time_s: when each goal was sent, shape (count,).
            commanded_rad: the goals, shape (count, n); the motion begins at rest at the first.
        """
        ...


@dataclass(frozen=True, slots=True)
class Motion:
    """What was commanded and what was read; arrays of `count` rows."""

    time_s: FloatArray
    """When each goal was sent, increasing; shape (count,)."""
    commanded_rad: FloatArray
    """Shape (count, n)."""
    told_s: FloatArray
    """When each reading arrived, shape (count, n)."""
    told_rad: FloatArray
    """Shape (count, n); NaN: none."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is known before: the drawings' numbers, and how well others must come to be known."""

    names: tuple[str, ...]
    """Of the joints."""
    groups: Sequence[Sequence[int]]
    """Joints that move one another."""
    nominal: FloatArray
    """Shape (n, 4)."""
    tolerance: tuple[float, float, float, float]
    """Standard error up to which the gain, and each other number by the gain, counts as known."""
    gain_spread: float = 0.15
    """How far gains lie from the nominal before anything was measured; standard deviation."""
    delay_s: float = 0.0
    """Where to look for the delay first."""
    least: tuple[float, float, float, float] = (0.2, 0.0, 0.0, 1e-6)
    """Bounds from below."""


@dataclass(frozen=True, slots=True)
class Point:
    ratios: FloatArray
    """The gain, and the other numbers by the gain; shape (n, 4)."""
    delay_s: float


def by_gain(table: FloatArray) -> FloatArray:
    return np.concatenate((table[:, :1], table[:, 1:] / table[:, :1]), axis=1)


def whole(ratios: FloatArray) -> FloatArray:
    return np.concatenate((ratios[:, :1], ratios[:, 1:] * ratios[:, :1]), axis=1)


def told_by(places: FloatArray, twin: Twin, motion: Motion, delay_s: float) -> FloatArray:
    """`places`, as they are read `delay_s` later."""
    grid = motion.time_s[0] + twin.step_s * np.arange(len(places))
    read = motion.told_s - delay_s
    return np.stack([np.interp(read[:, j], grid, places[:, j]) for j in range(read.shape[1])], 1)


class Fit:
    """Least squares on one motion."""

    def __init__(self, motion: Motion, twin: Twin, drawn: Drawn) -> None:
        self._motion, self._twin, self._drawn = motion, twin, drawn
        self.seen = np.isfinite(motion.told_rad) & np.isfinite(motion.told_s)
        fewest = int(self.seen.sum(axis=0).min()) if self.seen.size else 0
        if fewest < LEAST_READINGS:
            raise Undetermined(f"{fewest} readings of a joint; valid are at least {LEAST_READINGS}")
        self._scale = np.array(drawn.tolerance)
        self._least = np.array(drawn.least)
        told = np.where(self.seen, motion.told_s, motion.time_s[:, None])
        self._motion = replace(motion, told_s=told)
        self._told = np.where(self.seen, motion.told_rad, 0.0)

    def noise(self) -> float:
        """Standard deviation of a reading, rad: at rest, before anything moves, and of its counts.

        A joint at rest may show one and the same count throughout.
        """
        commanded = self._motion.commanded_rad
        moved = np.flatnonzero((commanded != commanded[0]).any(axis=1))
        rest = slice(int(moved[0]) // 2 if len(moved) else 0, int(moved[0]) if len(moved) else None)
        told = np.where(self.seen, self._told, np.nan)[rest]
        rests = float(np.nanmedian(np.nanstd(told, axis=0))) if len(told) > 2 else 0.0
        return math.hypot(rests, self._count_rad() / math.sqrt(12.0))

    def _count_rad(self) -> float:
        """What one count of the encoders is: the least by which two readings of a joint differ."""
        columns = zip(self._told.T, self.seen.T, strict=True)
        gaps = [np.diff(np.unique(told[seen].round(SAME_DIGITS))) for told, seen in columns]
        return float(np.median([gap.min() if len(gap) else 0.0 for gap in gaps]))

    def _places(self, ratios: FloatArray) -> FloatArray:
        return self._twin.trajectory(whole(ratios), self._motion.time_s, self._motion.commanded_rad)

    def _wrong(self, places: FloatArray, delay_s: float) -> FloatArray:
        """What the twin would have told less what was told, shape (count, n)."""
        told = told_by(places, self._twin, self._motion, delay_s)
        return np.where(self.seen, told - self._told, 0.0)

    def missed(self, point: Point) -> FloatArray:
        """Root mean square of each joint's error, rad."""
        wrong = self._wrong(self._places(point.ratios), point.delay_s)
        return np.sqrt((wrong**2).sum(axis=0) / self.seen.sum(axis=0))

    def delayed(self, point: Point) -> Point:
        """`point` with the delay that fits best."""
        places, delay = self._places(point.ratios), point.delay_s
        for _ in range(8):
            wrong, slope = self._wrong(places, delay), self._delay_slope(places, delay)
            size = float((slope**2).sum())
            if size > 0.0:
                delay -= float(np.clip((slope * wrong).sum() / size, -0.005, 0.005))
            delay = min(max(delay, 0.0), LONGEST_DELAY_S)
        return replace(point, delay_s=delay)

    def _delay_slope(self, places: FloatArray, delay_s: float) -> FloatArray:
        small = 0.5 * self._twin.step_s
        later, sooner = (self._wrong(places, delay_s + side) for side in (small, -small))
        return (later - sooner) / (2.0 * small)

    def _slopes(self, point: Point, wrong: FloatArray) -> FloatArray:
        """Change of every residual by each number over its tolerance; shape (n, 4, count, n).

        Joints of different groups are moved at once: they do not feel one another.
        """
        groups, (joints, kinds) = self._drawn.groups, point.ratios.shape
        slopes = np.zeros((joints, kinds, *wrong.shape))
        for place in range(max(map(len, groups))):
            moved = [group for group in groups if place < len(group)]
            for kind in range(kinds):
                ratios = point.ratios.copy()
                rows = [group[place] for group in moved]
                ratios[rows, kind] += self._scale[kind]
                change = self._wrong(self._places(ratios), point.delay_s) - wrong
                for group in moved:
                    columns = list(group)
                    slopes[group[place], kind][:, columns] = change[:, columns]
        return slopes

    def _matrix(self, slopes: FloatArray, places: FloatArray, delay_s: float) -> FloatArray:
        """All slopes, the delay's (a millisecond) last; shape (residuals, 4 n + 1)."""
        late = 1e-3 * self._delay_slope(places, delay_s)
        columns = slopes.reshape(-1, late.size)
        return np.concatenate((columns, late.reshape(1, -1))).T

    def descended(self, point: Point) -> tuple[Point, FloatArray]:
        """The point of least squares, and the slopes there."""
        point = self.delayed(point)
        places = self._places(point.ratios)
        wrong = self._wrong(places, point.delay_s)
        slopes, fresh, damping = self._slopes(point, wrong), True, 1e-3
        for _ in range(ROUNDS):
            matrix = self._matrix(slopes, places, point.delay_s)
            tried = self._step(point, matrix, wrong, damping)
            new_places = self._places(tried.ratios)
            new_wrong = self._wrong(new_places, tried.delay_s)
            rms = self._rms(wrong)
            gain = 1.0 - self._cost(tried, new_wrong, rms) / self._cost(point, wrong, rms)
            if gain > 0.0:
                slopes = self._carried(slopes, point, tried, new_wrong, wrong, places)
                point, places, wrong = tried, new_places, new_wrong
                damping, was_fresh, fresh = max(damping / 5.0, 1e-6), fresh, False
                if gain > GOOD_ENOUGH:
                    continue
                if was_fresh:
                    break
            elif fresh:
                damping *= 20.0
                if damping > 1e4:
                    break
                continue
            slopes, fresh = self._slopes(point, wrong), True
        if not fresh:
            slopes = self._slopes(point, wrong)
        return point, self._matrix(slopes, places, point.delay_s)

    def _step(self, point: Point, matrix: FloatArray, wrong: FloatArray, damping: float) -> Point:
        """Where least squares would be, were the slopes the same all the way."""
        joints, kinds = point.ratios.shape
        size = np.sqrt((matrix**2).sum(axis=0)) * math.sqrt(damping)
        size = np.maximum(size, 1e-9)
        held = np.zeros(matrix.shape[1], dtype=bool)
        belief, belief_aim = self._belief(point, wrong)
        room = ((point.ratios - self._least) / self._scale).ravel()
        change = np.zeros(matrix.shape[1])
        # A number at its bound that would go beyond stays there, and the others are sought anew.
        for _ in range(joints * kinds):
            free = np.flatnonzero(~held)
            system = np.concatenate((matrix, belief, np.diag(size)))[:, free]
            known = np.concatenate((matrix, belief))[:, held] @ change[held]
            aim = np.concatenate((-wrong.ravel(), belief_aim, np.zeros(len(size))))
            aim[: len(known)] -= known
            normal = system.T @ system
            change[free] = np.linalg.solve(normal, system.T @ aim)
            beyond = np.flatnonzero(~held[:-1] & (change[:-1] < -room - 1e-12))
            if not len(beyond):
                break
            held[beyond] = True
            change[beyond] = -room[beyond]
        ratios = point.ratios + change[:-1].reshape(joints, kinds) * self._scale
        delay = min(max(point.delay_s + 1e-3 * float(change[-1]), 0.0), LONGEST_DELAY_S)
        return Point(np.maximum(ratios, self._least), delay)

    def _belief(self, point: Point, wrong: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What was believed of the gains before, as further rows: their slopes, and their aims."""
        joints, kinds = point.ratios.shape
        weight = self._rms(wrong) * math.sqrt(alike(wrong)) / self._drawn.gain_spread
        rows = np.zeros((joints, kinds * joints + 1))
        rows[np.arange(joints), kinds * np.arange(joints)] = weight * self._scale[0]
        return rows, weight * (self._drawn.nominal[:, 0] - point.ratios[:, 0])

    def _rms(self, wrong: FloatArray) -> float:
        return math.sqrt(float((wrong**2).sum()) / max(1, int(self.seen.sum())))

    def _cost(self, point: Point, wrong: FloatArray, noise: float) -> float:
        """Squares of residuals and beliefs, rad^2."""
        off = (point.ratios[:, 0] - self._drawn.nominal[:, 0]) / self._drawn.gain_spread
        return float((wrong**2).sum()) + noise**2 * alike(wrong) * float((off**2).sum())

    def _carried(
        self,
        slopes: FloatArray,
        before: Point,
        after: Point,
        new: FloatArray,
        old: FloatArray,
        places: FloatArray,
    ) -> FloatArray:
        """The slopes, so that they explain the step that was made (Broyden), group by group."""
        late = self._wrong(places, after.delay_s) - old
        change = (after.ratios - before.ratios) / self._scale
        carried = slopes.copy()
        for group in self._drawn.groups:
            rows = list(group)
            step = change[rows]
            size = float((step**2).sum())
            if size < 1e-12:
                continue
            part = slopes[rows][..., rows]
            explained = np.einsum("jk,jktc->tc", step, part)
            rest = (new - old - late)[:, rows] - explained
            carried[np.ix_(rows, range(step.shape[1]), range(len(new)), rows)] = (
                part + np.einsum("jk,tc->jktc", step, rest) / size
            )
        return carried

    def spread(self, point: Point, matrix: FloatArray) -> FloatArray:
        """Covariance of each joint's ratios, shape (n, 4, 4); infinite where nothing is told."""
        joints, kinds = point.ratios.shape
        scale = np.tile(self._scale, joints)
        found = self._covariance(point, matrix)[:-1, :-1] * scale * scale[:, None]
        blocks = [slice(kinds * joint, kinds * (joint + 1)) for joint in range(joints)]
        return np.array([found[block, block] for block in blocks])

    def delay_error(self, point: Point, matrix: FloatArray) -> float:
        """Standard error of the delay, s; infinite where nothing tells it."""
        return 1e-3 * math.sqrt(float(self._covariance(point, matrix)[-1, -1]))

    def _covariance(self, point: Point, matrix: FloatArray) -> FloatArray:
        """Of the numbers by their tolerances, and of the delay in ms, which is last."""
        wrong = self._wrong(self._places(point.ratios), point.delay_s)
        freedom = max(1, int(self.seen.sum()) - matrix.shape[1])
        variance = alike(wrong) * float((wrong**2).sum()) / freedom
        system = np.concatenate((matrix, self._belief(point, wrong)[0]))
        _, sizes, turned = np.linalg.svd(system, full_matrices=False)
        told = sizes > 1e-9 * sizes[0]
        part = turned[told] / sizes[told, None]
        found = part.T @ part * variance
        blind = np.flatnonzero((turned[~told] ** 2).sum(axis=0) > 1e-6)
        found[blind, blind] = np.inf
        return found


def alike(wrong: FloatArray) -> float:
    """How many neighbouring residuals say the same: 1 for white noise; as of a first-order process.

    So many times larger is the variance of what is made of them.
    """
    whole = float((wrong**2).sum())
    ratio = float((wrong[1:] * wrong[:-1]).sum()) / whole if whole > 0.0 else 0.0
    ratio = min(max(ratio, 0.0), 0.95)
    return (1.0 + ratio) / (1.0 - ratio)
