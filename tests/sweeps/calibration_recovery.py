"""Whether the calibration's routines find what is hidden in robots that they cannot see.

    python -m tests.sweeps.calibration_recovery --robots 100

from the repository's root. Each quadruped is a twin with hidden signs, horns, counted turns, sensor
mounting, bias and latency (`hidden_robot`): its joints are guided by hands, its body is held and
turned, its first leg steps; all is read by the drivers, as bytes. Each hand is made of samples with
the servos' quantisation, noise and single turn, for nobody guides the hand's twin yet. Beside them
stand robots that must be refused: a wrap within the range, a motion guided the wrong way, a
mirrored sensor, attitudes that leave the mounting open, steps without motion.

Exit code 0 if every one is recovered within the bounds, and every other refused.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import Undetermined
from calibration.imu import calibrate_imu
from calibration.joints import DrawnJoint, GuidedJoint, calibrate_joint
from calibration.latency import Step, step_response
from tests.sweeps.bolted_twin import STOP_ERROR_RAD, TURN, Hidden, product
from tests.sweeps.hidden_robot import HiddenRobot
from tests.sweeps.saying import say

FloatArray = NDArray[np.float64]

JOINT_BOUND_DEG, MOUNTING_BOUND_DEG, LATENCY_BOUND_MS = 0.2, 0.5, 1.0
STEPS = 40
COUNT_RAD = TURN / 4096
"""A Dynamixel's position register."""
CLAW_STOPS_RAD = {"base": 0.6, "middle": 1.25, "tip": 1.75}
"""Drawn stops on either side; 0.1 rad beyond the robot file's limits (assumed)."""
MARGIN_RAD = math.radians(3.0)


@dataclass
class Row:
    """One quantity over all robots."""

    name: str
    unit: str
    bound: float
    errors: list[float]
    failed: int = 0
    """Refused, or with a wrong sign."""

    @property
    def good(self) -> bool:
        """Whether everything was found."""
        return bool(self.errors) and not self.failed and max(self.errors) <= self.bound

    def line(self, width: int = 34) -> str:
        """For the table."""
        errors = np.array(self.errors or [math.nan])
        return (
            f"{self.name:{width}} {len(self.errors):5d} {np.median(errors):9.3f}"
            f" {np.percentile(errors, 99):9.3f} {errors.max():9.3f} {self.bound:7.2f}"
            f" {self.unit:4} {self.failed:6d}  {'ok' if self.good else 'NOT MET'}"
        )


@dataclass
class Trap:
    """One kind of robot that must be refused."""

    name: str
    refused: int = 0
    made: int = 0
    said: str = ""


def rows() -> dict[str, Row]:
    """Empty."""
    bounds = {
        "quadruped joints, jig": ("deg", JOINT_BOUND_DEG),
        "quadruped joints, both stops": ("deg", JOINT_BOUND_DEG),
        "quadruped IMU mounting": ("deg", MOUNTING_BOUND_DEG),
        "quadruped gyro bias": ("mrad/s", 2.0),
        "quadruped command to motion": ("ms", LATENCY_BOUND_MS),
        "hand joints, jig (samples)": ("deg", JOINT_BOUND_DEG),
        "hand joints, both stops (samples)": ("deg", JOINT_BOUND_DEG),
        "hand command to motion (samples)": ("ms", LATENCY_BOUND_MS),
        "hand jitter, p99 (samples)": ("ms", LATENCY_BOUND_MS),
    }
    return {name: Row(name, unit, bound, []) for name, (unit, bound) in bounds.items()}


def quadruped(seed: int, table: dict[str, Row]) -> None:
    """One hidden quadruped, through the twin."""
    hidden = Hidden.drawn(np.random.default_rng([seed, 1]))
    robot = HiddenRobot(hidden, np.random.default_rng([seed, 2]))
    guided = robot.guided()
    for jig in (True, False):
        row = table[f"quadruped joints, {'jig' if jig else 'both stops'}"]
        drawn = robot.drawn_joints(jig)
        for index, joint in enumerate(guided):
            truth = hidden.sign[index], hidden.zero_rad[index]
            _joint(row, joint, drawn[joint.name], truth)
    mounting, bias = table["quadruped IMU mounting"], table["quadruped gyro bias"]
    try:
        found = calibrate_imu(*robot.inertial())
        between = product(np.array(found.mounting), hidden.mounting * (1.0, -1.0, -1.0, -1.0))
        angle = 2.0 * math.asin(min(1.0, float(np.linalg.norm(between[1:]))))
        mounting.errors.append(math.degrees(angle))
        wrong = np.abs(np.array(found.gyro_bias_rad_s) - hidden.gyro_bias)
        bias.errors.append(1e3 * float(wrong.max()))
    except Undetermined as error:
        say(f"quadruped {seed}: {error}")
        mounting.failed += 1
    row = table["quadruped command to motion"]
    try:
        response = step_response(robot.steps(STEPS))
        row.errors.append(1e3 * abs(response.delay.mean_s - hidden.latency_s))
    except Undetermined as error:
        say(f"quadruped {seed}: {error}")
        row.failed += 1


