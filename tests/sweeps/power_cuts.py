"""Many times: the power is cut at some step that SQLite makes, and the store is opened again.

    python -m tests.sweeps.power_cuts --cuts 10000

from the repository's root. Half of the cuts hit an outbox, half an inbox. Exit code 0 only if
nothing that was acknowledged was lost, nothing was doubled or invented, and nothing is corrupt. See
`tests.sweeps.power_cut_disk` for what a cut may do. With `--synchronous NORMAL` it must fail.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robosac.errors import RobosacError
from robosac.store.check import verify
from tests.sweeps.power_cut_disk import Disk, Recorder, Step
from tests.sweeps.power_cut_lives import FILE, InboxLife, Life, OutboxLife, Promises
from tests.sweeps.saying import say
from tests.sweeps.sqlite_vfs import watched

CALLS = 150
"""Uses of a store from one cut to the next that it must live on after."""
CUTS_A_LIFE = 100
VERIFIED = 0.05
"""Share of the cuts after which `robosac store verify` looks, too."""
LIVES_A_STORE = 3
"""Then a new one is begun, so that none grows without end."""


@dataclass(frozen=True)
class Settings:
    """How hard it is made for the stores."""

    synchronous: str = "FULL"
    failing: float = 0.0
    """Share of the syncs that fail while a store is in use, and lose what they were to keep."""


@dataclass
class Tally:
    """What became of the cuts."""

    cuts: int = 0
    at: Counter[str] = field(default_factory=Counter[str])
    """How many cuts came right after which kind of step."""
    verified: int = 0
    refused: int = 0
    """Calls that failed because a sync did, and were made again."""
    problems: list[str] = field(default_factory=list[str])

    def count(self, word: str) -> int:
        return sum(problem.startswith(word) for problem in self.problems)


def cut_power(
    kind: type[Life], cuts: int, rng: random.Random, tally: Tally, settings: Settings
) -> None:
    """Cut the power of one store `cuts` times; every CUTS_A_LIFE it goes on from one of them."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        images: dict[str, bytes] = {}
        promised = Promises()
        while cuts > 0:
            count = min(cuts, CUTS_A_LIFE)
            steps = _live(kind, Path(folder), images, rng, settings, tally)
            images, promised = _cut_many(
                kind, Path(folder), images, promised, steps, count, rng, tally
            )
            cuts -= count


def _live(
    kind: type[Life],
    folder: Path,
    images: dict[str, bytes],
    rng: random.Random,
    settings: Settings,
    tally: Tally,
) -> list[Step]:
    """Use a store that lies on the disk as in `images`; all that happened to the disk."""
    _lay(folder, images)
    recorder = Recorder(lambda: life.at_work and rng.random() < settings.failing)
    life = kind(folder / FILE, recorder, rng)

    def spoil(store: Any) -> None:
        store._database.execute(f"PRAGMA synchronous={settings.synchronous}")

    if settings.synchronous != "FULL":
        life.spoil = spoil
    with watched(recorder):
        life.run(CALLS)
    tally.refused += life.refused
    return recorder.steps


def _cut_many(
    kind: type[Life],
    folder: Path,
    images: dict[str, bytes],
    promised: Promises,
    steps: list[Step],
    count: int,
    rng: random.Random,
    tally: Tally,
) -> tuple[dict[str, bytes], Promises]:
    """Cut a life at `count` of its steps; one of the disks that came of it, and its promises."""
    places = _places(steps, count, rng)
    next_life = rng.choice(places)
    goes_on: tuple[dict[str, bytes], Promises] = ({}, Promises())
    disk = Disk(images)
    promises = Promises(dict(promised.tried), dict(promised.done))
    done = 0
    for place in places:
        for step in steps[done:place]:
            # A mark is no step of the disk, but what came before it is over.
            disk.take(step)
            if step.kind == "mark":
                promises.take(step.mark)
        done = place
        after = disk.cut(rng)
        problems = _look(kind, folder, after, promises, rng, tally)
        tally.cuts += 1
        tally.at[steps[place - 1].kind] += 1
        tally.problems += [f"{problem} (step {place} of {len(steps)})" for problem in problems]
        if place == next_life and not problems:
            goes_on = (after, Promises(dict(promises.tried), dict(promises.done)))
    return goes_on


def _places(steps: list[Step], count: int, rng: random.Random) -> list[int]:
    """After how many steps to cut: half anywhere, half beside a sync, deletion or the like."""
    anywhere = range(1, len(steps))
    rare = {
        beside
        for place, step in enumerate(steps)
        if step.kind not in ("write", "mark")
        for beside in range(place, place + 3)
        if beside in anywhere
    }
    chosen = set(rng.sample(sorted(rare), min(count // 2, len(rare))))
    rest = [place for place in anywhere if place not in chosen]
    chosen.update(rng.sample(rest, min(count - len(chosen), len(rest))))
    return sorted(chosen)


def _look(
    kind: type[Life],
    folder: Path,
    images: dict[str, bytes],
    promises: Promises,
    rng: random.Random,
    tally: Tally,
) -> list[str]:
    _lay(folder, images)
    problems: list[str] = []
    try:
        if rng.random() < VERIFIED and promises.done:
            tally.verified += 1
            problems += [f"CORRUPT: verify: {p}" for p in verify(folder / FILE).problems]
        problems += kind.problems(folder / FILE, promises)
    except RobosacError as error:
        problems.append(f"CORRUPT: {error}")
    return problems


def _lay(folder: Path, images: dict[str, bytes]) -> None:
    for file in folder.iterdir():
        file.unlink()
    for name, data in images.items():
        (folder / name).write_bytes(data)


def _memory() -> str | None:
    """Where files are quick; None: there is no such place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failing-syncs", type=float, default=0.0, help="share, 0 to 1")
    parser.add_argument("--synchronous", choices=("FULL", "NORMAL", "OFF"), default="FULL")
    options = parser.parse_args()
    settings = Settings(options.synchronous, options.failing_syncs)
    rng, tally, began = random.Random(options.seed), Tally(), time.monotonic()
    while tally.cuts < options.cuts:
        for kind in (OutboxLife, InboxLife):
            few = min(LIVES_A_STORE * CUTS_A_LIFE, options.cuts - tally.cuts)
            cut_power(kind, few, rng, tally, settings)
            spent = time.monotonic() - began
            left = spent / max(1, tally.cuts) * (options.cuts - tally.cuts)
            say(f"\r{tally.cuts} cuts, {len(tally.problems)} problems, {left:.0f} s left ", end="")
    say(
        f"\n{tally.cuts} power cuts (SQLite {sqlite3.sqlite_version}, synchronous"
        f" {options.synchronous}, {time.monotonic() - began:.0f} s): lost {tally.count('LOST')},"
        f" invented {tally.count('INVENTED')}, gaps {tally.count('GAP')}, corrupt"
        f" {tally.count('CORRUPT')}; verified {tally.verified};"
        f" {tally.refused} calls refused by a failed sync; cuts after {dict(tally.at)}"
    )
    for problem in tally.problems[:20]:
        say(problem)
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
