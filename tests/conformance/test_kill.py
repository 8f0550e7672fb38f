"""SIGKILL of the host leaves no motor driving."""

import numpy as np
import pytest

from sim.served import ServedTwin, served
from tests.conformance.killing import Trial, kill_host

TRIES = 10


def kill_driving(twin: ServedTwin, rng: np.random.Generator) -> Trial:
    """A trial in which all motors drove until the end.

    Where a busy computer let the host sleep through a watchdog, the motors had stopped already, and
    nothing is learned of the kill.
    """
    for _ in range(TRIES):
        trial = kill_host(twin, rng)
        if trial.driving == 8:
            return trial
    raise AssertionError(f"the host did not keep 8 motors driving in {TRIES} tries")


@pytest.mark.realtime
def test_killing_the_host_stops_the_motors() -> None:
    rng = np.random.default_rng(1)
    with served("minitaur") as twin:
        trials = [kill_driving(twin, rng) for _ in range(5)]
    assert all(trial.passed for trial in trials), trials
