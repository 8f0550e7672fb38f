"""The limiter does, to the bit, what the plain reference says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.hal import FloatArray, Limits
from robosac.safety import Envelope, LimiterSettings, Memory, limit
from tests.robosac.limiter_reference import reference

JOINTS = 8


def some_envelope(rng: np.random.Generator) -> Envelope:
    one = np.ones(JOINTS)
    lower, upper = -rng.uniform(0.2, 3.0, JOINTS), rng.uniform(0.2, 3.0, JOINTS)
    velocity, acceleration = rng.uniform(0.5, 40.0, JOINTS), np.exp(rng.uniform(1.0, 9.0, JOINTS))
    names = tuple(f"j{index}" for index in range(JOINTS))
    limits = Limits(names, lower, upper, velocity, acceleration, one, one, 1.0, 80.0)
    distance, zone = float(rng.choice([0.3, 1.0, 100.0])), float(rng.choice([0.0, 0.05, 0.3]))
    period = float(rng.choice([0.005, 0.02]))
    return Envelope(limits, LimiterSettings(period, distance, zone, float(rng.uniform(0.05, 1.0))))


def some_request(rng: np.random.Generator, memory: Memory, limits: Limits, dt: float) -> FloatArray:
    """Joints of every kind side by side: legal, at a bound, near, far, at a stop, as before."""
    reach = limits.acceleration * dt
    change = rng.choice([-1.0, -0.99, 0.0, 0.5, 1.0], JOINTS) * reach
    wanted = np.clip(memory.velocity + change, -limits.velocity, limits.velocity)
    kinds = (
        memory.position + wanted * dt,
        memory.position + rng.normal(0.0, 0.05, JOINTS),
        rng.uniform(-4.0, 4.0, JOINTS),
        rng.choice([-9.0, 9.0, 1e300, 5e-324, -0.0], JOINTS),
        limits.upper,
        limits.lower,
        memory.position,
    )
    # Often all of one kind: a vector is legal only if every joint is.
    kind = rng.integers(len(kinds), size=JOINTS) * (rng.random() < 0.8)
    return np.array(kinds)[kind, np.arange(JOINTS)]


def check(seed: int, steps: int) -> set[int]:
    """Follow both along one chain; the codes that were seen."""
    rng = np.random.default_rng(seed)
    envelope = some_envelope(rng)
    limits, seen = envelope.limits, set[int]()
    memory = Memory.anchored(rng.uniform(limits.lower, limits.upper))
    if rng.random() < 0.3:
        outside = rng.uniform(limits.lower - 0.2, limits.upper + 0.2)
        memory = Memory(outside, rng.normal(0.0, limits.velocity))
    request = memory.position
    for step in range(steps):
        dt = float(rng.uniform(envelope.shortest, envelope.longest))
        if step % 5 == 0 or rng.random() < 0.3:
            request = some_request(rng, memory, limits, dt)
        measured = memory.position + rng.normal(0.0, 0.05, JOINTS)
        limited = limit(request, memory, measured, envelope, dt)
        position, velocity, codes, legal = reference(request, memory, measured, envelope, dt)
        assert limited.position.tobytes() == position.tobytes()
        assert (limited.velocity == velocity).all()
        assert limited.codes.tolist() == codes.tolist()
        assert (limited.tracking == legal).all()
        seen.update(codes.tolist())
        memory = limited.memory
    return seen


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_limiter_is_the_reference_to_the_bit(seed: int) -> None:
    check(seed, 60)


@pytest.fixture(scope="module")
def seen() -> set[int]:
    return set[int]().union(*(check(seed, 60) for seed in range(60)))


def test_the_property_is_not_empty(seen: set[int]) -> None:
    """Nothing, position, velocity, acceleration, both, and with the distance or a limit beside."""
    assert {0, 16, 32, 64, 96, 16 | 64, 16 | 96, 128 | 64, 128 | 96} <= seen
