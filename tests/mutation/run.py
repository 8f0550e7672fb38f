"""Mutation testing of the limiter, the executor's state machine and the decoders.

    make mutate                                     all files
    python -m tests.mutation.run --file robosac/latch.py --matching add

Needs the `mutation` dependency group and a system with fork.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
LEDGER = ROOT / "docs" / "mutation.md"


def main() -> int:
    """Judge what the command line names; 0 only if the survivors are those that are listed."""
    # Threads of others would not live on in forks.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", action="append", help="only this file; may be repeated")
    parser.add_argument("--matching", default="", help="only mutants whose key matches")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="put the score into docs/mutation.md")
    options = parser.parse_args()
    from tests.mutation.ledger import Score, entry, read_equivalent, stale, write_table
    from tests.mutation.targets import TARGETS

    listed = read_equivalent(LEDGER)
    scores: list[Score] = []
    survivors = []
    for target in TARGETS:
        if options.file and target.file not in options.file:
            continue
        started = time.monotonic()
        verdicts = judge(target.file, target.tests, options.matching, options.jobs)
        unlisted = [key for key in verdicts["survived"] if key not in listed]
        survivors += verdicts["survived"]
        counts = Counter({name: len(keys) for name, keys in verdicts.items()})
        known = counts["survived"] - len(unlisted)
        killed, timed_out = counts["killed"], counts["timed_out"]
        total = counts.total()
        scores.append(Score(target.file, total, killed, timed_out, known, len(unlisted)))
        took = time.monotonic() - started
        say(
            f"{target.file:34}{total:6} mutants{killed:6} killed{timed_out:4} never ended"
            f"{known:4} equivalent{len(unlisted):4} SURVIVED  {took:5.0f} s"
        )
        for key in unlisted:
            say(f"    {entry(key)}")
    old = [] if options.matching else stale(listed, survivors, [one.file for one in scores])
    for key in old:
        say(f"listed, but it survives no more: {key}")
    if options.write:
        write_table(LEDGER, scores)
    return 1 if old or any(one.survived for one in scores) else 0


def judge(file: str, tests: tuple[str, ...], matching: str, jobs: int) -> dict[str, list]:
    """The keys of the mutants of `file` by verdict: killed, timed_out, survived."""
    from tests.mutation.mutants import mutants_of
    from tests.mutation.pool import MUST_IMPORT, SURVIVED, TIMED_OUT
    from tests.mutation.sessions import judge_cold

    mutants = [one for one in mutants_of(ROOT, file) if re.search(matching, str(one.key))]
    statuses = judge_in_fork(file, tests, mutants, jobs)
    again = [
        one for index, one in enumerate(mutants) if statuses.get(index, MUST_IMPORT) == MUST_IMPORT
    ]
    cold = {
        mutants.index(one): status for one, status in judge_cold(ROOT, file, tests, again, jobs)
    }
    verdicts: dict[str, list] = {"killed": [], "timed_out": [], "survived": []}
    for index, one in enumerate(mutants):
        status = cold.get(index, statuses.get(index))
        name = {SURVIVED: "survived", TIMED_OUT: "timed_out"}.get(status, "killed")  # type: ignore[arg-type]
        verdicts[name].append(one.key)
    return verdicts


def judge_in_fork(file: str, tests: tuple[str, ...], mutants: list, jobs: int) -> dict[int, int]:
    """Status by index of the mutants inside functions, judged warm by a process of their own.

    Raises RuntimeError where the tests do not hold without any mutant.
    """
    with tempfile.TemporaryFile(mode="w+") as said:
        return _forked(file, tests, mutants, jobs, said)


def _forked(
    file: str, tests: tuple[str, ...], mutants: list, jobs: int, said: IO[str]
) -> dict[int, int]:
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.close(reading)
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            with (
                tempfile.TemporaryDirectory(prefix="m-") as folder,
                os.fdopen(writing, "w") as pipe,
            ):
                os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
                status = _judge_warm(file, tests, mutants, jobs, pipe)
        finally:
            traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = pipe.readlines()
    _, status = os.waitpid(process, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        said.seek(0)
        raise RuntimeError(f"the tests of {file} do not run:\n{said.read()}")
    *verdicts, imported = map(json.loads, lines)
    for name in imported:
        importlib.import_module(name)
    return dict(verdicts)


def _judge_warm(file: str, tests: tuple[str, ...], mutants: list, jobs: int, pipe: IO[str]) -> int:
    from tests.mutation.sessions import judge_warm

    inside = [one for one in mutants if one.in_function]
    numbers = {id(one): index for index, one in enumerate(mutants)}

    def tell(verdict: tuple) -> None:
        mutant, status = verdict
        pipe.write(json.dumps([numbers[id(mutant)], status]) + "\n")
        pipe.flush()

    status = judge_warm(ROOT, ROOT / file, tests, inside, jobs, tell)
    pipe.write(json.dumps(libraries()) + "\n")
    return status


def libraries() -> list[str]:
    """What is imported here and not ours: forks that import a mutant are quicker with it."""
    found: list[str] = []
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if "site-packages" in origin and module.__name__ == name:
            found.append(name)
    return found


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
