"""Executor and actor are killed and stopped once each; `make kill-sweep` does it many times."""

import pytest

from tests.sweeps.process_kill_sweep import sweep

pytestmark = pytest.mark.realtime

# A busy machine is late for the budget, which the sweep judges: here every motor must only stop.
MUCH_TOO_LATE_S = 2.0


def test_motors_stop_when_executor_or_actor_goes() -> None:
    trials, _ = sweep(4, seed=0)
    assert len({(trial.victim, trial.signal) for trial in trials}) == 4
    for trial in trials:
        assert trial.driving == 8, trial
        assert trial.left_driving == 0, trial
        assert trial.stopped_s < MUCH_TOO_LATE_S, trial
