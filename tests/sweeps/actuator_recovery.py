"""Whether actuators and latency that are hidden in robots are found by the commands that seek them.

    python -m tests.sweeps.actuator_recovery --robots 100
    python -m tests.sweeps.actuator_recovery --robots 100 --latency-only --state latency.jsonl

from the repository's root; with `--state` a run that ended goes on where it was. Each robot is a
twin whose every joint has friction, armature and torque constant of its own, and whose readings are
late by some time, drawn from a seed that the routines cannot see. It is armed on its stand, moved
through its executor, over bytes, as `robosac calibrate latency` and `actuators` do it. How well the
twin then follows a motion that nothing was learned from is told twice: against the noisy readings,
as the command does, and against where the joints truly were, which only the sweep can see.

Exit code 0 if every robot's held-out error fell by at least the bound, and every delay was found.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.actuators import Drawn, Motion, Twin, identify, predicted
from robosac import assembly_claw, assembly_minitaur
from robosac.actuator_twin import comparison
from robosac.armed_bench import Armed, armed
from robosac.calibrate_actuators import motion_of, wanted
from robosac.calibrate_latency import Latency, placed, step_joint, swing_joints, timed
from robosac.errors import RobosacError, RobotError
from tests.sweeps.hidden_actuators import (
    HiddenActuators,
    Remembered,
    nominal_table,
    tell_true,
)
from tests.sweeps.kept import keep, kept
from tests.sweeps.saying import say

FloatArray = NDArray[np.float64]

FOLD_BOUND, LATENCY_BOUND_MS = 5.0, 1.0
STEPS = 40
SERVOS = "xh430"
Found = dict[str, float | None]
"""By row; None: it was refused."""


@dataclass(frozen=True)
class Case:
    """One hidden robot, and what of it is sought."""

    kind: str
    seed: int
    servos: str
    latency_only: bool


@dataclass
class Row:
    """One quantity over all robots of a kind."""

    name: str
    bound: float
    least: bool = False
    """Whether the bound is one from below."""
    found: list[float] = field(default_factory=list[float])
    failed: int = 0

    @property
    def good(self) -> bool:
        """Whether every robot is within the bound."""
        if not self.found or self.failed:
            return False
        return min(self.found) >= self.bound if self.least else max(self.found) <= self.bound

    def line(self, kind: str) -> str:
        """For the table."""
        found = np.array(self.found or [math.nan])
        edge, worst = (1.0, found.min()) if self.least else (99.0, found.max())
        verdict = "ok" if self.good else "NOT MET"
        return (
            f"{kind + ' ' + self.name:50} {len(self.found):5d} {np.median(found):9.3f}"
            f" {np.percentile(found, edge):9.3f} {worst:9.3f} {self.bound:7.2f}"
            f" {self.failed:6d}  {verdict}"
        )


STEPPED, LATENCY = "command to motion by steps alone, mean, ms", "command to motion, mean, ms"
TRUE, READ = "held-out error, true motion, times smaller", "held-out error, readings, times smaller"
DELAY = "delay by the twin, ms"
GAIN, VISCOUS = "torque gain, worst joint, share", "viscous friction, worst joint, N m s/rad"
DRY, ARMATURE = "dry friction, worst joint, N m", "armature, worst joint, share of nominal"
BEYOND = "errors beyond 3 standard errors, share"


def rows(latency_only: bool) -> dict[str, Row]:
    """Empty."""
    made = [Row(STEPPED, math.inf), Row(LATENCY, LATENCY_BOUND_MS)]
    if not latency_only:
        made += [Row(TRUE, FOLD_BOUND, least=True), Row(READ, 1.0, least=True)]
        made += [Row(name, math.inf) for name in (GAIN, VISCOUS, DRY, ARMATURE, BEYOND)]
        made.append(Row(DELAY, LATENCY_BOUND_MS))
    return {row.name: row for row in made}


@contextmanager
def hidden_robot(
    kind: str, seed: int, servos: str = SERVOS
) -> Iterator[tuple[Armed, HiddenActuators, Twin, Drawn, list[FloatArray]]]:
    """A robot on its stand, what is hidden in it, the nominal twin and what is known before.

    The last, where its joints truly are, is a row a step of physics.
    """
    room = {"minitaur": assembly_minitaur, "claw": assembly_claw}[kind]
    reach, true, caught = room.reach, list[FloatArray](), list[HiddenActuators]()
    rng = np.random.default_rng([seed, 7])

    def reached(*arguments: object, **named: object) -> object:
        found = reach(*arguments, **named)  # pyright: ignore[reportArgumentType]
        twin = found.operator
        nominal = nominal_table(twin)
        caught.append(HiddenActuators.drawn(kind, nominal, rng))
        caught[0].hide(twin)
        tell_true(twin, true)
        return found

    overrides = [f"twin.servos={servos}"] if kind == "claw" else []
    setattr(room, "reach", reached)  # noqa: B010
    try:
        # The same motions for every robot, so that the nominal twin's are made once.
        with armed(kind, overrides, take_over=False, seed=1) as robot:
            twin, drawn = comparison(robot.config, robot.file, robot.measured)
            yield robot, caught[0], twin, drawn, true
    finally:
        setattr(room, "reach", reach)  # noqa: B010


def true_motion(motion: Motion, true: list[FloatArray], first: int, step_s: float) -> FloatArray:
    """Where the joints truly were, at the times of the goals; `first`: rows at the first goal."""
    at = np.rint((motion.time_s - motion.time_s[0]) / step_s).astype(int) + first
    return np.array(true)[at - 1]


def latency_of(robot: Armed, hidden: HiddenActuators, twin: Twin, drawn: Drawn) -> Found:
    """What `robosac calibrate latency` is off by, ms."""
    stepped, swung = step_joint(robot, STEPS), swing_joints(robot)

    def off(found: Latency) -> float:
        return 1e3 * abs(found.response.delay.mean_s - hidden.latency_s)

    try:
        steps = timed(stepped)
    except RobotError as error:
        say(f"refused: {error}")
        return {STEPPED: None, LATENCY: None}
    try:
        return {STEPPED: off(steps), LATENCY: off(placed(steps, swung, robot.kind, twin, drawn))}
    except RobotError as error:
        say(f"refused: {error}")
        return {STEPPED: off(steps), LATENCY: None}


def actuators_of(
    robot: Armed, hidden: HiddenActuators, twin: Twin, drawn: Drawn, true: list[FloatArray]
) -> Found:
    """What `robosac calibrate actuators` is off by."""
    motions, firsts = list[Motion](), list[int]()
    for _ in range(2):
        goals = wanted(robot)
        robot.go(goals[0])
        ticks = []
        for number, goal in enumerate(goals):
            ticks.append(robot.tick(goal))
            if number == 0:
                firsts.append(len(true))
        motions.append(motion_of(ticks))
    found, held = identify(motions[0], motions[1], twin, drawn), motions[1]
    place = true_motion(held, true, firsts[1], twin.step_s)
    prompt = replace(held, told_s=np.tile(held.time_s[:, None], place.shape[1]))
    before, after = (
        float(np.sqrt(np.mean((predicted(prompt, twin, numbers, 0.0) - place) ** 2)))
        for numbers in (drawn.nominal, found.table)
    )
    say(
        f"{1e3 * before:.2f} to {1e3 * after:.2f} mrad true,"
        f" {1e3 * found.before_all_rad:.2f} to {1e3 * found.after_all_rad:.2f} of readings"
    )
    off = np.abs(found.table - hidden.actuators.table)
    return {
        TRUE: before / after,
        READ: found.improvement,
        GAIN: float(off[:, 0].max()),
        VISCOUS: float(off[:, 1].max()),
        DRY: float(off[:, 2].max()),
        ARMATURE: float((off[:, 3] / drawn.nominal[:, 3]).max()),
        DELAY: 1e3 * abs(found.delay_s - hidden.latency_s),
        BEYOND: float((off > 3.0 * found.error).mean()),
    }


def one(case: Case, memory: dict[str, Remembered]) -> Found:
    """One hidden robot: its latency, and its actuators if they are asked for."""
    with hidden_robot(case.kind, case.seed, case.servos) as (robot, hidden, nominal, drawn, true):
        twin = memory.setdefault(case.kind, Remembered(nominal))
        found: Found = {}
        # Nothing starves in virtual time, so that it may be reckoned while the robot is armed.
        if not case.latency_only:
            found |= actuators_of(robot, hidden, twin, drawn, true)
        return found | latency_of(robot, hidden, twin, drawn)


def known(state: Path | None) -> dict[Case, Found]:
    """What earlier runs have written, by robot."""
    return {Case(**line["case"]): line["found"] for line in kept(state)}


def swept(case: Case, memory: dict[str, Remembered], state: Path | None) -> Found:
    """`one`; None for each row of a robot that was refused, or failed. A line of `state` more."""
    try:
        found = one(case, memory)
    except (RobosacError, ValueError) as error:
        say(f"{case.kind} {case.seed}: {error}")
        found: Found = dict.fromkeys(rows(case.latency_only))
    keep(state, {"case": asdict(case), "found": found})
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robots", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first robot")
    parser.add_argument("--kinds", nargs="+", default=["minitaur", "claw"])
    parser.add_argument("--servos", default=SERVOS, help="of the hand")
    parser.add_argument("--latency-only", action="store_true", help="leave actuators out")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no robot after")
    parser.add_argument(
        "--state", type=Path, help="JSON lines, one a robot: kept, and gone on with"
    )
    options = parser.parse_args(arguments)
    memory, begun, done = dict[str, Remembered](), time.monotonic(), known(options.state)
    table = {kind: rows(options.latency_only) for kind in options.kinds}
    for seed in range(options.seed, options.seed + options.robots):
        for kind in options.kinds:
            case = Case(kind, seed, options.servos, options.latency_only)
            if case not in done and time.monotonic() - begun > options.seconds:
                continue
            found = done[case] if case in done else swept(case, memory, options.state)
            say(f"{kind} {seed}: {json.dumps(found)}")
            for name, value in found.items():
                table[kind][name].failed += value is None
                table[kind][name].found += [] if value is None else [value]
    say(f"{'':50} {'found':>5} {'median':>9} {'1/99 %':>9} {'worst':>9} {'bound':>7} failed")
    for kind, parts in table.items():
        for row in parts.values():
            say(row.line(kind))
    bounded = [row for parts in table.values() for row in parts.values() if row.bound < math.inf]
    return 0 if all(row.good for row in bounded) else 1


if __name__ == "__main__":
    sys.exit(main())
