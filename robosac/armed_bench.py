"""A robot that may move by itself on its stand: owned, behind the gate, driven by its executor.

For the calibrations that need motion. Whatever moves passes the limiter, everybody who may stop the
robot can, and leaving in whatever way leaves torque off.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TextIO

import msgspec
import numpy as np

from calibration import Calibration
from robosac.calibrate_robot import ConsolePerson
from robosac.calibrate_target import Target, robot_settings
from robosac.clock import Clock
from robosac.custody import Custody
from robosac.custody_wiring import claw_custody, minitaur_custody
from robosac.dithered import DitheredClock
from robosac.errors import ConfigError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_settings import claw_settings, minitaur_settings
from robosac.flight.wiring import Blackbox
from robosac.hal import FloatArray, Robot
from robosac.realtime import punctual
from robosac.requests import ExecutorSettings
from robosac.robots.claw import Claw
from robosac.robots.claw_file import ClawFile
from robosac.robots.eye import Camera
from robosac.robots.identity import check_ports
from robosac.robots.measured_camera import with_measured_tracker
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.stage import is_twin, own_calibration
from robosac.states import SafetyState
from robosac.ticks import Tick
from robosac.watched import WatchingClock

APPROACH_RAD_S: Final = 1.0
"""How fast joints go to where a motion begins."""
HANG: Final = (
    "Put the body level on a stand where the feet just reach the floor with the legs stretched to"
    " 135 degrees, nothing else near them; step back"
)
SPREAD: Final = "See that nothing is near the fingers or the valve; step back"
MINITAUR_CENTRE_RAD: Final = np.full(8, 2.0)
CLAW_CENTRE_RAD: Final = np.array([0.0, -0.8, -0.2] * 3 + [0.0])
"""Fingers away from the valve and from one another (`sim.claw.SPREAD_RAD`); the valve's is where it
stands."""


class Hung(Protocol):
    """A twin that can be hung up."""

    def hang(self, seed: int) -> None:
        """Put it where each joint may move by itself; all from `seed`."""
        ...


class Progress:
    """One line that tells how far it is, where somebody looks.

    Args:
        what: is being done.
        sink: where it is told; nothing is, if that is no terminal.
    """

    def __init__(self, what: str, sink: TextIO = sys.stderr) -> None:
        self._what, self._sink = what, sink if sink.isatty() else None

    def at(self, done: int, of: int) -> None:
        """`done` parts of `of` are done."""
        if self._sink is not None:
            end = "\n" if done >= of else ""
            self._sink.write(f"\r{self._what}: {done} of {of}{end}")
            self._sink.flush()


@dataclass(frozen=True)
class Armed:
    """A robot with its executor, armed, at the centre of its motions."""

    config: MinitaurConfig | ClawConfig
    file: RobotFile | ClawFile
    executor: Executor
    clock: DitheredClock
    measured: Calibration
    """What it is driven with."""
    rng: np.random.Generator
    watching: WatchingClock
    """What `clock` waits on."""
    camera: Camera | None = None
    """What looks at it, if it was asked for: the hand's, or the one above the quadruped."""

    @property
    def kind(self) -> str:
        """`minitaur` or `claw`."""
        return "minitaur" if isinstance(self.config, MinitaurConfig) else "claw"

    @property
    def centre(self) -> FloatArray:
        """Where motions begin, rad, shape (n,)."""
        if self.kind == "minitaur":
            return MINITAUR_CENTRE_RAD
        valve = self.executor.commanded_position[-1]
        return np.concatenate((CLAW_CENTRE_RAD[:-1], [valve]))

    def tick(self, goal: FloatArray) -> Tick:
        """Ask for `goal` (rad) at the next tick, and make it.

        Raises:
            RobotError: the robot was stopped, or holds; the message says why.
        """
        self.executor.request(goal)
        tick = self.executor.tick()
        if tick.safety is not SafetyState.ACTIVE:
            told = "; ".join(str(fault) for fault in tick.faults) or str(tick.reasons)
            raise RobotError(f"stopped while calibrating: {tick.safety.value}: {told}")
        return tick

    def go(self, goal: FloatArray) -> None:
        """Go to `goal` (rad) slowly, and rest there for 0.3 s."""
        start, period = self.executor.commanded_position.copy(), self.executor.period
        way = float(np.abs(goal - start).max())
        count = max(1, round(way / APPROACH_RAD_S / period))
        for number in range(1, count + 1):
            self.tick(start + (goal - start) * number / count)
        for _ in range(round(0.3 / period)):
            self.tick(goal)

    def play(self, goals: FloatArray, progress: Progress) -> list[Tick]:
        """Ask for one row of `goals` (rad) a tick; every tick."""
        ticks: list[Tick] = []
        for number, goal in enumerate(goals):
            ticks.append(self.tick(goal))
            if number % 20 == 0:
                progress.at(number, len(goals))
        progress.at(len(goals), len(goals))
        return ticks


def readings(ticks: Sequence[Tick], joint: int) -> tuple[FloatArray, FloatArray]:
    """When a joint was read, s, and where it was, rad; each reading once, shape (n,) both."""
    told = [
        (tick.state.joints.time[joint], tick.state.joints.position[joint])
        for tick in ticks
        if tick.state.joints.valid[joint]
    ]
    time, place = np.array(told, np.float64).reshape(-1, 2).T
    fresh = np.diff(time, prepend=-np.inf) > 0.0
    return time[fresh], place[fresh]


