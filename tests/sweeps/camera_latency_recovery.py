"""Hidden delays of cameras, measured through the executor: how far off is what is found?

    python -m tests.sweeps.camera_latency_recovery --twins 20 --kind overhead --state found.jsonl

Each twin's camera has a delay (5 to 60 ms), a rate (20 to 60 a second) and jitter (up to 15 ms or
0.4 of a period, whichever is less) that are drawn from a seed which the routine cannot see; every
other one's pictures carry no stamp of the kernel's, so that they count as exposed when they arrive.
The hand's has a look of its own, on hands drawn after ROBEL; the overhead one hangs askew,
with a lens of its own, and the quadruped's readings are 2 to 20 ms old. The delay is compared with
what the twin drew for each picture, less how old the joints' readings are that it is measured
against: of the hand one step of the servos' firmware, 2 ms.

With a state file it can be cut off and gone on with: what stands there is not measured again.

Exit code 0 if every mean is within 1 ms, and every 99th percentile within 1.5,
or 2 without stamps.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from robosac.armed_bench import armed
from robosac.calibrate_camera_latency import MOTION_S, film, timed_pictures
from robosac.errors import RobotError
from tests.sweeps.calibration_recovery import Row
from tests.sweeps.hidden_delays import Hidden, Kind, spied
from tests.sweeps.kept import keep, kept
from tests.sweeps.saying import say

BOUND_MS: Final = 1.0
TAIL_MS: Final = {"kernel": 1.5, "arrival": 2.0}
"""Of the 99th percentile. A twin's pictures arrive between two looks 1 or 2 ms apart: half of that
either way. Without stamps its exposures, at steps of 1 or 2 ms too, are also taken to be evenly
spaced."""
FILMED_S: Final[dict[Kind, float]] = {"hand": MOTION_S, "overhead": 12.0}
"""The quadruped is filmed for less than the command does, for its twin's pictures take longer."""
Found = dict[str, Any]
"""A line of the state file."""


def one(hidden: Hidden) -> Found:
    """Measure one twin."""
    said: Found = {
        "kind": hidden.kind,
        "seed": hidden.seed,
        "stamped": "arrival" if hidden.host_stamped else "kernel",
        "fps": hidden.fps,
        "least_ms": 1e3 * hidden.latency_s,
        "most_ms": 1e3 * (hidden.latency_s + hidden.jitter_s),
        "lag_ms": 1e3 * hidden.lag_s,
    }
    with (
        spied(hidden) as drawn,
        armed(hidden.preset, hidden.overrides, False, hidden.seed, sight=True) as robot,
    ):
        drawn.clear()
        filmed = film(robot, FILMED_S[hidden.kind])
    try:
        found = timed_pictures(filmed)
    except RobotError as error:
        return said | {"failed": str(error)}
    return said | {
        "mean_ms": 1e3 * (found.delay.mean_s - float(np.mean(drawn)) + hidden.lag_s),
        "tail_ms": 1e3 * (found.delay.p99_s - float(np.percentile(drawn, 99.0)) + hidden.lag_s),
        "uncertain_ms": 1e3 * found.uncertain_s,
        "misfit": found.misfit,
    }


def told(found: Found) -> str:
    """One twin in words."""
    head = f"{found['kind']} {found['seed']}: "
    if "failed" in found:
        return head + found["failed"]
    return (
        f"{head}{found['fps']:.0f} a second, {found['least_ms']:.1f} to {found['most_ms']:.1f} ms,"
        f" {found['stamped']}: mean {found['mean_ms']:+.2f} ms off, 99 % {found['tail_ms']:+.2f},"
        f" said +- {found['uncertain_ms']:.2f}, misfit {found['misfit']:.3f}"
    )


def table(results: list[Found]) -> list[Row]:
    """Every quantity over all twins."""
    rows: list[Row] = []
    for kind, stamped in sorted({(each["kind"], each["stamped"]) for each in results}):
        group = [each for each in results if (each["kind"], each["stamped"]) == (kind, stamped)]
        good = [each for each in group if "failed" not in each]
        for what, key, bound in (
            ("mean", "mean_ms", BOUND_MS),
            ("99 %", "tail_ms", TAIL_MS[stamped]),
        ):
            errors = [abs(each[key]) for each in good]
            name = f"{kind} {what}, stamped by {stamped}"
            rows.append(Row(name, "ms", bound, errors, len(group) - len(good)))
    return rows


def results(wanted: list[tuple[Kind, int]], state: Path | None) -> Iterator[Found]:
    """Each twin's, those first that were measured before; new ones go into `state` at once."""
    known = {(each["kind"], each["seed"]): each for each in kept(state)}
    yield from (known[key] for key in wanted if key in known)
    for kind, seed in (key for key in wanted if key not in known):
        found = one(Hidden.drawn(seed, kind))
        keep(state, found)
        yield found


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twins", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the first twin")
    parser.add_argument("--kind", choices=("hand", "overhead"), help="of camera; else both")
    parser.add_argument("--state", type=Path, help="a line for each twin; gone on with")
    options = parser.parse_args(arguments)
    kinds: tuple[Kind, ...] = ("hand", "overhead") if options.kind is None else (options.kind,)
    seeds = range(options.seed, options.seed + options.twins)
    found: list[Found] = []
    for each in results([(kind, seed) for kind in kinds for seed in seeds], options.state):
        found.append(each)
        say(told(each))
    say(f"{'':34} {'found':>5} {'median':>9} {'p99':>9} {'worst':>9} {'bound':>7}      failed")
    rows = table(found)
    for row in rows:
        say(row.line())
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
