"""What goes wrong in a rehearsal: each case with the reaction that the hazard table requires.

Rows, levels and budgets are those of the hazard table (docs/hazards.md). Pure; who enacts a case is
`robosac.rehearsal.stage`, who judges it `robosac.rehearsal.verdict`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from signal import SIGKILL, SIGSTOP, SIGUSR1, Signals

from robosac.errors import ConfigError
from robosac.reasons import Reason
from robosac.rehearsal.files import ROBOTS, robot_of


class Level(enum.IntEnum):
    """How strongly the robot reacted; the hazard table's L0 to L4."""

    NOTE = 0
    """It goes on; the fault is told."""
    LIMIT = 1
    """The command was clamped, or the whole request set aside."""
    HOLD = 2
    """It holds its last safe target; the episode ends."""
    DAMP = 3
    """It resists motion, and torque goes soon."""
    CUT = 4
    """Torque is off."""


class Phase(enum.Enum):
    """What the robot does when the fault comes."""

    IDLE = "idle"
    """Torque off, waiting to be set up; arming it must be refused."""
    RESETTING = "resetting"
    """Armed, on its way to where an episode begins."""
    ACTING = "acting"


class Party(enum.Enum):
    """A process of ours."""

    ACTOR = "actor"
    EXECUTOR = "executor"
    LEARNER = "learner"


class Spoil(enum.Enum):
    """What the actor asks for in place of an action."""

    NAN = "nan"
    """One joint's goal is not a number."""
    SHAPE = "shape"
    """A joint too few."""
    JUMP = "jump"
    """Every goal 9 rad away."""
    SWAY = "sway"
    """No nonsense: a slow motion to and fro, in which every joint has to move."""


@dataclass(frozen=True)
class TwinFault:
    """A fault of `sim.fault_spec`; MOTOR stands for one motor's id."""

    spec: str


@dataclass(frozen=True)
class Unplug:
    """A cable is pulled."""

    port: str


@dataclass(frozen=True)
class Push:
    """The body is pushed, with a force (N, in the world) for so long (s)."""

    force: tuple[float, float, float]
    seconds: float


@dataclass(frozen=True)
class Kill:
    """A process gets a signal."""

    party: Party
    number: Signals


@dataclass(frozen=True)
class BadGoal:
    """The actor asks for nonsense."""

    how: Spoil


@dataclass(frozen=True)
class ShellStop:
    """Somebody types `robosac estop` in another shell."""


Injection = TwinFault | Unplug | Push | Kill | BadGoal | ShellStop


@dataclass(frozen=True)
class Budget:
    """From the fault to the reaction: so many seconds, and so many ticks of the executor."""

    seconds: float = 0.0
    ticks: int = 0

    def limit_s(self, period_s: float) -> float:
        """In s, for a tick of `period_s`, the tick in which the fault falls included."""
        return self.seconds + (self.ticks + 1) * period_s


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong, and what must follow."""

    name: str
    hazard: int
    """Row of the hazard table."""
    title: str
    injection: Injection
    level: Level
    """At least."""
    budget: Budget
    told: tuple[str, ...] = ()
    """Faults, or ends of the episode, one of which a record must name; empty: the state tells."""
    reasons: Reason = Reason.NONE
    """Likewise of a tick that is limited."""
    phase: Phase = Phase.ACTING
    presets: tuple[str, ...] = tuple(ROBOTS)
    stop_s: float | None = None
    """So long after the fault no motor may be driven any more, by the twin's clock, s."""
    meanwhile: Spoil | None = None
    """What the actor asks for while it happens; None: what it likes."""
    from_tilt: bool = False
    """The fault begins when the body is tilted too far, not with the push."""
    deaf: bool = False
    """The failed motor hears no command either: it is its own watchdog that stops it."""


QUAD, HAND, EYES = ("minitaur",), ("claw", "claw-pixels"), ("claw-pixels",)
MOTORS = {"minitaur": 3, "claw": 11}
"""The motor that fails, by robot."""
WATCHDOG_S = 0.1
LOST, SOON = Budget(ticks=10), Budget(ticks=1)
CUT_STOP_S = 0.1
"""Motors rest so soon after a reaction of level CUT was due, s."""