@contextmanager
def armed(
    preset: str,
    overrides: list[str],
    take_over: bool,
    seed: int = 0,
    target: Target | None = None,
    sight: bool = False,
) -> Iterator[Armed]:
    """The robot or its twin, hung up and armed, at the centre of its motions; torque off after.

    Args:
        preset: minitaur or claw.
        overrides: settings, `a.b=c`.
        take_over: stop and end whoever owns it now.
        seed: of what is drawn: a twin, and the times of ticks.
        target: where what is measured goes; a dry run is on the twin, whatever the settings say.
        sight: open the camera too: the hand's, if its task learns from pictures; the one above the
            quadruped, if the robot file has it. A quadruped's twin always has.

    Raises:
        ConfigError: a setting, a file or a port is wrong. CalibrationMismatch: another robot's.
        OwnershipError: somebody else owns it. ArmingError: it must not be armed.
        RobotError: it was stopped, or nobody answers.
    """
    config = robot_settings(preset, overrides)
    if target is not None:
        config = target.robot(config)
    if isinstance(config, ClawConfig) and not sight:
        # No picture is needed, so that no camera is either.
        task = msgspec.structs.replace(config.task, pixels=False)
        config = msgspec.structs.replace(config, task=task)
    rng = np.random.default_rng(seed)
    gate, blackbox = EStopGate(), Blackbox(config)
    with ExitStack() as stack:
        if isinstance(config, MinitaurConfig):
            reached = _minitaur(config, stack, take_over, gate, blackbox, sight)
        else:
            reached = _claw(config, stack, take_over, gate, blackbox)
        built = _driven(config, reached, stack, rng, gate, blackbox)
        stack.callback(built.executor.close)
        custody = reached.custody
        custody.attach(built.executor)
        with built.executor:
            if reached.hung is not None:
                reached.hung.hang(int(rng.integers(2**31)))
            else:
                place = HANG if built.kind == "minitaur" else SPREAD
                person = ConsolePerson(custody.console)
                person.ask(f"{place}, and press Enter")
                priority = config.executor.realtime_priority
                for line in stack.enter_context(punctual(priority)):
                    person.tell(line)
            built.executor.arm()
            built.go(built.centre)
            yield built


@dataclass(frozen=True)
class _Reached:
    """A robot, behind the check where it is on ports."""

    file: RobotFile | ClawFile
    measured: Calibration
    custody: Custody
    robot: Robot
    clock: Clock
    settings: ExecutorSettings
    hung: Hung | None
    """A twin, which hangs itself up."""
    camera: Camera | None


def _driven(
    config: MinitaurConfig | ClawConfig,
    reached: _Reached,
    stack: ExitStack,
    rng: np.random.Generator,
    gate: EStopGate,
    blackbox: Blackbox,
) -> Armed:
    """An executor for it, recorded where that is wanted; not armed yet."""
    period, measured = config.executor.period_s, reached.measured
    watching = WatchingClock(reached.clock)
    clock = DitheredClock(watching, period, rng.random)
    executor = Executor(
        reached.robot, clock, gate, period, reached.settings, reached.custody.journal
    )
    built = Armed(config, reached.file, executor, clock, measured, rng, watching, reached.camera)
    recorder = blackbox.record(executor, clock, built.kind, measured)
    if recorder is not None:
        stack.callback(recorder.close)
    return built


def _minitaur(
    config: MinitaurConfig,
    stack: ExitStack,
    take_over: bool,
    gate: EStopGate,
    blackbox: Blackbox,
    sight: bool,
) -> _Reached:
    from robosac.assembly_minitaur import reach

    file = load_robot_file(config.robot.file)
    measured = own_calibration(config.robot, "minitaur", file)
    custody = stack.enter_context(minitaur_custody(config, file, gate, take_over))
    # It stays where it is, so that nobody must see where it goes.
    camera = sight and file.tracker is not None
    followed = with_measured_tracker(file, measured) if camera else file
    reached = reach(config, followed, measured, custody.console, blackbox.tap, camera, film=sight)
    stack.callback(reached.devices.close)
    check_ports(measured, reached.ports)
    robot: Robot = Minitaur(file, measured, reached.devices, reached.clock.now)
    hung: Hung | None = None
    if is_twin(config.robot.address, "minitaur"):
        hung = _hung(reached.operator)
    else:
        from robosac.check.gate import gated

        robot = gated(robot, config, measured, reached.ports, seeing=False)
    settings = minitaur_settings(config, file)
    above = reached.overhead
    return _Reached(file, measured, custody, robot, reached.clock, settings, hung, above)


def _claw(
    config: ClawConfig, stack: ExitStack, take_over: bool, gate: EStopGate, blackbox: Blackbox
) -> _Reached:
    from robosac.assembly_claw import file_of, reach

    file = file_of(config)
    measured = own_calibration(config.robot, "claw", file)
    custody = stack.enter_context(claw_custody(config, file, gate, take_over))
    reached = reach(config, file, measured, custody.console, blackbox.tap)
    stack.callback(reached.devices.close)
    check_ports(measured, reached.ports)
    camera = reached.devices.camera
    robot: Robot = Claw(file, measured, reached.devices, reached.clock.now)
    hung: Hung | None = None
    if is_twin(config.robot.address, "claw"):
        hung = _hung(reached.operator)
    else:
        from robosac.check.gate import gated

        robot = gated(robot, config, measured, reached.ports, camera)
    settings = claw_settings(config, file)
    return _Reached(file, measured, custody, robot, reached.clock, settings, hung, camera)


def _hung(operator: object) -> Hung:
    """A twin's operator, which is the twin."""
    hang = getattr(operator, "hang", None)
    if not callable(hang):
        raise ConfigError(f"{type(operator).__name__} cannot be hung up, and a twin must be")
    return operator  # pyright: ignore[reportReturnType]
