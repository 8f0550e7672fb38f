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
    VALVE_LOST = "valve_lost"
    """The valve's servo tells nothing new: silent, or stuck at an old value."""
    SERVO_OVERLOADED = "servo_overloaded"
    """A servo let go by itself, for it had pushed too hard for too long."""
    CAMERA_UNPLUGGED = "camera_unplugged"
    CAMERA_SILENT = "camera_silent"
    CAMERA_FROZEN = "camera_frozen"
    """The same picture again and again."""
    CAMERA_BLACK = "camera_black"
    CAMERA_DAMAGED = "camera_damaged"
    """Pictures that cannot be decoded, or of another shape."""
    CAMERA_SETTINGS = "camera_settings"
    """It does not keep what was set."""
    CAMERA_LATE = "camera_late"
    """Pictures come, but too old ones."""
    LEARNER_BEHIND = "learner_behind"
    """The learner has more to do than may be outstanding, or what is kept for it fills its room."""
    LEARNER_LOST = "learner_lost"
    """The learner was silent for too long, or failed."""

    @classmethod
    def of_camera(cls, fault: str) -> EpisodeEnd:
        """The end that a camera's `fault` (see `hal.CameraView`) brings."""
        return cls(f"camera_{fault}")
