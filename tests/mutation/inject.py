"""Putting a mutant to work in a process that was forked for it."""

from __future__ import annotations

import contextlib
import gc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

Functions = dict[tuple[str, int], list[FunctionType]]
"""By qualified name and first line."""

MEMORY_BYTES: Final = 6 << 30
"""What a mutant may take before it counts as one that takes all."""


def live_functions(path: Path) -> Functions:
    """All functions of this process that were compiled from the file at `path`."""
    found: Functions = defaultdict(list)
    for thing in gc.get_objects():
        # Not `isinstance`: some things there answer to being asked for their class with a warning.
        if type(thing) is FunctionType and thing.__code__.co_filename == str(path):
            code = thing.__code__
            found[code.co_qualname, code.co_firstlineno].append(thing)
    return found


def exchange_code(functions: Functions, path: Path, text: str) -> None:
    """Give every function of `functions` the code it has in `text`.

    Raises ValueError where a function closes over other variables than it did.
    """
    pending = [compile(text, str(path), "exec", dont_inherit=True)]
    while pending:
        code = pending.pop()
        pending += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        for function in functions.get((code.co_qualname, code.co_firstlineno), ()):
            function.__code__ = code


class _Mutated(importlib.machinery.SourceFileLoader):
    """Loads `text` in place of what the file says."""

    text = ""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, name: str, loader: _Mutated) -> None:
        self._name, self._loader = name, loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(
            fullname, self._loader.path, loader=self._loader
        )


def import_mutated(name: str, path: Path, text: str) -> None:
    """Have `import name` load `text`; it must not be imported yet."""
    loader = _Mutated(name, str(path))
    loader.text = text
    sys.meta_path.insert(0, _Finder(name, loader))


def isolate(folder: Path, cpu_s: float) -> None:
    """In the child: silent, with a folder, a process group and bounds of its own."""
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + cpu_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    # pytest's faulthandler would only print.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
