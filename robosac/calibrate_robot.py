"""`robosac calibrate`: a robot on its ports with torque off, a person beside it, and a file.

The robot is owned, and stopped like any other: its executor stays DISARMED, and every exchange
with the motors is one of its ticks. Nothing here asks a joint to move.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import msgspec
import numpy as np

from calibration.record import Calibration, DeviceTag
from robosac.bolted_pictures import imu_page, joints_page
from robosac.calibrate_target import Target, robot_settings
from robosac.calibration_file import before
from robosac.calibration_file import undo as take_back
from robosac.custody import Custody
from robosac.custody_wiring import claw_custody, minitaur_custody
from robosac.errors import ConfigError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_settings import claw_settings, minitaur_settings
from robosac.fixture import load_fixture
from robosac.flight.wiring import untapped
from robosac.guiding import Person, guide_imu, guide_joints
from robosac.hal import FloatArray, Robot, RobotState
from robosac.robots.claw import Claw
from robosac.robots.claw_file import ClawFile, load_claw_file
from robosac.robots.inertial import RATE_HZ
from robosac.robots.measured import with_imu, with_joints, with_ports
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.robots.wiring import Wiring, check_calibration, directions, motor_zeros, unmeasured
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.stage import SERIAL, is_twin, load_calibration
from robosac.states import SafetyState
from robosac.twin_person import TwinPerson

SETTLE_S: Final = 0.3
"""What waits in the ports' buffers from before is read away, s."""
LEAST_SHARE: Final = 0.8
"""Of the ticks that must bring whole readings."""
POWER_ON_RAD: Final = {"minitaur": -np.pi, "claw": 0.0}
"""Where the turn begins that the encoders read in when power comes on: moteus, Dynamixel."""
_AXES: Final = np.array([1.0, -1.0, -1.0])
"""The body's FLU axes to the sensor's FRD ones, as an unmeasured mounting turns them."""


class ConsolePerson:
    """Whoever sits at the console.

    Args:
        source, sink: where the answer comes from, and where the questions go.
    """

    def __init__(self, source: TextIO = sys.stdin, sink: TextIO = sys.stderr) -> None:
        self._source, self._sink = source, sink

    def ask(self, line: str) -> None:
        """See `robosac.guiding.Person`. Raises RobotError: nobody is there."""
        self._sink.write(f"{line}: ")
        self._sink.flush()
        if not self._source.readline():
            raise RobotError("nobody answered: a calibration needs a person on the console")

    def tell(self, line: str) -> None:
        """See `robosac.guiding.Person`."""
        self._sink.write(f"{line}\n")
        self._sink.flush()


