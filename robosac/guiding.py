"""A person is told what to do, and the routines get what was read meanwhile; torque is off.

Nothing here opens or moves anything: the person answers through `Person`, readings come through
`Bench`. What a routine refuses is told to the person, and asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

from calibration.errors import Undetermined
from calibration.imu import ImuResult, Rest, Turn, calibrate_imu
from calibration.joints import (
    DrawnJoint,
    EndlessJoint,
    GuidedJoint,
    JointResult,
    calibrate_endless,
    calibrate_joint,
    contradicted_signs,
)
from robosac.errors import CalibrationMismatch, RobotError
from robosac.fixture import Fixture
from robosac.hal import FloatArray
from robosac.robots.wiring import Wiring

ATTEMPTS: Final = 3
REST_S: Final = 0.5
WAY_S: Final = 5.0
PUSH_S: Final = 2.0
STILL_S: Final = 2.0
"""At rest for the inertial sensor."""
TURN_S: Final = 4.0
PUSHES: Final = 2
ATTITUDES: Final[Mapping[str, tuple[float, float, float]]] = {
    "level, on its feet": (0.0, 0.0, -1.0),
    "on its back": (0.0, 0.0, 1.0),
    "nose down": (-1.0, 0.0, 0.0),
    "nose up": (1.0, 0.0, 0.0),
    "right side down": (0.0, -1.0, 0.0),
    "left side down": (0.0, 1.0, 0.0),
}
"""The upward direction in the body's axes (FRD)."""
TURNS: Final[Mapping[str, tuple[float, float, float]]] = {
    "roll its right side down by about 90 degrees": (1.0, 0.0, 0.0),
    "pitch its nose up by about 90 degrees": (0.0, 1.0, 0.0),
    "turn it to its right, seen from above, by about 90 degrees": (0.0, 0.0, 1.0),
}
"""The axis in the body's axes (FRD)."""

ResultT = TypeVar("ResultT")


class Person(Protocol):
    """Whoever stands beside the robot."""

    def ask(self, line: str) -> None:
        """Say what to do, and wait until it is answered. Raises RobotError: nobody answers."""
        ...

    def tell(self, line: str) -> None:
        """Say something."""
        ...


class Bench(Protocol):
    """The robot with torque off."""

    def motors(self, seconds: float) -> FloatArray:
        """The motors' readings from now on, rad, without sign or offset, shape (n, joints).

        Raises:
            RobotError: too many are missing.
        """
        ...

    def inertial(self, seconds: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The sensor's samples from now on: times (s), gyro (rad/s) and specific force (m/s^2).

        In the sensor's axes, shapes (n,), (n, 3), (n, 3).

        Raises:
            RobotError: there are none.
        """
        ...


def guide_joints(
    file: Wiring, fixture: Fixture, power_on_rad: float, person: Person, bench: Bench
) -> dict[str, JointResult]:
    """Every joint of the robot, one after the other.

    Args:
        file: the robot file.
        fixture: its stops and jig.
        power_on_rad: see `calibration.joints.DrawnJoint`.
        person: guides the joints.
        bench: what is read meanwhile.

    Raises:
        RobotError: a joint was refused `ATTEMPTS` times; the message is the last refusal.
        CalibrationMismatch: joints turn the other way than the robot file says.
    """
    results: dict[str, JointResult] = {}
    for index, name in enumerate(file.joint_names):
        person.tell(f"joint {name}, {index + 1} of {len(file.motors)}")
        stops = fixture.drawn(name, power_on_rad)
        once = partial(_guided, name, index, stops, fixture, power_on_rad, person, bench)
        found = tried(once, person)
        results[name] = found
        person.tell(
            f"joint {name}: sign {found.sign:+d}, zero {found.zero_rad:.4f} rad, stops"
            f" {math.degrees(found.misfit_rad):.2f} degrees from the drawing"
        )
    wrong = contradicted_signs(
        results, {name: motor.direction for name, motor in file.motors.items()}
    )
    if wrong:
        raise CalibrationMismatch(
            f"joints {', '.join(wrong)} turn the other way than the robot file's direction says;"
            " correct the robot file, see that the twin moves as the robot does, and calibrate anew"
        )
    return results


def _guided(
    name: str,
    index: int,
    stops: DrawnJoint | None,
    fixture: Fixture,
    power_on_rad: float,
    person: Person,
    bench: Bench,
) -> JointResult:
    """One joint, once. Raises Undetermined."""

    def read(seconds: float) -> FloatArray:
        return bench.motors(seconds)[:, index]

    def rest(where: str) -> FloatArray:
        person.ask(f"Rest {name} {where}, hold it still, and press Enter")
        return read(REST_S)

    way: tuple[FloatArray, FloatArray, FloatArray] | None = None
    if stops is not None:
        lower = rest(f"on its lower stop, {_drawn(stops.lower_rad)}")
        person.ask(
            f"Press Enter, then guide {name} to its upper stop, {_drawn(stops.upper_rad)}, within"
            f" {WAY_S:g} s"
        )
        upward = read(WAY_S)
        way = lower, upward, rest(f"on its upper stop, {_drawn(stops.upper_rad)}")
    jig_rad = fixture.joints[name].jig_rad
    held = None if jig_rad is None else rest(f"in the jig, {_drawn(jig_rad)}")
    pushes: list[FloatArray] = []
    for _ in range(PUSHES):
        person.ask(
            f"Let {name} be somewhere in the middle. Press Enter, then push it some 20 degrees to"
            f" greater angles, as the drawing shows, within {PUSH_S:g} s"
        )
        pushes.append(read(PUSH_S))
    if stops is None or way is None:
        assert jig_rad is not None
        assert held is not None
        return calibrate_endless(EndlessJoint(name, held, tuple(pushes)), jig_rad, power_on_rad)
    return calibrate_joint(GuidedJoint(name, *way, tuple(pushes), held), stops)


def _drawn(angle_rad: float) -> str:
    return f"at {math.degrees(angle_rad):.2f} degrees in the drawing"


def guide_imu(person: Person, bench: Bench) -> ImuResult:
    """The inertial sensor: all of `ATTITUDES` and `TURNS`.

    Raises:
        RobotError: it was refused `ATTEMPTS` times; the message is the last refusal.
    """
    found = tried(lambda: _inertial(person, bench), person)
    person.tell(
        f"imu: axes {found.axes or 'askew'}, known to {math.degrees(found.uncertain_rad):.2f}"
        f" degrees, worst {found.worst}, {math.degrees(found.worst_rad):.2f} degrees off"
    )
    return found


def _inertial(person: Person, bench: Bench) -> ImuResult:
    rests: list[Rest] = []
    for name, up in ATTITUDES.items():
        person.ask(f"Hold the body {name}, against something square, still, and press Enter")
        _, gyro, force = bench.inertial(STILL_S)
        rests.append(Rest(name, up, gyro, force))
    turns: list[Turn] = []
    for name, axis in TURNS.items():
        person.ask(f"Hold the body level. Press Enter, then {name}, one way, within {TURN_S:g} s")
        time, gyro, _ = bench.inertial(TURN_S)
        turns.append(Turn(name, axis, time, gyro))
    return calibrate_imu(rests, turns)


def tried(attempt: Callable[[], ResultT], person: Person) -> ResultT:
    """The result of the first attempt that is not refused."""
    for number in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except Undetermined as error:
            if number == ATTEMPTS:
                raise RobotError(f"{error}; given up after {ATTEMPTS} attempts") from error
            person.tell(f"Not good: {error}. Once more")
    raise AssertionError(f"ATTEMPTS is {ATTEMPTS}; valid is at least 1")