def _cut(budget_s: float) -> float:
    return budget_s + CUT_STOP_S


def _motor(name: str, hazard: int, title: str, spec: str, budget: Budget, *told: str) -> Case:
    stop_s = _cut(budget.limit_s(0.01))
    deaf = spec.endswith("=off")
    return Case(name, hazard, title, TwinFault(spec), Level.CUT, budget, told, stop_s=stop_s,
                deaf=deaf)  # fmt: skip


CASES: tuple[Case, ...] = (
    Case("nan-action", 1, "action NaN", BadGoal(Spoil.NAN), Level.HOLD, Budget(0.3), (),
         Reason.NON_FINITE),
    Case("short-action", 2, "action with a joint too few", BadGoal(Spoil.SHAPE), Level.HOLD,
         Budget(0.3), (), Reason.SHAPE),
    Case("action-jump", 3, "goals 9 rad away", BadGoal(Spoil.JUMP), Level.LIMIT, SOON, (),
         Reason.POSITION | Reason.VELOCITY | Reason.ACCELERATION | Reason.DISTANCE),
    _motor("motor-hot", 8, "motor at 95 degrees C", "servo:MOTOR=hot:95", Budget(1.0),
           "over_temperature"),
    Case("supply-sag", 9, "supply sags to 10.5 V", TwinFault("bus=brownout:10.5"), Level.CUT,
         Budget(0.05), ("under_voltage",), presets=QUAD, stop_s=0.2),
    Case("supply-sag", 9, "supply sags to 14 V", TwinFault("bus=brownout:14"), Level.CUT,
         Budget(0.05), ("under_voltage", "servo_supply"), presets=HAND, stop_s=0.2),
    Case("motor-wrong", 10, "position jumps by 1.2 rad", TwinFault("servo:MOTOR=wrong:1.2"),
         Level.CUT, SOON, ("impossible_motion", "position_limit"), presets=QUAD, stop_s=_cut(0.01)),
    # The servos' bus does not believe such a jump, and takes the servo for lost.
    Case("motor-wrong", 10, "position jumps by 1.2 rad", TwinFault("servo:MOTOR=wrong:1.2"),
         Level.CUT, LOST, ("impossible_motion", "position_limit", "joint_lost"), presets=HAND,
         stop_s=_cut(0.11)),
    Case("encoder-frozen", 12, "encoder frozen", TwinFault("servo:MOTOR=encoder"), Level.CUT,
         Budget(0.5), ("encoder_frozen",), stop_s=0.6, meanwhile=Spoil.SWAY),
    Case("motor-reboot", 13, "motor reboots", TwinFault("servo:MOTOR=reboot"), Level.HOLD,
         Budget(0.1), ("joint_lost", "motor_restarted", "motor_not_driving", "motor_watchdog")),
    Case("motor-stuck", 14, "motor tells old values", TwinFault("servo:MOTOR=stuck"), Level.CUT,
         Budget(0.5), ("encoder_frozen", "joint_lost", "joint_stale"), stop_s=0.6,
         meanwhile=Spoil.SWAY),
    _motor("motor-off", 15, "motor silent", "servo:MOTOR=off", LOST, "joint_lost"),
    _motor("motor-garbage", 15, "motor says garbage", "servo:MOTOR=garbage", LOST, "joint_lost"),
    _motor("motor-slow", 15, "motor answers 50 ms late", "servo:MOTOR=slow:0.05", LOST,
           "joint_lost"),
    _motor("bus-drop", 15, "every reply lost", "bus/to-host=drop:1", LOST, "joint_lost"),
    # A changed digit of an fdcanusb line, which has no checksum, may be a value nobody believes.
    _motor("bus-flip", 15, "every reply damaged", "bus/to-host=flip:1", LOST, "joint_lost",
           "impossible_motion"),
    _motor("bus-late", 15, "every reply 20 ms late", "bus/to-host=late:1:0.02", LOST,
           "joint_lost"),
    Case("valve-off", 15, "the valve's servo silent", TwinFault("servo:50=off"), Level.CUT, LOST,
         ("joint_lost",), presets=HAND, stop_s=_cut(0.11)),
    Case("bus-unplugged", 16, "the motors' cable pulled", Unplug("legs"), Level.CUT, SOON,
         ("bus_dead",), presets=QUAD, stop_s=_cut(0.01)),
    Case("bus-unplugged", 16, "the servos' cable pulled", Unplug("servos"), Level.CUT, SOON,
         ("bus_dead",), presets=HAND, stop_s=_cut(0.02)),
    Case("imu-off", 17, "inertial sensor silent", TwinFault("imu=off"), Level.HOLD,
         Budget(0.045), ("imu_stale",), presets=QUAD),
    Case("imu-stuck", 17, "inertial sensor repeats itself", TwinFault("imu=stuck"), Level.HOLD,
         Budget(0.05), ("imu_stale", "imu_frozen"), presets=QUAD),
    Case("imu-garbage", 17, "inertial sensor says garbage", TwinFault("imu=garbage"), Level.HOLD,
         Budget(0.045), ("imu_stale", "imu_dead"), presets=QUAD),
    Case("imu-unplugged", 17, "the inertial sensor's cable pulled", Unplug("imu"), Level.CUT,
         SOON, ("imu_dead",), presets=QUAD, stop_s=_cut(0.01)),
    Case("tip-over", 18, "pushed over", Push((0.0, 90.0, 30.0), 0.25), Level.DAMP, Budget(0.05),
         ("tilt", "terminated"), presets=QUAD, from_tilt=True),
    # Told within 0.2 s, or three equal pictures. The task then holds for 0.2 s and lets go, and
    # only then says that its episode has ended, which is what is seen here.
    Case("camera-unplugged", 19, "the camera's cable pulled", Unplug("hand"), Level.HOLD,
         Budget(0.6), ("camera_unplugged", "camera_silent", "camera_late"), presets=EYES),
    Case("camera-frozen", 20, "camera frozen", TwinFault("camera=stuck"), Level.HOLD,
         Budget(0.7), ("camera_frozen",), presets=EYES),
    Case("camera-black", 21, "camera black", TwinFault("camera=wrong"), Level.HOLD, Budget(1.0),
         ("camera_black", "camera_frozen"), presets=EYES),
    # Two seconds without a heartbeat; the actor reads them, and looks, once a control period each.
    Case("learner-killed", 24, "learner: SIGKILL", Kill(Party.LEARNER, SIGKILL), Level.NOTE,
         Budget(2.25), ("learner_lost",)),
    Case("learner-stopped", 24, "learner: SIGSTOP", Kill(Party.LEARNER, SIGSTOP), Level.NOTE,
         Budget(2.25), ("learner_lost",)),
    Case("actor-killed", 28, "actor: SIGKILL", Kill(Party.ACTOR, SIGKILL), Level.HOLD,
         Budget(0.1), stop_s=0.4),
    Case("actor-stopped", 28, "actor: SIGSTOP", Kill(Party.ACTOR, SIGSTOP), Level.HOLD,
         Budget(0.1), stop_s=2.2),
    Case("executor-killed", 29, "executor: SIGKILL", Kill(Party.EXECUTOR, SIGKILL), Level.CUT,
         Budget(WATCHDOG_S), stop_s=WATCHDOG_S),
    Case("executor-stopped", 29, "executor: SIGSTOP", Kill(Party.EXECUTOR, SIGSTOP), Level.CUT,
         Budget(WATCHDOG_S), stop_s=WATCHDOG_S),
    Case("estop-shell", 34, "robosac estop", ShellStop(), Level.CUT, Budget(0.02), ("estop",)),
    Case("estop-signal", 34, "executor: SIGUSR1", Kill(Party.EXECUTOR, SIGUSR1), Level.CUT,
         Budget(0.02), ("estop",), stop_s=_cut(0.02)),
    # While it resets, and while it idles.
    Case("motor-off-reset", 15, "motor silent", TwinFault("servo:MOTOR=off"), Level.CUT, LOST,
         ("joint_lost",), phase=Phase.RESETTING, stop_s=_cut(0.11), deaf=True),
    Case("estop-reset", 34, "executor: SIGUSR1", Kill(Party.EXECUTOR, SIGUSR1), Level.CUT,
         Budget(0.02), ("estop",), phase=Phase.RESETTING, stop_s=_cut(0.02)),
    Case("motor-off-idle", 15, "motor silent", TwinFault("servo:MOTOR=off"), Level.CUT,
         Budget(), phase=Phase.IDLE),
    Case("supply-sag-idle", 9, "supply sags to 10.5 V", TwinFault("bus=brownout:10.5"), Level.CUT,
         Budget(), phase=Phase.IDLE, presets=QUAD),
    Case("imu-off-idle", 17, "inertial sensor silent", TwinFault("imu=off"), Level.CUT, Budget(),
         phase=Phase.IDLE, presets=QUAD),
    Case("bus-unplugged-idle", 16, "the servos' cable pulled", Unplug("servos"), Level.CUT,
         Budget(), phase=Phase.IDLE, presets=HAND),
)  # fmt: skip

