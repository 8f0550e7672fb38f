"""Policies at rest: each evaluation keeps the policy it judged, so that the best is never lost."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from robosac.errors import PolicyRefused, RunFolderError
from robosac.files import write_whole
from robosac.metrics import EvaluationRow
from robosac.runs import RunFolder
from robosac.sac import PixelPolicy, Policy, policy_from_weights

FILE = "policy.safetensors"


def policy_bytes(policy: Policy | PixelPolicy) -> bytes:
    """A policy as the content of a safetensors file."""
    return save(policy.weights())


def parse_policy(data: bytes, source: str) -> Policy | PixelPolicy:
    """Read what `policy_bytes` gave; `source` says in an error where it came from.

    Raises:
        PolicyRefused: it is damaged, or something else.
    """
    try:
        return policy_from_weights(load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        # KeyError: an element type that numpy does not have.
        raise PolicyRefused(f"{source} is not a policy: {error}") from error


def save_policy(folder: Path, policy: Policy | PixelPolicy) -> None:
    """Write `policy` into an evaluation's folder, whole or not at all."""
    write_whole(folder / FILE, policy_bytes(policy))


def load_policy(folder: Path) -> Policy | PixelPolicy:
    """Read what `save_policy` wrote.

    Raises:
        RunFolderError: there is none, or it is damaged.
    """
    file = folder / FILE
    try:
        return parse_policy(file.read_bytes(), str(file))
    except OSError as error:
        raise RunFolderError(f"{file} is not a policy: {error}") from error
    except PolicyRefused as error:
        raise RunFolderError(str(error)) from error


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
