"""The fuzz run of `make decoder-fuzz`, small: it holds, goes on, and would notice what does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.sweeps import decoder_fuzz
from tests.sweeps.decoder_fuzz import Count, again, allotted, jobs, main, run_block
from tests.sweeps.decoder_mutations import mutants
from tests.sweeps.decoder_targets import Target, targets

SMALL = 10_000


def test_a_small_run_holds_and_every_decoder_takes_part(tmp_path: Path) -> None:
    figures, findings = tmp_path / "figures.json", tmp_path / "findings"
    size = ["--inputs", str(SMALL), "--findings", str(findings), "--json", str(figures)]
    assert main(size) == 0
    rows = json.loads(figures.read_text())
    assert set(rows) == set(targets())
    assert sum(row["inputs"] for row in rows.values()) >= SMALL
    assert all(row["inputs"] for row in rows.values())
    assert not findings.exists()


@pytest.mark.parametrize("name", targets())
def test_good_inputs_are_not_only_refused(name: str) -> None:
    # Otherwise nothing behind the first check would ever be reached.
    target, accepted = targets()[name], 0
    for seed in target.seeds:
        try:
            target.decode(seed)
            accepted += 1
        except target.raises:
            continue
    assert accepted


def figures(path: Path) -> dict[str, tuple[int, int, int]]:
    rows = json.loads(path.read_text())
    return {name: (row["inputs"], row["accepted"], row["refused"]) for name, row in rows.items()}


def test_processes_and_interruptions_change_nothing(tmp_path: Path) -> None:
    whole, parts, state = (tmp_path / name for name in ("whole.json", "parts.json", "state.json"))
    size = ["--inputs", "1500", "--findings", str(tmp_path / "f")]
    assert main([*size, "--json", str(whole), "--resume", str(state)]) == 0
    kept = json.loads(state.read_text())
    name, block = kept["done"].pop()
    assert sum(done == name for done, _ in kept["done"]) == 0
    del kept["counts"][name]
    state.write_text(json.dumps(kept))
    assert main([*size, "--json", str(parts), "--resume", str(state), "--processes", "2"]) == 0
    assert block == 0
    assert figures(parts) == figures(whole)
    with pytest.raises(SystemExit, match="2"):
        main(["--inputs", "4000", "--resume", str(state)])


def fragile(data: bytes) -> None:
    """Believes a length."""
    if data[:1] == b"k" and data[1:2] != b"e":
        raise ZeroDivisionError


def test_an_error_that_nobody_documented_is_a_finding_that_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(fragile, (ValueError,), (b"key: value",))
    count = run_block("fragile", target, 0, 5000, tmp_path)
    assert count.findings > 0
    assert count.inputs == count.accepted + count.refused + count.findings == 5000
    monkeypatch.setattr(decoder_fuzz, "targets", lambda: {"fragile": target})
    (found,) = tmp_path.glob("*.bin")
    with pytest.raises(ZeroDivisionError):
        again(found)


def test_mutants_are_many_different_ones_and_repeatable() -> None:
    def made(seed: int) -> list[bytes]:
        return mutants(np.random.default_rng(seed), (b"some good input", b"another"), 5000)

    assert made(1) == made(1)
    assert len(set(made(1))) > 3000
    assert made(1) != made(2)
    assert {len(data) for data in made(1)} >= set(range(10))


def test_shares_become_blocks_without_rest() -> None:
    known = targets()
    todo = jobs(known, 123_456)
    for name, count in allotted(known, 123_456).items():
        assert sum(size for n, _, size in todo if n == name) == count
    assert len({job[:2] for job in todo}) == len(todo)


def test_counts_add_and_keep_the_worst() -> None:
    count = Count(1, 1, 0, 0, 1.0, 0.5, 7)
    count.add(Count(2, 1, 1, 0, 1.0, 0.2, 9))
    assert count == Count(3, 2, 1, 0, 2.0, 0.5, 9)
