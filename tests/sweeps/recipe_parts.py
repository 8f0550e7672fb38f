"""What recipe fast would gain by parts that it has not: each alone, trained and judged as it is.

    python -m tests.sweeps.recipe_parts minitaur --seeds 1 2 --steps 6000 --state parts.jsonl

from the repository's root. Each run is recipe fast's own settings and lock-step training with the
product's torch core, but for the one part: dropout in the critics, returns of three steps, CrossQ
with one update a step (`crossq`) and with recipe fast's four (`crossq-4`), SimBa's networks. The
deterministic policy is judged in fresh episodes on the way and at the end. STATE gets a line a run;
run folders and checkpoints lie beside it, and whoever was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from robosac import checkpoint
from robosac.commands import make_stage_for
from robosac.config import load_preset
from robosac.learners import make_learner
from robosac.lockstep import LockstepTraining
from robosac.metrics import AnyRow, EpisodeRow, EvaluationRow, LearnerRow
from robosac.progress import Progress
from robosac.replay import Batch
from robosac.runs import RunFolder
from robosac.sac import FastVectors, Sac, SacSettings
from robosac.tasks.ends import EpisodeEnd
from tests.sweeps.kept import keep, kept
from tests.sweeps.recipe_crossq import CrossqSac
from tests.sweeps.recipe_dropout import DropoutSac
from tests.sweeps.recipe_simba import SimbaSac


@dataclass(frozen=True, slots=True)
class Part:
    """How a run differs from recipe fast."""

    learner: type[Sac] = Sac
    settings: tuple[str, ...] = ()


PARTS: Final[Mapping[str, Part]] = {
    "baseline": Part(),
    "dropout": Part(DropoutSac),
    "n-step": Part(settings=("sac.return_steps=3",)),
    "crossq": Part(CrossqSac, ("sac.learning_rate=0.001", "sac.updates_per_step=1")),
    "crossq-4": Part(CrossqSac, ("sac.learning_rate=0.001",)),
    "simba": Part(SimbaSac),
}
EPISODES: Final = {"minitaur": 5, "claw": 20}
"""Of each evaluation."""
MEASURES: Final = {
    "minitaur": ("speed_m_s", "speed_min_m_s", "falls"),
    "claw": ("within_0_1_rad", "within_0_2_rad", "angle_error_rad"),
}
"""Fields of an evaluation's row that tell how good a policy is."""
CHECKPOINT_EPISODES: Final = 1
"""Training episodes between checkpoints."""
PRACTICE: Final = 1000
"""Training steps before an evaluation that are told of beside it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one run."""

    preset: str
    part: str
    seed: int
    steps: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.preset}-{self.part}-{self.seed}-{self.steps}"


def training(plan: Plan, folder: Path, extra: Sequence[str] = ()) -> dict[str, Any]:
    """Train a run to its end, from its checkpoint where it has one; a line of the result."""
    part = PARTS[plan.part]
    if folder.exists():
        run = RunFolder.open(folder)
    else:
        episodes = EPISODES[plan.preset]
        common = (
            "recipe=fast", f"seed={plan.seed}", f"steps={plan.steps}", "learner_core=torch",
            f"evaluation.every_steps={max(plan.steps // 2, 1)}", f"evaluation.episodes={episodes}",
            f"checkpoint_every_episodes={CHECKPOINT_EPISODES}",
        )  # fmt: skip
        config = load_preset(plan.preset, [*common, *part.settings, *extra])
        run = RunFolder.create(folder, config)
    train(run, part)
    return {**asdict(plan), **judged(run)}


def train(run: RunFolder, part: Part) -> None:
    """The rest of a run."""
    config = run.config
    newest = checkpoint.latest(run.path)
    begun = None if newest is None else checkpoint.step_of(newest)
    if begun is not None and begun >= config.steps:
        return
    run.truncate_after(begun or 0)
    stage = make_stage_for(config, False, run.path)
    progress = Progress(config.steps, run.path.name)
    with run.metrics_writer(begun) as metrics:
        try:
            plain = make_learner(config, stage.env)
            assert isinstance(plain, Sac)
            learner = part.learner(
                *(plain.settings, plain.observation_dim, plain.action_dim, config.seed),
                vectors=plain.vectors,
            )
            made = LockstepTraining(run, stage, learner, metrics, progress)
            made.resume()
            made.train()
        finally:
            progress.stop()
            stage.close()


