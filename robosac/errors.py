"""The errors robosac raises on purpose; each is also a builtin kind.

RobosacError
├── ConfigError        (ValueError)    a setting, preset or file is wrong; says what is valid
├── RunFolderError     (ValueError)    a folder is not a run, or not one this version reads
├── FlightFileError    (OSError)       a flight recording cannot be written, or is not one
├── LimitsError        (ValueError)    limits that contradict themselves
├── CalibrationMismatch (ValueError)   the calibration belongs to another robot
├── NotArmedError      (RuntimeError)  motion was asked for in a state that forbids it
├── ArmingError        (RuntimeError)  the robot refused to arm; the message names the check
├── SlowLimiterError   (RuntimeError)  the limiter took too long for its command to be sent
├── LearnerLost        (RuntimeError)  the learner is gone, or was silent for too long
├── PolicyRefused      (ValueError)    a policy that came is damaged or of another kind
├── LinkError          (ConnectionError)  what came over a link is no message of ours
├── RobotError         (OSError)       a device failed outside the control tick
└── OwnershipError     (RuntimeError)  somebody else owns the robot; the message names the owner
"""


class RobosacError(Exception):
    """Base of every error robosac raises on purpose."""


class ConfigError(RobosacError, ValueError):
    """A setting, preset or robot file is wrong."""


class RunFolderError(RobosacError, ValueError):
    """A folder is not a run folder, or not one this version can read."""


class FlightFileError(RobosacError, OSError):
    """A flight recording cannot be written, or a file is not one that this version reads."""


class LimitsError(RobosacError, ValueError):
    """Limits contradict themselves (lower above upper, not finite, wrong length)."""


class CalibrationMismatch(RobosacError, ValueError):
    """The calibration does not belong to this robot."""


class NotArmedError(RobosacError, RuntimeError):
    """Motion was asked for in a state that does not allow it."""


class ArmingError(RobosacError, RuntimeError):
    """The robot refused to arm."""


class SlowLimiterError(RobosacError, RuntimeError):
    """The limiter took so long that what it decided is not sent any more."""


class LearnerLost(RobosacError, RuntimeError):
    """The learner is gone and cannot be started again, or was silent for too long."""


class PolicyRefused(RobosacError, ValueError):
    """A policy that came is damaged, or does not fit what it shall act in."""


class LinkError(RobosacError, ConnectionError):
    """What came over a link is damaged, too large, or no message of ours."""


class RobotError(RobosacError, OSError):
    """A device failed outside the control tick."""


class OwnershipError(RobosacError, RuntimeError):
    """Somebody else owns the robot, or took it."""
