"""Real host processes on a twin's pseudo-terminal, ended by signals: is a motor left driving?"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.served import ServedTwin, served
from tests.sweeps.drive_powered import OK

TWINS = {"dynamixel": ("claw", "servos"), "moteus": ("minitaur", "legs")}
LOSS = "bus=drop:0.01"
MOST_LOOKS = 20

END_TIMEOUT_S = 60.0
"""A host that has not ended so long after its signal hangs, s."""


@dataclass
class Ended:
    """What became of the motors at the ends of processes."""

    processes: int = 0
    driven: int = 0
    """Ends before which every motor was driving."""
    left_driving: int = 0
    """Ends after which a motor was still switched on."""
    not_clean: int = 0
    """Processes that did not end with success."""


def end_processes(kind: str, count: int, seed: int, say: Callable[[str], object]) -> Ended:
    """Start and end `count` processes that drive one twin through a cable that loses messages."""
    preset, port = TWINS[kind]
    rng, ended = np.random.default_rng(seed), Ended()
    with served(preset, seed=seed, faults=LOSS) as twin:
        for number in range(count):
            _end_one(twin, kind, twin.path(port), rng, ended)
            say(
                f"\r{kind}: {number + 1} of {count} processes ended, "
                f"{ended.left_driving} left motors driving "
            )
    say("\n")
    return ended


def _end_one(
    twin: ServedTwin, kind: str, path: str, rng: np.random.Generator, ended: Ended
) -> None:
    """Let a process drive the motors, and end it at a random moment, some of them twice."""
    host = subprocess.Popen(
        [sys.executable, "-m", "tests.sweeps.drive_powered", kind, path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout is not None
    try:
        assert host.stdout.readline() == "driving\n", "the host did not come to drive"
        _wait(twin, rng)
        ended.driven += _switched_on(twin.ask("state")) == "all"
        host.send_signal(_either(rng))
        if rng.random() < 0.5:
            _wait(twin, rng)
            host.send_signal(_either(rng))
        ended.not_clean += host.wait(END_TIMEOUT_S) != OK
    finally:
        host.kill()
        host.wait()
        host.stdout.close()
    ended.processes += 1
    ended.left_driving += _switched_on(twin.ask("state")) != "none"


def _either(rng: np.random.Generator) -> signal.Signals:
    return signal.SIGINT if rng.random() < 0.5 else signal.SIGTERM


def _wait(twin: ServedTwin, rng: np.random.Generator) -> None:
    """A look takes about as long as the twin's step."""
    for _ in range(int(rng.integers(MOST_LOOKS))):
        twin.ask("state")


def _switched_on(state: Mapping[str, Any]) -> str:
    """Which motors have torque by the twin's own journal: all, some or none."""
    if "torque" in state:
        on = list(state["torque"].values())
    else:
        on = [mode != "STOPPED" for mode in state["modes"].values()]
    return "all" if all(on) else "some" if any(on) else "none"
