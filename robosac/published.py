"""What the real machine does, to hold a twin's figures against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """One published gait."""

    gait: str
    speed_m_s: float
    power_w: float
    """Mechanical: the mean of |torque * velocity| over the motors, as the source's reward counts it
    (our reading: the copper losses of the published motor alone would be several times more)."""


PUBLISHED = (Published("trot", 0.60, 72.0), Published("gallop", 1.18, 189.0))
"""Policies trained in simulation, on the real Minitaur: Tan et al. 2018, arXiv 1804.10332."""
