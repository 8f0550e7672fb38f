"""Policies at rest: each evaluation keeps the policy it judged, so that the best is never lost."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from robosac.errors import RunFolderError
from robosac.files import write_whole
from robosac.metrics import EvaluationRow
from robosac.runs import RunFolder
from robosac.sac import PixelPolicy, Policy, policy_from_weights

FILE = "policy.safetensors"


def save_policy(folder: Path, policy: Policy | PixelPolicy) -> None:
    """Write `policy` into an evaluation's folder, whole or not at all."""
    write_whole(folder / FILE, save(policy.weights()))


def load_policy(folder: Path) -> Policy | PixelPolicy:
    """Read what `save_policy` wrote.

    Raises:
        RunFolderError: there is none, or it is damaged.
    """
    file = folder / FILE
    try:
        return policy_from_weights(load(file.read_bytes()))
    except (OSError, SafetensorError, ValueError) as error:
        raise RunFolderError(f"{file} is not a policy: {error}") from error


def best_evaluation(run: RunFolder) -> EvaluationRow:
    """The evaluation with the highest mean return among those whose policy was kept.

    Raises:
        RunFolderError: the run has none.
    """
    kept = {int(file.parent.name) for file in run.path.glob(f"evaluation/*/{FILE}")}
    rows = [
        row
        for row in run.rows()
        if isinstance(row, EvaluationRow) and row.return_mean is not None and row.step in kept
    ]
    if not rows:
        raise RunFolderError(f"{run.path} has kept no evaluated policy yet; train longer")
    return max(rows, key=lambda row: row.return_mean or 0.0)
