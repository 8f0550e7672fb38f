"""The rows of the fault matrix: what is broken, what must follow, and how soon.

Numbers are those of the hazard table in docs/hazards.md, levels and budgets its. A budget in ticks
counts from the first tick after the fault; where a sensor tells at its own pace, that pace is added
and said in the row's name.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

import robosac.course
from robosac.reasons import Reason
from tests.sweeps.fault_scene import WATCHDOG_S, Scene

Inject = Callable[[Scene], None]


class Level(enum.IntEnum):
    """How far the robot was stopped."""

    NONE = 0
    LIMIT = 1
    HOLD = 2
    DAMP = 3
    CUT = 4


class Phase(enum.Enum):
    """What the robot does when the fault comes."""

    IDLE = "idle"
    """Torque off; arming it must be refused."""
    ACTING = "acting"
    RESET = "reset"
    CALIBRATING = "calibrating"
    """One joint after the other is swept slowly, as a calibration does."""


DRIVEN = (Phase.ACTING, Phase.RESET, Phase.CALIBRATING)
EVERY = (Phase.IDLE, *DRIVEN)


def _nothing(scene: Scene) -> None:
    """Nothing is broken yet."""


@dataclass(frozen=True)
class Row:
    """One fault and what it requires."""

    hazard: int
    name: str
    inject: Inject
    level: Level
    budget_s: Callable[[Scene], float]
    latched: tuple[str, ...] = ()
    """One of these must be latched; empty: nothing may be."""
    phases: tuple[Phase, ...] = EVERY
    presets: tuple[str, ...] = ("minitaur", "claw")
    reasons: Reason = Reason.NONE
    """What a tick must give as its reason to count as limited."""
    prepare: Inject = _nothing
    """Done before the phase begins; no fault yet."""
    firmware: bool = False
    """The motors must come to rest by themselves; the executor is gone."""


def ticks(count: int) -> Callable[[Scene], float]:
    """So many ticks, the one in which the fault falls included; s."""
    return lambda scene: (count + 1) * scene.period


def seconds(value: float) -> Callable[[Scene], float]:
    """So many seconds, and the tick in which the fault falls."""
    return lambda scene: value + scene.period


def spec(text: str) -> Inject:
    """A fault of `sim.fault_spec`; ID stands for one motor's."""
    return lambda scene: scene.faults(text)


def goals(change: Callable[[Any], Any]) -> Inject:
    """Every goal is changed on its way to the executor."""

    def inject(scene: Scene) -> None:
        scene.spoil = change

    return inject


def drifting(rate_rad_s: float) -> Inject:
    """One joint's reading runs away at so many rad/s."""

    def inject(scene: Scene) -> None:
        begin = scene.now()
        id = scene.a_motor
        scene.each_step = lambda now: scene.hooks.skew(id, rate_rad_s * (now - begin))

    return inject


def past_limit(scene: Scene) -> None:
    """One joint's reading goes past its limit, slowly; the fault begins where it passes it."""
    begin, id = scene.now(), scene.a_motor
    place = scene.executor.limits.names.index(_joint_of(scene, id))
    watch, limits = scene.executor.settings.watch, scene.executor.limits
    scene.injected = None

    def step(now: float) -> None:
        scene.hooks.skew(id, 6.0 * (now - begin))
        joints = scene.states[-1][1].joints
        past = max(
            joints.position[place] - limits.upper[place],
            limits.lower[place] - joints.position[place],
        )
        if scene.injected is None and past > watch.position_tolerance:
            scene.injected = now

    scene.each_step = step


def _joint_of(scene: Scene, id: int) -> str:
    motors = scene.robot.file.motors
    return next(name for name, motor in motors.items() if motor.id == id)


def supply(volts: float) -> Inject:
    """The supply changes, as sources do."""

    def inject(scene: Scene) -> None:
        if scene.quadruped:
            scene.twin._supply = volts
        else:
            scene.twin.supply_v = volts

    return inject


def late_ticks(scene: Scene) -> None:
    """Every tick begins over two periods too late."""
    wait = scene.clock.wait_until
    late = 2.4 * scene.period

    class Late:
        def now(self) -> float:
            return scene.now()

        def wait_until(self, deadline: float) -> None:
            wait(deadline + late)

    scene.executor._rate.clock = Late()


def limiter_raises(scene: Scene) -> None:
    """The limiter's own error."""
    del scene

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a bug in the limiter")

    mock.patch.object(robosac.course, "limit", broken).start()


def limiter_hangs(scene: Scene) -> None:
    """The limiter takes longer than half of the motors' watchdogs."""
    limit = robosac.course.limit

    def slow(*arguments: Any) -> Any:
        scene.clock.wait_until(scene.now() + 0.06)
        return limit(*arguments)

    mock.patch.object(robosac.course, "limit", slow).start()


