"""Two ways to run a target's tests against a mutant.

Warm: everything is imported and collected once, and each mutant is a fork whose functions get other
code; it runs only tests that reach the line. Cold: the fork imports the mutated file like any
other, for what is at work at import. A mutant that survives warm is judged again cold if its line
ran at import.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.inject import Functions, exchange_code, import_mutated, live_functions
from tests.mutation.keys import Mutant
from tests.mutation.pool import KILLED, MUST_IMPORT, SURVIVED, run_all

Verdict = tuple[Mutant, int]
TIMES = 8.0
"""How much longer than the tests' own time a mutant may take."""
LEAST_S = 5.0
COLLECTION_S = 30.0
"""Processor time for a cold import and collection."""

settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
)


def _arguments(root: Path, tests: Sequence[str]) -> list[str]:
    """A quiet run of `tests` that finds the same every time."""
    options = ["-q", "--no-header", "-x", "--capture=sys", "--rootdir", str(root)]
    quiet = ["-p", "no:cacheprovider", "-p", "no:faulthandler", "--hypothesis-profile=mutation"]
    # Libraries are imported before pytest, so that forks find them imported.
    early = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return [*options, *quiet, *early, *tests]


class _EndsAtOnce:
    """A test that fails ends the process, before anything is written about it."""

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            os._exit(KILLED)


class _Lines:
    """Which lines of one file run; a trace function for `sys.settrace`."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self.seen: set[int] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != self._path:
            return None
        self.seen.add(frame.f_lineno)
        return self

    def __enter__(self) -> set[int]:
        """The lines that run from now on, as they do."""
        threading.settrace(self)
        sys.settrace(self)
        return self.seen

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


def _lines_of(mutant: Mutant) -> range:
    return range(mutant.first_line, mutant.last_line + 1)


class WarmRun:
    """A pytest plugin: collects once, then judges every mutant in a fork.

    Args:
        path: the file that is mutated.
        mutants: of that file, those inside functions.
        at_once: processes at a time.
        verdict: told the outcome of each mutant.
    """

    def __init__(
        self, path: Path, mutants: list[Mutant], at_once: int, verdict: Callable[[Verdict], None]
    ) -> None:
        self._path, self._mutants, self._at_once = path, mutants, at_once
        self._verdict = verdict
        self._failed: list[str] = []
        self._reached: dict[int, set[int]] = {}
        self._took: dict[int, float] = {}
        self._items: list[pytest.Item] = []
        self._imported: set[int] = set()
        """Lines that ran before any test."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        with _Lines(self._path) as self._imported:
            return (yield)

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            self._failed.append(f"{item.nodeid}: {call.excinfo.exconly()}")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = list(session.items)
        functions = live_functions(self._path)
        self._measure()
        session.config.pluginmanager.register(_EndsAtOnce())
        self._check_forks(functions)

        def work(mutant: Mutant) -> int:
            try:
                exchange_code(functions, self._path, mutant.text)
            except ValueError:
                return MUST_IMPORT
            self._run(self._tests(mutant))
            return SURVIVED

        def limit_s(mutant: Mutant) -> float:
            return LEAST_S + TIMES * sum(self._took[index] for index in self._tests(mutant))

        for mutant, status in run_all(self._mutants, work, limit_s, self._at_once):
            unsure = status == SURVIVED and not self._imported.isdisjoint(_lines_of(mutant))
            self._verdict((mutant, MUST_IMPORT if unsure else status))
        return True

    def _check_forks(self, functions: Functions) -> None:
        """A fork with the file as it is must pass, or every mutant would count as killed."""

        def work(text: str) -> int:
            exchange_code(functions, self._path, text)
            self._run(range(len(self._items)))
            return SURVIVED

        limit_s = LEAST_S + TIMES * sum(self._took.values())
        ((_, status),) = run_all([self._path.read_text()], work, lambda _: limit_s, 1)
        if status != SURVIVED:
            raise pytest.UsageError("the tests fail in a fork without any mutant")

    def _tests(self, mutant: Mutant) -> list[int]:
        """Those that reach the statement, quickest first."""
        lines = _lines_of(mutant)
        reach = [index for index, seen in self._reached.items() if not seen.isdisjoint(lines)]
        return sorted(reach, key=lambda index: self._took[index])

    def _run(self, indices: Sequence[int]) -> None:
        items = [self._items[index] for index in indices]
        # Nothing to run where no test reaches the line: the mutant survives.
        for item, following in zip_longest(items, items[1:]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)

    def _measure(self) -> None:
        """Run every test once as the files are, noting its time and the lines it reaches."""
        for index, item in enumerate(self._items):
            following = self._items[index + 1] if index + 1 < len(self._items) else None
            before = time.process_time()
            with _Lines(self._path) as self._reached[index]:
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            self._took[index] = time.process_time() - before
        if self._failed:
            raise pytest.UsageError(f"these fail without any mutant: {'; '.join(self._failed)}")


def judge_warm(
    root: Path,
    path: Path,
    tests: Sequence[str],
    mutants: list[Mutant],
    at_once: int,
    verdict: Callable[[Verdict], None],
) -> int:
    """Judge `mutants` of `path` by `tests`; gives pytest's own status."""
    plugin = WarmRun(path, mutants, at_once, verdict)
    return int(pytest.main(_arguments(root, tests), plugins=[plugin]))


def judge_cold(
    root: Path, file: str, tests: Sequence[str], mutants: list[Mutant], at_once: int
) -> Iterator[Verdict]:
    """Judge `mutants` by importing each; nothing of ours may be imported yet that `file` needs.

    Raises RuntimeError where the tests do not pass with the file as it is.
    """
    name = file.removesuffix(".py").replace("/", ".")

    def work(mutant: Mutant) -> int:
        import_mutated(name, root / file, mutant.text)
        status = pytest.main(_arguments(root, tests), plugins=[_EndsAtOnce()])
        return SURVIVED if status == pytest.ExitCode.OK else KILLED

    def limit_s(mutant: Mutant) -> float:
        return COLLECTION_S + 30.0

    if mutants:
        unchanged = replace(mutants[0], text=(root / file).read_text())
        ((_, status),) = run_all([unchanged], work, limit_s, 1)
        if status != SURVIVED:
            raise RuntimeError(f"the tests of {file} fail in a fork without any mutant")
    yield from run_all(mutants, work, limit_s, at_once)
