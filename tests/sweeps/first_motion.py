"""How far joints move between arming and the policy's first command, from wherever they stood.

    python -m tests.sweeps.first_motion --poses 1000

from the repository's root, in virtual time. The quadruped's body is held, its legs
anywhere, the hand's fingers and valve stand anywhere; then it is armed, and held until the policy
would give its first command: 0.3 s without a request (which holds it, by its age), or with one for
where it stands, as a task makes it. Every joint's true way is followed, step by step of the
physics. A robot that refuses to be armed has moved nothing; refusals are counted by their cause.

Exit code 0 if no joint went further than 2 degrees.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.errors import ArmingError, RobotError
from robosac.executor import Executor
from robosac.states import SafetyState
from robosac.tasks.walk import MinitaurWalk
from sim.claw import ClawTwin
from sim.minitaur import MinitaurTwin
from tests.sweeps.saying import say

FloatArray = NDArray[np.float64]

BOUND_DEG = 2.0
HELD_S = 0.3
LIMP_S = 0.5
"""How long the legs sink to where they rest, before it is armed."""
OVERRIDES = {
    "minitaur": ["twin.randomisation=tan2018", "task.reset=self"],
    "claw": ["twin.randomisation=robel", "twin.servos=xh430"],
}


@dataclass
class Table:
    """What was found for one kind of robot."""

    kind: str
    moved_deg: list[float] = field(default_factory=list[float])
    """Farthest joint, each armed robot."""
    refused: Counter[str] = field(default_factory=Counter[str])
    """By the name of the check; what moved before it was refused is in `refused_deg`."""
    refused_deg: list[float] = field(default_factory=list[float])
    lost: int = 0
    """Neither armed and held, nor refused."""

    @property
    def good(self) -> bool:
        """Whether nothing moved further than the bound."""
        worst = max([0.0, *self.moved_deg, *self.refused_deg])
        return bool(self.moved_deg) and worst <= BOUND_DEG and not self.lost

    def line(self) -> str:
        """For the table."""
        moved = np.array(self.moved_deg or [math.nan])
        refused = ", ".join(f"{name} {count}" for name, count in self.refused.most_common())
        return (
            f"{self.kind:9} armed {len(self.moved_deg):5d}: median {np.median(moved):.3f}, 99 %"
            f" {np.percentile(moved, 99.0):.3f}, worst {moved.max():.3f} degrees; refused"
            f" {sum(self.refused.values())} ({refused}; worst"
            f" {max([0.0, *self.refused_deg]):.3f}); lost {self.lost}"
            f"  {'ok' if self.good else 'NOT MET'}"
        )


def sweep(kind: str, poses: int, seed: int, until: float, lying: bool = False) -> Table:
    """Arm `poses` robots of one kind; none begins after `until` (monotonic, s)."""
    table = Table(f"{kind} lying" if lying else kind)
    stage = make_stage(load_preset(kind, OVERRIDES[kind]))
    executor = stage.executor
    assert isinstance(executor, Executor)
    env = stage.env.unwrapped
    twin = env.operator if isinstance(env, MinitaurWalk) else getattr(env, "attendant", None)
    assert isinstance(twin, MinitaurTwin | ClawTwin)
    ways = _Ways(twin)
    try:
        for number in range(seed, seed + poses):
            if time.monotonic() > until:
                say(f"time is up after {number - seed} of {poses}")
                break
            _one(table, executor, twin, ways, number, lying)
    finally:
        stage.close()
    return table


class _Ways:
    """How far every joint has gone since motors first drove; looks after each step of physics."""

    def __init__(self, twin: MinitaurTwin | ClawTwin) -> None:
        self._twin, self.begun = twin, False
        self._start: FloatArray | None = None
        self._farthest = 0.0
        if isinstance(twin, ClawTwin):
            twin.on_step.append(lambda _: self._look())
            return
        drive = twin.drive

        def looked() -> None:
            drive()
            self._look()

        twin.drive = looked

    def begin(self) -> None:
        """Forget what was; from now on it is looked."""
        self.begun, self._start, self._farthest = True, None, 0.0

    def end(self) -> float:
        """Look no more; how far the farthest joint went, degrees."""
        self.begun = False
        return math.degrees(self._farthest)

    def _look(self) -> None:
        if not self.begun:
            return
        here = self._twin.plant.joint_position
        if self._start is not None:
            self._farthest = max(self._farthest, float(np.abs(here - self._start).max()))
        elif self._driven():
            self._start = here.copy()

    def _driven(self) -> bool:
        twin = self._twin
        if isinstance(twin, ClawTwin):
            return any(servo.motion.torque for servo in twin.line.servos)
        return bool(twin.bank.driving.any())


def _one(
    table: Table,
    executor: Executor,
    twin: MinitaurTwin | ClawTwin,
    ways: _Ways,
    number: int,
    lying: bool,
) -> None:
    """One pose: placed, armed, held, and let go of again."""
    rng = np.random.default_rng([number, 5])
    _place(twin, number, rng, lying)
    ways.begin()
    try:
        executor.arm(recovering=lying)
        here = executor.commanded_position
        for tick in range(round(HELD_S / executor.period)):
            if number % 2 == 0 and tick % 4 == 0:
                executor.request(here)
            executor.tick()
    except (ArmingError, RobotError) as error:
        table.refused[str(error).split(":")[0]] += 1
        table.refused_deg.append(ways.end())
        say(f"{table.kind} {number} moved {table.refused_deg[-1]:.3f}: {error}")
    else:
        moved = ways.end()
        if executor.safety in (SafetyState.ACTIVE, SafetyState.HOLD):
            table.moved_deg.append(moved)
        else:
            table.lost += 1
            say(f"{table.kind} {number}: {executor.safety.value}, {executor.faults}")
        if moved > BOUND_DEG:
            say(f"{table.kind} {number} moved {moved:.3f} degrees")
    finally:
        if executor.safety is not SafetyState.FAULT:
            executor.disarm()
        for latched in executor.faults:
            executor.clear(latched.fault.name)


def _place(
    twin: MinitaurTwin | ClawTwin, number: int, rng: np.random.Generator, lying: bool
) -> None:
    """Put it somewhere."""
    if isinstance(twin, ClawTwin) or lying:
        twin.begin(number)
        return
    twin.place(number)
    # A person's hands hold the body; the legs stand as they stand.
    twin.plant.reset(rng.uniform(0.9, 2.7, 4), rng.uniform(-0.5, 0.5, 4))
    twin.plant.hold_base(True)
    twin._switch_on()  # pyright: ignore[reportPrivateUsage]
    twin.clock.wait_until(twin.clock.now() + LIMP_S)


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poses", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the first pose")
    parser.add_argument("--kinds", nargs="+", default=["minitaur", "claw"])
    parser.add_argument("--lying", type=int, default=200, help="quadrupeds where they fell, beside")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no pose after")
    parser.add_argument("--json", type=Path, help="write the table there too")
    options = parser.parse_args(arguments)
    until = time.monotonic() + options.seconds
    tables = [sweep(kind, options.poses, options.seed, until) for kind in options.kinds]
    good = all(table.good for table in tables)
    if "minitaur" in options.kinds and options.lying:
        # Told, but not bounded: it is armed to get up, which is a motion before the policy's.
        tables.append(sweep("minitaur", options.lying, options.seed, until, lying=True))
    for table in tables:
        say(table.line())
    if options.json is not None:
        document = {
            table.kind: [table.moved_deg, dict(table.refused), table.refused_deg, table.lost]
            for table in tables
        }
        options.json.write_text(json.dumps(document))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
