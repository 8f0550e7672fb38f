"""Throw adversarial actions at the limiter, the robot's own function, and count broken bounds.

    python -m tests.sweeps.limiter_sweep --actions 100000000 --legal 10000000

from the repository's root. Position, velocity and acceleration are recomputed from the commanded
positions alone; every command is also packed as the robots pack it, and its registers are read back
from the bytes. Exit code 1 on any violation, or any legal action changed by a bit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from robosac.hal import BoolArray, FloatArray, Limits
from robosac.safety import Envelope, Limited, LimiterSettings, Memory, limit
from tests.sweeps.packed_registers import DynamixelCounts, MoteusFloats, Packed, claw_limits

JOINTS = 8
ROWS = 1000
SAY_EVERY_S = 2.0
TOLERANCE = 1e-9
"""Relative: what the rounding of recomputed velocities may show."""
SOFT_ZONE = 0.087
"""rad"""


@dataclass
class Count:
    """What one pass over the actions found; ratios are of the bound, 1 is exactly at it."""

    name: str = ""
    actions: int = 0
    position: int = 0
    velocity: int = 0
    acceleration: int = 0
    not_finite: int = 0
    packed: int = 0
    changed: int = 0
    legal: int = 0
    worst: float = 0.0
    seconds: float = 0.0

    @property
    def broken(self) -> int:
        bounds = self.position + self.velocity + self.acceleration
        return bounds + self.not_finite + self.packed + self.changed


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
    """The same request in a kind or shape that must be refused whole; now and then."""
    with np.errstate(invalid="ignore", over="ignore"):
        kinds: list[Callable[[], object]] = [
            lambda: request.astype(np.int64),
            lambda: request[:, :-1],
            lambda: request[None],
            lambda: request.astype(object),
            lambda: request.tolist(),
            lambda: None,
            lambda: request.astype(np.float16),
            lambda: np.ma.masked_array(request),
        ]
        return kinds[int(rng.integers(len(kinds)))]()


def next_period(rng: np.random.Generator, period: float, vary: bool) -> tuple[float, float]:
    """What the limiter is told, and what then counts: a period that is out of range is none."""
    if not vary:
        return period, period
    if rng.random() < 0.02:
        return float(rng.choice([0.0, -1.0, np.nan, np.inf, 3 * period, 0.1 * period])), period
    dt = float(rng.uniform(period / 2, period * 2))
    return dt, dt


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


def attack(
    actions: int,
    envelope: Envelope,
    packed: Packed,
    vary: bool,
    say: Callable[[Count], object],
    seed: int = 0,
) -> Count:
    """Adversarial actions in chains of 200 steps; `vary` draws each dt from about [T/2, 2T]."""
    rng, count = np.random.default_rng(seed), Count()
    limits, period, begin = envelope.limits, envelope.settings.period, time.perf_counter()
    shape = (ROWS, len(limits.names))
    memory = Memory.anchored(np.zeros(shape))
    request = measured = memory.position
    for step in range(-(-actions // ROWS)):
        if step % 200 == 0:
            memory = Memory.anchored(rng.uniform(limits.lower, limits.upper, shape))
        # Requests that stay for a while drive the joints into their stops at full speed.
        if step % 10 == 0 or step % 200 > 150:
            request, measured = adversarial(rng, memory)
        else:
            request, measured = np.roll(request, 1, axis=0), memory.position
        asked: object = malformed(rng, request) if rng.random() < 0.02 else request
        told, dt = next_period(rng, period, vary)
        after = limit(asked, memory, measured, envelope, told)
        # A request of the wrong kind is refused before anybody looks at the period.
        note(count, memory, after, envelope, dt if asked is request else period)
        count.packed += packed.violations(after.position, limits)
        memory = after.memory
        count.seconds = time.perf_counter() - begin
        say(count)
    return count


def behave(
    actions: int, envelope: Envelope, packed: Packed, say: Callable[[Count], object], seed: int = 1
) -> Count:
    """Legal actions that use up to 100 % of velocity and acceleration; none may change by a bit."""
    rng, count = np.random.default_rng(seed), Count()
    limits, period, begin = envelope.limits, envelope.settings.period, time.perf_counter()
    memory = Memory.anchored(np.zeros((ROWS, JOINTS)))
    for _ in range(-(-actions // ROWS)):
        request = legal(rng, memory, limits, period)
        after = limit(request, memory, memory.position, envelope, period)
        differs: BoolArray = after.position.view(np.int64) != request.view(np.int64)
        count.legal += ROWS
        count.changed += int(np.count_nonzero(differs.any(axis=-1)))
        note(count, memory, after, envelope, period)
        count.packed += packed.violations(after.position, limits)
        memory = after.memory
        count.seconds = time.perf_counter() - begin
        say(count)
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


class Progress:
    """Tells, now and then, how far a pass is and how long it will take."""

    def __init__(self, name: str, actions: int) -> None:
        self._name, self._actions, self._next = name, actions, 0.0

    def __call__(self, count: Count) -> None:
        if count.seconds < self._next or not count.seconds:
            return
        self._next = count.seconds + SAY_EVERY_S
        rate = count.actions / count.seconds
        left = (self._actions - count.actions) / rate
        sys.stderr.write(
            f"\r{self._name}: {count.actions:,} of {self._actions:,}, {count.broken} broken, "
            f"{rate:,.0f} a second, {left:.0f} s left      "
        )


def passes(actions: int, legal_actions: int) -> list[Count]:
    """Every pass, one after the other; a tenth of the hostile actions is the hand's."""
    moteus, servos = MoteusFloats(), DynamixelCounts()
    tenth = -(-actions // 10)
    quarter = -(-(actions - tenth) // 4)
    attacks: list[tuple[str, Envelope, Packed, bool, int]] = [
        ("attack dt 5 ms", make_envelope(0.005), moteus, False, quarter),
        ("attack dt 20 ms, soft", make_envelope(0.02, SOFT_ZONE), moteus, False, quarter),
        ("attack dt 2.5..10 ms", make_envelope(0.005), moteus, True, quarter),
        ("same, soft zone", make_envelope(0.005, SOFT_ZONE), moteus, True, quarter),
        ("hand, dt 5..20 ms", hand_envelope(), servos, True, tenth),
    ]
    counts: list[Count] = []
    for seed, (name, envelope, packed, vary, share) in enumerate(attacks):
        say = Progress(name, share)
        counts.append(attack(share, envelope, packed, vary, say, seed))
        counts[-1].name = name
    name, zoned = "legal dt 5 ms, soft", make_envelope(0.005, SOFT_ZONE)
    counts.append(behave(legal_actions, zoned, moteus, Progress(name, legal_actions)))
    counts[-1].name = name
    sys.stderr.write("\n")
    return counts


def table(counts: list[Count]) -> str:
    """One line for each pass, and the sum."""
    heads = ("pos", "vel", "acc", "nan", "packed", "changed")
    lines = [f"{'pass':22}{'actions':>13}" + "".join(f"{h:>8}" for h in heads) + "    worst-1"]
    for c in counts:
        changed = str(c.changed) if c.legal else "-"
        row = (c.position, c.velocity, c.acceleration, c.not_finite, c.packed, changed)
        cells = "".join(f"{value!s:>8}" for value in row)
        lines.append(f"{c.name:22}{c.actions:>13,}{cells}{c.worst:>11.1e}")
    hostile = sum(c.actions for c in counts if not c.legal)
    broken, seconds = sum(c.broken for c in counts), sum(c.seconds for c in counts)
    legal_actions = sum(c.legal for c in counts)
    lines.append(
        f"{hostile:,} hostile and {legal_actions:,} legal actions in {seconds:.0f} s, "
        f"{broken} violations"
    )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the table; 1 when anything was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=100_000_000, help="hostile ones")
    parser.add_argument("--legal", type=int, default=10_000_000)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    counts = passes(options.actions, options.legal)
    sys.stdout.write(table(counts) + "\n")
    costs = cost(min(20_000, max(100, options.actions // 100)))
    for name, (p50, p99) in zip(("legal", "limited"), costs, strict=True):
        sys.stdout.write(f"one tick, {name} request: p50 {p50:.0f} us, p99 {p99:.0f} us\n")
    if options.json:
        figures = {
            "passes": [asdict(count) for count in counts],
            "tick_us": np.array(costs).tolist(),
        }
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if any(count.broken for count in counts) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
