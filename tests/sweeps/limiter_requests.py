"""What the limiter's sweep asks for: hostile requests of every kind, and legal ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robosac.hal import FloatArray, Limits
from robosac.safety import Envelope, LimiterSettings, Memory
from tests.sweeps.packed_registers import claw_limits

JOINTS = 8
SOFT_ZONE = 0.087
"""rad"""
_MALFORMED_SHARE, _ODD_PERIOD_SHARE = 0.02, 0.02


def make_envelope(period: float, soft_zone: float = 0.0) -> Envelope:
    """Eight joints with limits from gentle to brisk."""
    spread = np.linspace(1.0, 2.0, JOINTS)
    limits = Limits(
        tuple(f"joint_{index}" for index in range(JOINTS)),
        -1.0 * spread,
        1.5 * spread,
        5.0 * spread,
        np.geomspace(20.0, 2000.0, JOINTS),
        np.full(JOINTS, 3.5),
        np.full(JOINTS, 2.45),
        1.0,
        80.0,
    )
    return Envelope(limits, LimiterSettings(period, 2.0, soft_zone))


def hand_envelope() -> Envelope:
    """The hand's ten joints as its file has them; the valve's range is 100 turns."""
    return Envelope(claw_limits(), LimiterSettings(0.01, 1.0, SOFT_ZONE))


def adversarial(rng: np.random.Generator, memory: Memory) -> tuple[FloatArray, FloatArray]:
    """Requests of every kind, and measured positions that now and then are lost."""
    rows, joints = memory.position.shape
    scale = 10.0 ** rng.uniform(-4, 6, (rows, 1))
    request = rng.uniform(-2.0, 2.0, (rows, joints)) * scale
    kind = rng.random((rows, 1))
    request = np.where(kind < 0.25, 9.0, request)
    request = np.where((kind > 0.25) & (kind < 0.5), -9.0, request)
    near = memory.position + rng.uniform(-0.1, 0.1, (rows, joints))
    request = np.where((kind > 0.5) & (kind < 0.65), near, request)
    for value in (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, -5e-324, -0.0):
        request[rng.integers(rows, size=4), rng.integers(joints, size=4)] = value
    measured = memory.position + rng.uniform(-0.05, 0.05, (rows, joints))
    measured[rng.integers(rows, size=2), rng.integers(joints, size=2)] = np.nan
    return request, measured


def malformed(rng: np.random.Generator, request: FloatArray) -> object:
    """One row's request in a kind or shape that must be refused whole."""
    with np.errstate(invalid="ignore", over="ignore"):
        kinds: list[Callable[[], object]] = [
            lambda: request.astype(np.int64),
            lambda: request[:-1],
            lambda: request[None],
            lambda: request.astype(object),
            lambda: request.tolist(),
            lambda: None,
            lambda: request.astype(np.float16),
            lambda: np.ma.masked_array(request),
        ]
        return kinds[int(rng.integers(len(kinds)))]()


def as_asked(rng: np.random.Generator, request: FloatArray) -> list[object]:
    """The rows of `request` as they are handed over: now and then malformed."""
    rows: list[object] = list(request)
    for row in np.flatnonzero(rng.random(len(rows)) < _MALFORMED_SHARE):
        rows[row] = malformed(rng, request[row])
    return rows


def next_periods(
    rng: np.random.Generator, period: float, rows: int, vary: bool
) -> tuple[FloatArray, FloatArray]:
    """What the limiter is told for each row, s, and what then counts: one out of range is none."""
    if not vary:
        same = np.full(rows, period)
        return same, same
    told = rng.uniform(period / 2, period * 2, rows)
    odd = rng.random(rows) < _ODD_PERIOD_SHARE
    kinds = (0.0, -1.0, np.nan, np.inf, 3 * period, 0.1 * period)
    return np.where(odd, rng.choice(kinds, rows), told), np.where(odd, period, told)


def legal(rng: np.random.Generator, memory: Memory, limits: Limits, dt: float) -> FloatArray:
    """A request within all bounds, often exactly on the velocity or acceleration bound.

    Turns back as soon as braking at the bound would end beyond three quarters of the range.
    """
    reach = limits.acceleration * dt
    change = rng.choice((-1.0, -0.37, 0.0, 0.61, 1.0), memory.position.shape) * reach
    wanted = np.clip(memory.velocity + change, -limits.velocity, limits.velocity)
    braking = wanted * np.abs(wanted) / (2 * limits.acceleration) + 2 * wanted * dt
    ahead = memory.position + braking + np.sign(wanted) * reach * dt * 2
    late = (ahead > 0.75 * limits.upper) | (ahead < 0.75 * limits.lower)
    back = memory.velocity - np.minimum(np.maximum(memory.velocity, -reach), reach)
    home = memory.velocity - np.sign(memory.position) * reach
    home = np.clip(home, -limits.velocity, limits.velocity)
    back = np.where(np.abs(memory.velocity) < reach, home, back)
    return memory.position + np.where(late, back, wanted) * dt