_ELSEWHERE = {
    4: "its property is proved and swept (tests/robosac/test_safety_proof.py), not seen in a run",
    5: "the twin cannot be told to pass a limit alone; tests/sweeps/fault_matrix.py does it",
    6: "the twin cannot be told to spin a joint; tests/sweeps/fault_matrix.py does it",
    7: "no served twin takes a motor's thermal model over its edge within seconds",
    11: "needs goals written by another program between two readings of arming",
    22: "lateness is measured here, not forced; tests/sweeps/fault_matrix.py forces it",
    23: "measured as lateness in every run",
    25: "learner and actor share this machine: no network to cut",
    26: "policies are spoilt by tests/robosac, not in a run",
    27: "policies are spoilt by tests/robosac, not in a run",
    30: "as row 13 for a served motor",
    31: "would fill this machine's disk",
    32: "would change this machine's clock",
    33: "a second owner is started by tests/robosac",
    35: "no remote endpoint is registered here",
    36: "preflight reads the calibration; another robot's is refused by tests/robosac",
    37: "stored rows are spoilt by tests/robosac",
    38: "the kills of rows 24 and 28; files at every instant are killed by tests",
    39: "refused before anything starts, by tests/robosac",
    40: "no consumer of telemetry runs here",
    41: "needs an error in the limiter's own code; tests/sweeps/fault_matrix.py plants one",
    42: "no network here that a stranger could reach",
    43: "wear takes longer than a rehearsal",
}
_ONLY = {
    17: "the hand has no inertial sensor",
    18: "the hand is bolted down",
    19: "no camera is looked through",
    20: "no camera is looked through",
    21: "no camera is looked through",
}
HAZARDS = tuple(range(1, 44))


