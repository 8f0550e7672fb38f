"""The sweeps over policies, small: they hold, and they would notice what does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from robosac import policy_shelf
from robosac.envelope import Sealed, unpack
from robosac.policies import parse_policy
from robosac.sac import PixelPolicy, Policy
from robosac.schema import Schema
from tests.sweeps import policy_kills
from tests.sweeps.damaged_policies import Actor, Result, main, offer, sweep
from tests.sweeps.policy_damage import DAMAGES
from tests.sweeps.policy_specimens import specimens, walk_schema

SMALL = ["--units", "8"]
ROUND = 2 * len(DAMAGES)
"""Every damage once to each specimen."""


def test_no_damaged_policy_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert main(["--policies", str(6 * ROUND), *SMALL, "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert {row["damage"] for row in found["rows"]} == set(DAMAGES)
    assert all(row["policies"] == row["refused"] == 12 for row in found["rows"])
    assert found["looks"] == 2
    assert not [reason for reason in found["reasons"] if reason.startswith("another: ")]
    assert "0 accepted, 0 failures" in capsys.readouterr().out


def test_every_damage_is_one() -> None:
    for specimen in specimens(units=8):
        whole = {*specimen.envelopes}
        for name, damage in DAMAGES.items():
            for seed in range(20):
                data = damage(specimen, np.random.default_rng(seed))
                assert data not in whole, name
                assert damage(specimen, np.random.default_rng(seed)) == data, "can be made again"


def test_a_reader_that_believes_sums_alone_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believing(data: bytes, schema: Schema, like: Policy | PixelPolicy | None = None) -> Sealed:
        header, tensors, digest = unpack(data)
        return Sealed(header.version, {}, parse_policy(tensors, "a policy"), digest)

    monkeypatch.setattr(policy_shelf, "unseal", believing)
    result = sweep(2 * ROUND, 0, tmp_path, units=8)
    assert result.rows["flipped bits"].accepted == 0
    for damage in ("another version*", "another's header*", "other schema*", "NaN, infinite*"):
        assert result.rows[damage].accepted == 4, damage
    assert any("was accepted" in failure for failure in result.failures)
    assert any("changed the shelf" in failure for failure in result.failures)
    assert any("did not act as before" in failure for failure in result.failures)


def test_an_error_of_another_kind_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*arguments: object) -> None:
        raise KeyError("bias0")

    actor, result = Actor(specimens(units=8)[0], tmp_path), Result()
    monkeypatch.setattr(policy_shelf, "unseal", raising)
    offer(actor, 0, 0, result)
    assert result.rows["flipped bits"].other_errors == 1
    assert "raised KeyError('bias0')" in result.failures[0]


def test_killed_processes_leave_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "kills.json"
    command = [sys.executable, "-m", "tests.sweeps.policy_kills", "--kills", "12", *SMALL]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--folder", str(tmp_path), "--json", str(path)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(path.read_text())
    assert (found["kills"], found["failures"]) == (12, [])
    assert found["found"]["told"] + found["found"].get("on its way", 0) == 12


def test_a_shelf_found_otherwise_is_a_failure(tmp_path: Path) -> None:
    one = specimens(units=8)[0]
    envelopes = list(one.envelopes)
    result = policy_kills.Result()
    trials = policy_kills.Trials(tmp_path, walk_schema(), envelopes)
    shelf = policy_shelf.PolicyShelf(tmp_path, one.schema)
    shelf.put(envelopes[2])
    trials._look(0, result)
    assert "found 2, told was 0" in result.failures[0]
    newest = max(tmp_path.glob("*.policy"))
    newest.write_bytes(newest.read_bytes()[:-1])
    trials._look(2, result)
    assert any("damaged" in failure for failure in result.failures)
    assert any("found None, told was 2" in failure for failure in result.failures)
