"""Throw adversarial actions at the limiter, the robot's own function, and count broken bounds.

python tests/sweeps/limiter_sweep.py --actions 10000000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robosac.hal import BoolArray, FloatArray, Limits
from robosac.safety import Envelope, Limited, LimiterSettings, Memory, limit

JOINTS = 8
ROWS = 1000
TOLERANCE = 1e-9
"""Relative: what the rounding of recomputed velocities may show."""


@dataclass
class Count:
    """What one pass over the actions found; ratios are of the bound, 1 is exactly at it."""

    actions: int = 0
    position: int = 0
    velocity: int = 0
    acceleration: int = 0
    not_finite: int = 0
    changed: int = 0
    legal: int = 0
    worst: float = 0.0
    seconds: float = 0.0


def make_envelope(period: float) -> Envelope:
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
    return Envelope(limits, LimiterSettings(period, 2.0))


def adversarial(rng: np.random.Generator, memory: Memory) -> tuple[FloatArray, FloatArray]:
    """Requests of every kind, and measured positions that now and then are lost."""
    scale = 10.0 ** rng.uniform(-4, 6, (ROWS, 1))
    request = rng.uniform(-2.0, 2.0, (ROWS, JOINTS)) * scale
    kind = rng.random((ROWS, 1))
    request = np.where(kind < 0.25, 9.0, request)
    request = np.where((kind > 0.25) & (kind < 0.5), -9.0, request)
    near = memory.position + rng.uniform(-0.1, 0.1, (ROWS, JOINTS))
    request = np.where((kind > 0.5) & (kind < 0.65), near, request)
    for value in (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324):
        request[rng.integers(ROWS, size=4), rng.integers(JOINTS, size=4)] = value
    measured = memory.position + rng.uniform(-0.05, 0.05, (ROWS, JOINTS))
    measured[rng.integers(ROWS, size=2), rng.integers(JOINTS, size=2)] = np.nan
    return request, measured


def note(count: Count, before: Memory, after: Limited, envelope: Envelope, dt: float) -> None:
    """Recompute velocity and acceleration from the positions alone and compare with the bounds."""
    limits = envelope.limits
    velocity = (after.position - before.position) / dt
    change = np.abs(velocity - before.velocity) / (limits.acceleration * dt)
    speed = np.abs(velocity) / limits.velocity
    outside = (after.position > limits.upper) | (after.position < limits.lower)
    count.actions += len(velocity)
    count.position += int(np.count_nonzero(outside))
    count.velocity += int(np.count_nonzero(speed > 1 + TOLERANCE))
    count.acceleration += int(np.count_nonzero(change > 1 + TOLERANCE))
    count.not_finite += int(np.count_nonzero(~np.isfinite(after.position)))
    count.worst = max(count.worst, float(change.max()) - 1, float(speed.max()) - 1)


def attack(actions: int, period: float, vary: bool, seed: int = 0) -> Count:
    """Adversarial actions in chains of 200 steps; `vary` draws each dt (s) from [T/2, 2T]."""
    rng = np.random.default_rng(seed)
    envelope, count = make_envelope(period), Count()
    limits, begin = envelope.limits, time.perf_counter()
    memory = Memory.anchored(np.zeros((ROWS, JOINTS)))
    request = memory.position
    for step in range(-(-actions // ROWS)):
        if step % 200 == 0:
            memory = Memory.anchored(rng.uniform(limits.lower, limits.upper, (ROWS, JOINTS)))
        # Requests that stay for a while drive the joints into their stops at full speed.
        if step % 10 == 0 or step % 200 > 150:
            request, measured = adversarial(rng, memory)
        else:
            request, measured = np.roll(request, 1, axis=0), memory.position
        dt = rng.uniform(period / 2, period * 2) if vary else period
        after = limit(request, memory, measured, envelope, dt)
        note(count, memory, after, envelope, dt)
        memory = after.memory
    count.seconds = time.perf_counter() - begin
    return count


def behave(actions: int, period: float, seed: int = 1) -> Count:
    """Legal actions that use up to 100 % of velocity and acceleration; none may change by a bit."""
    rng = np.random.default_rng(seed)
    envelope, count = make_envelope(period), Count()
    limits, begin = envelope.limits, time.perf_counter()
    memory = Memory.anchored(np.zeros((ROWS, JOINTS)))
    for _ in range(-(-actions // ROWS)):
        request = legal(rng, memory, limits, period)
        after = limit(request, memory, memory.position, envelope, period)
        differs: BoolArray = after.position.view(np.int64) != request.view(np.int64)
        count.actions += ROWS
        count.legal += ROWS
        count.changed += int(np.count_nonzero(differs.any(axis=-1)))
        note_only = Count()
        note(note_only, memory, after, envelope, period)
        count.position += note_only.position
        count.velocity += note_only.velocity
        count.acceleration += note_only.acceleration
        count.worst = max(count.worst, note_only.worst)
        memory = after.memory
    count.seconds = time.perf_counter() - begin
    return count


def legal(rng: np.random.Generator, memory: Memory, limits: Limits, dt: float) -> FloatArray:
    """A request within all bounds, often exactly on the velocity or acceleration bound.

    Turns back as soon as braking at the bound would end beyond three quarters of the range.
    """
    reach = limits.acceleration * dt
    change = rng.choice((-1.0, -0.37, 0.0, 0.61, 1.0), (len(memory.position), JOINTS)) * reach
    wanted = np.clip(memory.velocity + change, -limits.velocity, limits.velocity)
    braking = wanted * np.abs(wanted) / (2 * limits.acceleration) + 2 * wanted * dt
    ahead = memory.position + braking + np.sign(wanted) * reach * dt * 2
    late = (ahead > 0.75 * limits.upper) | (ahead < 0.75 * limits.lower)
    back = memory.velocity - np.minimum(np.maximum(memory.velocity, -reach), reach)
    home = memory.velocity - np.sign(memory.position) * reach
    home = np.clip(home, -limits.velocity, limits.velocity)
    back = np.where(np.abs(memory.velocity) < reach, home, back)
    return memory.position + np.where(late, back, wanted) * dt


def cost(repeats: int = 20_000) -> tuple[FloatArray, FloatArray]:
    """Microseconds at p50 and p99 for one row of eight joints: legal, and limited requests."""
    envelope = make_envelope(0.005)
    results: list[FloatArray] = []
    for scale in (0.0, 2.0):
        rng, memory = np.random.default_rng(0), Memory.anchored(np.zeros(JOINTS))
        times = np.empty(repeats)
        for index in range(repeats):
            request = rng.normal(size=JOINTS) * scale
            begin = time.perf_counter()
            after = limit(request, memory, memory.position, envelope, 0.005)
            times[index] = time.perf_counter() - begin
            memory = after.memory
        results.append(np.percentile(times, (50, 99)) * 1e6)
    return results[0], results[1]


def main(arguments: list[str]) -> int:
    """Print the table; 1 when anything was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=10_000_000)
    total = parser.parse_args(arguments).actions
    passes: list[tuple[str, Callable[[], Count]]] = [
        (f"attack dt {1e3 * dt:.0f} ms", lambda dt=dt: attack(total // 5, dt, False))
        for dt in (0.005, 0.01, 0.02)
    ]
    passes.append(("attack dt 2.5..10 ms", lambda: attack(total // 5, 0.005, True)))
    passes.append(("legal dt 5 ms", lambda: behave(total - 4 * (total // 5), 0.005)))
    write = sys.stdout.write
    write(f"{'pass':22}{'actions':>11}{'pos':>6}{'vel':>6}{'acc':>6}{'nan':>6}{'changed':>9}")
    write(f"{'worst-1':>11}{'s':>7}\n")
    broken, actions, seconds = 0, 0, 0.0
    for name, run in passes:
        c = run()
        changed = f"{c.changed}" if c.legal else "-"
        write(f"{name:22}{c.actions:>11,}{c.position:>6}{c.velocity:>6}{c.acceleration:>6}")
        write(f"{c.not_finite:>6}{changed:>9}{c.worst:>11.1e}{c.seconds:>7.1f}\n")
        broken += c.position + c.velocity + c.acceleration + c.not_finite + c.changed
        actions, seconds = actions + c.actions, seconds + c.seconds
    write(f"{actions:,} actions of {JOINTS} joints in {seconds:.1f} s, {broken} violations\n")
    for name, (p50, p99) in zip(("legal", "limited"), cost(), strict=True):
        write(f"one tick, {name} request: p50 {p50:.0f} us, p99 {p99:.0f} us\n")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
