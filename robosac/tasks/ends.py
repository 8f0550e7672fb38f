"""Why an episode ended. Only TERMINATED cuts the bootstrap of the value target."""

from __future__ import annotations

import enum


class EpisodeEnd(enum.StrEnum):
    """The distinct ends of an episode."""

    TERMINATED = "terminated"
    """The task itself ended: a fall."""
    TRUNCATED = "truncated"
    """Time ran out."""
    SAFETY_STOP = "safety_stop"
    """The executor left ACTIVE."""
    OPERATOR = "operator"
    """A person stopped it."""
    COMMUNICATION_LOSS = "communication_loss"
    """A device fell silent."""
    SENSOR_LOST = "sensor_lost"
    """What the reward is made of could not be measured any more."""
