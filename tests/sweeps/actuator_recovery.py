"""Whether actuators and latency that are hidden in robots are found by the commands that seek them.

    python -m tests.sweeps.actuator_recovery --robots 100

from the repository's root. Each robot is a twin whose every joint has friction, armature and torque
constant of its own, and whose readings are late by some time, drawn from a seed that the routines
cannot see. It is armed on its stand and moved through its executor, over bytes, as `robosac
calibrate` does it. How well the twin then follows a motion that nothing was learned from is told
twice: against the noisy readings, as the command does, and against where the joints truly were,
which only the sweep can see.

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
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.actuators import Motion, Twin, identify, predicted
from robosac import assembly_claw, assembly_minitaur
from robosac.actuator_twin import comparison
from robosac.armed_bench import Armed, armed
from robosac.calibrate_actuators import motion_of, wanted
from robosac.calibrate_latency import step_joint, timed
from robosac.errors import RobosacError, RobotError
from tests.sweeps.hidden_actuators import (
    HiddenActuators,
    Remembered,
    nominal_table,
    tell_true,
)
from tests.sweeps.saying import say

FloatArray = NDArray[np.float64]

FOLD_BOUND, LATENCY_BOUND_MS = 5.0, 1.0
STEPS = 40
SERVOS = "xh430"


@dataclass
class Row:
    """One quantity over all robots."""

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

    def line(self) -> str:
        """For the table."""
        found = np.array(self.found or [math.nan])
        edge, worst = (1.0, found.min()) if self.least else (99.0, found.max())
        verdict = "ok" if self.good else "NOT MET"
        return (
            f"{self.name:50} {len(self.found):5d} {np.median(found):9.3f}"
            f" {np.percentile(found, edge):9.3f} {worst:9.3f} {self.bound:7.2f}"
            f" {self.failed:6d}  {verdict}"
        )


def rows(kinds: list[str]) -> dict[str, Row]:
    """Empty."""
    made: list[Row] = []
    for kind in kinds:
        made += [
            Row(f"{kind} held-out error, true motion, times smaller", FOLD_BOUND, least=True),
            Row(f"{kind} held-out error, readings, times smaller", 1.0, least=True),
            Row(f"{kind} torque gain, worst joint, share", math.inf),
            Row(f"{kind} viscous friction, worst joint, N m s/rad", math.inf),
            Row(f"{kind} dry friction, worst joint, N m", math.inf),
            Row(f"{kind} armature, worst joint, share of nominal", math.inf),
            Row(f"{kind} errors beyond 3 standard errors, share", math.inf),
            Row(
                f"{kind} command to motion by steps, mean, ms",
                LATENCY_BOUND_MS if kind == "minitaur" else math.inf,
            ),
            Row(f"{kind} delay by the twin, ms", LATENCY_BOUND_MS),
        ]
    return {row.name: row for row in made}


@contextmanager
def hidden_robot(
    kind: str, seed: int
) -> Iterator[tuple[Armed, HiddenActuators, Twin, list[FloatArray]]]:
    """A robot on its stand, what is hidden in it, the nominal twin, and where its joints truly are.

    The last is a row a step of physics.
    """
    room = {"minitaur": assembly_minitaur, "claw": assembly_claw}[kind]
    reach, true, caught = room.reach, list[FloatArray](), list[HiddenActuators]()
    rng = np.random.default_rng([seed, 7])

    def reached(*arguments: object) -> object:
        found = reach(*arguments)  # pyright: ignore[reportArgumentType]
        twin = found.operator
        nominal = nominal_table(twin)
        caught.append(HiddenActuators.drawn(kind, nominal, rng))
        caught[0].hide(twin)
        tell_true(twin, true)
        return found

    overrides = [f"twin.servos={SERVOS}"] if kind == "claw" else []
    setattr(room, "reach", reached)  # noqa: B010
    try:
        # The same motions for every robot, so that the nominal twin's are made once.
        with armed(kind, overrides, take_over=False, seed=1) as robot:
            twin, _ = comparison(robot.config, robot.file, robot.measured)
            yield robot, caught[0], twin, true
    finally:
        setattr(room, "reach", reach)  # noqa: B010


def true_motion(motion: Motion, true: list[FloatArray], first: int, step_s: float) -> FloatArray:
    """Where the joints truly were, at the times of the goals; `first`: rows at the first goal."""
    at = np.rint((motion.time_s - motion.time_s[0]) / step_s).astype(int) + first
    return np.array(true)[at - 1]


def one(kind: str, seed: int, table: dict[str, Row], memory: dict[str, Remembered]) -> None:
    """One hidden robot: its actuators, and its latency."""

    def row(name: str) -> Row:
        return next(row for key, row in table.items() if key.startswith(f"{kind} {name}"))

    with hidden_robot(kind, seed) as (robot, hidden, nominal, true):
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
        try:
            delay = timed(step_joint(robot, STEPS)).response.delay.mean_s
            row("command to motion").found.append(1e3 * abs(delay - hidden.latency_s))
        except RobotError as error:
            say(f"{kind} {seed}: {error}")
            row("command to motion").failed += 1
        _, drawn = comparison(robot.config, robot.file, robot.measured)
    twin = memory.setdefault(kind, Remembered(nominal))
    found = identify(motions[0], motions[1], twin, drawn)
    held = motions[1]
    place = true_motion(held, true, firsts[1], twin.step_s)
    prompt = replace(held, told_s=np.tile(held.time_s[:, None], place.shape[1]))
    wrong = [
        float(np.sqrt(np.mean((predicted(prompt, twin, numbers, 0.0) - place) ** 2)))
        for numbers in (drawn.nominal, found.table)
    ]
    row("held-out error, true").found.append(wrong[0] / wrong[1])
    row("held-out error, readings").found.append(found.improvement)
    off = np.abs(found.table - hidden.actuators.table)
    row("torque").found.append(float(off[:, 0].max()))
    row("viscous").found.append(float(off[:, 1].max()))
    row("dry").found.append(float(off[:, 2].max()))
    row("armature").found.append(float((off[:, 3] / drawn.nominal[:, 3]).max()))
    row("delay").found.append(1e3 * abs(found.delay_s - hidden.latency_s))
    row("errors").found.append(float((off > 3.0 * found.error).mean()))
    say(
        f"{kind} {seed}: {1e3 * wrong[0]:.2f} to {1e3 * wrong[1]:.2f} mrad true,"
        f" {1e3 * found.before_all_rad:.2f} to {1e3 * found.after_all_rad:.2f} of readings"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robots", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first robot")
    parser.add_argument("--kinds", nargs="+", default=["minitaur", "claw"])
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no robot after")
    parser.add_argument("--json", type=Path, help="write the table there too")
    options = parser.parse_args(arguments)
    table, memory, begun = rows(options.kinds), dict[str, Remembered](), time.monotonic()
    for seed in range(options.seed, options.seed + options.robots):
        if time.monotonic() - begun > options.seconds:
            say(f"time is up after {seed - options.seed} of {options.robots}")
            break
        for kind in options.kinds:
            try:
                one(kind, seed, table, memory)
            except (RobosacError, ValueError) as error:
                say(f"{kind} {seed}: {error}")
                for row in table.values():
                    row.failed += row.name.startswith(f"{kind} held-out error, true")
        if options.json is not None:
            document = {name: [row.found, row.failed] for name, row in table.items()}
            options.json.write_text(json.dumps(document))
    say(f"{'':50} {'found':>5} {'median':>9} {'1/99 %':>9} {'worst':>9} {'bound':>7} failed")
    for row in table.values():
        say(row.line())
    bounded = [row for row in table.values() if math.isfinite(row.bound)]
    return 0 if all(row.good for row in bounded) else 1


if __name__ == "__main__":
    sys.exit(main())