class DisarmedBench:
    """A robot's readings, through the ticks of its executor; see `robosac.guiding.Bench`.

    Args:
        executor: disarmed; of a robot whose calibration measured nothing.
        to_motors: joint angles to the motors' own, rad.
    """

    def __init__(self, executor: Executor, to_motors: Callable[[FloatArray], FloatArray]) -> None:
        self._executor, self._to_motors = executor, to_motors

    def motors(self, seconds: float) -> FloatArray:
        whole = [
            self._to_motors(state.joints.position)
            for state in self._states(seconds)
            if state.joints.valid.all()
        ]
        self._check(len(whole), seconds / self._executor.period, "motors' readings")
        return np.array(whole)

    def inertial(self, seconds: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        samples = [state.imu for state in self._states(seconds) if state.imu is not None]
        fresh = [
            sample
            for before, sample in zip([None, *samples], samples, strict=False)
            if before is None or sample.time > before.time
        ]
        self._check(len(fresh), seconds * RATE_HZ, "inertial samples")
        return (
            np.array([sample.time for sample in fresh]),
            np.array([sample.angular_velocity for sample in fresh]) * _AXES,
            np.array([sample.acceleration for sample in fresh]) * _AXES,
        )

    def _states(self, seconds: float) -> Iterator[RobotState]:
        settling = round(SETTLE_S / self._executor.period)
        for number in range(settling + round(seconds / self._executor.period)):
            tick = self._executor.tick()
            if tick.safety is not SafetyState.DISARMED:
                told = "; ".join(str(fault) for fault in tick.faults)
                raise RobotError(f"stopped while calibrating: {tick.safety.value}: {told}")
            if number >= settling:
                yield tick.state

    @staticmethod
    def _check(found: int, wanted: float, what: str) -> None:
        if found < LEAST_SHARE * wanted:
            raise RobotError(
                f"{found} {what} of {wanted:.0f}; valid is {LEAST_SHARE:.0%}: look at the wiring"
            )


@dataclass(frozen=True)
class Opened:
    """A robot with torque off."""

    kind: str
    """`minitaur` or `claw`."""
    file: Wiring
    bench: DisarmedBench
    person: Person
    motors: Mapping[str, DeviceTag]
    imu: DeviceTag | None
    ports: Mapping[str, str | None]


def joints(
    preset: str, overrides: list[str], target: Target, fixture_path: Path, take_over: bool
) -> None:
    """Guide every joint, and write what was measured into the target; other parts are kept.

    Raises:
        ConfigError: a setting, the fixture or the file is wrong. RobotError: see `guide_joints`.
        CalibrationMismatch: what was measured contradicts the robot file.
    """
    with opened(preset, overrides, target, take_over) as robot:
        fixture = load_fixture(fixture_path, robot.file)
        base = target.base(robot.file)
        power_on = POWER_ON_RAD[robot.kind]
        found = guide_joints(robot.file, fixture, power_on, robot.person, robot.bench)
        measured = with_joints(base, robot.file, found, robot.motors, _today())
        page = joints_page(target.beside, robot.file, found)
        target.write(with_ports(measured, robot.ports))
        robot.person.tell(f"page: {page}")
        robot.person.tell(target.closing)


def imu(preset: str, overrides: list[str], target: Target, take_over: bool) -> None:
    """Hold and turn the body, and write what was measured into the target; other parts are kept.

    Raises:
        ConfigError: a setting or the file is wrong, or the robot has no inertial sensor.
        RobotError: see `guide_imu`.
    """
    with opened(preset, overrides, target, take_over) as robot:
        if robot.imu is None:
            raise ConfigError(f"{robot.file.name} has no inertial sensor")
        base = target.base(robot.file)
        found = guide_imu(robot.person, robot.bench)
        measured = with_imu(base, found, robot.imu, _today())
        page = imu_page(target.beside, found)
        target.write(with_ports(measured, robot.ports))
        robot.person.tell(f"page: {page}")
        robot.person.tell(target.closing)


def undo(out: Path, dry: bool = False) -> Calibration:
    """Take back the last writing of `out`, or only tell what it would be again.

    Raises:
        ConfigError: there is nothing to go back to.
    """
    try:
        return before(out) if dry else take_back(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be taken back: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(str(error)) from error


@contextmanager
def opened(preset: str, overrides: list[str], target: Target, take_over: bool) -> Iterator[Opened]:
    """The robot on its serial ports, owned, configured and disarmed; closed at the end.

    For a dry run the twin, with hands that do what a person is asked.

    Raises:
        ConfigError: a setting, a file or a port is wrong. OwnershipError: somebody else owns it.
        RobotError: it cannot be configured, or does not switch its torque off.
    """
    config = robot_settings(preset, overrides)
    if config.robot.address != SERIAL and not target.dry:
        raise ConfigError(
            f"robot.address is {config.robot.address!r}, and nobody can guide a twin's joints;"
            f" valid is {SERIAL}, or --dry-run, which has hands for that"
        )
    config = target.robot(config)
    with ExitStack() as stack:
        if isinstance(config, MinitaurConfig):
            yield _minitaur(config, stack, take_over)
        else:
            yield _claw(config, stack, take_over)


def _minitaur(config: MinitaurConfig, stack: ExitStack, take_over: bool) -> Opened:
    file: RobotFile = load_robot_file(config.robot.file)
    gate = EStopGate()
    custody = stack.enter_context(minitaur_custody(config, file, gate, take_over))
    person: Person = ConsolePerson(custody.console)
    if is_twin(config.robot.address, "minitaur"):
        from robosac.assembly_minitaur import reach

        reached = reach(config, file, _as_built(config, file), custody.console, untapped)
        person = TwinPerson(reached.operator, file.joint_names)
    else:
        from robosac.connect import connect

        reached = connect(file, console=custody.console, camera=False)
    stack.callback(reached.devices.close)
    robot = Minitaur(file, unmeasured(file), reached.devices, reached.clock.now)
    settings, period = minitaur_settings(config, file), config.executor.period_s
    executor = Executor(robot, reached.clock, gate, period, settings, custody.journal)
    bench = _ready(executor, robot, file, custody, stack)
    motors, tag = robot.motor_devices, robot.imu_device
    return Opened("minitaur", file, bench, person, motors, tag, reached.ports)


def _claw(config: ClawConfig, stack: ExitStack, take_over: bool) -> Opened:
    file: ClawFile = load_claw_file(config.robot.file)
    gate = EStopGate()
    custody = stack.enter_context(claw_custody(config, file, gate, take_over))
    blind = msgspec.structs.replace(file, camera=None)
    person: Person = ConsolePerson(custody.console)
    if is_twin(config.robot.address, "claw"):
        from robosac.assembly_claw import reach

        task = msgspec.structs.replace(config.task, pixels=False)
        seeing = msgspec.structs.replace(config, task=task)
        reached = reach(seeing, blind, _as_built(config, file), custody.console, untapped)
        person = TwinPerson(reached.operator, file.joint_names)
    else:
        from robosac.connect_claw import connect

        reached = connect(blind, console=custody.console)
    stack.callback(reached.devices.close)
    robot = Claw(file, unmeasured(file), reached.devices, reached.clock.now)
    settings, period = claw_settings(config, file), config.executor.period_s
    executor = Executor(robot, reached.clock, gate, period, settings, custody.journal)
    bench = _ready(executor, robot, file, custody, stack)
    return Opened("claw", file, bench, person, robot.motor_devices, None, reached.ports)


def _as_built(config: MinitaurConfig | ClawConfig, file: Wiring) -> Calibration:
    """How the twin is bolted together."""
    measured = load_calibration(
        config.robot.calibration, "minitaur" if isinstance(config, MinitaurConfig) else "claw"
    )
    check_calibration(file, measured)
    return measured


def _ready(
    executor: Executor, robot: Robot, file: Wiring, custody: Custody, stack: ExitStack
) -> DisarmedBench:
    """Configure the robot, everybody who may stop it at hand: its bench."""
    stack.callback(executor.close)
    custody.attach(executor)
    robot.configure()
    sign, zero = directions(file), motor_zeros(file, unmeasured(file))
    return DisarmedBench(executor, lambda joints: (joints + zero) * sign)


def _today() -> str:
    return datetime.date.today().isoformat()