def forget_options(scene: Scene) -> None:
    """A controller's gains were set and not saved, it was armed so, and its supply is cycled."""
    from dataclasses import replace

    bank, index = scene.twin.bank, 2
    good = bank.configuration(index)
    bank.configure(index, replace(good, kp_nm_per_rev=2.0))
    bank.store(index)
    bank.configure(index, good)
    bank.reboot(scene.a_motor)


def go_silent(scene: Scene) -> None:
    """Nobody requests anything any more."""
    scene.silent = True


NAN = goals(lambda goal: np.full_like(goal, math.nan))
INF = goals(lambda goal: np.where(np.arange(len(goal)) == 1, math.inf, goal))
SHORT = goals(lambda goal: goal[:-1])
INTEGERS = goals(lambda goal: goal.astype(np.int64))
FAR = goals(lambda goal: goal + 9.0)
QUAD, HAND, EYES = ("minitaur",), ("claw",), ("claw-pixels",)
CUT, HOLD, DAMP, LIMIT = Level.CUT, Level.HOLD, Level.DAMP, Level.LIMIT
MOVING = (Phase.ACTING,)


def _period_of_policy(count: int) -> Callable[[Scene], float]:
    return lambda scene: count * scene.stage.seconds_per_step + 2 * scene.period


ROWS: tuple[Row, ...] = (
    Row(1, "goal NaN: rejected", NAN, LIMIT, _period_of_policy(1), (), DRIVEN,
        reasons=Reason.NON_FINITE),
    Row(1, "goal NaN, third request", NAN, HOLD, _period_of_policy(3), (), DRIVEN),
    Row(1, "goal infinite in one joint", INF, LIMIT, _period_of_policy(1), (), MOVING,
        reasons=Reason.NON_FINITE),
    Row(2, "goal too short: rejected", SHORT, LIMIT, _period_of_policy(1), (), DRIVEN,
        reasons=Reason.SHAPE),
    Row(2, "goal of integers: rejected", INTEGERS, LIMIT, _period_of_policy(1), (), MOVING,
        reasons=Reason.SHAPE),
    Row(3, "goal far off: limited", FAR, LIMIT, _period_of_policy(1), (), DRIVEN,
        reasons=Reason.DISTANCE | Reason.POSITION),
    Row(3, "goals far off for a second", FAR, HOLD, seconds(1.2), (),
        (Phase.ACTING, Phase.CALIBRATING)),
    Row(5, "measured past the limit", past_limit, CUT, ticks(2), ("position_limit",), DRIVEN),
    Row(6, "positions run at 110 rad/s", drifting(110.0), CUT, seconds(0.02),
        ("overspeed", "position_limit"), DRIVEN, QUAD),
    Row(6, "positions run at 22 rad/s", drifting(22.0), CUT, seconds(0.02),
        ("overspeed", "position_limit", "impossible_motion"), DRIVEN, HAND),
    Row(8, "motor at 90 degrees", spec("servo:ID=hot:90"), CUT, seconds(1.0),
        ("over_temperature",)),
    Row(8, "motor 4 below the limit: derated", spec("servo:ID=hot:76"), LIMIT, seconds(1.0), (),
        DRIVEN, QUAD, Reason.DERATED, spec("servo:ID=hot:72")),
    Row(8, "motor 4 below the limit: derated", spec("servo:ID=hot:71"), LIMIT, seconds(1.0), (),
        DRIVEN, HAND, Reason.DERATED, spec("servo:ID=hot:68")),
    Row(9, "supply sags to 10.5 V", spec("bus=brownout:10.5"), CUT, seconds(0.05),
        ("under_voltage",), EVERY, QUAD),
    Row(9, "supply at 12.5 V", spec("bus=brownout:12.5"), CUT, seconds(1.05),
        ("under_voltage",), EVERY, QUAD),
    Row(9, "supply rises to 22 V", supply(22.0), CUT, seconds(0.05), ("over_voltage",), EVERY,
        QUAD),
    Row(9, "supply sags to 14 V", spec("bus=brownout:14"), CUT, seconds(0.05),
        ("under_voltage", "servo_supply"), EVERY, HAND),
    Row(9, "supply at 19 V", spec("bus=brownout:19"), CUT, seconds(1.05), ("under_voltage",),
        EVERY, HAND),
    Row(9, "supply rises to 29 V", supply(29.0), CUT, seconds(0.05),
        ("over_voltage", "servo_supply"), EVERY, HAND),
    Row(10, "position jumps by 1.2 rad", spec("servo:ID=wrong:1.2"), CUT, ticks(1),
        ("impossible_motion", "position_limit"), DRIVEN, QUAD),
    Row(10, "position jumps by 0.28 rad", spec("servo:ID=wrong:0.29"), CUT, ticks(1),
        ("impossible_motion", "position_limit"), DRIVEN, HAND),
    Row(10, "position jumps by 1.2 rad", spec("servo:ID=wrong:1.2"), CUT, ticks(1),
        ("impossible_motion", "position_limit", "joint_lost"), DRIVEN, HAND),
    Row(12, "encoder frozen", spec("servo:ID=encoder"), CUT, seconds(0.2), ("encoder_frozen",),
        (Phase.ACTING, Phase.RESET)),
    Row(13, "motor reboots", spec("servo:ID=reboot"), HOLD, seconds(0.1), (), DRIVEN),
    Row(14, "all answers one exchange old", spec("bus=delayed"), HOLD, ticks(3), ("joint_lost",)),
    Row(14, "one motor tells old values", spec("servo:ID=stuck"), HOLD, ticks(3), (), DRIVEN,
        HAND),
    Row(14, "one motor tells old values", spec("servo:ID=stuck"), CUT, seconds(0.2),
        ("encoder_frozen",), MOVING, QUAD),
    Row(15, "motor silent", spec("servo:ID=off"), HOLD, ticks(3), ("joint_lost",)),
    Row(15, "motor silent: cut", spec("servo:ID=off"), CUT, ticks(10),
        ("joint_lost", "stop_unconfirmed"), DRIVEN),
    Row(15, "motor says garbage", spec("servo:ID=garbage"), HOLD, ticks(3), ("joint_lost",),
        MOVING),
    Row(15, "motor answers 20 ms late", spec("servo:ID=slow:0.02"), HOLD, ticks(3),
        ("joint_lost",)),
    Row(15, "every reply dropped", spec("bus/to-host=drop:1"), HOLD, ticks(3), ("joint_lost",)),
    Row(15, "every reply damaged", spec("bus/to-host=flip:1"), HOLD, ticks(3), ("joint_lost",),
        MOVING),
    Row(15, "every reply cut short", spec("bus/to-host=truncate:1"), HOLD, ticks(3),
        ("joint_lost",),
        MOVING),
    Row(15, "every reply from another id", spec("bus=wrong"), HOLD, ticks(3), ("joint_lost",),
        MOVING),
    Row(16, "bus unplugged", spec("bus=unplug"), CUT, ticks(1), ("bus_dead",)),
    Row(17, "inertial sensor silent", spec("imu=off"), HOLD, seconds(0.045), (), EVERY, QUAD),
    Row(17, "inertial sensor repeats itself", spec("imu=stuck"), HOLD, seconds(0.045), (), EVERY,
        QUAD),
    Row(17, "inertial sensor says garbage", spec("imu=garbage"), HOLD, seconds(0.045), (), EVERY,
        QUAD),
    Row(17, "inertial sensor out of range", spec("imu=range"), HOLD, seconds(0.04), (), EVERY,
        QUAD),
    Row(17, "inertial sensor reboots", spec("imu=reboot"), HOLD, seconds(0.045), (), DRIVEN, QUAD),
    Row(17, "attitude off by 0.6 rad (2 s)", spec("imu=wrong:0.6"), DAMP, seconds(2.0), (), EVERY,
        QUAD),
    Row(17, "inertial sensor unplugged", spec("bus:imu=unplug"), CUT, ticks(1), ("imu_dead",),
        EVERY, QUAD),
    Row(18, "attitude of a fallen robot", spec("imu=wrong:1.4"), DAMP, seconds(0.05), (), EVERY,
        QUAD),
    Row(22, "every tick late", late_ticks, HOLD, seconds(0.1), (), DRIVEN),
    Row(28, "nobody requests", go_silent, HOLD, seconds(0.1), (), MOVING),
    Row(29, "computer gone", lambda scene: None, CUT, seconds(WATCHDOG_S), (), MOVING,
        firmware=True),
    Row(30, "unsaved options lost", forget_options, CUT, seconds(0.0), (), (Phase.IDLE,), QUAD),
    Row(34, "emergency stop", lambda scene: scene.stage.gate.trip("test"), CUT, seconds(0.02),
        ("estop",)),
    Row(41, "limiter raises", limiter_raises, CUT, ticks(1), ("exception",), DRIVEN),
    Row(41, "limiter takes 60 ms", limiter_hangs, CUT, seconds(WATCHDOG_S), ("exception",), DRIVEN),
    Row(19, "camera unplugged", lambda scene: _eye(scene, "unplugged"), HOLD, seconds(0.3), (),
        MOVING, EYES),
    Row(20, "camera frozen", spec("camera=stuck"), HOLD, seconds(0.3), (), MOVING, EYES),
    Row(20, "camera silent", spec("camera=off"), HOLD, seconds(0.3), (), MOVING, EYES),
    Row(20, "camera 0.5 s late", spec("camera=delayed:0.5"), HOLD, seconds(0.3), (), MOVING, EYES),
    Row(21, "camera black", spec("camera=wrong"), HOLD, seconds(1.0), (), MOVING, EYES),
)  # fmt: skip


def _eye(scene: Scene, name: str) -> None:
    setattr(scene.twin.camera.device.faults, name, True)
