"""How punctual the executor's own process is beside a learner and a busy disk, on two cores.

    python -m tests.benchmarks.realtime_loop --seconds 600

from the repository's root; `make realtime` does it. The executor ticks at 200 Hz, an actor asks for
a goal at 50 Hz, a learner makes updates without pause, and a program writes and syncs files: all of
them on the same two cores. It runs once with real-time priority and locked memory, and once
without. The robot has no bytes: what is late is the computer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from robosac.channel_layout import Layout
from robosac.errors import ArmingError, NotArmedError
from robosac.executor_child import ExecutorChild
from robosac.executor_process import ChildDocument
from robosac.remote_executor import RemoteExecutor
from robosac.states import SafetyState
from robosac.tasks.driving import Driver
from tests.benchmarks.realtime_child import MODULE
from tests.robosac.fake_robot import JOINTS

PERIOD_S, CONTROL_PERIOD_S = 0.005, 0.02
PRIORITY = 50
CORES = 2
BLOCK = 1 << 16
"""Bytes written between two syncs."""
BLOCKS = 1024
"""In one file, which is then begun anew."""
HAND_MB_S = 2.0
"""What a hand's pictures and states come to, MB/s."""
ANSWER_WITHIN_S = 10.0
"""Long: without real-time priority the loop may stand still, and that is to be told, not ended."""


def learn() -> None:
    """Updates without end."""
    # Only in the load's own process.
    import torch

    from robosac.peers.contender import Case, transitions
    from robosac.peers.ours import OurLearner

    torch.set_num_threads(1)
    case = Case("the quadruped's sizes", 112, 8, 20_000)
    learner = OurLearner(case)
    learner.fill(transitions(case))
    while True:
        learner.run(100)


def write(folder: str, mb_per_s: float) -> None:
    """Write and sync files without end, so many MB/s."""
    block, due = os.urandom(BLOCK), time.monotonic()
    while True:
        with Path(folder, "load").open("wb") as file:
            for _ in range(BLOCKS):
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
                # What the disk could not take in time is not made up for.
                due = max(due + BLOCK / (1e6 * mb_per_s), time.monotonic())
                time.sleep(max(0.0, due - time.monotonic()))


@contextmanager
def load(folder: str, mb_per_s: float) -> Iterator[None]:
    """Learner and disk load while the block lasts."""
    with ExitStack() as stack:
        for what in (("--load", "learner"), ("--load", folder, "--disk-mb-per-s", str(mb_per_s))):
            command = [sys.executable, "-m", "tests.benchmarks.realtime_loop", *what]
            process = subprocess.Popen(command)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def measure(seconds: float, priority: int) -> dict[str, Any]:
    """Drive for so long; how late ticks began and what came of it."""
    document = ChildDocument(str(PERIOD_S), priority)
    remote = RemoteExecutor(ExecutorChild(document, Layout(JOINTS), MODULE), ANSWER_WITHIN_S)
    try:
        drive(remote, seconds)
        counts, bus = remote.statistics(), remote.bus_statistics()
        histogram, overruns = remote.lateness()
    finally:
        remote.close()
    return {
        "priority": priority,
        "refused": list(remote.warnings),
        "ticks": histogram.total,
        "lateness_ms": {
            "p50": ms(histogram.quantile_s(0.5)),
            "p99": ms(histogram.quantile_s(0.99)),
            "p99.9": ms(histogram.quantile_s(0.999)),
            "max": ms(histogram.longest_s),
        },
        "overruns": overruns,
        "watchdog_trips": bus.lost,
        "longest_silence_ms": ms(bus.longest_s),
        "times_held": counts.entered.get("hold", 0),
        "times_damped": counts.entered.get("damped", 0),
    }


def drive(remote: RemoteExecutor, seconds: float) -> None:
    """Ask for a slow swing at 50 Hz, arming anew whenever the robot has stopped."""
    driver, begin = Driver(remote, CONTROL_PERIOD_S), time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        try:
            if remote.safety not in (SafetyState.ACTIVE, SafetyState.HOLD):
                for name in {entry.fault.name for entry in remote.faults}:
                    remote.clear(name)
                remote.arm()
            driver.drive(np.full(JOINTS, 0.2 * np.sin(now - begin)))
        except (ArmingError, NotArmedError):
            # It stopped for the computer's lateness; what that led to is counted.
            continue


def ms(seconds: float) -> float:
    return round(1e3 * seconds, 3)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for a person."""
    lines = ["priority    p50 ms    p99 ms  p99.9 ms    max ms  overruns  watchdog trips  held"]
    for row in rows:
        late = row["lateness_ms"]
        name = f"FIFO {row['priority']}" if row["priority"] else "ordinary"
        times = "".join(f"{late[key]:10.3f}" for key in ("p50", "p99", "p99.9", "max"))
        lines.append(
            f"{name:8}{times}{row['overruns']:10}{row['watchdog_trips']:16}{row['times_held']:6}"
        )
        lines += [f"  {refused}" for refused in row["refused"]]
    return "\n".join(lines)


def main() -> None:
    """Measure with and without real-time priority, under load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="with and without, s each")
    parser.add_argument("--disk-mb-per-s", type=float, default=HAND_MB_S, help="what is written")
    parser.add_argument("--folder", type=Path, help="where the disk load writes; a new one")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load is not None:
        learn() if options.load == "learner" else write(options.load, options.disk_mb_per_s)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        load(folder, options.disk_mb_per_s),
    ):
        rows = [measure(options.seconds, priority) for priority in (PRIORITY, 0)]
    sys.stdout.write(table(rows) + "\n")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