def judged(run: RunFolder) -> dict[str, Any]:
    """What a finished run showed: its evaluations, and its training before each."""
    rows, names = run.rows(), MEASURES[run.config.preset]
    learned = [row for row in rows if isinstance(row, LearnerRow)]
    return {
        "evaluations": [
            {name: getattr(row, name) for name in ("step", "episodes", "return_mean", *names)}
            | practice(rows, row.step)
            for row in rows
            if isinstance(row, EvaluationRow)
        ],
        "updates": learned[-1].updates if learned else 0,
        "q_mean": learned[-1].q_mean if learned else None,
        "wall_s": rows[-1].wall_s,
    }


def practice(rows: Sequence[AnyRow], step: int) -> dict[str, Any]:
    """Of the training episodes that ended in the thousand steps up to `step`."""
    recent = [
        row for row in rows if isinstance(row, EpisodeRow) and step - PRACTICE < row.step <= step
    ]
    steps = sum(row.length for row in recent)
    return {
        "training_falls": sum(row.end is EpisodeEnd.TERMINATED for row in recent),
        "training_reward": sum(row.return_ or 0.0 for row in recent) / steps if steps else None,
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    """Results of one preset as Markdown: a line for each part, seed and evaluation."""
    head = {"minitaur": "speed (slowest), falls", "claw": "within 0.1 / 0.2 rad, median rad"}
    preset = results[0]["preset"]
    lines = [
        f"| part | seed | steps | {head[preset]} | return | training: falls, reward a step |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(results, key=lambda row: (list(PARTS).index(row["part"]), row["seed"])):
        for found in row["evaluations"]:
            reward = found["training_reward"]
            practised = f"{found['training_falls']}, {'' if reward is None else f'{reward:.2f}'}"
            returned = f"{found['return_mean']:.0f}"
            cells = (f"{found['step']:,}", _told(preset, found), returned, practised)
            lines.append(f"| {row['part']} | {row['seed']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _told(preset: str, found: Mapping[str, Any]) -> str:
    """How good a policy was, in few words; a dash where it was not measured."""
    one, two, three = (found[name] for name in MEASURES[preset])
    if preset == "claw":
        return f"{one:.0%} / {two:.0%}, {'-' if three is None else f'{three:.2f}'}"
    return f"{one:.2f} ({two:.2f}), {three} of {found['episodes']}"


def costs(seen: int = 112, done: int = 8, rows: int = 128, rounds: int = 40) -> str:
    """CPU time of one update by each part, ms: the least of interleaved rounds, as Markdown."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    observation, following = rng.standard_normal((2, rows, seen))
    action, reward = rng.uniform(-1, 1, (rows, done)), rng.standard_normal(rows)
    batch = Batch(observation, action, reward, following, np.zeros(rows))
    learners = {
        name: part.learner(SacSettings(), seen, done, 0, vectors=FastVectors())
        for name, part in PARTS.items()
    }
    found = dict.fromkeys(PARTS, math.inf)
    for _ in range(rounds):
        for name, learner in learners.items():
            # Three, since CrossQ's policy has its turn at every third.
            started = time.thread_time()
            learner.update_many([batch] * 3)
            found[name] = min(found[name], (time.thread_time() - started) / 3)
    lines = [f"| {name} | {seconds * 1e3:.1f} |" for name, seconds in found.items()]
    return "\n".join(["| part | ms an update |", "|---|---|", *lines, ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: every run was made, and the table is written."""
    parser = argparse.ArgumentParser(
        "python -m tests.sweeps.recipe_parts", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("preset", choices=sorted(MEASURES))
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=6000, help="of the robot, in each run")
    parser.add_argument("--state", type=Path, help="a line a run; gone on with")
    parser.add_argument("--costs", action="store_true", help="tell an update's CPU time, no more")
    wanted = parser.parse_args(arguments)
    if wanted.costs:
        sys.stdout.write(costs())
        return 0
    if wanted.state is None:
        parser.error("say with --state FILE where results go")
    state: Path = wanted.state
    state.parent.mkdir(parents=True, exist_ok=True)
    results = kept(state)
    for seed in wanted.seeds:
        for part in wanted.parts:
            plan = Plan(wanted.preset, part, seed, wanted.steps)
            if any(asdict(plan).items() <= row.items() for row in results):
                continue
            results.append(training(plan, state.with_suffix(".runs") / plan.name))
            keep(state, results[-1])
    sys.stdout.write(table([row for row in results if row["preset"] == wanted.preset]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
