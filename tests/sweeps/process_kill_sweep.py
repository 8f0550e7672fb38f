"""Many times: executor or actor is killed or stopped, and the motors are stopped within 100 ms.

    python -m tests.sweeps.process_kill_sweep --trials 1000 --resume kills.json

from the repository's root. Real processes over a served quadruped's pseudo-terminals, in real time.
SIGKILL and SIGSTOP, executor and actor take turns; the moment is random.

- executor gone or stopped: the motors' own watchdogs take them out of position mode;
- actor gone or stopped: the executor cuts torque, or its goals stand still (HOLD).

A trial holds if that came within 100 ms of the signal, by the twin's own journal, and no motor was
left in position mode. (A learner that goes is no reason to stop: hazard 24.) Trials in which the
twin itself did not keep up, or motors had stopped before, are told and made anew. With `--resume`
every trial is kept as soon as it is made, and the same command goes on where it was. Exit code 0
only if all hold.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from robosac.files import write_whole
from robosac.rehearsal.files import write_robot
from sim.served import ServedTwin, served
from tests.conformance.killing import motors_driving
from tests.sweeps.saying import say

BUDGET_S = 0.1
PATIENCE_S = 6.0
"""Longer than the executor's whole ladder, s."""
SKIPPED_S = 0.005
"""A twin that skipped more than that meanwhile was not served in real time, s."""
STARTS = 5
TWIN_PRIORITY = 60
VICTIMS = ("executor", "actor")
SIGNALS = (signal.SIGKILL, signal.SIGSTOP)


@dataclass(frozen=True)
class Trial:
    """What became of the motors."""

    victim: str
    signal: str
    stopped_s: float
    """From the signal to the last moment in which a motor was in position mode or, after that to an
    actor, was told a new goal, s."""
    off_s: float
    """Likewise to the last moment in which one was in position mode, s."""
    driving: int
    """Motors in position mode when it was sent."""
    left_driving: int
    """Motors in position mode when patience ended."""
    skipped_s: float

    @property
    def held(self) -> bool:
        stopped = self.driving == 8 and self.left_driving == 0
        return stopped and self.stopped_s <= BUDGET_S


class Actor:
    """An actor that drives, with its executor."""

    def __init__(self, folder: Path) -> None:
        self.executor: int | None = None
        problem = ""
        for _ in range(STARTS):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.sweeps.kill_actor", str(folder)],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self.process.stdout is not None
            said = json.loads(self.process.stdout.readline() or '{"problem": "it ended"}')
            if "executor" in said:
                self.executor = int(said["executor"])
                return
            problem = said["problem"]
            self.end()
        raise SystemExit(f"the actor did not come to drive in {STARTS} tries: {problem}")

    def signal(self, victim: str, number: signal.Signals) -> None:
        assert self.executor is not None
        os.kill(self.process.pid if victim == "actor" else self.executor, number)

    def end(self) -> None:
        """Nothing of it is left."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        if self.executor is not None:
            _finish(self.executor)


def _finish(pid: int) -> None:
    """Wait for a process that is not our child, after letting it go on; kill it if it does not."""
    deadline = time.monotonic() + PATIENCE_S
    try:
        os.kill(pid, signal.SIGCONT)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def try_once(
    twin: ServedTwin, folder: Path, victim: str, number: signal.Signals, rng: np.random.Generator
) -> Trial:
    """Start, end at a random moment, and read the twin's journal."""
    actor = Actor(folder)
    try:
        time.sleep(rng.uniform(0.0, 0.1))
        before = twin.ask("state")
        actor.signal(victim, number)
        # Both are read within the twin's own step of one another.
        sent = before["time_s"] + time.monotonic() - before["monotonic_s"]
        deadline = time.monotonic() + PATIENCE_S
        while motors_driving(after := twin.ask("state")) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        actor.end()
    off = max(after["last_position_s"].values()) - sent
    sent_on = max(after["last_change_s"].values()) - sent
    return Trial(
        victim=victim,
        signal=number.name,
        stopped_s=max(0.0, off if victim == "executor" else min(off, sent_on)),
        off_s=max(0.0, off),
        driving=motors_driving(before),
        left_driving=motors_driving(after),
        skipped_s=after["skipped_s"] - before["skipped_s"],
    )


def kept(path: Path | None) -> tuple[list[Trial], int]:
    """The trials that are there already, and how many were made anew."""
    if path is None or not path.exists():
        return [], 0
    document = json.loads(path.read_text(encoding="utf-8"))
    return [Trial(**row) for row in document["trials"]], document["anew"]


def keep(path: Path | None, made: list[Trial], anew: int) -> None:
    """Write every trial, whole or not at all."""
    if path is not None:
        rows = [asdict(one) for one in made]
        write_whole(path, json.dumps({"trials": rows, "anew": anew}).encode())


def sweep(trials: int, seed: int, path: Path | None = None) -> tuple[list[Trial], int]:
    """The trials that count, those in `path` included, and how many were made anew."""
    made, anew = kept(path)
    before = len(made)
    # Another sitting draws other moments.
    rng, began = np.random.default_rng((seed, before)), time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="robosac-") as place,
        served("minitaur", seed=seed, cameras=Path(place), priority=TWIN_PRIORITY) as twin,
    ):
        folder = Path(place)
        write_robot(folder, "minitaur", twin.ports)
        while len(made) < trials:
            turn = len(made) % 4
            trial = try_once(twin, folder, VICTIMS[turn % 2], SIGNALS[turn // 2], rng)
            told_nothing = trial.skipped_s > SKIPPED_S or trial.driving < 8
            if told_nothing and anew < trials:
                anew += 1
                continue
            made.append(trial)
            keep(path, made, anew)
            left = (time.monotonic() - began) / (len(made) - before) * (trials - len(made))
            held = sum(one.held for one in made)
            say(f"\r{len(made)} of {trials}, {held} held, {anew} anew, {left:.0f} s left ", end="")
    say("")
    return made, anew


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", type=Path, help="where every trial is kept, and gone on from")
    options = parser.parse_args()
    trials, anew = sweep(options.trials, options.seed, options.resume)
    for victim in VICTIMS:
        for number in SIGNALS:
            some = [one for one in trials if (one.victim, one.signal) == (victim, number.name)]
            if some:
                stopped = sorted(1000 * one.stopped_s for one in some)
                off = sorted(1000 * one.off_s for one in some)
                say(
                    f"{victim} {number.name}: {sum(one.held for one in some)} of {len(some)} held;"
                    f" stopped after {stopped[len(stopped) // 2]:.0f} ms (median),"
                    f" {stopped[-1]:.0f} (worst)"
                    f"; torque off {off[len(off) // 2]:.0f}, {off[-1]:.0f}"
                )
    say(f"{anew} made anew: the twin had skipped time, or motors had stopped before")
    for one in trials:
        if not one.held:
            say(str(one))
    return 0 if all(one.held for one in trials) else 1


if __name__ == "__main__":
    sys.exit(main())
