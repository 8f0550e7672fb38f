"""Hidden delays of the hand's camera, measured through its executor: how far off is what is found?

    python -m tests.sweeps.camera_latency_recovery --twins 20

Each twin's camera has a delay (5 to 60 ms), a rate (20 to 60 a second), jitter (up to 15 ms or 0.4
of a period, whichever is less) and a look that are drawn from a seed which the routine cannot see;
every other one's pictures carry no stamp of the kernel's, so that they count as exposed when they
arrive. The delay is compared with what the twin drew for each picture, less how old the joints'
readings are that it is measured against: one step of the servos' firmware, 2 ms.

Exit code 0 if every mean is within 1 ms, and every 99th percentile within 1.5,
or 2 without stamps.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from robosac import assembly_claw
from robosac.armed_bench import armed
from robosac.calibrate_camera_latency import film_valve, timed_pictures
from robosac.connection import ClawConnection
from robosac.errors import RobotError
from sim.claw import DT, ClawTwin
from tests.sweeps.calibration_recovery import Row
from tests.sweeps.saying import say

BOUND_MS: Final = 1.0
TAIL_MS: Final = {"kernel": 1.5, "arrival": 2.0}
"""Of the 99th percentile. A twin's pictures arrive between two looks 2 ms apart: 1 ms either way.
Without stamps its exposures, at steps of 2 ms too, are also taken to be evenly spaced."""


@dataclass
class Hidden:
    """A twin that is about to be made."""

    latency_s: float
    jitter_s: float
    fps: float
    host_stamped: bool
    seed: int

    @classmethod
    def drawn(cls, seed: int) -> Hidden:
        """All from `seed`."""
        rng = np.random.default_rng([seed, 11])
        fps = float(rng.uniform(20.0, 60.0))
        return cls(
            latency_s=float(rng.uniform(0.005, 0.06)),
            jitter_s=float(rng.uniform(0.0, min(0.015, 0.4 / fps))),
            fps=fps,
            host_stamped=seed % 2 == 1,
            seed=seed,
        )

    @property
    def overrides(self) -> list[str]:
        """Settings of the twin."""
        return [
            f"twin.camera.latency_s={self.latency_s}",
            f"twin.camera.jitter_s={self.jitter_s}",
            f"twin.camera.fps={self.fps}",
            "twin.camera.randomisation=mild",
            "twin.randomisation=robel",
        ]


@contextmanager
def spied(hidden: Hidden) -> Iterator[list[float]]:
    """Every delay that the next twin's camera draws, s; its stamps are as `hidden` has them."""
    drawn: list[float] = []
    real = assembly_claw.reach

    def reach(*arguments: Any) -> ClawConnection:
        found = real(*arguments)
        twin = found.operator
        assert isinstance(twin, ClawTwin)
        assert twin.camera is not None
        device = twin.camera.device
        device.faults.no_stamps = hidden.host_stamped
        draw = device.transit_s

        def transit_s() -> float:
            drawn.append(draw())
            return drawn[-1]

        device.transit_s = transit_s
        return found

    assembly_claw.reach = reach
    try:
        yield drawn
    finally:
        assembly_claw.reach = real


def one(hidden: Hidden, table: dict[str, Row]) -> str:
    """Measure one twin; what was found, in words."""
    kind = "arrival" if hidden.host_stamped else "kernel"
    with (
        spied(hidden) as drawn,
        armed("claw-pixels", hidden.overrides, False, hidden.seed, sight=True) as robot,
    ):
        drawn.clear()
        try:
            found = timed_pictures(film_valve(robot))
        except RobotError as error:
            table[f"mean, stamped by {kind}"].failed += 1
            return str(error)
    off = 1e3 * (found.delay.mean_s - float(np.mean(drawn)) + DT)
    tail = 1e3 * (found.delay.p99_s - float(np.percentile(drawn, 99.0)) + DT)
    table[f"mean, stamped by {kind}"].errors.append(abs(off))
    table[f"99 %, stamped by {kind}"].errors.append(abs(tail))
    return (
        f"{hidden.fps:.0f} a second, {1e3 * hidden.latency_s:.1f} to"
        f" {1e3 * (hidden.latency_s + hidden.jitter_s):.1f} ms, {kind}: mean {off:+.2f} ms off,"
        f" 99 % {tail:+.2f}, said +- {1e3 * found.uncertain_s:.2f}, misfit {found.misfit:.3f}"
    )


def rows() -> dict[str, Row]:
    """Empty."""
    table: dict[str, Row] = {}
    for kind in ("kernel", "arrival"):
        for what, bound in (("mean", BOUND_MS), ("99 %", TAIL_MS[kind])):
            name = f"{what}, stamped by {kind}"
            table[name] = Row(name, "ms", bound, [])
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twins", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the first twin")
    parser.add_argument("--json", type=Path, help="write the table there too")
    options = parser.parse_args(arguments)
    table = rows()
    for seed in range(options.seed, options.seed + options.twins):
        say(f"{seed}: {one(Hidden.drawn(seed), table)}")
    say(f"{'':28} {'found':>5} {'median':>9} {'p99':>9} {'worst':>9} {'bound':>7}      failed")
    for row in table.values():
        say(row.line(28))
    if options.json is not None:
        document = {name: [row.errors, row.bound, row.failed] for name, row in table.items()}
        options.json.write_text(json.dumps(document))
    return 0 if all(row.good for row in table.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
