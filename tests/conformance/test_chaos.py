"""Both ends are killed at random, over and over; nothing is lost, and in lock-step nothing changes.

The long form is `make chaos`; its figures are in docs/link.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PIXELS = (
    "--preset=claw-pixels",
    "--real",
    "--steps=24",
    "--set=sac.random_steps=10",
    "--set=task.episode_steps=8",
    "--set=sac.hidden_units=[16,16]",
    "--set=sac.replay_capacity=1000",
    "--set=checkpoint_every_episodes=1",
)


def chaos(*arguments: str) -> dict[str, Any]:
    """What a run of `tests.chaos.run` says; a process of its own, because it forks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["clean"], found
    return found


def test_two_hundred_kills_lose_nothing() -> None:
    found = chaos("--kills=200", "--pause", "0.02", "0.25", "--settle=0.5")
    assert sum(found["kills"].values()) >= 200
    assert found["committed"] > 100


def test_a_bad_network_and_kills_lose_nothing() -> None:
    found = chaos("--faults", "--kills=12", "--steps=1000", "--pause", "0.1", "0.5")
    assert found["finished"]
    assert sum(found["faults"].values()) > 0


@pytest.mark.parametrize(
    ("arguments", "pause"),
    [(("--steps=1000",), ("0.05", "0.4")), (PIXELS, ("0.5", "2.0"))],
    ids=["state", "pixels"],
)
def test_in_lockstep_a_killed_run_equals_one_that_never_was(
    arguments: tuple[str, ...], pause: tuple[str, str]
) -> None:
    never = chaos("--lockstep", "--plain", "--kills=0", *arguments)
    killed = chaos("--lockstep", "--plain", "--kills=6", "--pause", *pause, *arguments)
    assert sum(killed["kills"].values()) >= 6
    for what in ("arrived", "learned", "policy"):
        assert killed[what] == never[what], what
