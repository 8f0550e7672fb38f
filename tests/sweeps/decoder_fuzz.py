"""Throw damaged inputs at every decoder of foreign bytes; only documented errors may come of them.

    python -m tests.sweeps.decoder_fuzz --inputs 50000000 --processes 2 --resume fuzz.state

from the repository's root. Any other exception is a failure: its input is kept in --findings, one
file each, and `--again FILE` runs that one. Nothing here is guided by coverage; see `make fuzz` for
device buses. Neither processes nor an interruption change what is tried: with `--resume` the same
command goes on where it was, unless the code is not the same any more.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tests.sweeps.decoder_mutations import mutants
from tests.sweeps.decoder_targets import Target, targets
from tests.sweeps.idle_workers import shared
from tests.sweeps.saying import say

ROOT = Path(__file__).parents[2]
BLOCK_SHARE = 20_000.0
"""Inputs of one block, for a decoder whose share is 10; fewer for slow ones."""
SAY_EVERY_S = 2.0
LEAVING_S = 60.0
"""Time for a process to end by itself, s."""
MOST_KEPT = 20
"""Findings that are kept of one block."""
_MAKING, _MAKING_BYTES = 1000, 1_000_000
"""Inputs that are in memory at once, at most; files are large."""
Job = tuple[str, int, int]
"""Decoder, number of the block, and how many inputs it has."""


@dataclass
class Count:
    """What is found so far, of one decoder."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    findings: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    """One input."""
    grown_bytes: int = 0
    """Most resident memory that a process ever had beyond what it began with."""

    def add(self, other: Count) -> None:
        """Sum, or the greater one of what is a maximum."""
        for entry in fields(self):
            mine, theirs = getattr(self, entry.name), getattr(other, entry.name)
            most = entry.name in ("slowest_s", "grown_bytes")
            setattr(self, entry.name, max(mine, theirs) if most else mine + theirs)


def peak_bytes() -> int:
    """The most memory that this process ever had resident (proc(5), VmHWM); 0: not told here."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def allotted(known: dict[str, Target], inputs: int) -> dict[str, int]:
    """How many inputs each decoder gets; at least one."""
    whole = sum(target.share for target in known.values())
    return {n: max(1, round(inputs * target.share / whole)) for n, target in known.items()}