def _joint(row: Row, joint: GuidedJoint, drawn: DrawnJoint, truth: tuple[float, float]) -> None:
    try:
        found = calibrate_joint(joint, drawn)
    except Undetermined as error:
        say(str(error))
        row.failed += 1
        return
    row.failed += int(found.sign != truth[0])
    row.errors.append(math.degrees(abs(found.zero_rad - truth[1])))


def hand(seed: int, table: dict[str, Row]) -> None:
    """One hidden hand, from samples."""
    rng = np.random.default_rng([seed, 3])
    for name, stop in CLAW_STOPS_RAD.items():
        for finger in range(3):
            joint, truth = servo(rng, f"{name}_{finger}", stop)
            for jig in (0.0, None):
                row = table[f"hand joints, {'both stops' if jig is None else 'jig'} (samples)"]
                _joint(row, joint, DrawnJoint(-stop, stop, 0.0, jig), truth)
    delays = rng.uniform(0.002, 0.030) + rng.gamma(2.0, rng.uniform(0.0001, 0.001), STEPS)
    steps = second_order(rng, delays)
    latency, jitter = table["hand command to motion (samples)"], table["hand jitter, p99 (samples)"]
    try:
        response = step_response(steps)
        latency.errors.append(1e3 * abs(response.delay.mean_s - float(delays.mean())))
        p99 = float(np.percentile(delays, 99.0))
        jitter.errors.append(1e3 * abs(response.delay.p99_s - p99))
    except Undetermined as error:
        say(f"hand {seed}: {error}")
        latency.failed += 1


def servo(
    rng: np.random.Generator, name: str, stop: float, inside: bool = False
) -> tuple[GuidedJoint, tuple[float, float]]:
    """Readings of a servo that is guided between +-`stop` (rad), and its sign and zero.

    Args:
        rng: draws it.
        name: of the joint.
        stop: drawn.
        inside: its single turn wraps within the range.
    """
    sign = float(rng.choice((-1.0, 1.0)))
    middle = rng.uniform(stop + MARGIN_RAD, TURN - stop - MARGIN_RAD)
    if inside:
        middle = rng.uniform(-stop, stop)
    turns = float(rng.integers(-2, 3))

    def read(joint: FloatArray) -> FloatArray:
        shaft = middle + sign * joint + turns * TURN
        counts = shaft / COUNT_RAD + 0.5 * rng.standard_normal(len(joint))
        return np.floor(counts) * COUNT_RAD

    low, high = STOP_ERROR_RAD * rng.uniform(-1.0, 1.0, 2) + (-stop, stop)
    guided = GuidedJoint(
        name,
        read(np.full(40, low)),
        read(np.linspace(low, high, 150)),
        read(np.full(40, high)),
        tuple(read(np.linspace(at, at + 0.4, 30)) for at in (-0.3, 0.0)),
        read(np.full(40, STOP_ERROR_RAD * rng.uniform(-1.0, 1.0))),
    )
    return guided, (sign, sign * middle)


def second_order(rng: np.random.Generator, delays: FloatArray, gain: float = 1.0) -> list[Step]:
    """Steps of a joint that is a spring, a mass and a damper, as a servo's register tells them."""
    frequency, damping = rng.uniform(30.0, 80.0), rng.uniform(0.5, 0.95)
    steps: list[Step] = []
    for number, delay in enumerate(delays.tolist()):
        size = 0.15 if number % 2 == 0 else -0.15
        after = np.cumsum(np.full(40, 0.005)) - 0.005 + rng.random(40) * 0.0049
        time = np.concatenate((np.linspace(-0.04, 0.0, 9), 0.0005 + after))
        since = np.maximum(0.0, time - delay)
        ringing = frequency * math.sqrt(1.0 - damping**2)
        moved = 1.0 - np.exp(-damping * frequency * since) * (
            np.cos(ringing * since) + damping * frequency / ringing * np.sin(ringing * since)
        )
        place = 1.0 + gain * size * moved + 0.5 * COUNT_RAD * rng.standard_normal(len(time))
        steps.append(Step(100.0, 100.0 + time, np.round(place / COUNT_RAD) * COUNT_RAD, size))
    return steps


