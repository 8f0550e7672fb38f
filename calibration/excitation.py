"""Motions that show what a joint's actuator is like: a chirp, then steps, within given bounds.

Pure: the same seed gives the same motion. A goal a period; between two goals lies a straight line,
so velocity and acceleration are those of the differences, and are bounded as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Excitation:
    """How far, how fast and how long joints are moved.

    Raises:
        ValueError: a value is not positive, or the frequencies do not rise.
    """

    amplitude_rad: float
    """Largest way from the centre, either side."""
    velocity_rad_s: float
    acceleration_rad_s2: float
    low_hz: float
    high_hz: float
    """Frequencies that the chirp runs through."""
    rest_s: float = 0.3
    """At the centre, before and after."""
    chirp_s: float = 1.4
    steps: int = 4
    """Each to another place within the amplitude; the last one back to the centre."""
    step_s: float = 0.15
    """From one step to the next."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"excitation.{name} must be positive, got {getattr(self, name)}")
        if not self.low_hz < self.high_hz:
            raise ValueError(f"excitation: {self.low_hz} Hz is not below {self.high_hz} Hz")


def excite(
    centre_rad: FloatArray, wanted: Excitation, period_s: float, rng: np.random.Generator
) -> FloatArray:
    """Goals for every joint, rad, shape (count, n), one a period; all joints move at once.

    Args:
        centre_rad: where the motion begins and ends, shape (n,).
        wanted: bounds and durations; velocity and acceleration hold between the goals, too.
        period_s: between two goals.
        rng: draws phases, frequencies and steps, so that no two joints move alike.

    Raises:
        ValueError: the period cannot show the chirp's highest frequency.
    """
    if not period_s * wanted.high_hz <= 0.25:
        raise ValueError(
            f"a chirp up to {wanted.high_hz} Hz takes goals every {0.25 / wanted.high_hz:.4f} s;"
            f" the period is {period_s} s"
        )
    columns = [_one(wanted, period_s, rng) for _ in centre_rad]
    # Steps that the bounds slow down take longer: who is done first waits at the centre.
    longest = max(map(len, columns))
    padded = [np.pad(column, (0, longest - len(column))) for column in columns]
    return centre_rad + np.stack(padded, axis=1)


def _one(wanted: Excitation, period_s: float, rng: np.random.Generator) -> FloatArray:
    """One joint's motion about its centre."""
    rest = np.zeros(round(wanted.rest_s / period_s))
    return np.concatenate((rest, chirp(wanted, period_s, rng), steps(wanted, period_s, rng), rest))


def chirp(wanted: Excitation, period_s: float, rng: np.random.Generator) -> FloatArray:
    """A sweep about 0, rad, from the low frequency to the high one; it begins and ends at rest."""
    count = round(wanted.chirp_s / period_s)
    share = np.arange(1, count + 1) / count
    low, high = wanted.low_hz * rng.uniform(1.0, 1.3), wanted.high_hz * rng.uniform(0.75, 1.0)
    hertz = low * (high / low) ** share
    omega = 2.0 * math.pi * hertz
    phase = np.cumsum(omega) * period_s + rng.uniform(0.0, 2.0 * math.pi)
    swing = np.minimum(wanted.amplitude_rad, wanted.velocity_rad_s / omega)
    swing = np.minimum(swing, wanted.acceleration_rad_s2 / omega**2)
    # A tenth of the time to swell, and another to fade.
    swell = np.minimum(1.0, 10.0 * np.minimum(share, 1.0 - share))
    swell = 0.5 - 0.5 * np.cos(math.pi * swell)
    return bounded(swing * swell * np.sin(phase), wanted, period_s)


def steps(wanted: Excitation, period_s: float, rng: np.random.Generator) -> FloatArray:
    """Moves about 0, rad, each as quick as the bounds allow, and a rest after it; back to 0."""
    sides = np.where(np.arange(wanted.steps) % 2, -1.0, 1.0) * rng.choice((-1.0, 1.0))
    places = wanted.amplitude_rad * rng.uniform(0.4, 1.0, wanted.steps) * sides
    places[-1] = 0.0
    count, at = max(2, round(wanted.step_s / period_s)), 0.0
    parts: list[FloatArray] = []
    for place in places.tolist():
        way = abs(place - at)
        # A half cosine: its speed peaks at pi/2 of the mean, its acceleration at pi^2/2 of it.
        least = max(
            math.pi * way / (2.0 * wanted.velocity_rad_s),
            math.pi * math.sqrt(way / (2.0 * wanted.acceleration_rad_s2)),
        )
        moving = max(2, math.ceil(least / period_s) + 1)
        share = np.minimum(1.0, np.arange(1, max(count, moving) + 1) / moving)
        parts.append(at + (place - at) * (0.5 - 0.5 * np.cos(math.pi * share)))
        at = place
    return bounded(np.concatenate(parts), wanted, period_s)


def bounded(motion: FloatArray, wanted: Excitation, period_s: float) -> FloatArray:
    """`motion` (rad, from rest at 0 to rest at 0), made smaller until it keeps every bound."""
    whole = np.concatenate(([0.0, 0.0], motion, [0.0, 0.0]))
    speed = np.abs(np.diff(whole)).max() / period_s
    push = np.abs(np.diff(whole, 2)).max() / period_s**2
    farthest = np.abs(whole).max()
    most = max(
        1.0,
        float(farthest / wanted.amplitude_rad),
        float(speed / wanted.velocity_rad_s),
        float(push / wanted.acceleration_rad_s2),
    )
    return motion / most