def jobs(known: dict[str, Target], inputs: int) -> list[Job]:
    """All blocks, the decoders taking turns."""
    rows: list[list[Job]] = []
    for name, count in allotted(known, inputs).items():
        size = max(200, int(BLOCK_SHARE * min(1.0, known[name].share / 10)))
        blocks = -(-count // size)
        rows.append([(name, b, min(size, count - b * size)) for b in range(blocks)])
    return sorted((job for row in rows for job in row), key=lambda job: job[1])


def run_block(name: str, target: Target, number: int, size: int, kept: Path | None) -> Count:
    """Try one block; findings go to `kept`."""
    rng = np.random.default_rng((zlib.crc32(name.encode()), number))
    count, decode, raises = Count(), target.decode, target.raises
    begin, clock = time.perf_counter(), time.perf_counter
    peak, left = peak_bytes(), size
    making = min(_MAKING, max(20, _MAKING_BYTES // max(map(len, target.seeds))))
    while left:
        inputs = mutants(rng, target.seeds, min(left, making))
        left -= len(inputs)
        if target.reseal is not None:
            inputs[::2] = map(target.reseal, inputs[::2])
        for data in inputs:
            before = clock()
            try:
                decode(data)
                count.accepted += 1
            except raises:
                count.refused += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                count.findings += 1
                if kept is not None and count.findings <= MOST_KEPT:
                    keep(kept, name, data, error)
            spent = clock() - before
            if spent > count.slowest_s:
                count.slowest_s = spent
        count.inputs += len(inputs)
    count.seconds = clock() - begin
    count.grown_bytes = peak_bytes() - peak
    return count


def keep(folder: Path, name: str, data: bytes, error: Exception) -> None:
    """Leave the input and what came of it; one file for each kind of error and place."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = "" if frame is None else f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
    digest = hashlib.sha256(f"{name} {type(error).__name__} {place}".encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{digest}.bin").write_bytes(data)
    text = f"{name}\n{type(error).__name__}: {error}\n{place}\n"
    (folder / f"{digest}.txt").write_text(text, encoding="utf-8", errors="replace")


class State:
    """What is done so far; kept in `path` after every block."""

    def __init__(self, inputs: int, path: Path | None) -> None:
        sources = [ROOT / "tests" / "sweeps" / f"decoder_{n}.py" for n in ("mutations", "targets")]
        sources += sorted((ROOT / "robosac").rglob("*.py"))
        sources += [ROOT / "calibration" / name for name in ("file.py", "record.py")]
        code = hashlib.sha256(b"".join(map(Path.read_bytes, sources))).hexdigest()
        self._path, self._head = path, {"inputs": inputs, "code": code}
        self.counts: dict[str, Count] = {}
        self.done: set[tuple[str, int]] = set()
        if path is not None and path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            for key, value in self._head.items():
                if found[key] != value:
                    raise ValueError(f"{path}: {key} was {found[key]}, is {value}; begin anew")
            self.counts = {name: Count(**row) for name, row in found["counts"].items()}
            self.done = {(name, block) for name, block in found["done"]}

    def take(self, job: Job, count: Count) -> None:
        """Add what a block found."""
        self.counts.setdefault(job[0], Count()).add(count)
        self.done.add(job[:2])

    def write(self) -> None:
        """Keep it."""
        if self._path is None:
            return
        rows = {name: asdict(count) for name, count in self.counts.items()}
        text = json.dumps({**self._head, "done": sorted(self.done), "counts": rows})
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self._path)


class Worker:
    """A process of its own that runs one block after the other."""

    def __init__(self, findings: Path) -> None:
        command = [sys.executable, "-m", "tests.sweeps.decoder_fuzz", "--worker"]
        self._process = subprocess.Popen(
            [*command, "--findings", str(findings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def run(self, job: Job) -> tuple[Job, Count]:
        """What the block finds. Raises RuntimeError: the process ended, which is a finding."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process ended with {self._process.wait()} in block {job}")
        return job, Count(**json.loads(line))

    def close(self) -> None:
        # At the end of its input it leaves by itself, and takes its files with it.
        try:
            self._process.communicate(timeout=LEAVING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def serve(findings: Path) -> None:
    """Run the blocks that standard input names, a line each."""
    known = prepared()
    for line in sys.stdin:
        name, number, size = json.loads(line)
        sys.stdout.write(json.dumps(asdict(run_block(name, known[name], number, size, findings))))
        sys.stdout.write("\n")
        sys.stdout.flush()


def prepared() -> dict[str, Target]:
    """The decoders, each having run once, so that what they load does not count as growth."""
    logging.disable()
    known = targets()
    for name, target in known.items():
        run_block(name, target, 1 << 30, 20, None)
    return known


def results(todo: list[Job], processes: int, findings: Path) -> Iterator[tuple[Job, Count]]:
    """Each block and what it found, as they get done."""
    if processes == 1:
        known = prepared()
        for name, number, size in todo:
            yield (name, number, size), run_block(name, known[name], number, size, findings)
        return
    yield from shared(todo, processes, lambda: Worker(findings))


def sweep(state: State, inputs: int, processes: int, findings: Path) -> None:
    """Run every block that `state` lacks, and say now and then how far it is."""
    todo = [job for job in jobs(targets(), inputs) if job[:2] not in state.done]
    left = sum(job[2] for job in todo)
    begin, said, made = time.perf_counter(), 0.0, 0
    for job, count in results(todo, processes, findings):
        state.take(job, count)
        made += count.inputs
        spent = time.perf_counter() - begin
        if spent < said and made < left:
            continue
        said = spent + SAY_EVERY_S
        state.write()
        found = sum(count.findings for count in state.counts.values())
        whole = sum(count.inputs for count in state.counts.values())
        sys.stderr.write(
            f"\r{whole:,} inputs, {found} findings, {made / spent:,.0f} a second, "
            f"{(left - made) / made * spent:,.0f} s left      "
        )
        sys.stderr.flush()
    state.write()
    sys.stderr.write("\n")


def table(counts: dict[str, Count]) -> str:
    """One line for each decoder, and the sum."""
    heads = f"{'accepted':>12}{'refused':>12}{'findings':>10}{'a second':>10}{'slowest ms':>12}"
    lines = [f"{'decoder':26}{'inputs':>12}{heads}{'grown MiB':>11}"]
    whole = Count()
    for name, count in counts.items():
        lines.append(_line(name, count))
        whole.add(count)
    return "\n".join([*lines, _line("all", whole)])


def _line(name: str, c: Count) -> str:
    numbers = f"{c.inputs:>12,}{c.accepted:>12,}{c.refused:>12,}{c.findings:>10,}"
    rate = c.inputs / max(c.seconds, 1e-9)
    return (
        f"{name:26}{numbers}{rate:>10,.0f}{c.slowest_s * 1e3:>12.1f}{c.grown_bytes / 2**20:>11.1f}"
    )


def again(path: Path) -> int:
    """Run one finding; the exception comes through."""
    name = path.with_suffix(".txt").read_text(encoding="utf-8").split("\n")[0]
    target: Any = targets()[name]
    with contextlib.suppress(*target.raises):
        target.decode(path.read_bytes())
    say(f"{name} takes it now")
    return 0


def main(arguments: list[str]) -> int:
    """Print the table; 1 where anything was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all decoders together")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--resume", type=Path, help="keep what is done here, and go on from it")
    parser.add_argument("--findings", type=Path, default=Path("runs") / "decoder-fuzz")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--again", type=Path, help="run this finding only")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.again is not None:
        return again(options.again)
    if options.worker:
        serve(options.findings)
        return 0
    try:
        state = State(options.inputs, options.resume)
    except ValueError as error:
        parser.error(str(error))
    sweep(state, options.inputs, options.processes, options.findings)
    say(table(state.counts))
    if options.json:
        rows = {name: asdict(count) for name, count in state.counts.items()}
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if any(count.findings for count in state.counts.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