def cases_for(preset: str) -> tuple[Case, ...]:
    """What goes wrong in a rehearsal of `preset`, in order.

    Raises:
        ConfigError: there is no rehearsal for it.
    """
    robot_of(preset)
    return tuple(case for case in CASES if preset in case.presets)


def left_out(preset: str) -> dict[int, str]:
    """The rows of the hazard table that are not enacted with `preset`, and why."""
    enacted = {case.hazard for case in cases_for(preset)}
    reasons = _ELSEWHERE | _ONLY
    return {row: reasons[row] for row in HAZARDS if row not in enacted}


def chosen(preset: str, faults: str) -> tuple[Case, ...]:
    """The cases that `faults` names: all, none, or names with commas between them.

    Raises:
        ConfigError: a name is no case of this preset.
    """
    cases = cases_for(preset)
    if faults == "all":
        return cases
    if faults in ("none", ""):
        return ()
    known = {case.name: case for case in cases}
    names = [name.strip() for name in faults.split(",")]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"no fault {name!r} in a rehearsal of {preset}; valid are all, none, "
                f"{', '.join(known)}"
            )
    return tuple(case for case in cases if case.name in names)


def spec_of(fault: TwinFault, preset: str) -> str:
    """The fault as the twin of `preset` understands it."""
    return fault.spec.replace("MOTOR", str(MOTORS[robot_of(preset)]))
