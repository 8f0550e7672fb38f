"""Coverage-guided fuzzing of one target, or of all in turn: needs the `fuzz` dependency group.

    make fuzz RUNS=3000000

A target that crashes leaves its input behind and ends with status 1; the last line of each says
how many inputs it saw.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> int:
    """Fuzz what the command line names; 0 only if nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="inputs for each target")
    parser.add_argument("--target", help="one target only, in this process")
    options = parser.parse_args()
    if options.target is not None:
        fuzz_one(options.target, options.runs)
    from tests.fuzz.targets import TARGETS

    found = total = 0
    for name in TARGETS:
        started = time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz.run", "--target", name]
        done = subprocess.run(
            [*command, "--runs", str(options.runs)], capture_output=True, text=True, check=False
        )
        total += options.runs if done.returncode == 0 else 0
        found += done.returncode != 0
        verdict = "nothing found" if done.returncode == 0 else f"FOUND\n{done.stderr[-3000:]}"
        took = time.monotonic() - started
        print(f"{name:20} {options.runs:>12,} inputs in {took:6.0f} s: {verdict}", flush=True)  # noqa: T201
    print(f"{'all':20} {total:>12,} inputs, {found} targets with findings")  # noqa: T201
    return 1 if found else 0


def fuzz_one(name: str, runs: int) -> None:
    """Fuzz target `name`; never returns."""
    # Only `make fuzz` installs it, and only some platforms have it.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["drivers", "sim"]):
        from tests.fuzz.seeds import SEEDS
        from tests.fuzz.targets import LONGEST, TARGETS
    with tempfile.TemporaryDirectory() as folder:
        for index, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed-{index}").write_bytes(seed)
        arguments = [sys.argv[0], f"-runs={runs}", f"-max_len={LONGEST}", "-verbosity=0", folder]
        atheris.Setup(arguments, TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
