"""What the monitor's parts come to, put together: the strongest reaction wins."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from robosac.hal import Fault
from robosac.reasons import Reason


class Reaction(enum.IntEnum):
    """The stop ladder, gentlest first."""

    NONE = 0
    HOLD = 1
    DAMP = 2
    STOP = 3
    """Torque off without a fault."""
    FAULT = 4
    """Torque off and latched."""


@dataclass(slots=True)
class Verdict:
    """Collects causes."""

    reaction: Reaction = Reaction.NONE
    reasons: Reason = Reason.NONE
    faults: list[Fault] = field(default_factory=list[Fault])
    """Every cause by name; those of reaction NONE are told and no more."""
    latching: list[Fault] = field(default_factory=list[Fault])
    """The causes of a FAULT reaction."""

    def add(self, reaction: Reaction, reason: Reason, fault: Fault) -> None:
        """Count one cause, with the `reaction` that it calls for."""
        self.reaction = max(self.reaction, reaction)
        self.reasons |= reason
        self.faults.append(fault)
        if reaction is Reaction.FAULT:
            self.latching.append(fault)
