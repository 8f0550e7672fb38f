"""Single steps of the keep-out filter in numbers that are exact: what passes and what brakes.

Periods are 1/2 s, the shortest that may follow 1/4 s, accelerations at most 4 rad/s^2, limits
at 1 rad. Joints at 2 rad/s need 1/2 s to stand, and may go on by 3/16 of their velocity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from robosac.finger_keepout import FingersApart
from robosac.hal import BoolArray, FloatArray
from robosac.keepout import FrontLegsForward, KeepOut, brake_together, keep_clear
from robosac.reasons import Reason
from robosac.safety import Envelope, Limited, LimiterSettings, Memory
from tests.robosac.fake_robot import make_limits

DT = 0.5
STOPPING = 2.0 * 3 / 16


def envelope_of(joints: int, position: float = 1.0) -> Envelope:
    limits = make_limits(joints, position=position, velocity=8.0, acceleration=4.0)
    return Envelope(limits, LimiterSettings(DT, 100.0))


@dataclass
class Walls:
    """Joint `on` may not go beyond `at` (rad), one wall for each; `involved` joints brake for it.

    Where `ring` is given, only the stretch of that half width about each wall is forbidden.
    """

    joints: int
    walls: list[tuple[int, float]]
    stop: list[tuple[int, ...]]
    resolution: float = math.inf
    slack: float = 0.0
    ring: float = math.inf
    asked: list[list[list[float]]] = field(default_factory=list)

    @property
    def involved(self) -> BoolArray:
        rows = np.zeros((len(self.walls), self.joints), dtype=np.bool_)
        for row, joints in zip(rows, self.stop, strict=True):
            row[list(joints)] = True
        return rows

    def clearance(self, positions: FloatArray) -> FloatArray:
        on, at = [on for on, _ in self.walls], [at for _, at in self.walls]
        before = np.array(at) - positions[..., on]
        return before if self.ring == math.inf else np.abs(before) - self.ring

    def clearances(self, points: list[list[float]]) -> list[list[float]]:
        self.asked.append([list(point) for point in points])
        return self.clearance(np.array(points)).tolist()


def step(
    start: list[float],
    end: list[float],
    last: list[float],
    keep_out: KeepOut,
    **more: object,
) -> tuple[Limited, Limited]:
    """What passes of a step from `start` to `end` (rad) after velocities `last`, and the step."""
    velocity = (np.array(end) - np.array(start)) / DT
    codes = np.full(len(start), Reason.ACCELERATION.value, dtype=np.uint8)
    asked = Limited(np.array(end), velocity, codes, **more)  # type: ignore[arg-type]
    memory = Memory(np.array(start), np.array(last))
    return keep_clear(asked, memory, envelope_of(len(start)), keep_out, DT), asked


@pytest.mark.parametrize("more", [0.0, 2.0**-20])
def test_a_step_passes_if_the_braking_after_it_ends_at_the_wall(more: float) -> None:
    wall = Walls(1, [(0, STOPPING - more)], [(0,)])
    kept, asked = step([-1.0], [0.0], [2.0], wall)
    assert (kept is asked) == (more == 0.0)


def test_joints_that_one_period_stops_are_not_rolling() -> None:
    """At 1 rad/s they need 1/4 s. Inside a region such a step must only take nothing from it."""
    wall = Walls(2, [(0, -0.25)], [(0, 1)], slack=0.125)
    kept, asked = step([0.0, 0.0], [0.0, 0.5], [0.0, 1.0], wall)
    assert kept is asked
    rolling, _ = step([0.0, 0.0], [0.0, 0.625], [0.0, 1.25], wall)
    assert rolling.whole == Reason.KEEP_OUT


def test_inside_a_region_a_rolling_step_must_gain_the_slack() -> None:
    wall = Walls(1, [(0, -0.25)], [(0,)], slack=0.125)
    kept, asked = step([0.5], [-0.25], [-1.5], wall)
    assert kept is asked
    wall = Walls(2, [(0, -0.25)], [(0,)], slack=0.125)
    gains = step([0.5, -1.0], [0.375, 0.0], [-0.25, 2.0], wall)
    assert gains[0] is gains[1]
    short = step([0.5, -1.0], [0.375 + 2.0**-20, 0.0], [-0.25, 2.0], wall)
    assert short[0] is not short[1]


def test_with_the_slack_to_spare_a_joint_may_roll_along_the_wall() -> None:
    wall = Walls(2, [(0, 0.25)], [(0,)], slack=0.25)
    kept, asked = step([0.0, -0.75], [0.0, 0.25], [0.0, 2.0], wall)
    assert kept is asked


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_braking_of_all_must_end_inside_each_joints_limits(side: float) -> None:
    """The second joint alone could stop in time; with the first, which is fast, it goes farther."""
    nothing = Walls(3, [(2, 100.0)], [(2,)])
    velocity = side * 0.5
    inside = 1.0 - 0.5 * 3 / 16
    start = [-1.0, side * inside - velocity * DT, 0.0]
    kept, asked = step(start, [0.0, side * inside, 0.0], [2.0, velocity, 0.0], nothing)
    assert kept is asked, "it ends at the limit"
    start = [-1.0, side * (inside + 0.125) - velocity * DT, 0.0]
    end = [0.0, side * (inside + 0.125), 0.0]
    kept, asked = step(start, end, [2.0, velocity, 0.0], nothing)
    assert kept.whole == Reason.KEEP_OUT
    assert kept.velocity.tolist() == [2.0, 0.0, 0.0], "only that joint brakes"


def test_from_outside_a_limit_a_joint_may_roll_inward() -> None:
    nothing = Walls(2, [(1, 100.0)], [(1,)])
    kept, asked = step([2.5, 0.0], [1.5, 0.0], [-2.0, 0.0], nothing)
    assert kept is asked
    kept, asked = step([-2.5, 0.0], [-1.5, 0.0], [2.0, 0.0], nothing)
    assert kept is asked
    kept, asked = step([1.25, -1.0], [1.25, 0.0], [0.0, 2.0], nothing)
    assert kept is asked, "a joint that stands outside keeps nobody else from moving"


def test_ways_are_looked_at_in_points_no_farther_apart_than_the_resolution() -> None:
    far = Walls(2, [(0, 100.0)], [(0,)], resolution=0.125)
    step([0.0, 0.0], [0.25, -0.375], [0.5, -0.75], far)
    step([0.0, 0.0], [0.0625, -0.125], [0.125, -0.25], far)
    step([0.0, 0.0], [0.0, 0.0], [0.0, 0.0], far)
    step([0.0, 0.0], [0.0, 0.3], [0.0, 0.6], far)
    assert far.asked[1:3] == [[[0.0, 0.0], [0.0625, -0.125]], [[0.0, 0.0], [0.0, 0.0]]]
    assert np.array(far.asked[0]) == pytest.approx(
        np.array([[0.0, 0.0], [1 / 12, -0.125], [1 / 6, -0.25], [0.25, -0.375]])
    )
    assert np.array(far.asked[3])[:, 1] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_the_way_of_the_braking_is_looked_at_too() -> None:
    far = Walls(1, [(0, 100.0)], [(0,)], resolution=0.125)
    step([-0.5], [0.5], [2.0], far)
    (points,) = far.asked
    assert points[0] == [-0.5]
    assert points[8] == [0.5]
    assert points[-1] == [0.5 + STOPPING]
    assert all(0.0 < b[0] - a[0] <= 0.125 for a, b in pairwise(points))


@pytest.mark.parametrize("middle", [0.0, 0.6])
def test_nothing_is_jumped_over(middle: float) -> None:
    """What is forbidden lies between start and end of the step, or of the braking after it."""
    ring = Walls(1, [(0, middle)], [(0,)], resolution=0.03125, ring=0.0625)
    kept, asked = step([-0.5], [0.5], [2.0], ring)
    assert kept is not asked


def test_all_regions_that_are_in_the_way_stop_their_joints_and_no_others() -> None:
    walls = Walls(4, [(0, 0.0), (1, -1.0), (3, 100.0)], [(0,), (1,), (3,)])
    kept, _ = step([0.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0] * 4, walls, tracking=True)
    assert kept.position.tolist() == [0.0, 0.0, 0.25, 0.25]
    assert kept.velocity.tolist() == [0.0, 0.0, 0.5, 0.5]
    assert kept.codes.tolist() == [0, 0, 64, 64]
    assert kept.codes.dtype == np.uint8
    assert isinstance(kept.tracking, np.ndarray)
    assert kept.tracking.tolist() == [False, False, True, True]
    assert kept.whole == Reason.KEEP_OUT


@pytest.mark.parametrize(
    ("tracking", "after"),
    [
        (True, [False, True, True]),
        (False, [False, False, False]),
        (np.array([True, True, False]), [False, True, False]),
    ],
)
def test_who_follows_still_tracks_as_it_did(tracking: BoolArray | bool, after: list[bool]) -> None:
    walls = Walls(3, [(0, 0.0)], [(0,)])
    kept, _ = step([0.0] * 3, [0.25] * 3, [0.0] * 3, walls, tracking=tracking, whole=Reason.TILT)
    assert isinstance(kept.tracking, np.ndarray)
    assert kept.tracking.tolist() == after
    assert kept.whole == Reason.KEEP_OUT | Reason.TILT


class Together:
    """Joint 1 must not be ahead of joint 0, nor joint 2 of joint 1."""

    involved: BoolArray = np.array([[True, False, False, False], [False, True, False, False]])
    resolution = math.inf
    slack = 0.0

    def clearance(self, positions: FloatArray) -> FloatArray:
        ahead = positions[..., 1] - positions[..., 2]
        back = -positions[..., 0]
        return np.stack((back, ahead), axis=-1)

    def clearances(self, points: list[list[float]]) -> list[list[float]]:
        # The second region is in the way only once the first joint is held.
        found = self.clearance(np.array(points)).tolist()
        held = points[-1][0] == points[0][0]
        return [[back, ahead if held else 1.0] for back, ahead in found]


def test_what_is_in_the_way_only_of_those_that_go_on_stops_its_joints_too() -> None:
    kept, _ = step([0.0] * 4, [0.25, -0.25, 0.0, 0.25], [0.0] * 4, Together())
    assert kept.position.tolist() == [0.0, 0.0, 0.0, 0.25]
    assert kept.codes.tolist() == [0, 0, 64, 64]


def test_where_that_is_not_clear_either_all_brake() -> None:
    lost = Walls(3, [(0, math.nan)], [(0,)])
    kept, asked = step([0.0] * 3, [0.75] * 3, [2.0, 1.0, 0.0], lost, whole=Reason.TILT)
    assert kept.velocity.tolist() == [0.0] * 3
    assert kept.position.tolist() == [0.0] * 3
    assert kept.tracking is False
    assert kept.codes is asked.codes
    assert kept.whole == Reason.KEEP_OUT | Reason.TILT
    assert len(lost.asked) == 2, "asked once more with the first joint held, then no more"


def test_if_all_are_in_the_way_all_brake_with_the_limiters_reasons() -> None:
    walls = Walls(2, [(0, 0.0)], [(0, 1)])
    kept, asked = step([0.0] * 2, [0.25] * 2, [0.0] * 2, walls)
    assert kept.position.tolist() == [0.0] * 2
    assert kept.codes is asked.codes
    assert kept.tracking is False


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["start", "end", "velocity"])
def test_what_is_not_finite_is_refused(wrong: float, place: str) -> None:
    start = np.array([wrong if place == "start" else 0.0, 0.0])
    end = np.array([0.25, wrong if place == "end" else 0.0])
    velocity = np.array([wrong if place == "velocity" else 0.5, 0.0])
    limited = Limited(end, velocity, np.zeros(2, dtype=np.uint8))
    with pytest.raises(ValueError, match="must be finite"):
        keep_clear(
            limited, Memory(start, np.zeros(2)), envelope_of(2), Walls(2, [(0, 9.0)], [(0,)]), DT
        )


def braked(start: list[float], last: list[float], dt: float = 0.25) -> Limited:
    memory = Memory(np.array(start), np.array(last))
    return brake_together(memory, envelope_of(len(start)), dt, Reason.TILT)


def test_braking_together_in_numbers() -> None:
    """The first needs 1/2 s; after half of it all have half of their velocity."""
    kept = braked([0.0, 0.0, 0.0], [2.0, -1.0, 0.0])
    assert kept.velocity.tolist() == [1.0, -0.5, 0.0]
    assert kept.position.tolist() == [0.25, -0.125, 0.0]
    assert (kept.codes.tolist(), kept.codes.dtype) == ([0, 0, 0], np.uint8)
    assert kept.tracking is False
    assert kept.whole == Reason.TILT


def test_who_stands_or_is_stopped_by_one_period_stands() -> None:
    assert braked([0.5, -0.5], [0.0, 0.0]).position.tolist() == [0.5, -0.5]
    assert braked([0.0], [1.0]).velocity.tolist() == [0.0]
    assert braked([0.0], [1e-13]).velocity.tolist() == [0.0]


def test_braking_never_leaves_the_limits_nor_goes_on_outside() -> None:
    assert braked([0.9, -0.9], [2.0, -2.0]).position.tolist() == [1.0, -1.0]
    assert braked([1.5, -1.5], [2.0, -2.0]).position.tolist() == [1.5, -1.5]
    assert braked([1.5, -1.5], [-2.0, 2.0]).position.tolist() == [1.25, -1.25]


def test_front_legs_are_the_first_and_the_third() -> None:
    front = FrontLegsForward(0.65)
    assert front.involved.dtype == np.bool_
    assert front.involved.tolist() == [
        [True, True, False, False, False, False, False, False],
        [False, False, False, False, True, True, False, False],
    ]
    assert FrontLegsForward(0.5, joints=4, legs=(1,)).involved.tolist() == [
        [False, False, True, True]
    ]


@pytest.mark.parametrize("more", [0.0, 2.0**-20])
def test_a_front_leg_may_swing_back_up_to_the_fold(more: float) -> None:
    """All of it: swing is linear, so nothing is lost between the points of a way."""
    fold = FrontLegsForward(0.25)
    back = 0.25 + more
    kept, asked = step([0.0] * 8, [back, -back, *[0.0] * 6], [0.0] * 8, fold)
    assert (kept is asked) == (more == 0.0)
    # 2 rad/s, and all of the way that braking takes from there.
    fold = FrontLegsForward(STOPPING)
    start = [-1.0 + more, 1.0 - more, *[0.0] * 6]
    kept, asked = step(start, [more, -more, *[0.0] * 6], [2.0, -2.0, *[0.0] * 6], fold)
    assert (kept is asked) == (more == 0.0)


@pytest.mark.parametrize("keep_out", [FrontLegsForward(0.65), FingersApart(joints=10)])
def test_plain_lists_hold_the_same_numbers(keep_out: KeepOut) -> None:
    joints = keep_out.involved.shape[1]
    positions = np.random.default_rng(0).uniform(-1.0, 1.0, (20, joints))
    plain = np.array(keep_out.clearances(positions.tolist()))
    assert plain == pytest.approx(keep_out.clearance(positions), abs=1e-15)
    assert np.ptp(plain, axis=0).min() > 0.0
