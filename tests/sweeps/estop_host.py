"""A process that owns a served quadruped, drives it, and does what its first argument says.

    python -m tests.sweeps.estop_host WHAT LEGS IMU STATE_FOLDER [take-over]

WHAT: tick (for ever, as the executor's process does) or hang (stop ticking once driven).
XDG_RUNTIME_DIR says where it can be found. It says `driving` once it drives, then one JSON line on
how it ends; or one on who owns the robot. It is patient, so that it drives on a busy computer too.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from typing import NoReturn

import numpy as np

import calibration
from drivers.moteus import MoteusBus
from drivers.vectornav.port import VectorNavPort
from drivers.wire import SerialWire
from robosac.clock import MonotonicClock
from robosac.custody import Custody
from robosac.errors import NotArmedError, OwnershipError
from robosac.estop import EStopGate
from robosac.executor import Executor, ExecutorSettings
from robosac.owner import MotorPort
from robosac.ownership import Claim
from robosac.robots.minitaur import Devices, Minitaur
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.settings import StopSection
from tests.sweeps.patient_legs import PatientLegs

BAUD = 921600
TICKS_BEFORE_DRIVING = 3
PATIENT = ExecutorSettings(hold_after=20.0, damp_after=30.0, stop_after=60.0, late_hold=10_000)
PATIENT_PERIOD_S = 0.02


def build(
    legs: str, imu: str, state_folder: str, gate: EStopGate, take_over: bool, patient: bool
) -> Executor:
    """An executor in custody, on the ports of a served twin. Raises OwnershipError."""
    file = load_robot_file(None)
    ids = tuple(motor.id for motor in file.motors.values())
    stop = StopSection(state_folder=state_folder, console_key=False)
    claim = Claim(file.name, MotorPort("moteus", legs, BAUD, ids), (legs, imu))
    with Custody(file.name, stop, gate, claim, take_over) as custody:
        if patient:
            robot = PatientLegs(legs, BAUD, ids)
            executor = Executor(
                robot, robot.clock, gate, PATIENT_PERIOD_S, PATIENT, custody.journal
            )
        else:
            executor = _quadruped(file, legs, imu, gate, custody)
        custody.attach(executor)
    return executor


def _quadruped(file: RobotFile, legs: str, imu: str, gate: EStopGate, custody: Custody) -> Executor:
    """The real thing, as hasty as it is."""
    clock, port = MonotonicClock(), SerialWire(imu, BAUD)
    bus = MoteusBus(SerialWire(legs, BAUD), [m.id for m in file.motors.values()], clock.now)
    devices = Devices(bus, VectorNavPort(port, clock.now), port.reopen, None)
    robot = Minitaur(file, calibration.nominal("minitaur"), devices, clock.now)
    return Executor(robot, clock, gate, journal=custody.journal)


def drive(executor: Executor, ticks: int) -> None:
    """Hold the present position for some ticks, whatever the state."""
    for _ in range(ticks):
        with contextlib.suppress(NotArmedError):
            executor.request(np.array(executor.commanded_position))
        executor.tick()


def main() -> int:
    what, legs, imu, folder, *rest = sys.argv[1:]

    def end(*_: object) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    try:
        executor = build(legs, imu, folder, EStopGate(), rest == ["take-over"], True)
    except OwnershipError as error:
        say({"refused": str(error)})
        return 3
    try:
        executor.arm()
        drive(executor, TICKS_BEFORE_DRIVING)
        say("driving")
        while what != "hang":
            drive(executor, 1)
        while True:
            time.sleep(1.0)
    finally:
        executor.close()
        say({"faults": [entry.fault.name for entry in executor.faults]})


def say(what: object) -> None:
    sys.stdout.write((what if isinstance(what, str) else json.dumps(what)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
