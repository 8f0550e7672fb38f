"""Many times: the host is killed with SIGKILL, and the motors' watchdogs stop them in time.

    python -m tests.sweeps.kill_sweep --trials 1000

from the repository's root. Exit code 0 only if every motor left position mode within its watchdog's
time, every time.
"""

import argparse
import sys
import time

import numpy as np

from sim.served import served
from tests.conformance.killing import Trial, kill_host
from tests.sweeps.saying import say


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    trials: list[Trial] = []
    began = time.monotonic()
    with served("minitaur", seed=options.seed) as twin:
        for number in range(1, options.trials + 1):
            trials.append(kill_host(twin, rng))
            if number % 10 == 0 or number == options.trials:
                left = (time.monotonic() - began) / number * (options.trials - number)
                say(
                    f"\r{number} of {options.trials}, {passed(trials)} stopped, {left:.0f} s left ",
                    end="",
                )
        skipped = twin.ask("state")["skipped_s"]
    longest = 1000 * max(trial.longest_s for trial in trials)
    say(
        f"\n{passed(trials)} of {len(trials)}: every motor stopped within its watchdog's time; "
        f"longest {longest:.1f} ms by the twin's clock, which skipped {skipped:.2f} s"
    )
    for trial in trials:
        if not trial.passed:
            say(str(trial))
    return 0 if passed(trials) == len(trials) else 1


def passed(trials: list[Trial]) -> int:
    return sum(trial.passed for trial in trials)


if __name__ == "__main__":
    sys.exit(main())
