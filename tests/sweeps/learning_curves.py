"""Several seeds of a task and a recipe, trained one beside another, and the pictures of them.

    python -m tests.sweeps.learning_curves walk --recipe fast --seeds 1 2 3 4 5

from the repository's root. Each seed is a run of `robosac train`; whoever was stopped goes on from
its checkpoint when the same command is given again, and a run that has all its steps is not made
again. Then each run's newest policy is judged in fresh episodes, as a bar asks for it, and numbers
and pictures are written: `robosac.curves`, `robosac.recipe_curves`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from robosac import curves, recipe_curves
from robosac.runs import RunFolder

ROBOSAC: Final = (str(Path(sys.executable).with_name("robosac")),)
FRESH: Final = {"walk": 5, "claw": 50, "claw-pixels": 50}
"""Episodes that judge the last policy."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A task learned by a recipe."""

    preset: str
    steps: int
    every_steps: int
    episodes: int
    """Of each evaluation on the way."""
    files: str
    """Beginning of the names of its numbers."""
    label: str
    demonstrations: int = 0


KINDS: Final = {
    ("walk", "paper"): Kind("minitaur", 60_000, 10_000, 3, "walk", "recipe paper"),
    ("walk", "fast"): Kind("minitaur", 15_000, 2500, 5, "walk-fast", "recipe fast"),
    ("claw", "paper"): Kind("claw", 50_000, 5000, 10, "claw", "recipe paper"),
    ("claw", "fast"): Kind("claw", 12_000, 2000, 20, "claw-fast", "recipe fast"),
    ("claw-pixels", "demonstrations"): Kind(
        "claw-pixels", 27_000, 4000, 10, "claw-pixels", "recipe fast, 20 demonstrations", 20
    ),
    ("claw-pixels", "fast"): Kind(
        "claw-pixels", 108_000, 9000, 10, "claw-pixels-alone", "recipe fast"
    ),
    ("claw-pixels", "paper"): Kind(
        "claw-pixels", 108_000, 12_000, 10, "claw-pixels-paper", "recipe paper"
    ),
}


def train(kind: Kind, recipe: str, seed: int, place: Path) -> Path:
    """The run of a seed, made, gone on with, or found.

    Raises:
        RuntimeError: a command failed; its last lines are told.
    """
    folder = place / f"{kind.files}-{seed}"
    log = place / f"{kind.files}-{seed}.log"
    if folder.exists():
        run = RunFolder.open(folder)
        if any(row.step >= run.config.steps for row in run.rows()):
            return folder
        _run(log, "train", "--resume", str(folder))
        return folder
    asked = [
        kind.preset, "--run", str(folder), "--seed", str(seed), "--steps", str(kind.steps),
        "--recipe", "paper" if recipe == "paper" else "fast",
        "--evaluation.every-steps", str(kind.every_steps),
        "--evaluation.episodes", str(kind.episodes),
    ]  # fmt: skip
    if kind.demonstrations:
        asked += ["--demonstrations.path", str(_shown(kind, place))]
    _run(log, "train", *asked)
    return folder


def _shown(kind: Kind, place: Path) -> Path:
    """Demonstrations by the scripted gait, made once."""
    file = place / f"{kind.files}-gait.safetensors"
    if not file.exists():
        episodes = str(kind.demonstrations)
        log = place / f"{kind.files}-gait.log"
        _run(log, "demonstrate", kind.preset, "--out", str(file), "--episodes", episodes)
    return file


def _run(log: Path, *arguments: str) -> None:
    with log.open("ab") as out:
        done = subprocess.run(
            [*ROBOSAC, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
        )
    if done.returncode:
        told = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"robosac {' '.join(arguments)} ended with {done.returncode}:\n{told}")


def learn(
    task: str, recipe: str, seeds: Sequence[int], place: Path, out: Path, jobs: int
) -> list[Path]:
    """Train, judge, and write numbers and pictures; the paths written."""
    kind = KINDS[task, recipe]
    place.mkdir(parents=True, exist_ok=True)
    if kind.demonstrations:
        _shown(kind, place)
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(lambda seed: train(kind, recipe, seed, place), seeds))
        list(pool.map(lambda run: _judge(task, run), runs))
    written = curves.write(runs, out / kind.files)
    picture = out / f"learning-{task}.png"
    picture.write_bytes(recipe_curves.picture(task, _known(task, out)))
    return [*written, picture]


def _judge(task: str, run: Path) -> None:
    """The newest policy in as many fresh episodes as its bar asks for."""
    _run(run.with_suffix(".judged.txt"), "evaluate", str(run), "--episodes", str(FRESH[task]))


def _known(task: str, out: Path) -> dict[str, list[Path]]:
    """The numbers of every recipe of the task that lie there, whoever made them."""
    kinds = [kind for (of, _), kind in KINDS.items() if of == task]
    found = {kind.label: sorted(out.glob(f"{kind.files}-seed-*.csv")) for kind in kinds}
    return {label: files for label, files in found.items() if files}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: trained and drawn."""
    parser = argparse.ArgumentParser(
        "python -m tests.sweeps.learning_curves", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("task", choices=sorted({task for task, _ in KINDS}))
    parser.add_argument("--recipe", default="fast", choices=sorted({name for _, name in KINDS}))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, a core each")
    parser.add_argument("--place", type=Path, default=Path("runs/curves"), help="for run folders")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="for the results")
    wanted = parser.parse_args(arguments)
    if (wanted.task, wanted.recipe) not in KINDS:
        known = " ".join(recipe for task, recipe in KINDS if task == wanted.task)
        parser.error(f"{wanted.task} is learned with --recipe {known}")
    written = learn(wanted.task, wanted.recipe, wanted.seeds, wanted.place, wanted.out, wanted.jobs)
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
