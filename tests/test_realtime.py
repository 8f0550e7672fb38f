"""Tests of processes that keep time are marked, so that `make test` runs nothing beside them."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent
STARTERS = {
    "sim.served",
    "tests.conformance.killing",
    "tests.robosac.executor_child_rig",
    "tests.robosac.served_child_rig",
    "tests.sweeps.bus_faults",
    "tests.sweeps.ended_processes",
}
"""Modules that start a process which keeps time."""


def imported(tree: ast.Module) -> set[str]:
    return {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def is_marked(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "realtime"
        and ast.unparse(node) == "pytest.mark.realtime"
        for node in ast.walk(tree)
    )


def test_who_starts_processes_that_keep_time_says_so() -> None:
    unmarked: dict[str, set[str]] = {}
    for file in TESTS.rglob("test_*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        starters = imported(tree) & STARTERS
        if starters and not is_marked(tree):
            unmarked[str(file.relative_to(TESTS))] = starters
    assert not unmarked, f"mark with pytest.mark.realtime what uses them: {unmarked}"
