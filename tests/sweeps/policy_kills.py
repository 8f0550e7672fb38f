"""Kill a process that puts policies on a shelf, again and again: old or new, never none or mixed.

    python -m tests.sweeps.policy_kills --kills 5000

from the repository's root (Linux). A forked child puts one envelope after the other and tells each
that is on the disk; SIGKILL comes at a random moment. Then a new shelf on the same folder must find
the last one told, or the one that was on its way, whole; nothing damaged may lie under a policy's
name. One child in eight is killed while it still looks at its shelf, as after a restart. Exit code
1 if a shelf is ever found otherwise. A killed process leaves the disk's cache alone: this is no
power cut.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from robosac.envelope import seal, unseal
from robosac.policy_shelf import PolicyShelf
from robosac.schema import Schema
from tests.sweeps.policy_specimens import walk_policy, walk_schema
from tests.sweeps.saying import say

ENVELOPES = 8
"""Different ones, put in turn."""
MOST_PUTS = 3
"""Kills come within so many puts; how long one takes here is measured first."""
MEASURED_PUTS = 30
LOOKING = 8
"""One child in so many is killed from its first look on, the others from when it is over."""
SAY_EVERY_S = 2.0
TOLD = struct.Struct("<I")
BEGUN = (1 << 32) - 1


@dataclass
class Result:
    """What was found after the kills."""

    kills: int = 0
    puts: int = 0
    """That a child told of."""
    found: Counter[str] = field(default_factory=Counter)
    """`told`: the last one told; `on its way`: the one after; what lay beside."""
    failures: list[str] = field(default_factory=list)
    put_s: float = 0.0
    """Median time of a put, s."""
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {**vars(self), "found": dict(self.found)}


class Trials:
    """A folder whose users are killed."""

    def __init__(self, folder: Path, schema: Schema, envelopes: list[bytes]) -> None:
        self._folder, self._schema, self._envelopes = folder, schema, envelopes
        self._numbers = {unseal(x, schema).sha256: i for i, x in enumerate(envelopes)}
        self._last: int | None = None
        """The envelope that the shelf holds; None: none yet."""

    def kill_one(self, after_s: float, result: Result) -> None:
        """Start a child, kill it `after_s` (s) after it began, and look."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            self._put_for_ever(write, result.kills % LOOKING == 0)
        os.close(write)
        try:
            began = os.read(read, TOLD.size)
            time.sleep(after_s)
        finally:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        told = began[TOLD.size :] + _rest(read)
        os.close(read)
        result.kills += 1
        if not os.WIFSIGNALED(status):
            result.failures.append(f"kill {result.kills}: the child ended by itself, {status}")
        numbers = [number for (number,) in TOLD.iter_unpack(told[: len(told) // 4 * 4])]
        result.puts += len(numbers)
        self._look(numbers[-1] if numbers else self._last, result)

    def _put_for_ever(self, write: int, looking: bool) -> None:
        """The child: never returns."""
        try:
            shelf = PolicyShelf(self._folder, self._schema)
            if not looking:
                shelf.newest()
            os.write(write, TOLD.pack(BEGUN))
            number = 0 if self._last is None else self._last + 1
            while True:
                number %= ENVELOPES
                shelf.put(self._envelopes[number])
                os.write(write, TOLD.pack(number))
                number += 1
        finally:
            os._exit(1)

    def _look(self, told: int | None, result: Result) -> None:
        files = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        result.found["an unfinished file beside"] += any(x.endswith(".part") for x in files)
        result.found["three files"] += sum(x.endswith(".policy") for x in files) > 2
        shelf = PolicyShelf(self._folder, self._schema)
        sealed = shelf.newest()
        number = None if sealed is None else self._numbers.get(sealed.sha256, -1)
        coming = 0 if told is None else (told + 1) % ENVELOPES
        result.found["told" if number == told else "on its way"] += 1
        if shelf.passed_over:
            result.failures.append(f"kill {result.kills}: damaged, {shelf.passed_over}")
        if number not in (told, coming):
            result.failures.append(f"kill {result.kills}: found {number}, told was {told}")
        if sealed is not None and number is not None and number >= 0:
            self._check_content(sealed.version, number, result)
        self._last = number

    def _check_content(self, version: int, number: int, result: Result) -> None:
        newest = max(self._folder.glob("*.policy"))
        if version != number or newest.read_bytes() != self._envelopes[number]:
            result.failures.append(f"kill {result.kills}: {newest.name} is not as it was put")


def sweep(kills: int, seed: int, folder: Path, units: int = 256) -> Result:
    """So many kills on one shelf."""
    schema = walk_schema()
    envelopes = [
        seal(walk_policy(seed, units), seed, {"robot": seed}, schema) for seed in range(ENVELOPES)
    ]
    trials, rng, result = Trials(folder, schema, envelopes), np.random.default_rng(seed), Result()
    result.put_s = put_time_s(folder.with_name("measured"), schema, envelopes)
    began, said = time.perf_counter(), 0.0
    for done in range(1, kills + 1):
        trials.kill_one(float(rng.uniform(0.0, MOST_PUTS * result.put_s)), result)
        spent = time.perf_counter() - began
        if spent > said:
            said = spent + SAY_EVERY_S
            left = spent / done * (kills - done)
            sys.stderr.write(
                f"\r{done:,} kills, {len(result.failures)} failures, {left:,.0f} s left      "
            )
    result.seconds = time.perf_counter() - began
    sys.stderr.write("\n")
    return result


def put_time_s(folder: Path, schema: Schema, envelopes: list[bytes]) -> float:
    """Median time of a put on this computer and disk, s."""
    shelf, times = PolicyShelf(folder, schema), []
    for number in range(MEASURED_PUTS):
        began = time.perf_counter()
        shelf.put(envelopes[number % len(envelopes)])
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def _rest(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def main(arguments: list[str]) -> int:
    """Print what was found; 1 if ever a shelf was not as it must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--units", type=int, default=256, help="of each hidden layer")
    parser.add_argument("--folder", type=Path, help="on the disk in question; default: temporary")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        result = sweep(options.kills, options.seed, Path(name) / "shelf", options.units)
    found = ", ".join(f"{name} {count:,}" for name, count in sorted(result.found.items()))
    say(
        f"{result.kills:,} kills over {result.puts:,} puts of {1e3 * result.put_s:.1f} ms in"
        f" {result.seconds:.0f} s: {len(result.failures)} failures\nfound: {found}"
    )
    for failure in result.failures[:20]:
        say(failure)
    if options.json:
        options.json.write_text(json.dumps(result.figures(), indent=1) + "\n", encoding="utf-8")
    return 1 if result.failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
