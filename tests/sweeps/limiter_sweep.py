"""Throw adversarial actions at the limiter, the robot's own function, and count broken bounds.

    python -m tests.sweeps.limiter_sweep --actions 100000000 --legal 10000000 --resume sweep.state

from the repository's root. One action is one whole joint vector through `robosac.safety.limit`, a
call each, as in a tick. Position, velocity and acceleration are recomputed from the commanded
positions alone; every command is also packed as the robots pack it, and its registers are read back
from the bytes. Exit code 1 on any violation, or any legal action changed by a bit.

Neither the number of processes nor an interruption changes what is found: with `--resume` the same
command goes on where it was, unless the limiter or the sweep is not the same any more.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from robosac import braking, safety
from tests.sweeps import limiter_blocks, limiter_requests, packed_registers
from tests.sweeps.idle_workers import shared
from tests.sweeps.limiter_blocks import ROWS, Count, passes, run_block

Job = tuple[int, int, int]
"""Number of the pass, of its block, and how many steps that has."""
SAY_EVERY_S = 2.0
_CODE = (braking, safety, limiter_blocks, limiter_requests, packed_registers)


class State:
    """What is done so far; kept in `path` after every block, so that nothing is done twice."""

    def __init__(self, actions: int, legal: int, path: Path | None) -> None:
        sources = b"".join(Path(str(module.__file__)).read_bytes() for module in _CODE)
        code = hashlib.sha256(sources).hexdigest()
        self._path, self._head = path, {"actions": actions, "legal": legal, "code": code}
        self.counts = [Count(part.name) for part in passes(actions, legal)]
        self.done: set[tuple[int, int]] = set()
        if path is not None and path.exists():
            self._load(path)

    def _load(self, path: Path) -> None:
        found = json.loads(path.read_text(encoding="utf-8"))
        for key, value in self._head.items():
            if found[key] != value:
                raise ValueError(f"{path}: {key} is {found[key]}, now it is {value}; begin anew")
        self.counts = [Count(**row) for row in found["passes"]]
        self.done = {(number, block) for number, block in found["done"]}

    def take(self, job: Job, count: Count) -> None:
        """Add what a block found, and keep it."""
        number, block, _ = job
        self.counts[number].add(count)
        self.done.add((number, block))
        if self._path is None:
            return
        rows = [asdict(count) for count in self.counts]
        text = json.dumps({**self._head, "done": sorted(self.done), "passes": rows})
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self._path)


class Worker:
    """A process of its own that runs one block after the other."""

    def __init__(self, actions: int, legal: int) -> None:
        arguments = ("--actions", str(actions), "--legal", str(legal), "--worker")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sweeps.limiter_sweep", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, job: Job) -> tuple[Job, Count]:
        """What the block finds.

        Raises:
            RuntimeError: the process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the sweep ended in block {job}")
        return job, Count(**json.loads(line))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def results(
    jobs: list[Job], actions: int, legal: int, processes: int
) -> Iterator[tuple[Job, Count]]:
    """Each block and what it found, as they get done."""
    if processes == 1:
        parts = passes(actions, legal)
        for number, block, steps in jobs:
            yield (number, block, steps), run_block(parts[number], block, steps)
        return
    yield from shared(jobs, processes, lambda: Worker(actions, legal))


def serve(actions: int, legal: int) -> None:
    """Run the blocks that standard input names, a line each; see `Worker`."""
    parts = passes(actions, legal)
    for line in sys.stdin:
        number, block, steps = json.loads(line)
        count = run_block(parts[number], block, steps)
        sys.stdout.write(json.dumps(asdict(count)) + "\n")
        sys.stdout.flush()


def sweep(state: State, actions: int, legal: int, processes: int) -> None:
    """Run every block that `state` lacks, and say now and then how far it is."""
    jobs = [
        (number, block, steps)
        for number, part in enumerate(passes(actions, legal))
        for block, steps in enumerate(part.blocks())
        if (number, block) not in state.done
    ]
    left, begin, said, made = sum(steps * ROWS for *_, steps in jobs), time.perf_counter(), 0.0, 0
    for job, count in results(jobs, actions, legal, processes):
        state.take(job, count)
        made += count.actions
        spent = time.perf_counter() - begin
        if spent < said and made < left:
            continue
        said = spent + SAY_EVERY_S
        broken = sum(count.broken for count in state.counts)
        sys.stderr.write(
            f"\r{sum(count.actions for count in state.counts):,} actions, {broken} broken, "
            f"{made / spent:,.0f} a second, {(left - made) / made * spent:,.0f} s left      "
        )
        sys.stderr.flush()
    sys.stderr.write("\n")


def table(counts: list[Count]) -> str:
    """One line for each pass, and the sum."""
    heads = ("pos", "vel", "acc", "nan", "packed", "changed")
    lines = [f"{'pass':22}{'actions':>13}" + "".join(f"{h:>8}" for h in heads) + "    worst-1"]
    for c in counts:
        changed = str(c.changed) if c.legal else "-"
        row = (c.position, c.velocity, c.acceleration, c.not_finite, c.packed, changed)
        cells = "".join(f"{value!s:>8}" for value in row)
        lines.append(f"{c.name:22}{c.actions:>13,}{cells}{c.worst:>11.1e}")
    hostile = sum(c.actions for c in counts if not c.legal)
    broken, seconds = sum(c.broken for c in counts), sum(c.seconds for c in counts)
    legal_actions = sum(c.legal for c in counts)
    lines.append(
        f"{hostile:,} hostile and {legal_actions:,} legal actions in {seconds:.0f} s, "
        f"{broken} violations"
    )
    total = Count()
    for c in counts:
        total.add(c)
    seen = ", ".join(f"{name} {number:,}" for name, number in sorted(total.reasons.items()))
    lines.append(f"reasons given: {seen}; not on the goal after {total.lagging:,} actions")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the table; 1 when anything was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--actions", type=int, default=100_000_000, help="hostile ones")
    parser.add_argument("--legal", type=int, default=10_000_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--resume", type=Path, help="keep what is done here, and go on from it")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        serve(options.actions, options.legal)
        return 0
    try:
        state = State(options.actions, options.legal, options.resume)
    except ValueError as error:
        parser.error(str(error))
    sweep(state, options.actions, options.legal, options.processes)
    counts = state.counts
    broken = sum(count.broken for count in counts)
    sys.stdout.write(table(counts) + "\n")
    if options.json:
        figures = {"violations": broken, "passes": [asdict(count) for count in counts]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
