"""Demonstrations from end to end: the gait shows, the set is checked, a run learns from it."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from robosac import commands
from robosac.cli import app
from robosac.demonstrate import Gait, Shower, Teacher, demonstrate
from robosac.demonstrations import Source
from robosac.demonstrations_check import validate
from robosac.demonstrations_file import read
from robosac.experience import interface_of, make_replay
from robosac.mixture import Mixture
from robosac.runs import RunFolder
from robosac.tasks.turn import ClawTurn
from tests.robosac.turn_rig import TurnRig, make_rig, quick

SMALL = (
    "sac.batch_size=16",
    "sac.hidden_units=[16, 16]",
    "sac.replay_capacity=500",
    "sac.random_steps=10",
    "evaluation.every_steps=100000",
    "evaluation.episodes=1",
)


@pytest.fixture(scope="module")
def gait_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("shown") / "gait.safetensors"
    commands.demonstrate("claw-pixels", [], file, 1, None)
    return file


def test_the_gait_turns_the_valve_and_its_set_is_valid(gait_set: Path) -> None:
    rig = make_rig("claw-pixels")
    interface = interface_of(rig.config, rig.env)
    shown = read(gait_set)
    assert validate(shown, interface).ok
    assert shown.episodes == shown.claimed_successes == 1
    assert shown.images is not None
    assert shown.images.shape == (shown.steps + 1, 32, 32, 3)
    assert shown.rewards[-1] > 0.8
    assert shown.rewards[-1] > shown.rewards[0]


def test_a_run_draws_its_share_from_the_set(
    gait_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [
        *SMALL, f"demonstrations.path={gait_set}", "steps=20", "task.episode_steps=20", *quick()
    ]  # fmt: skip
    commands.train("claw-pixels", settings, tmp_path / "run")
    last = capsys.readouterr().out.splitlines()[-1]
    # 101 and 21 pictures of 3,072 bytes, each with its state, and 120 rows.
    assert "| replay 0 MB |" in last, "the memory of both buffers is told"
    run = RunFolder.open(tmp_path / "run")
    rig = make_rig("claw-pixels")
    replay = make_replay(run.config, rig.env)
    assert isinstance(replay, Mixture)
    assert replay.parts(16) == (8, 8)
    assert len(replay.demonstrations) == 100


def test_a_set_for_another_task_is_refused(gait_set: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["train", "claw", "--run", str(tmp_path / "r"), f"--demonstrations.path={gait_set}"]
    )
    assert done.exit_code == 2
    assert "not a valid set" in done.output


@pytest.mark.parametrize(("preset", "code"), [("claw-pixels", 0), ("claw", 1)])
def test_a_set_is_checked_from_the_shell(gait_set: Path, preset: str, code: int) -> None:
    done = CliRunner().invoke(app, ["demonstrate", preset, "--check", str(gait_set)])
    assert done.exit_code == code
    assert "1 episodes" in done.output


def test_a_set_is_never_overwritten(gait_set: Path) -> None:
    before = gait_set.read_bytes()
    done = CliRunner().invoke(app, ["demonstrate", "claw-pixels", "--out", str(gait_set)])
    assert done.exit_code == 2
    assert "exists" in done.output
    assert gait_set.read_bytes() == before


class Idle:
    """Shows nothing."""

    def act(self, env: ClawTurn) -> np.ndarray:
        return np.zeros(9)


class Told:
    """A policy that keeps what it was told."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def mean_action(self, observation: np.ndarray) -> np.ndarray:
        self.seen.append(observation)
        return np.zeros(9)


def attempt(rig: TurnRig, shower: Shower) -> None:
    interface = interface_of(rig.config, rig.env)
    demonstrate(rig.env, interface, Source.POLICY, lambda: shower, 1, 0)


def test_who_never_succeeds_leaves_no_set() -> None:
    with pytest.raises(ValueError, match="none of 5 attempts"):
        attempt(make_rig("claw", "task.episode_steps=3", *quick()), Idle())


def test_a_teacher_is_told_the_angle_that_the_pictures_hide() -> None:
    told = Told()
    with pytest.raises(ValueError, match="none of 5"):
        attempt(make_rig("claw-pixels", "task.episode_steps=2", *quick()), Teacher(told))
    assert all(observation.shape == (20,) for observation in told.seen)
    assert np.hypot(*told.seen[0][18:]) == pytest.approx(1.0, abs=1e-6)


def test_the_gait_needs_nothing_but_the_task() -> None:
    rig = make_rig("claw", "task.episode_steps=5")
    rig.env.reset(seed=0)
    assert Gait().act(rig.env).shape == (9,)
