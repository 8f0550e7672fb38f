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
├── TransitionRefused  (ValueError)    a transition holds what must not be learned from
├── ActorRefused       (ValueError)    an actor that this learner cannot learn from
├── LinkError          (ConnectionError)  what came over a link is no message of ours
│   ├── ProtocolError                     bytes from outside are no message of the format they claim
│   ├── LinkRefused                       the other end does not want us; the message says why
│   └── LinkFull                          too much waits to be sent; nothing was taken
├── StoreError         (OSError)       a store's disk or file fails
│   ├── StoreFull                      there is no room
│   ├── StoreDamaged                   what is read back is not what was written
│   └── StoreBusy                      another process has it open; the message names it
├── StoreFormatError   (ValueError)    a file is no store, or of another kind or version
├── StoreSealed        (RuntimeError)  a repaired outbox takes no new rows
├── SequenceGap        (LookupError)   rows do not follow those that are there
├── StreamRefused      (ValueError)    a stream is not known, or is another robot's
├── RowDamaged         (ValueError)    a row that came does not have the checksum it came with
├── PeerFailed         (RuntimeError)  something that robosac is compared with does not work here
├── NativeUnavailable  (RuntimeError)  the native core cannot be built or used here; says why
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


class TransitionRefused(RobosacError, ValueError):
    """A transition holds what must not be learned from."""


class ActorRefused(RobosacError, ValueError):
    """An actor that this learner cannot learn from, however often it comes."""


class LinkError(RobosacError, ConnectionError):
    """What came over a link is damaged, too large, or no message of ours."""


class ProtocolError(LinkError):
    """Bytes from outside are no message of the format that they claim."""


class LinkRefused(LinkError):
    """The other end refused the connection; trying again helps only once the reason is gone."""


class LinkFull(LinkError):
    """So much waits to be sent that no more is taken; what waits is still sent."""


class StoreError(RobosacError, OSError):
    """A store cannot be read or written: its disk or its file fails."""


class StoreFull(StoreError):
    """A store has no room: its disk is full, or its bound is reached. Nothing was taken."""


class StoreDamaged(StoreError):
    """A store's file is not what was written, or contradicts itself."""


class StoreBusy(StoreError):
    """A store is open in another process, or a second time in this one."""


class StoreFormatError(RobosacError, ValueError):
    """A file is no store of ours, or one of another kind or version."""


class StoreSealed(RobosacError, RuntimeError):
    """A repaired outbox was asked to take new rows; it only hands out those that it has."""


class SequenceGap(RobosacError, LookupError):
    """Rows that were offered or asked for do not follow those that are there."""


class StreamRefused(RobosacError, ValueError):
    """A stream is not registered, belongs to another actor, or has two different pasts."""


class RowDamaged(RobosacError, ValueError):
    """A row that came does not have the checksum it came with."""


class PeerFailed(RobosacError, RuntimeError):
    """Something that robosac is compared with does not work here; the message is its own."""


class NativeUnavailable(RobosacError, RuntimeError):
    """The native core cannot be built, loaded or trusted here."""


class RobotError(RobosacError, OSError):
    """A device failed outside the control tick."""


class OwnershipError(RobosacError, RuntimeError):
    """Somebody else owns the robot, or took it."""
