"""Whether a fast update learns as well: returns of one task by several learners at equal steps.

    python -m tests.sweeps.learned_returns --steps 10000 --state returns.jsonl

from the repository's root. Each learner takes recipe paper's settings but for its random steps,
lives the same number of steps, one update in each, and is judged by its mean in fresh episodes.
`torch` is the one page of `Sac.update`, `native` and `native bfloat16` the C++ core (the latter by
the processor's unit or, to the same effect, without), `stable-baselines3` its SAC with its
defaults, which are the same numbers; who is not installed is left out. What STATE holds is not made
again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from robosac.replay import Replay
from robosac.sac import Sac, SacSettings
from robosac.sac.native.agent import NativeSac, native_library
from tests.sweeps.kept import keep, kept

ENVIRONMENTS: Final = ("HalfCheetah-v5", "Hopper-v5", "Walker2d-v5")
REFERENCE: Final = "stable-baselines3"
LEARNERS: Final = ("torch", "native", "native bfloat16", REFERENCE)
RANDOM_STEPS: Final = 1000
EPISODES: Final = 10
"""That judge a policy."""
FRESH: Final = 10_000
"""Seeds of those episodes begin here."""

Act = Callable[[NDArray[Any]], NDArray[Any]]


def made(name: str, observation: int, action: int, seed: int) -> Sac:
    """One of ours, by name."""
    settings = SacSettings()
    if name == "torch":
        return Sac(settings, observation, action, seed)
    library = native_library(products="bfloat16" if "bfloat16" in name else "float32")
    return NativeSac(library, settings, observation, action, seed)


def ours(name: str, env: gymnasium.Env[Any, Any], seed: int, steps: int) -> Act:
    """Algorithm 1 over an environment whose actions lie in [-1, 1]; the policy's mean."""
    seen, done = env.observation_space.shape, env.action_space.shape
    assert seen is not None
    assert done is not None
    learner = made(name, seen[0], done[0], seed)
    replay, rng = Replay(steps, seen, done[0]), np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    for step in range(steps):
        if step < RANDOM_STEPS:
            action = rng.uniform(-1, 1, done).astype(np.float32)
        else:
            action = learner.act(observation, deterministic=False)
        following, reward, terminated, truncated, _ = env.step(action)
        replay.add(observation, action, float(reward), following, terminated)
        observation = env.reset()[0] if terminated or truncated else following
        if step >= RANDOM_STEPS:
            learner.update(replay.sample(rng, learner.settings.batch_size))
    policy = learner.policy()
    return lambda seen: policy.mean_action(seen)


def reference(env: gymnasium.Env[Any, Any], seed: int, steps: int) -> Act:
    """stable-baselines3's SAC as it comes, but for as many random steps; the policy's mean."""
    from stable_baselines3 import SAC  # pyright: ignore[reportMissingImports]

    model = SAC("MlpPolicy", env, learning_starts=RANDOM_STEPS, seed=seed, device="cpu")
    model.learn(steps)
    return lambda seen: model.predict(seen, deterministic=True)[0]


def returns(act: Act, env_id: str) -> list[float]:
    """Of fresh episodes."""
    env = gymnasium.make(env_id)
    found: list[float] = []
    for episode in range(EPISODES):
        observation, _ = env.reset(seed=FRESH + episode)
        total, over = 0.0, False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(act(observation))
            total, over = total + float(reward), terminated or truncated
        found.append(total)
    env.close()
    return found


def lived(env_id: str, name: str, seed: int, steps: int) -> dict[str, Any]:
    """One row of the result."""
    env = gymnasium.make(env_id)
    started = time.thread_time()
    act = reference(env, seed, steps) if name == REFERENCE else ours(name, env, seed, steps)
    seconds = time.thread_time() - started
    env.close()
    judged = returns(act, env_id)
    return {
        "environment": env_id,
        "learner": name,
        "seed": seed,
        "steps": steps,
        "mean": statistics.mean(judged),
        "cpu_s": seconds,
        "returns": [round(value, 2) for value in judged],
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Returns of each environment by learner: the mean of each seed, and of the seeds."""
    lines: list[str] = []
    for env_id in dict.fromkeys(row["environment"] for row in rows):
        for name in LEARNERS:
            own = [row for row in rows if (row["environment"], row["learner"]) == (env_id, name)]
            if own:
                means = [row["mean"] for row in sorted(own, key=lambda row: row["seed"])]
                each = ", ".join(f"{mean:.0f}" for mean in means)
                cpu = statistics.mean(row["cpu_s"] for row in own)
                whole = statistics.mean(means)
                lines.append(f"{env_id:15} {name:18} {whole:7.0f}   ({each})   {cpu:5.0f} s")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: everybody who is here has learned."""
    parser = argparse.ArgumentParser(
        "python -m tests.sweeps.learned_returns", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--environments", nargs="+", default=list(ENVIRONMENTS))
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--state", type=Path, help="a line for each result; gone on with")
    wanted = parser.parse_args(arguments)
    torch.set_num_threads(1)
    there = [x for x in wanted.learners if x != REFERENCE or find_spec("stable_baselines3")]
    rows = kept(wanted.state)
    keys = ("environment", "learner", "seed", "steps")
    known = {tuple(row[key] for key in keys) for row in rows}
    for seed in wanted.seeds:
        for env_id in wanted.environments:
            for name in there:
                if (env_id, name, seed, wanted.steps) in known:
                    continue
                row = lived(env_id, name, seed, wanted.steps)
                rows.append(row)
                sys.stderr.write(f"{env_id} {name} seed {seed}: {row['mean']:.0f}\n")
                keep(wanted.state, row)
    sys.stdout.write(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
