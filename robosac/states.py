"""The safety states and the only ways from one to another."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class SafetyState(enum.Enum):
    """What the executor lets the motors do."""

    DISARMED = "disarmed"
    """Torque off."""
    ARMING = "arming"
    """Checks, then stiffness is raised at the present position."""
    ACTIVE = "active"
    """Follows requests through the limiter."""
    HOLD = "hold"
    """Keeps the last safe target; returns to ACTIVE by itself."""
    DAMPED = "damped"
    """Resists motion, holds nothing; only arming leads on."""
    FAULT = "fault"
    """Torque off; latched until every fault is cleared by name."""


TRANSITIONS: Mapping[SafetyState, Mapping[SafetyState, str]] = MappingProxyType(
    {
        SafetyState.DISARMED: {
            SafetyState.ARMING: "arm() with the gate open",
            SafetyState.FAULT: "e-stop, or an error while reading the robot",
        },
        SafetyState.ARMING: {
            SafetyState.ACTIVE: "every check held",
            SafetyState.DISARMED: "a check failed",
            SafetyState.FAULT: "e-stop, device fault or error",
        },
        SafetyState.ACTIVE: {
            SafetyState.HOLD: "request or state too old, requests rejected, late ticks",
            SafetyState.DAMPED: "fall, request far too old",
            SafetyState.DISARMED: "disarm(), request abandoned",
            SafetyState.FAULT: "e-stop, device fault, measured limit broken or error",
        },
        SafetyState.HOLD: {
            SafetyState.ACTIVE: "the cause is gone and the request is fresh",
            SafetyState.DAMPED: "fall, or the cause lasts",
            SafetyState.DISARMED: "disarm(), request abandoned",
            SafetyState.FAULT: "e-stop, device fault, measured limit broken or error",
        },
        SafetyState.DAMPED: {
            SafetyState.ARMING: "arm() with the gate open",
            SafetyState.DISARMED: "disarm(), or damped for long enough",
            SafetyState.FAULT: "e-stop, device fault or error",
        },
        SafetyState.FAULT: {
            SafetyState.DISARMED: "every fault cleared by name",
        },
    }
)
"""From -> to -> why."""


def allowed(present: SafetyState, following: SafetyState) -> bool:
    """True where the table knows the way; staying is always allowed."""
    return present is following or following in TRANSITIONS[present]
