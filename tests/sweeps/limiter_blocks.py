"""The work of the limiter's sweep in blocks: chains of actions, each through the robot's own code.

A block's seed is its pass's and its own number, so that who runs it, and when, does not matter.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from robosac.flight.channels import reason_names
from robosac.hal import FloatArray
from robosac.safety import CodeArray, Envelope, Limited, Memory, limit
from tests.sweeps.limiter_requests import (
    JOINTS,
    SOFT_ZONE,
    adversarial,
    as_asked,
    hand_envelope,
    legal,
    make_envelope,
    next_periods,
)
from tests.sweeps.packed_registers import DynamixelCounts, MoteusFloats, Packed

ROWS = 500
"""Chains side by side in a block."""
TOLERANCE = 1e-9
"""Relative: what the rounding of recomputed velocities may show."""


@dataclass
class Count:
    """What was found; ratios are of the bound, 1 is exactly at it."""

    name: str = ""
    actions: int = 0
    """Whole joint vectors, one call of the limiter each."""
    position: int = 0
    velocity: int = 0
    acceleration: int = 0
    not_finite: int = 0
    packed: int = 0
    changed: int = 0
    legal: int = 0
    worst: float = 0.0
    seconds: float = 0.0
    lagging: int = 0
    """Actions after which a joint was not on its goal."""
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    """Actions for which each reason was given; `none`: let through untouched."""

    @property
    def broken(self) -> int:
        bounds = self.position + self.velocity + self.acceleration
        return bounds + self.not_finite + self.packed + self.changed

    def add(self, other: Count) -> None:
        """Take in what another block found."""
        for key, value in asdict(other).items():
            if isinstance(value, (int, float)) and key != "worst":
                setattr(self, key, getattr(self, key) + value)
        self.worst = max(self.worst, other.worst)
        for reason, seen in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + seen


@dataclass(frozen=True)
class Pass:
    """One robot, at one kind of period, with one kind of request."""

    name: str
    seed: int
    actions: int
    envelope: Envelope
    packing: type[Packed]
    vary: bool = False
    """Draw each row's period from about [T/2, 2T]."""
    hostile: bool = True
    steps: int = 200
    """Length of a chain."""

    @cached_property
    def packed(self) -> Packed:
        """Built where it is used."""
        return self.packing()

    def blocks(self) -> list[int]:
        """Steps of each block; the last one may be shorter."""
        steps = -(-self.actions // ROWS)
        sizes = [self.steps] * (steps // self.steps)
        return sizes + [steps % self.steps] * (steps % self.steps > 0)


def passes(actions: int, legal_actions: int) -> list[Pass]:
    """Every pass; a tenth of the hostile actions is the hand's."""
    tenth = -(-actions // 10)
    quarter = -(-(actions - tenth) // 4)
    five, zoned = make_envelope(0.005), make_envelope(0.005, SOFT_ZONE)
    slow = make_envelope(0.02, SOFT_ZONE)
    return [
        Pass("attack dt 5 ms", 0, quarter, five, MoteusFloats),
        Pass("attack dt 20 ms, soft", 1, quarter, slow, MoteusFloats),
        Pass("attack dt 2.5..10 ms", 2, quarter, five, MoteusFloats, vary=True),
        Pass("same, soft zone", 3, quarter, zoned, MoteusFloats, vary=True),
        Pass("hand, dt 5..20 ms", 4, tenth, hand_envelope(), DynamixelCounts, vary=True),
        Pass("legal dt 5 ms, soft", 5, legal_actions, zoned, MoteusFloats, False, False, 1000),
    ]


def run_block(part: Pass, number: int, steps: int) -> Count:
    """Chains of `steps` actions each, from rest; block `number` of the pass."""
    rng = np.random.default_rng((part.seed, number))
    begin = time.perf_counter()
    count = attack(part, rng, steps) if part.hostile else behave(part, rng, steps)
    count.name, count.seconds = part.name, time.perf_counter() - begin
    return count


def attack(part: Pass, rng: np.random.Generator, steps: int) -> Count:
    """Adversarial actions, from anywhere in the range."""
    count, limits, period = Count(), part.envelope.limits, part.envelope.settings.period
    start = rng.uniform(limits.lower, limits.upper, (ROWS, len(limits.names)))
    chains, seen = [Memory.anchored(row) for row in start], Memory.anchored(start)
    request = measured = start
    for step in range(steps):
        # Requests that stay for a while drive the joints into their stops at full speed.
        if step % 10 == 0 or step > 150:
            request, measured = adversarial(rng, seen)
        else:
            request, measured = np.roll(request, 1, axis=0), seen.position
        asked = as_asked(rng, request)
        told, counts = next_periods(rng, period, ROWS, part.vary)
        chains, after = tick(asked, chains, measured, part.envelope, told)
        # A request of the wrong kind is refused before anybody looks at the period.
        shaped = (after.codes & 1)[:, 0] == 0
        dt = np.where(shaped, counts, period)[:, None]
        note(count, seen, after, part.envelope, dt)
        count.packed += part.packed.violations(after.position, limits)
        seen = Memory(after.position, (after.position - seen.position) / dt)
    return count


def behave(part: Pass, rng: np.random.Generator, steps: int) -> Count:
    """Legal actions that use up to 100 % of velocity and acceleration; none may change by a bit."""
    count, limits, period = Count(), part.envelope.limits, part.envelope.settings.period
    start = rng.uniform(0.5 * limits.lower, 0.5 * limits.upper, (ROWS, JOINTS))
    chains, told = [Memory.anchored(row) for row in start], np.full(ROWS, period)
    seen = Memory.anchored(start)
    for _ in range(steps):
        request = legal(rng, seen, limits, period)
        chains, after = tick(list(request), chains, seen.position, part.envelope, told)
        differs = after.position.view(np.int64) != request.view(np.int64)
        count.legal += ROWS
        count.changed += int(np.count_nonzero(differs.any(axis=-1)))
        note(count, seen, after, part.envelope, period)
        count.packed += part.packed.violations(after.position, limits)
        seen = Memory(after.position, (after.position - seen.position) / period)
    return count


def tick(
    asked: list[Any],
    chains: list[Memory],
    measured: FloatArray,
    envelope: Envelope,
    told: FloatArray,
) -> tuple[list[Memory], Limited]:
    """One tick of every chain, each a call of the limiter; also all of them as one."""
    rows = [
        limit(request, memory, place, envelope, dt)
        for request, memory, place, dt in zip(asked, chains, measured, told.tolist(), strict=True)
    ]
    codes: CodeArray = np.array([row.codes for row in rows])
    together = Limited(
        np.array([row.position for row in rows]),
        np.array([row.velocity for row in rows]),
        codes,
        np.array([row.tracking is True for row in rows]),
    )
    return [row.memory for row in rows], together


def note(
    count: Count, before: Memory, after: Limited, envelope: Envelope, dt: float | FloatArray
) -> None:
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
    count.lagging += len(velocity) - int(np.count_nonzero(after.tracking))
    given = np.bincount(np.bitwise_or.reduce(after.codes, axis=-1), minlength=1)
    for value in np.flatnonzero(given).tolist():
        for reason in reason_names(value) or ["none"]:
            count.reasons[reason] = count.reasons.get(reason, 0) + int(given[value])
