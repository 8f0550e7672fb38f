"""One forked process a mutant, a few at a time, each ended when it takes too long."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.mutation.inject import isolate

Job = TypeVar("Job")
SURVIVED = 0
KILLED = 1
MUST_IMPORT = 77
"""Only importing the mutant will tell."""
TIMED_OUT = -1
POLL_S = 0.002
WALL_SLACK_S = 5.0


@dataclass(slots=True)
class _Child:
    folder: Path
    deadline: float
    timed_out: bool = False


def run_all(
    jobs: list[Job], work: Callable[[Job], int], limit_s: Callable[[Job], float], at_once: int
) -> Iterator[tuple[Job, int]]:
    """Fork for each job, call `work` there, and tell its status: as it returned, or TIMED_OUT.

    Whatever `work` raises, and any other death, is KILLED. `limit_s`: processor seconds it may
    take; the wall clock allows four times that, for other work may share the machine.
    """
    running: dict[int, tuple[Job, _Child]] = {}
    waiting = list(reversed(jobs))
    while waiting or running:
        while waiting and len(running) < at_once:
            job = waiting.pop()
            limit = limit_s(job)
            folder = Path(tempfile.mkdtemp(prefix="m-"))
            child = _Child(folder, time.monotonic() + 4.0 * limit + WALL_SLACK_S)
            process = os.fork()
            if process == 0:
                _in_child(job, work, folder, limit)
            running[process] = (job, child)
        for process in list(running):
            ended, status = os.waitpid(process, os.WNOHANG)
            job, child = running[process]
            if ended:
                del running[process]
                _end_group(process)
                shutil.rmtree(child.folder, ignore_errors=True)
                yield job, _verdict(status, child)
            elif time.monotonic() > child.deadline and not child.timed_out:
                child.timed_out = True
                _end_group(process)
        time.sleep(POLL_S)


def _in_child(job: Job, work: Callable[[Job], int], folder: Path, limit: float) -> None:
    status = KILLED
    try:
        isolate(folder, limit)
        status = work(job)
    finally:
        os._exit(status)


def _end_group(process: int) -> None:
    """End what the child has started and left behind."""
    try:
        os.killpg(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _verdict(status: int, child: _Child) -> int:
    code = os.waitstatus_to_exitcode(status)
    if child.timed_out or code == -signal.SIGXCPU:
        return TIMED_OUT
    return code if code in (SURVIVED, MUST_IMPORT) else KILLED
