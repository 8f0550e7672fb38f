"""Nothing received is ever executed: no call that could do so stands anywhere in the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("robosac", "drivers", "sim", "calibration")
MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
"""Their formats name code to run, or crash the interpreter."""
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "torch.load",
    "torch.jit.load",
    "torch.export.load",
    "torch.hub.load",
    "torch.package.PackageImporter",
    "pandas.read_pickle",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.full_load_all",
    "yaml.unsafe_load",
    "yaml.unsafe_load_all",
    "yaml.Loader",
    "yaml.FullLoader",
    "yaml.UnsafeLoader",
    "yaml.CLoader",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
}
KEYWORDS = {("shell", True), ("allow_pickle", True), ("weights_only", False)}
NUMPY_MUST_SAY = {"numpy.load": "allow_pickle"}
"""Functions that need this keyword, for what they do without it has changed before."""


def names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def spelled(node: ast.expr, known: dict[str, str]) -> str:
    """`a.b.c` with the first part as it was imported; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([known.get(node.id, node.id), *reversed(parts)]).removeprefix("builtins.")


def forbidden(source: str) -> Iterator[str]:
    """What stands in `source` that must not, with its line."""
    tree = ast.parse(source)
    known = names(tree)
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            inside = (node.module or "").split(".")[0] in MODULES
            found = [name for name in whole if inside or name in CALLS]
        elif isinstance(node, ast.Attribute | ast.Name):
            # The name alone is enough: it could be called by another.
            name = spelled(node, known)
            found = [name] if name in CALLS else []
        elif isinstance(node, ast.Call):
            found = list(_of_call(node, known))
        yield from (f"line {getattr(node, 'lineno', 0)}: {name}" for name in found)


def _of_call(node: ast.Call, known: dict[str, str]) -> Iterator[str]:
    given = {k.arg: k.value for k in node.keywords}
    for key, value in KEYWORDS:
        found = given.get(key)
        if found is not None and not (isinstance(found, ast.Constant) and found.value is not value):
            yield f"{key}={ast.unparse(found)}"
    name = spelled(node.func, known)
    if name == "importlib.import_module" and _from_outside(node):
        yield f"{name} of what is not written here"
    if name in NUMPY_MUST_SAY and NUMPY_MUST_SAY[name] not in given:
        yield f"{name} without {NUMPY_MUST_SAY[name]}"


def _from_outside(node: ast.Call) -> bool:
    """Whether a module's name is not begun by text of ours."""
    first = node.args[0] if node.args else None
    if isinstance(first, ast.Constant):
        return False
    ours = isinstance(first, ast.JoinedStr) and ast.unparse(first).startswith("f'{__name__}.")
    return not ours


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_that_executes_stands_in(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} {found}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for found in forbidden(path.read_text(encoding="utf-8"))
    ]
    assert not wrong


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as harmless",
        "from pickle import loads",
        "import marshal",
        "import shelve",
        "import dill",
        "import cloudpickle",
        "import joblib",
        "import torch\ntorch.load('x')",
        "from torch import load",
        "import torch as t\nf = t.load",
        "import torch\ntorch.jit.load('x')",
        "import yaml\nyaml.load('x')",
        "import yaml\nyaml.load('x', Loader=yaml.FullLoader)",
        "import yaml as y\ny.unsafe_load('x')",
        "from yaml import full_load",
        "from yaml import UnsafeLoader",
        "eval('1')",
        "exec('1')",
        "run = eval",
        "import builtins\nbuiltins.eval('1')",
        "compile('1', '', 'eval')",
        "__import__('x')",
        "import os\nos.system('x')",
        "import os\nos.popen('x')",
        "from os import system",
        "import subprocess\nsubprocess.run('x', shell=True)",
        "import subprocess\nhow = True\nsubprocess.run('x', shell=how)",
        "import subprocess\nsubprocess.getoutput('x')",
        "import asyncio\nasyncio.create_subprocess_shell('x')",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import importlib\nimportlib.import_module(name)",
    ],
)
def test_each_of_them_is_found(source: str) -> None:
    assert list(forbidden(source))


@pytest.mark.parametrize(
    "source",
    [
        "import yaml\nyaml.safe_load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import subprocess\nsubprocess.run(['x'], shell=False)",
        "import re\nre.compile('x')",
        "import json\njson.load(file)",
        "model.eval()",
        "policy.load(state)",
        "from importlib import import_module\nimport_module(f'{__name__}.x')",
    ],
)
def test_what_is_harmless_is_not(source: str) -> None:
    assert not list(forbidden(source))
