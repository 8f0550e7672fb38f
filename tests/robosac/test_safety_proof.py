"""Proof, for all real numbers, that the limiter's interval keeps every bound and stays viable.

Everything is told for the upper stop; the lower one is its mirror. Lengths are measured in a s^2,
times in s (the shortest period), so a = s = 1: the formulas are homogeneous, nothing is lost.
Variables: d room to the stop, v last velocity, h present period in [1, 4] (T/2 to 2T), m the
velocity bound, w the velocity that is chosen, r the root in `speed_to_stop`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import z3  # type: ignore[import-untyped]

from robosac.braking import admissible, speed_to_goal, speed_to_stop

VARIABLES: Any = z3.Reals("d v h m w r f")
d, v, h, m, w, r, f = VARIABLES
TIMEOUT_MS = 20_000


HALF: Any = z3.RealVal("1/2")


def maximum(a: Any, b: Any) -> Any:
    return z3.If(a > b, a, b)


def minimum(a: Any, b: Any) -> Any:
    return z3.If(a < b, a, b)


def viable(room: Any, speed: Any) -> Any:
    """The joint can stop within `room`: at once, or by braking over several shortest periods."""
    within_one = speed <= 1
    several = (speed - HALF) * (speed - HALF) <= 2 * room
    return z3.And(room >= 0, z3.Or(within_one, several))


CAP = maximum(r - (h - HALF), minimum(d / h, 1))
ROOT = z3.And(r >= 0, r * r == 2 * d + h * (h - 1))
PERIOD = z3.And(h >= 1, h <= 4)
STATE = z3.And(m > 0, v <= m, v >= -m)
UPPER = minimum(maximum(minimum(CAP, m), v - h), v + h)
"""Upper end of the interval, as in `robosac.braking.admissible`."""


def prove(claim: Any, *premises: Any) -> None:
    solver = z3.Solver()
    solver.set("timeout", TIMEOUT_MS)
    solver.add(*premises)
    assert solver.check() == z3.sat, "the premises contradict each other: the proof would be empty"
    solver.add(z3.Not(claim))
    result = solver.check()
    assert result == z3.unsat, f"{result}: {solver.model() if result == z3.sat else 'no answer'}"


def test_interval_is_never_empty_and_keeps_the_acceleration_bound() -> None:
    lower = minimum(maximum(-minimum(f, m), v - h), v + h)
    cap: Any = z3.Real("cap")
    upper = minimum(maximum(minimum(cap, m), v - h), v + h)
    prove(lower <= upper, cap >= 0, f >= 0, m > 0, h > 0)
    prove(z3.And(w - v <= h, v - w <= h), h > 0, w >= lower, w <= upper, lower <= upper)


def test_toward_one_stop_the_cap_toward_the_other_cannot_matter() -> None:
    """`admissible` leaves it out: clipping to both caps comes to the same for a wish >= 0."""
    cap, wish = z3.Reals("cap wish")
    lower = minimum(maximum(-f, v - h), v + h)
    upper = minimum(maximum(cap, v - h), v + h)
    both = minimum(maximum(wish, lower), upper)
    prove(minimum(maximum(wish, v - h), upper) == both, cap >= 0, f >= 0, wish >= 0, h > 0)


def test_a_calm_step_needs_no_root() -> None:
    """Where one period is enough to stand, outside the soft zone, no cap is in the way."""
    calm = z3.And(w >= 0, w <= 1, w <= d / h - SOFT / h, w <= m)
    prove(w <= ZONED, ROOT, PERIOD, ZONE, d >= 0, m > 0, calm)


def test_the_interval_that_runs_is_the_proved_one() -> None:
    rng = np.random.default_rng(0)
    for wish, cap, last, reach in rng.uniform(0.0, 2.0, (200, 4)).tolist():
        last = 3.0 * last - 3.0
        least, most = last - reach, last + reach
        assert admissible(wish, cap, last, reach) == np.clip(wish, least, np.clip(cap, least, most))


def test_caps_are_never_negative() -> None:
    prove(CAP >= 0, ROOT, PERIOD, d >= 0)


def test_velocity_bound_holds() -> None:
    prove(m >= UPPER, STATE, PERIOD, CAP >= 0)


def test_a_viable_state_never_needs_more_than_the_bound_to_stay_under_its_cap() -> None:
    prove(maximum(v - h, 0) <= CAP, ROOT, PERIOD, STATE, viable(d, v))


def test_position_bound_holds_and_the_next_state_is_viable() -> None:
    premises = (ROOT, PERIOD, STATE, viable(d, v), w <= UPPER)
    prove(d - w * h >= 0, *premises)
    prove(viable(d - w * h, w), *premises)


SOFT, SLOW = z3.Reals("z u")
"""Width of the soft zone, and the speed that is left inside it."""
ZONED = minimum(minimum(CAP, m), maximum((d - SOFT) / h, SLOW))
UPPER_ZONED = minimum(maximum(ZONED, v - h), v + h)
ZONE = z3.And(SOFT >= 0, SLOW > 0)


def test_soft_zone_keeps_position_velocity_and_viability() -> None:
    premises = (ROOT, PERIOD, STATE, ZONE, viable(d, v), w <= UPPER_ZONED)
    prove(d - w * h >= 0, *premises)
    prove(viable(d - w * h, w), *premises)
    prove(w <= m, *premises)


def test_soft_zone_keeps_the_acceleration_bound() -> None:
    """Whatever the caps toward both stops are, the interval is there and within reach of v."""
    other, below = z3.Reals("other below")
    lower = minimum(maximum(-other, v - h), v + h)
    premises = (ROOT, PERIOD, STATE, ZONE, d >= 0, other >= 0)
    prove(lower <= UPPER_ZONED, *premises)
    prove(z3.And(w - v <= h, v - w <= h), *premises, w >= lower, w <= UPPER_ZONED)
    prove(ZONED >= 0, *premises, below == 0)


def test_soft_zone_leaves_alone_what_ends_outside_it() -> None:
    """The same step is let through with the zone as without."""
    premises = (ROOT, PERIOD, STATE, ZONE, d >= 0, w <= UPPER, d - w * h >= SOFT)
    prove(w <= UPPER_ZONED, *premises)


def test_soft_zone_slows_at_the_acceleration_bound_and_then_holds_the_speed() -> None:
    premises = (ROOT, PERIOD, STATE, ZONE, viable(d, v), w <= UPPER_ZONED, d - w * h < SOFT)
    prove(w <= maximum(SLOW, v - h), *premises)


def test_a_plain_clamp_is_refuted() -> None:
    """The same machinery must be able to say no: rate, velocity, position clamps break a bound."""
    goal: Any = z3.Real("goal")
    stepped = minimum(maximum(minimum(maximum(goal / h, v - h), v + h), -m), m)
    clamped = minimum(stepped * h, d) / h
    solver = z3.Solver()
    solver.add(PERIOD, STATE, d >= 0, z3.Not(v - clamped <= h))
    assert solver.check() == z3.sat


def test_a_cap_without_the_discrete_terms_is_refuted() -> None:
    """sqrt(2 a d), the bound of continuous time, is too fast for steps."""
    solver = z3.Solver()
    solver.add(r >= 0, r * r == 2 * d, d >= 0, h == 1, w == r, d - w * h < 0)
    assert solver.check() == z3.sat


@pytest.mark.parametrize("share", [1.0, 1.7, 4.0])
def test_the_proved_formula_is_the_one_that_runs(share: float) -> None:
    """Scale by a and s and compare with `speed_to_stop`."""
    acceleration, shortest = 70.0, 0.0025
    room = np.array([0.0, 1e-6, 1e-4, 0.03, 2.0])
    scaled = room / (acceleration * shortest**2)
    several = np.sqrt(2 * scaled + share * (share - 1)) - (share - 0.5)
    cap = np.maximum(several, np.minimum(scaled / share, 1.0)) * acceleration * shortest
    period = share * shortest
    seen = [speed_to_stop(d, acceleration, period, shortest) for d in room.tolist()]
    assert seen == pytest.approx(cap, rel=1e-12)


def test_with_one_period_it_is_the_published_formula() -> None:
    """v <= a (-h/2 + sqrt(h^2/4 + 2 (d - a h^2/8) / a)) once braking takes several periods."""
    a, period, room = 50.0, 0.02, np.array([0.05, 0.5, 2.0])
    published = a * (-period / 2 + np.sqrt(period**2 / 4 + 2 * (room - a * period**2 / 8) / a))
    seen = [speed_to_stop(d, a, period, period) for d in room.tolist()]
    assert seen == pytest.approx(published, rel=1e-12)
    assert seen == [speed_to_goal(d, d / period, a, period) for d in room.tolist()]
