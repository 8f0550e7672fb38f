"""Who may import whom, as drawn in docs/architecture.md."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"robosac", "drivers", "sim", "calibration"}
HEAVY = {"torch", "mujoco", "cv2", "serial", "matplotlib", "tensorboard", "mcap"}
HEAVY |= {"grpc", "cryptography"}
PURE = {"numpy"}
ALLOWED: dict[str, set[str]] = {
    "drivers": {"numpy", "serial", "cv2", "drivers"},
    "calibration": {"numpy", "yaml", "cv2", "msgspec", "calibration"},
    "sim": {"numpy", "mujoco", "drivers", "sim"},
    "robosac/hal.py": PURE | {"robosac.errors"},
    "robosac/clock.py": PURE,
    "robosac/reasons.py": set(),
    "robosac/braking.py": PURE,
    "robosac/safety.py": PURE | {"robosac.braking", "robosac.hal", "robosac.reasons"},
    "robosac/keepout.py": PURE
    | {"robosac.errors", "robosac.hal", "robosac.reasons", "robosac.safety"},
    "robosac/finger_keepout.py": PURE | {"robosac.hal"},
    "robosac/lowpass.py": PURE | {"robosac.hal"},
    "robosac/thermal.py": PURE | {"robosac.hal"},
    "robosac/link": {"grpc", "cryptography", "robosac.errors", "robosac.files", "robosac.link"},
    "robosac/store": {"robosac.errors", "robosac.files", "robosac.store"},
    "robosac/recovery.py": PURE | {"robosac.hal", "robosac.safety"},
    "robosac/lag.py": {"msgspec"},
    "robosac/shapes.py": {"msgspec"},
}
FORBIDDEN: dict[str, set[str]] = {
    "robosac/executor.py": {"drivers", "sim", "torch", "calibration"},
    "robosac/tasks": {"drivers", "sim", "torch", "calibration"},
    "robosac/robots": {"sim", "torch", "robosac.executor", "robosac.tasks", "robosac.sac"},
    "robosac/sac": {"drivers", "sim", "calibration", "robosac.hal", "robosac.tasks"},
    "robosac/schema.py": {"drivers", "calibration", "torch", "robosac.robots"},
    "robosac/envelope.py": {"drivers", "calibration", "torch", "robosac.executor"},
    "robosac/policy_shelf.py": {"drivers", "calibration", "torch", "robosac.executor"},
    "robosac": {"pickle", "sim"},
}
ONLY_HERE_SIM = {
    "robosac/assembly_minitaur.py",
    "robosac/assembly_claw.py",
    "robosac/twin_server.py",
    "robosac/dry_run.py",
    "robosac/actuator_twin.py",
    "robosac/twin_person.py",
    "robosac/camera_twin.py",
}
"""The files that may name the twin, and only inside a function."""


PEERS = {"stable_baselines3", "sbx", "jax", "torchrl", "tensordict"}
"""What `robosac bench --peers` measures against: only its room may name them, inside functions."""


def files(room: str) -> list[Path]:
    path = ROOT / room
    return [path] if path.suffix else sorted(path.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
        yield from names_of(node)


def names_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def within(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("room", ALLOWED)
def test_room_imports_only_what_it_may(room: str) -> None:
    allowed = ALLOWED[room] | set(sys.stdlib_module_names)
    for path in files(room):
        wrong = [name for name in imports(path) if not within(name, allowed)]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}; it may import {ALLOWED[room]}"


@pytest.mark.parametrize("room", FORBIDDEN)
def test_room_does_not_import_what_it_must_not(room: str) -> None:
    for path in files(room):
        where = path.relative_to(ROOT).as_posix()
        forbidden = FORBIDDEN[room] - ({"sim"} if where in ONLY_HERE_SIM else set())
        wrong = [name for name in imports(path) if within(name, forbidden)]
        assert not wrong, f"{where} imports {wrong}"


def test_sim_is_imported_only_inside_functions() -> None:
    for where in ONLY_HERE_SIM:
        top = ast.parse((ROOT / where).read_text()).body
        names = [n.module or "" for n in top if isinstance(n, ast.ImportFrom)]
        assert not [name for name in names if within(name, {"sim"})]


def test_peers_are_imported_only_where_they_are_measured_and_inside_functions() -> None:
    for path in (path for room in OURS for path in files(room)):
        if ROOT / "robosac/peers" in path.parents:
            top = ast.parse(path.read_text()).body
            found = [name for node in top for name in names_of(node)]
        else:
            found = list(imports(path))
        wrong = [name for name in found if within(name, PEERS)]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_nothing_needs_the_room_of_the_peers() -> None:
    asked = {ROOT / "robosac/commands.py"}
    for path in files("robosac"):
        if ROOT / "robosac/peers" not in path.parents and path not in asked:
            assert not [name for name in imports(path) if within(name, {"robosac.peers"})]


def test_importing_the_command_line_is_light() -> None:
    probe = f"import robosac.cli, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
