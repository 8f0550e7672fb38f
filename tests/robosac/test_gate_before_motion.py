"""No way around the gate: who may make a robot push, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWNERS = {"robosac/executor.py", "robosac/arming.py"}
"""Who may ask for torque: the first looks at the gate around every exchange, the second is called
with an exchange that does."""
BELOW = "robosac/robots/"
AROUND = {"robosac/check/gate.py"}
"""A robot around a robot, which refuses to be configured while a row of the check is red."""
BUILDERS = {
    "robosac/robot_builder.py": 2,
    "robosac/assembly_minitaur.py": 1,
    "robosac/assembly_claw.py": 1,
    "robosac/armed_bench.py": 2,
}
"""Who hands robots on ports to an executor that arms, and how many kinds."""
CONTRACT = "robosac/hal.py"
RESTORERS = {"robosac/flight/row.py"}
"""Makes recorded commands again, to be decided anew; nobody there exchanges with a robot."""
TOOLS = {"robosac/stop_port.py"}
"""Opens ports without an executor, to switch torque off."""
PUSHING = {"POSITION", "DAMP"}
STOPPING = {"stop_all", "close"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ("robosac", "calibration"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield node, function.attr
            elif isinstance(function, ast.Name):
                yield node, function.id


def function_around(tree: ast.Module, node: ast.AST) -> str:
    """Name of the innermost function that holds `node`."""
    found = ""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and node in list(ast.walk(function)):
            found = function.name
    return found


def test_only_the_executor_exchanges_with_a_robot() -> None:
    seen: set[str] = set()
    for where, tree in sources():
        for node, name in calls(tree):
            if name != "exchange":
                continue
            seen.add(where)
            if where.startswith(BELOW) or where in AROUND:
                # The robots pass on what the executor commands, and only when it exchanges.
                assert function_around(tree, node) == "exchange", f"{where}:{node.lineno}"
            else:
                assert where in OWNERS, f"{where}:{node.lineno} exchanges past the executor"
    assert seen >= OWNERS


def test_every_robot_on_ports_stands_behind_the_check() -> None:
    trees = dict(sources())
    for where, kinds in BUILDERS.items():
        called = [name for _, name in calls(trees[where])]
        assert called.count("gated") == kinds, where
    makers = {
        where
        for where, tree in trees.items()
        if {"Minitaur", "Claw"} & {name for _, name in calls(tree)}
    }
    # The first measures with torque off and never arms, the second only looks.
    disarmed = {"robosac/calibrate_robot.py", "robosac/check/reach.py"}
    assert makers == set(BUILDERS) | disarmed
    for where in disarmed:
        assert "arm" not in {name for _, name in calls(trees[where])}


def test_the_executor_looks_at_the_gate_around_every_exchange() -> None:
    tree = ast.parse((ROOT / "robosac/executor.py").read_text())
    around: dict[str, list[str]] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            order = sorted(calls(function), key=lambda call: (call[0].lineno, call[0].col_offset))
            around[function.name] = [name for _, name in order]
    callers = [name for name, called in around.items() if "_exchange" in called]
    assert sorted(callers) == ["_arming_tick", "_tick"]
    for name in callers:
        looks = ["check_gate" if "gate" in c or "tripped" in c else c for c in around[name]]
        middle = looks.index("_exchange")
        assert "check_gate" in looks[:middle], f"{name} drives before it looks at the gate"
        assert "check_gate" in looks[middle:], f"{name} does not look at the gate again"


def test_only_the_executor_and_arming_ask_for_torque() -> None:
    for where, tree in sources():
        if where in OWNERS or where == CONTRACT:
            continue
        # To ask which drive a command has is no command.
        compared = {
            id(side)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare)
            for side in node.comparators
        }
        for node in ast.walk(tree):
            if id(node) in compared:
                continue
            if isinstance(node, ast.Attribute) and node.attr in PUSHING:
                of_drive = isinstance(node.value, ast.Name) and node.value.id == "Drive"
                below = where.startswith(BELOW)
                assert below or not of_drive, f"{where}:{node.lineno} names a drive"
        for node, name in calls(tree):
            known = where in RESTORERS
            assert known or name != "JointCommand", f"{where}:{node.lineno} makes a command"
            function = node.func
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                made = (function.value.id, function.attr)
                assert made not in {("JointCommand", "to"), ("JointCommand", "damp")}, where


def test_only_robots_and_the_way_to_them_hold_a_motor_bus() -> None:
    buses = {"MoteusBus", "DynamixelBus"}
    holders = {where for where, tree in sources() for _, name in calls(tree) if name in buses}
    assert holders <= {
        "robosac/assembly_minitaur.py",
        "robosac/assembly_claw.py",
        "robosac/connect.py",
        "robosac/connect_claw.py",
    }
    for where in TOOLS:
        tree = ast.parse((ROOT / where).read_text())
        used = {name for _, name in calls(tree) if name not in {"SerialWire", "kind"}}
        assert used <= STOPPING, f"{where} does more than stop: {used}"
