"""The best policy of a run is kept and found."""

from pathlib import Path

import numpy as np
import pytest

from robosac.config import load_preset
from robosac.errors import RunFolderError
from robosac.metrics import EvaluationRow
from robosac.policies import FILE, best_evaluation, load_policy, save_policy
from robosac.runs import RunFolder
from robosac.sac import Policy


def some_policy(seed: int) -> Policy:
    rng = np.random.default_rng(seed)
    shapes = {"weight0": (3, 4), "bias0": (4,), "weight1": (4, 2), "bias1": (2,)}
    return Policy({name: rng.random(shape, np.float32) for name, shape in shapes.items()})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "run", load_preset("gym:Pendulum-v1"))
    with folder.metrics_writer() as metrics:
        for step, mean in ((10, -5.0), (20, -1.0), (30, -3.0), (40, 0.0)):
            row = EvaluationRow(
                step=step, wall_s=0.0, robot_s=0.0, episodes=1, return_mean=mean, return_std=0.0
            )
            metrics.write(row)
            if step < 40:
                save_policy(folder.evaluation_folder(step), some_policy(step))
    return folder


def test_the_best_is_the_one_with_the_highest_return_that_was_kept(run: RunFolder) -> None:
    best = best_evaluation(run)
    assert best.step == 20
    found = load_policy(run.evaluation_folder(best.step))
    assert isinstance(found, Policy)
    observation = np.ones(3, np.float32)
    np.testing.assert_array_equal(
        found.mean_action(observation), some_policy(20).mean_action(observation)
    )


def test_a_damaged_or_missing_policy_is_named(run: RunFolder) -> None:
    file = run.evaluation_folder(20) / FILE
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(RunFolderError, match="not a policy"):
        load_policy(run.evaluation_folder(20))
    with pytest.raises(RunFolderError, match="not a policy"):
        load_policy(run.evaluation_folder(40))


def test_a_run_without_evaluations_says_so(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", load_preset("gym:Pendulum-v1"))
    with pytest.raises(RunFolderError, match="train longer"):
        best_evaluation(run)
