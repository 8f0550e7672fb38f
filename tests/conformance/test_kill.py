"""SIGKILL of the host leaves no motor driving."""

import numpy as np

from sim.served import served
from tests.conformance.killing import kill_host


def test_killing_the_host_stops_the_motors() -> None:
    rng = np.random.default_rng(1)
    with served("minitaur") as twin:
        trials = [kill_host(twin, rng) for _ in range(5)]
    assert all(trial.passed for trial in trials), trials
