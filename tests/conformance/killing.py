"""One trial of: the host process is killed, and the motors stop by themselves."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim.served import ServedTwin
from tests.conformance.drive_legs import TIMEOUT_S

DRIVER = Path(__file__).with_name("drive_legs.py")
PATIENCE_S = 20.0
MOST_LOOKS = 30


@dataclass(frozen=True)
class Trial:
    """What the twin's own journal says of one kill."""

    driving: int
    """Motors in position mode when the host was killed."""
    still_driving: int
    """Motors in position mode when patience ended."""
    longest_s: float
    """From a motor's last frame to its last moment in position mode, the longest, by the twin's
    clock."""
    step_s: float
    """The twin's physics step."""

    @property
    def passed(self) -> bool:
        """All motors were driving, and none did so longer than its watchdog allows."""
        stopped = self.driving == 8 and self.still_driving == 0
        return stopped and 0.0 <= self.longest_s <= TIMEOUT_S + self.step_s + 1e-9


def kill_host(twin: ServedTwin, rng: np.random.Generator) -> Trial:
    """Let a host process drive the legs, kill it at a random moment, and watch the motors."""
    host = subprocess.Popen(
        [sys.executable, str(DRIVER), twin.path("legs")], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    try:
        assert host.stdout.readline() == "driving\n", "the host did not come to drive"
        # A look takes about as long as the twin's step: the moment falls anywhere in a tick.
        for _ in range(int(rng.integers(MOST_LOOKS))):
            twin.ask("state")
        before = twin.ask("state")
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
        host.stdout.close()
    patience = time.monotonic() + PATIENCE_S
    while motors_driving(after := twin.ask("state")) and time.monotonic() < patience:
        continue
    last_frame, last_position = after["last_frame_s"], after["last_position_s"]
    return Trial(
        driving=motors_driving(before),
        still_driving=motors_driving(after),
        longest_s=max(last_position[id] - last_frame[id] for id in last_frame),
        step_s=twin.step_s,
    )


def motors_driving(state: Mapping[str, Any]) -> int:
    """Motors in position mode, by the twin's journal."""
    return sum(mode == "POSITION" for mode in state["modes"].values())
