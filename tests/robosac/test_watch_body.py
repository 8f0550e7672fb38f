"""The look at the inertial sensor by itself: ages, tilt, range and drift, each from both sides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from robosac.hal import ImuSample
from robosac.reasons import Reason
from robosac.watch_body import (
    GRAVITY,
    BodyMemory,
    body_tilt,
    judge_body,
    rest_problem,
    world_force,
)
from robosac.watch_settings import WatchSettings
from robosac.watch_verdict import Reaction, Verdict

SETTINGS = WatchSettings()
"""40 ms hold, 200 ms damp; 34 rad/s and 155 m/s^2; 3.5 m/s^2 of drift over 1 s."""
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
AT_REST = (0.0, 0.0, GRAVITY)
Triple = tuple[float, float, float]


def turned(axis: Triple, angle: float) -> tuple[float, float, float, float]:
    """By `angle` (rad) about a unit axis; w, x, y, z."""
    s = math.sin(angle / 2.0)
    return math.cos(angle / 2.0), s * axis[0], s * axis[1], s * axis[2]


def sample(
    orientation: tuple[float, ...] = UPRIGHT,
    turning: Triple = (0.0, 0.0, 0.0),
    force: Triple = AT_REST,
    time: float = 0.0,
) -> ImuSample:
    return ImuSample(time, np.array(orientation), np.array(turning), np.array(force))


def judged(
    imu: ImuSample | None, now: float = 0.0, memory: BodyMemory | None = None, limit: float = 0.8
) -> tuple[Verdict, BodyMemory]:
    verdict = Verdict()
    return verdict, judge_body(imu, now, limit, memory or BodyMemory(), SETTINGS, verdict)


def names(verdict: Verdict) -> list[str]:
    assert all(fault.source == "imu" for fault in verdict.faults)
    assert verdict.latching == []
    return [fault.name for fault in verdict.faults]


@pytest.mark.parametrize(
    ("age", "reaction"),
    [
        (0.0, Reaction.NONE),
        (0.04, Reaction.NONE),
        (0.041, Reaction.HOLD),
        (0.2, Reaction.HOLD),
        (0.201, Reaction.DAMP),
        (math.nan, Reaction.DAMP),
    ],
)
def test_the_older_the_sample_the_stronger_the_reaction(age: float, reaction: Reaction) -> None:
    verdict, _ = judged(sample(), age)
    assert verdict.reaction is reaction
    assert names(verdict) == ([] if reaction is Reaction.NONE else ["imu_stale"])
    assert verdict.reasons == (Reason.NONE if reaction is Reaction.NONE else Reason.STALE)
    if age == 0.041:
        assert verdict.faults[0].detail == "newest sample is 0.041 s old"


def test_without_a_sample_the_robot_is_damped() -> None:
    memory = BodyMemory(time=3.0)
    verdict, after = judged(None, memory=memory)
    assert (verdict.reaction, names(verdict)) == (Reaction.DAMP, ["imu_stale"])
    assert after is memory


@pytest.mark.parametrize(
    "axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.6, 0.8, 0.0)]
)
@pytest.mark.parametrize("angle", [0.0, 0.5, 1.5, 3.0])
def test_tilt_is_the_angle_to_the_vertical(axis: Triple, angle: float) -> None:
    assert body_tilt(sample(turned(axis, angle))) == pytest.approx(angle, abs=1e-7)
    assert body_tilt(sample(turned((0.0, 0.0, 1.0), angle))) == 0.0


@pytest.mark.parametrize(
    ("scale", "known"), [(0.9, False), (0.94, False), (0.96, True), (1.04, True), (1.06, False)]
)
def test_an_orientation_is_a_unit_quaternion_or_unknown(scale: float, known: bool) -> None:
    """Its square may be 0.9 to 1.1, and the angle does not depend on it."""
    orientation = [scale * value for value in turned((1.0, 0.0, 0.0), 0.5)]
    tilt = body_tilt(sample(tuple(orientation)))
    assert tilt == (pytest.approx(0.5) if known else math.inf)


def test_the_ends_of_what_is_a_unit_quaternion_are_none() -> None:
    # Numbers whose squares add up to 0.9 and to 1.1, to the last bit.
    for w, x, square in (
        (0.8444218515250481, 0.43237915845587377, 0.9),
        (0.7579544029403025, 0.7249173215363319, 1.1),
    ):
        assert w * w + x * x == square
        assert body_tilt(sample((w, x, 0.0, 0.0))) == math.inf
    assert body_tilt(sample((math.nan, 0.0, 0.0, 0.0))) == math.inf
    assert body_tilt(sample((0.0, 1.0, 0.0, 0.0))) == math.pi
    assert body_tilt(sample((0.0, 0.7, 0.714142842854285, 0.0))) == pytest.approx(math.pi)


def test_tilt_damps_from_its_limit_on() -> None:
    leaning = sample(turned((1.0, 0.0, 0.0), 0.5))
    exact = body_tilt(leaning)
    assert names(judged(leaning, limit=exact)[0]) == []
    verdict, _ = judged(leaning, limit=math.nextafter(exact, 0.0))
    assert (verdict.reaction, verdict.reasons) == (Reaction.DAMP, Reason.TILT)
    assert verdict.faults[0].detail == "tilt 0.50 rad; valid is up to 0.50 rad"
    assert names(verdict) == ["tilt"]
    assert names(judged(leaning, limit=math.nan)[0]) == ["tilt"]


def test_the_force_is_told_in_the_worlds_axes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        w, x, y, z = quaternion = rng.normal(size=4)
        quaternion = (quaternion / np.linalg.norm(quaternion)).tolist()
        w, x, y, z = quaternion
        matrix = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        force = rng.normal(size=3)
        told = world_force(sample(tuple(quaternion), force=tuple(force.tolist())))
        assert told == pytest.approx((matrix @ force).tolist(), abs=1e-12)


def rest(**values: object) -> str:
    return rest_problem(sample(**values), 2.0, 0.3, 0.5)  # type: ignore[arg-type]


def test_at_rest_it_feels_gravity_and_no_turning() -> None:
    assert GRAVITY == 9.81
    for length in (7.82, 11.8):
        assert rest(force=(0.0, 0.0, length)) == ""
    for length in (7.8, 11.82):
        assert rest(force=(0.0, 0.0, length)) == (
            f"it feels {length:.2f} m/s^2 at rest; valid is 9.81 +- 2.0"
        )
    assert rest(force=(0.0, 0.0, math.nan)).startswith("it feels nan")
    assert rest(force=(0.0, 11.82, 0.0)).startswith("it feels 11.82")
    assert rest_problem(sample(force=(0.0, 0.0, 8.0)), 9.81 - 8.0, 0.3, 0.5) == ""


def test_at_rest_gravity_points_down_by_its_own_attitude() -> None:
    def lean(angle: float) -> Triple:
        return 0.0, GRAVITY * math.sin(angle), GRAVITY * math.cos(angle)

    def leaning(angle: float) -> str:
        return rest(force=lean(angle))

    assert leaning(0.299) == leaning(-0.299) == ""
    assert leaning(0.31) == "gravity and its attitude differ by 0.31 rad; valid is up to 0.3"
    assert leaning(-0.31).startswith("gravity and its attitude differ by 0.31")
    assert leaning(math.pi).startswith("gravity and its attitude differ by 3.14")
    exact = math.acos((GRAVITY * math.cos(0.25)) / math.hypot(*lean(0.25)))
    assert rest_problem(sample(force=lean(0.25)), 2.0, exact, 0.5) == ""
    agreeing = turned((1.0, 0.0, 0.0), -0.31)
    force = (0.0, GRAVITY * math.sin(0.31), GRAVITY * math.cos(0.31))
    assert rest(orientation=turned((1.0, 0.0, 0.0), 0.31), force=force) == ""
    assert "0.62" in rest(orientation=agreeing, force=force)


def test_at_rest_it_does_not_turn() -> None:
    assert rest(turning=(0.3, 0.0, -0.4)) == ""
    assert rest(turning=(0.3, 0.01, 0.4)) == "it turns by 0.50 rad/s at rest; valid is up to 0.5"
    assert rest(turning=(math.nan, 0.0, 0.0)).startswith("it turns by nan")


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_row_of_samples_at_the_end_of_the_range(at: int, side: float) -> None:
    def triple(value: float) -> Triple:
        values = [0.0, 0.0, 0.0]
        values[at] = side * value
        return values[0], values[1], values[2]

    for allowed in (sample(turning=triple(34.0)), sample(force=triple(155.0))):
        assert judged(allowed)[1].saturated == 0
    for beyond in ({"turning": triple(34.1)}, {"force": triple(155.1)}):
        memory, told, verdict = BodyMemory(), [], Verdict()
        for count in range(1, 7):
            imu = sample(**beyond, time=count * 1e9)  # type: ignore[arg-type]
            verdict, memory = judged(imu, imu.time, memory)
            assert memory.saturated == count
            told.append((verdict.reaction, names(verdict)))
        held, damped = (Reaction.HOLD, ["imu_range"]), (Reaction.DAMP, ["imu_range"])
        assert told == [(Reaction.NONE, []), held, held, held, damped, damped]
        assert verdict.reasons == Reason.STALE
        assert verdict.faults[0].detail == (
            "6 samples in a row are not finite, or beyond 155 m/s^2 or 34 rad/s"
        )
        assert judged(sample(time=1e11), 1e11, memory)[1].saturated == 0


@pytest.mark.parametrize(
    "values", [{"turning": (0.0, math.nan, 0.0)}, {"force": (0.0, 0.0, math.inf)}]
)
def test_what_is_not_finite_is_in_no_range_and_in_no_mean(values: dict[str, Triple]) -> None:
    memory = BodyMemory(0.0, (1.0, 2.0, 9.0))
    _, after = judged(sample(time=0.5, **values), 0.5, memory)  # type: ignore[arg-type]
    assert after.saturated == 1
    if "force" in values:
        assert after.force == (1.0, 2.0, 9.0)


def test_a_sample_is_counted_once() -> None:
    imu = sample(force=(200.0, 0.0, 0.0), time=1.0)
    memory = judged(imu, 1.0)[1]
    again, after = judged(imu, 1.01, memory)
    assert after is memory
    assert names(again) == []
    verdict = judged(imu, 1.01, BodyMemory(1.0, AT_REST, 2))[0]
    assert names(verdict) == ["imu_range"], "what is remembered is told again"


def test_the_mean_of_the_force_moves_by_the_share_of_its_time() -> None:
    memory = BodyMemory(1.0, (1.0, 2.0, 9.0))
    felt = sample(force=(3.0, -2.0, 5.0), time=1.25)
    after = judged(felt, 1.25, memory)[1]
    assert after.force == (1.5, 1.0, 8.0)
    slow = replace(SETTINGS, imu_drift_s=2.0)
    assert judge_body(felt, 1.25, 0.8, memory, slow, Verdict()).force == (1.25, 1.5, 8.5)
    assert after.time == 1.25
    for time in (0.75, 2.0, 2.5):
        kept = judged(sample(force=(3.0, -2.0, 5.0), time=time), time, memory)[1]
        assert kept.force == (1.0, 2.0, 9.0), "not back, and nothing of a gap of a second"
    assert BodyMemory() == BodyMemory(-math.inf, (0.0, 0.0, GRAVITY), 0)
    first = judged(sample(force=(3.0, -2.0, 5.0)))[1]
    assert first.force == AT_REST, "it begins at rest"


@pytest.mark.parametrize(
    ("force", "drifts"),
    [
        ((3.5, 0.0, GRAVITY), False),
        ((3.51, 0.0, GRAVITY), True),
        ((0.0, -3.51, GRAVITY), True),
        ((2.5, 2.5, GRAVITY), True),
        ((0.0, 0.0, GRAVITY + 3.51), True),
        ((0.0, 0.0, GRAVITY - 3.51), True),
        ((0.0, 0.0, 0.0), True),
    ],
)
def test_a_force_that_lasts_is_a_wrong_attitude(force: Triple, drifts: bool) -> None:
    verdict, _ = judged(sample(time=1.0), 1.0, BodyMemory(1.0, force))
    assert names(verdict) == (["imu_drift"] if drifts else [])
    assert verdict.reaction is (Reaction.DAMP if drifts else Reaction.NONE)
    assert verdict.reasons == (Reason.STALE if drifts else Reason.NONE)
    if force[0] == 3.51:
        assert verdict.faults[0].detail.startswith("it felt 3.5 m/s^2 beside gravity")
        assert "of 1 s; no motion" in verdict.faults[0].detail
