"""Keep-outs: once clear, always clear, whatever is requested and however long periods are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import z3  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.course import Course
from robosac.finger_keepout import FingersApart
from robosac.hal import BoolArray, FloatArray, Limits
from robosac.keepout import FrontLegsForward, KeepOut, brake_together, keep_clear
from robosac.reasons import Reason
from robosac.safety import Envelope, LimiterSettings, Memory, limit
from robosac.thermal import ThermalSettings
from tests.robosac.fake_robot import make_limits

RELATIVE = 1e-9


class Disc:
    """Joints 0 and 1 stay out of a disc about (0.5, 0): no region that a straight way tells of."""

    involved: BoolArray = np.array([[True, True, False]])
    resolution = 0.01
    slack = math.sqrt(2.0) * 0.005

    def clearance(self, positions: FloatArray) -> FloatArray:
        ahead = positions[..., :2] - np.array([0.5, 0.0])
        return np.hypot(ahead[..., 0], ahead[..., 1])[..., None] - 0.3

    def clearances(self, points: list[list[float]]) -> list[list[float]]:
        return self.clearance(np.array(points)).tolist()


class Lost:
    """A clearance that is no number."""

    involved: BoolArray = np.ones((1, 3), dtype=np.bool_)
    resolution = 0.1
    slack = 0.0

    def clearance(self, positions: FloatArray) -> FloatArray:
        return np.full((*positions.shape[:-1], 1), np.nan)

    def clearances(self, points: list[list[float]]) -> list[list[float]]:
        return self.clearance(np.array(points)).tolist()


def envelope_of(limits: Limits, period: float = 0.005) -> Envelope:
    return Envelope(limits, LimiterSettings(period, 100.0, 0.05))


def drive(
    requests: list[FloatArray],
    envelope: Envelope,
    keep_out: KeepOut,
    start: FloatArray,
    dts: list[float],
) -> list[Memory]:
    """The way of the commands, with every bound checked at each."""
    course = Course(envelope, ThermalSettings(), keep_out)
    course.begin(start)
    limits, way = envelope.limits, [Memory.anchored(start)]
    for number, (request, dt) in enumerate(zip(requests, dts, strict=True)):
        measured = course.position
        held = number % 7 == 6
        limited = course.hold(measured, dt) if held else course.follow(request, measured, dt)
        before = way[-1]
        change = np.abs((limited.position - before.position) / dt - before.velocity)
        assert (change <= limits.acceleration * dt * (1 + RELATIVE) + 1e-9).all()
        speed = np.abs(limited.position - before.position) / dt
        assert (speed <= limits.velocity * (1 + RELATIVE)).all()
        assert (limited.position <= limits.upper).all()
        assert (limited.position >= limits.lower).all()
        way.append(limited.memory)
    return way


def adversarial(seed: int, steps: int, joints: int, scale: float) -> list[FloatArray]:
    rng = np.random.default_rng(seed)
    goals = rng.choice([-scale, 0.0, scale, 0.3 * scale], (steps // 5 + 1, joints))
    requests = np.repeat(goals, 5, axis=0)[:steps] + rng.normal(0.0, 0.05, (steps, joints))
    requests[rng.random((steps, joints)) < 0.01] = np.nan
    return list(requests)


def periods(seed: int, steps: int, period: float, vary: bool) -> list[float]:
    if not vary:
        return [period] * steps
    return list(np.random.default_rng(seed).uniform(period / 2, period * 2, steps))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([8.0, 50.0, 400.0, 5000.0]))
def test_a_disc_is_never_entered(seed: int, vary: bool, acceleration: float) -> None:
    limits = make_limits(3, position=1.2, velocity=8.0, acceleration=acceleration)
    requests = adversarial(seed, 120, 3, 1.2)
    way = drive(requests, envelope_of(limits), Disc(), np.zeros(3), periods(seed, 120, 0.005, vary))
    positions = np.array([memory.position for memory in way])
    assert (Disc().clearance(positions) >= -1e-9).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([50.0, 5000.0]))
def test_front_legs_never_swing_back(seed: int, vary: bool, acceleration: float) -> None:
    limits = make_limits(8, position=3.0, velocity=40.0, acceleration=acceleration)
    fold = FrontLegsForward(0.65)
    requests = adversarial(seed, 120, 8, 2.0)
    way = drive(requests, envelope_of(limits), fold, np.zeros(8), periods(seed, 120, 0.005, vary))
    positions = np.array([memory.position for memory in way])
    assert (fold.clearance(positions) >= -1e-9).all()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([40.0, 2000.0]))
def test_fingers_never_enter_one_another(seed: int, vary: bool, acceleration: float) -> None:
    limits = make_limits(10, position=1.6, velocity=8.0, acceleration=acceleration)
    apart = FingersApart()
    requests = adversarial(seed, 60, 10, 1.6)
    way = drive(
        requests, envelope_of(limits, 0.01), apart, np.zeros(10), periods(seed, 60, 0.01, vary)
    )
    positions = np.array([memory.position for memory in way])
    assert (apart.clearance(positions) >= -1e-9).all()


def test_without_the_filter_the_same_requests_do_enter() -> None:
    """The property tests above would be empty, were nothing in the way."""
    limits = make_limits(3, position=1.2, velocity=8.0, acceleration=400.0)
    envelope, entered = envelope_of(limits), 0
    memory = Memory.anchored(np.zeros(3))
    for request in adversarial(0, 400, 3, 1.2):
        memory = limit(request, memory, memory.position, envelope, 0.005).memory
        entered += bool((Disc().clearance(memory.position) < 0.0).any())
    assert entered > 10


def test_clear_steps_pass_to_the_bit() -> None:
    envelope = envelope_of(make_limits(3))
    memory = Memory.anchored(np.zeros(3))
    limited = limit(np.full(3, 1e-3), memory, np.zeros(3), envelope, 0.005)
    assert keep_clear(limited, memory, envelope, Disc(), 0.005) is limited


def test_joints_that_are_not_in_the_way_go_on() -> None:
    envelope = envelope_of(make_limits(3, acceleration=5000.0))
    course = Course(envelope, ThermalSettings(), Disc())
    course.begin(np.array([0.19, 0.0, 0.0]))
    limited = course.follow(np.array([0.22, 0.0, 0.01]), course.position, 0.005)
    assert limited.position[0] == 0.19
    assert limited.position[2] == 0.01
    assert Reason.KEEP_OUT in limited.reasons
    assert limited.reasons & ~Reason.KEEP_OUT is Reason.NONE


def test_from_inside_only_outward() -> None:
    envelope = envelope_of(make_limits(3, acceleration=5000.0))
    course = Course(envelope, ThermalSettings(), Disc())
    course.begin(np.array([0.25, 0.0, 0.0]))
    inward = course.follow(np.array([0.27, 0.0, 0.0]), course.position, 0.005)
    assert inward.position[0] == 0.25
    assert Reason.KEEP_OUT in inward.reasons
    outward = course.follow(np.array([0.24, 0.0, 0.0]), course.position, 0.005)
    assert outward.position[0] == 0.24
    assert outward.reasons is Reason.NONE
    for _ in range(60):
        course.follow(np.zeros(3), course.position, 0.005)
    assert course.position.tolist() == [0.0, 0.0, 0.0]


def test_a_clearance_that_is_no_number_stops_everything() -> None:
    envelope = envelope_of(make_limits(3, acceleration=50.0))
    memory = Memory(np.zeros(3), np.full(3, 0.4))
    limited = limit(np.full(3, 0.01), memory, np.zeros(3), envelope, 0.005)
    kept = keep_clear(limited, memory, envelope, Lost(), 0.005)
    assert Reason.KEEP_OUT in kept.reasons
    assert (np.abs(kept.velocity) < 0.4).all()


def test_a_rejected_request_brakes_together() -> None:
    envelope = envelope_of(make_limits(3, acceleration=50.0))
    course = Course(envelope, ThermalSettings(), Disc())
    course.begin(np.array([-0.5, 0.0, 0.0]))
    for step in range(8):
        goal = np.array([-0.5, 0.0, 0.0]) + np.array([0.004, 0.002, 0.0]) * step
        course.follow(goal, course.position, 0.005)
    before = course.position
    limited = course.hold(before, 0.005)
    moved = limited.position - before
    assert moved[0] / moved[1] == pytest.approx(2.0, rel=0.2)
    assert (limited.codes == 0).all()


def test_braking_together_keeps_the_direction_and_stands() -> None:
    envelope = envelope_of(make_limits(3, acceleration=100.0))
    memory = Memory(np.zeros(3), np.array([2.0, -1.0, 0.5]))
    for _ in range(3):
        limited = brake_together(memory, envelope, 0.005, Reason.NONE)
        assert limited.velocity * -2.0 == pytest.approx(
            limited.velocity[1] * np.array([4.0, -2.0, 1.0])
        )
        memory = limited.memory
    assert brake_together(memory, envelope, 0.01, Reason.NONE).velocity.tolist() == [0.0] * 3


def test_swing_is_that_of_the_walking_task() -> None:
    from robosac.tasks.legs import joints_from_legs

    swing, extension = np.array([-0.7, 0.1, 0.2, -0.3]), np.full(4, 2.0)
    clearance = FrontLegsForward(0.65).clearance(joints_from_legs(swing, extension))
    assert clearance == pytest.approx([-0.05, 0.85])


@pytest.mark.parametrize("fold", [0.0, -1.0, math.nan, math.inf])
def test_a_fold_angle_that_is_none_is_refused(fold: float) -> None:
    with pytest.raises(ValueError, match="fold angle must be positive"):
        FrontLegsForward(fold)


VARIABLES: Any = z3.Reals("T h s v a")
T, h, s, v, a = VARIABLES


def proved(claim: Any, *premises: Any) -> None:
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(*premises)
    assert solver.check() == z3.sat, "the premises contradict each other"
    solver.add(z3.Not(claim))
    assert solver.check() == z3.unsat


def rolled_out(time: Any) -> Any:
    """How far joints that stand after `time` go on, in units of their velocity."""
    return z3.If(time > s, (time * time - s * s) / (2 * time), 0)


def test_what_is_left_of_the_braking_lies_within_what_was_left_before() -> None:
    """From the front end: after a step of any length h >= s the farthest end has not moved on."""
    share: Any = 1 - h / T
    ahead: Any = z3.If(h >= T, 0, share * h + share * rolled_out(T - h))
    proved(ahead <= rolled_out(T), T > 0, s > 0, h >= s, h <= 4 * s)
    proved(ahead >= 0, T > 0, s > 0, h >= s, h <= 4 * s)


def test_braking_together_keeps_every_joints_acceleration() -> None:
    slower: Any = z3.If(h >= T, 0, v * (1 - h / T))
    premises = (a > 0, h > 0, v >= 0, T > 0, v / a <= T)
    proved(z3.And(v - slower <= a * h, slower <= v, slower >= 0), *premises)