def traps(seed: int, table: dict[str, Trap]) -> None:
    """One robot of each kind that must be refused."""
    rng = np.random.default_rng([seed, 4])
    for name, stop in CLAW_STOPS_RAD.items():
        joint, _ = servo(rng, name, stop, inside=True)
        refused(table, "wrap within the range", _calibrated(joint, stop, 0.0))
    joint, _ = servo(rng, "base_0", 0.6)
    back = replace(joint, lower=joint.upper, upward=joint.upward[::-1], upper=joint.lower)
    refused(table, "guided from upper to lower stop", _calibrated(back, 0.6, 0.0))
    pushed = replace(joint, pushes=(joint.pushes[0], joint.pushes[1][::-1]))
    refused(table, "one push the wrong way", _calibrated(pushed, 0.6, 0.0))
    other, _ = servo(rng, "tip_0", 1.75)
    refused(table, "another joint was guided", _calibrated(other, 0.6, None))
    sparse = replace(other, upward=other.upward[:: len(other.upward) // 3])
    refused(table, "readings too far apart", _calibrated(sparse, 1.75, None))
    shaken = replace(joint, lower=joint.lower + 0.02 * rng.standard_normal(len(joint.lower)))
    refused(table, "no rest on the stop", _calibrated(shaken, 0.6, 0.0))
    still = second_order(rng, np.full(STEPS, 0.01), gain=0.0)
    refused(table, "steps without motion", lambda: step_response(still))
    early = second_order(rng, np.full(STEPS, -0.02))
    refused(table, "motion before the command", lambda: step_response(early))


def _calibrated(joint: GuidedJoint, stop: float, jig: float | None) -> Callable[[], object]:
    return lambda: calibrate_joint(joint, DrawnJoint(-stop, stop, 0.0, jig))


def refused(table: dict[str, Trap], name: str, attempt: Callable[[], object]) -> None:
    """Count whether `attempt` is refused, as it must be."""
    trap = table.setdefault(name, Trap(name))
    trap.made += 1
    try:
        attempt()
    except Undetermined as error:
        trap.refused += 1
        trap.said = str(error)


def mirrored(seed: int, table: dict[str, Trap]) -> None:
    """A quadruped whose inertial samples are spoilt in ways that a mounting cannot explain."""
    hidden = Hidden.drawn(np.random.default_rng([seed, 1]))
    rests, turns = HiddenRobot(hidden, np.random.default_rng([seed, 2])).inertial()
    flip = np.array([1.0, -1.0, 1.0])
    mirror = [
        replace(
            rest, gyro_rad_s=rest.gyro_rad_s * flip, acceleration_m_s2=rest.acceleration_m_s2 * flip
        )
        for rest in rests
    ]
    turned = [replace(turn, gyro_rad_s=turn.gyro_rad_s * flip) for turn in turns]
    refused(table, "mirrored sensor", lambda: calibrate_imu(mirror, turned))
    wrong = [*turns[:-1], replace(turns[-1], gyro_rad_s=-turns[-1].gyro_rad_s)]
    refused(table, "one turn the wrong way", lambda: calibrate_imu(rests, wrong))
    named = [replace(rests[0], up=rests[1].up), replace(rests[1], up=rests[0].up), *rests[2:]]
    refused(table, "two attitudes taken for each other", lambda: calibrate_imu(named, turns))
    line = [replace(turns[2], name=str(number)) for number in range(2)]
    along = [rests[0], rests[5], rests[0]]
    refused(table, "attitudes and turns along one line", lambda: calibrate_imu(along, line))


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robots", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first robot")
    parser.add_argument("--json", type=Path, help="write the table there too")
    options = parser.parse_args(arguments)
    table, refusals = rows(), dict[str, Trap]()
    for seed in range(options.seed, options.seed + options.robots):
        quadruped(seed, table)
        hand(seed, table)
        traps(seed, refusals)
        if seed % 10 == 0:
            mirrored(seed, refusals)
            say(f"{seed - options.seed + 1} of {options.robots}")
    say(f"{'':34} {'found':>5} {'median':>9} {'p99':>9} {'worst':>9} {'bound':>7}      failed")
    for row in table.values():
        say(row.line())
    for trap in refusals.values():
        say(f"{trap.name:34} refused {trap.refused} of {trap.made}")
    if options.json is not None:
        document = {
            "rows": {name: [row.errors, row.bound, row.failed] for name, row in table.items()},
            "refused": {name: [trap.refused, trap.made] for name, trap in refusals.items()},
        }
        options.json.write_text(json.dumps(document))
    held = all(row.good for row in table.values())
    return 0 if held and all(trap.refused == trap.made for trap in refusals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
