"""The limiter: every bound at once, legal requests untouched, everything else refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.hal import FloatArray, Limits
from robosac.reasons import REJECTED, Reason
from robosac.safety import Envelope, Limited, LimiterSettings, Memory, brake, limit

PERIOD = 0.005
RELATIVE = 1e-9


def make_envelope(
    joints: int = 3,
    position: float = 1.0,
    velocity: float = 5.0,
    acceleration: float = 50.0,
    period: float = PERIOD,
    max_distance: float = 100.0,
    soft_zone: float = 0.0,
    soft_share: float = 0.25,
) -> Envelope:
    names = tuple(f"j{index}" for index in range(joints))
    one = np.ones(joints)
    limits = Limits(
        names,
        -position * one,
        position * one,
        velocity * one,
        acceleration * one,
        one,
        one,
        1.0,
        80.0,
    )
    return Envelope(limits, LimiterSettings(period, max_distance, soft_zone, soft_share))


def check_bounds(before: Memory, after: Limited, envelope: Envelope, dt: float) -> None:
    """Recompute velocity and acceleration from positions alone, as a motor would see them."""
    limits = envelope.limits
    velocity = (after.position - before.position) / dt
    span = limits.upper - limits.lower
    assert (after.position <= limits.upper + RELATIVE * span).all()
    assert (after.position >= limits.lower - RELATIVE * span).all()
    assert (np.abs(velocity) <= limits.velocity * (1 + RELATIVE)).all()
    change = np.abs(velocity - before.velocity)
    assert (change <= limits.acceleration * dt * (1 + RELATIVE)).all()


def follow(
    requests: list[FloatArray], envelope: Envelope, dts: Iterator[float] | None = None
) -> list[Limited]:
    memory = Memory.anchored(np.zeros(len(envelope.limits.names)))
    history: list[Limited] = []
    for request in requests:
        dt = next(dts) if dts else envelope.settings.period
        history.append(limit(request, memory, memory.position, envelope, dt))
        check_bounds(memory, history[-1], envelope, dt)
        memory = history[-1].memory
    return history


ANY_FLOAT = st.floats(width=64, allow_nan=True, allow_infinity=True)
GOALS = st.lists(st.one_of(ANY_FLOAT, st.floats(-1.2, 1.2)), min_size=3, max_size=3)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(GOALS, st.floats(PERIOD / 2, PERIOD * 2)), min_size=1, max_size=40))
def test_arbitrary_requests_at_varying_periods_break_no_bound(
    steps: list[tuple[list[float], float]],
) -> None:
    follow([np.array(goal) for goal, _ in steps], make_envelope(), iter([dt for _, dt in steps]))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 3.0),
    st.floats(0.1, 50.0),
    st.floats(1.0, 5000.0),
    st.sampled_from([0.005, 0.01, 0.02]),
)
def test_any_limits_hold_when_pushed_from_stop_to_stop(
    seed: int, position: float, velocity: float, acceleration: float, period: float
) -> None:
    envelope = make_envelope(3, position, velocity, acceleration, period)
    rng = np.random.default_rng(seed)
    side = np.repeat(rng.choice([-9.0, 9.0, 0.0], size=(8, 3)), 10, axis=0)
    follow(list(side), envelope)


def legal_path(envelope: Envelope, steps: int, seed: int) -> list[FloatArray]:
    """A walk whose velocity and acceleration use 100 % of the bounds, away from the stops."""
    rng = np.random.default_rng(seed)
    limits, dt = envelope.limits, envelope.settings.period
    position, velocity = np.zeros(3), np.zeros(3)
    path: list[FloatArray] = []
    for _ in range(steps):
        change = rng.choice([-1.0, 1.0, 0.3, 0.0], size=3) * limits.acceleration * dt
        home = np.sign(position) * -limits.acceleration * dt
        change = np.where(np.abs(position) > 0.2, home, change)
        wanted = np.clip(velocity + change, -limits.velocity, limits.velocity)
        following = position + wanted * dt
        position, velocity = following, (following - position) / dt
        path.append(position)
    return path


@pytest.mark.parametrize("seed", range(20))
def test_legal_requests_pass_bit_for_bit(seed: int) -> None:
    envelope = make_envelope(3, position=3.0, velocity=2.0)
    path = legal_path(envelope, 300, seed)
    for request, limited in zip(path, follow(path, envelope), strict=True):
        assert limited.position.tobytes() == request.tobytes()
        assert limited.reasons is Reason.NONE


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_both_float_widths_pass_exactly(kind: type[np.floating]) -> None:
    request = np.array([1e-3, -0.0, -1e-3], dtype=kind)
    envelope = make_envelope()
    limited = limit(request, Memory.anchored(np.zeros(3)), np.zeros(3), envelope, PERIOD)
    assert limited.position.tobytes() == request.astype(np.float64).tobytes()


@pytest.mark.parametrize("other", [-0.0, 0.9, 3.0])
@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (-1.0, 0.0)])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zero_at_a_limit_of_zero_keeps_its_sign(
    lower: float, upper: float, zero: float, other: float
) -> None:
    one = np.ones(2)
    limits = Limits(
        ("a", "b"),
        np.array([lower, -1.0]),
        np.array([upper, 1.0]),
        5.0 * one,
        50.0 * one,
        one,
        one,
        1.0,
        80.0,
    )
    request = np.array([zero, other])
    limited = limit(request, Memory.anchored(np.zeros(2)), np.zeros(2), Envelope(limits), PERIOD)
    assert limited.position[0].tobytes() == request[0].tobytes()


def test_stop_is_reached_exactly_and_without_ringing() -> None:
    envelope = make_envelope()
    history = follow([np.full(3, 9.0)] * 200, envelope)
    assert (history[-1].position == 1.0).all()
    assert all((entry.velocity >= 0).all() for entry in history)


@pytest.mark.parametrize("acceleration", [5.0, 50.0, 500.0])
def test_distant_goals_are_reached_without_overshoot(acceleration: float) -> None:
    goal = np.array([0.5, -0.7, 0.013])
    history = follow([goal] * 400, make_envelope(acceleration=acceleration))
    assert history[-1].position.tolist() == goal.tolist()
    assert all((np.abs(entry.position) <= np.abs(goal)).all() for entry in history)


def test_legal_request_passes_again_after_catching_up() -> None:
    envelope = make_envelope()
    caught = follow([np.full(3, 0.3)] * 100, envelope)[-1].memory
    limited = limit(np.full(3, 0.3011), caught, caught.position, envelope, PERIOD)
    assert limited.position.tolist() == [0.3011] * 3
    assert limited.reasons is Reason.NONE


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (np.zeros(2), Reason.SHAPE),
        (np.zeros((1, 3)), Reason.SHAPE),
        (np.zeros(3, dtype=np.int64), Reason.SHAPE),
        (np.zeros(3, dtype=np.float16), Reason.SHAPE),
        (np.zeros(3, dtype=np.longdouble), Reason.SHAPE),
        (np.zeros(3, dtype=np.complex128), Reason.SHAPE),
        (np.zeros(3, dtype=object), Reason.SHAPE),
        (np.ma.masked_array(np.zeros(3)), Reason.SHAPE),
        ([0.0, 0.0, 0.0], Reason.SHAPE),
        (None, Reason.SHAPE),
        ("home", Reason.SHAPE),
        (np.array([0.0, np.nan, 0.0]), Reason.NON_FINITE),
        (np.array([0.0, np.inf, 0.0]), Reason.NON_FINITE),
        (np.array([0.0, 0.0, -np.inf], dtype=np.float32), Reason.NON_FINITE),
    ],
)
def test_bad_request_is_rejected_whole_and_motion_decays(request_: object, reason: Reason) -> None:
    envelope = make_envelope()
    moving = follow([np.full(3, 0.5)] * 6, envelope)[-1].memory
    memory, speeds = moving, [moving.velocity[0]]
    for _ in range(20):
        limited = limit(request_, memory, memory.position, envelope, PERIOD)
        check_bounds(memory, limited, envelope, PERIOD)
        assert limited.reasons == reason
        assert reason in REJECTED
        memory = limited.memory
        speeds.append(memory.velocity[0])
    assert speeds[0] > 1.0
    assert speeds == sorted(speeds, reverse=True)
    assert (memory.velocity == 0.0).all()


@pytest.mark.parametrize("dt", [0.0, -PERIOD, np.nan, np.inf, PERIOD * 0.49, PERIOD * 2.01])
def test_period_out_of_range_is_rejected(dt: float) -> None:
    envelope = make_envelope()
    memory = follow([np.full(3, 0.5)] * 6, envelope)[-1].memory
    limited = limit(np.full(3, 0.5), memory, memory.position, envelope, dt)
    assert limited.reasons == Reason.PERIOD
    check_bounds(memory, limited, envelope, PERIOD)
    assert (np.abs(limited.velocity) < np.abs(memory.velocity)).all()


@pytest.mark.parametrize("dt", [PERIOD / 2, PERIOD * 2])
def test_ends_of_the_period_range_are_accepted(dt: float) -> None:
    limited = limit(
        np.full(3, 1e-5), Memory.anchored(np.zeros(3)), np.zeros(3), make_envelope(), dt
    )
    assert limited.reasons is Reason.NONE


@pytest.mark.parametrize("measured", [np.full(3, np.nan), np.zeros(2), np.array([0, np.inf, 0])])
def test_unknown_measured_position_is_rejected(measured: FloatArray) -> None:
    limited = limit(
        np.full(3, 0.1), Memory.anchored(np.zeros(3)), measured, make_envelope(), PERIOD
    )
    assert limited.reasons == Reason.MEASURED
    assert (limited.position == 0.0).all()


def reasons_of(request: float, memory: Memory, measured: float, envelope: Envelope) -> Reason:
    joints = len(envelope.limits.names)
    return limit(
        np.full(joints, request), memory, np.full(joints, measured), envelope, PERIOD
    ).reasons


def test_each_bound_is_named() -> None:
    rest = Memory.anchored(np.zeros(3))
    swift = Memory(np.zeros(3), np.full(3, 4.9))
    assert reasons_of(0.01, rest, 0.0, make_envelope()) == Reason.ACCELERATION
    assert reasons_of(0.0255, swift, 0.0, make_envelope()) == Reason.VELOCITY
    assert reasons_of(0.2, rest, 0.0, make_envelope()) == Reason.ACCELERATION | Reason.VELOCITY
    assert Reason.POSITION in reasons_of(1.5, rest, 0.0, make_envelope())
    near = Memory(np.full(3, 0.9), np.full(3, 2.9))
    assert reasons_of(0.9155, near, 0.9, make_envelope()) == Reason.POSITION
    assert Reason.DISTANCE in reasons_of(0.3, rest, 0.0, make_envelope(max_distance=0.2))


def test_only_the_limited_joint_is_named() -> None:
    rest = Memory.anchored(np.zeros(3))
    limited = limit(np.array([0.0, 0.9, 0.001]), rest, np.zeros(3), make_envelope(), PERIOD)
    assert limited.codes[0] == limited.codes[2] == 0
    assert limited.codes[1] != 0
    assert limited.position[2] == 0.001


def test_goal_stays_near_the_measured_position() -> None:
    envelope = make_envelope(max_distance=0.1)
    memory = Memory.anchored(np.zeros(3))
    for _ in range(300):
        limited = limit(np.full(3, 0.8), memory, np.zeros(3), envelope, PERIOD)
        check_bounds(memory, limited, envelope, PERIOD)
        assert Reason.DISTANCE in limited.reasons
        memory = limited.memory
    assert memory.position == pytest.approx(0.1)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_from_outside_the_limits_only_inward(side: float) -> None:
    envelope = make_envelope()
    memory = Memory.anchored(np.full(3, 1.1 * side))
    outward = limit(np.full(3, 1.3 * side), memory, memory.position, envelope, PERIOD)
    assert (outward.position * side <= 1.1).all()
    for _ in range(300):
        limited = limit(np.full(3, 0.5 * side), memory, memory.position, envelope, PERIOD)
        assert (limited.position * side <= memory.position * side).all()
        change = np.abs(limited.velocity - memory.velocity)
        assert (change <= 50.0 * PERIOD * (1 + RELATIVE)).all()
        memory = limited.memory
    assert memory.position == pytest.approx(0.5 * side)


def test_acceleration_holds_even_from_a_state_that_cannot_stop_in_time() -> None:
    memory = Memory(np.full(3, 0.99), np.full(3, 5.0))
    limited = limit(np.zeros(3), memory, memory.position, make_envelope(), PERIOD)
    assert limited.velocity == pytest.approx(5.0 - 50.0 * PERIOD)


def test_brake_stops_without_reversing() -> None:
    envelope = make_envelope()
    limited = brake(Memory(np.zeros(3), np.array([0.1, -0.1, 3.0])), envelope, PERIOD)
    assert limited.velocity.tolist() == pytest.approx([0.0, 0.0, 2.75])


def test_memory_and_request_are_left_alone() -> None:
    envelope = make_envelope()
    memory, request = Memory.anchored(np.zeros(3)), np.full(3, 0.7)
    limited = limit(request, memory, np.zeros(3), envelope, PERIOD)
    assert (request == 0.7).all()
    assert (memory.position == 0.0).all()
    legal = np.full(3, 1e-4)
    passed = limit(legal, memory, np.zeros(3), envelope, PERIOD)
    assert not np.shares_memory(passed.position, legal)
    assert limited.memory.position is limited.position


def test_reasons_of_the_whole_robot_are_among_all() -> None:
    limited = Limited(
        np.zeros(2), np.zeros(2), np.array([16, 0], dtype=np.uint8), whole=Reason.KEEP_OUT
    )
    assert limited.reasons == Reason.KEEP_OUT | Reason.POSITION


@pytest.mark.parametrize("key", ["period", "max_distance", "soft_share"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_settings_refuse_nonsense(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"limiter.{key} must be positive"):
        LimiterSettings(**{key: value})
