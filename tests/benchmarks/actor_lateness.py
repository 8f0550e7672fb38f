"""How punctual an actor was: the times between its commands, from what its learner has stored.

    python -m tests.benchmarks.actor_lateness runs/dry-run-20260101-120000-minitaur/learner 0.02

from the repository's root: the learner's run folder, and the policy's period in s. Any run on a
real robot or on a twin in real time will do; a rehearsal (`make dry-run`) leaves one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robosac.messages import decode_experience
from robosac.store.inbox import Inbox

ROWS_AT_ONCE = 1000


def intervals(inbox_file: Path) -> NDArray[np.float64]:
    """Times between successive commands of an episode, s."""
    inbox = Inbox(inbox_file)
    found: list[float] = []
    before: tuple[int, int, float] | None = None
    try:
        read = 0
        while read <= inbox.newest_arrival:
            for row in inbox.read(read - 1, ROWS_AT_ONCE, 64_000_000):
                came = decode_experience(row.data)
                here = (came.episode, came.step, came.commanded_at)
                if before is not None and before[:2] == (here[0], here[1] - 1):
                    found.append(here[2] - before[2])
                before, read = here, row.arrival + 1
    finally:
        inbox.close()
    return np.array(found)


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("learner", type=Path)
    parser.add_argument("period", type=float, help="s")
    options = parser.parse_args(arguments)
    found = intervals(options.learner / "inbox.sqlite")
    if not len(found):
        sys.stderr.write("there are no two commands of one episode\n")
        return 1
    late_ms = (found - options.period) * 1e3
    quantiles = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9}
    figures = {name: float(np.percentile(late_ms, share)) for name, share in quantiles.items()}
    document = {"steps": len(found), **figures, "max": float(late_ms.max())}
    sys.stdout.write(json.dumps({k: round(v, 3) for k, v in document.items()}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
