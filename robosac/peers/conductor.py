"""Contenders as processes of their own, of which one works at a time.

A process each, because JAX sizes its thread pool by the processors it may use when it is loaded,
because torch's thread count and allocator are the process', and because only then is resident
memory somebody's own. All are held to the same processors; who does not have the turn sleeps.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TypeVar

import msgspec

from robosac.errors import PeerFailed
from robosac.peers.child import Play, Played, Ready, Start
from robosac.peers.turns import Turn

ANSWER_TIMEOUT_S = 900.0
"""For one answer: loading and filling, compiling, or a turn, on a busy computer."""
END_TIMEOUT_S = 10.0
CHILD = (sys.executable, "-m", "robosac.peers.child")
T = TypeVar("T")


def cores_for(threads: int) -> list[int]:
    """The processors that everybody is held to, the last ones; empty: this system holds nobody."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))[-threads:]


class Player:
    """One contender in its process.

    Raises:
        PeerFailed: by every method, where the process fails; the message is its last line.
    """

    def __init__(self, start: Start, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self.resident_bytes = 0
        """Its memory after the newest turn; 0: none was taken, or this system does not tell."""
        self._start, self._process, self._log = start, process, log

    def ready(self) -> Ready:
        """Make it and fill its replay; once, before the first turn."""
        return self._ask(self._start, Ready)

    def play(self, count: int) -> Turn:
        """Let it work for a turn."""
        played = self._ask(Play(count), Played)
        self.resident_bytes = played.resident_bytes
        return played.turn

    def _ask(self, question: msgspec.Struct, kind: type[T]) -> T:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        # A process that has gone is found by its missing answer.
        with suppress(BrokenPipeError):
            stdin.write(msgspec.json.encode(question) + b"\n")
        if not select.select([stdout], [], [], ANSWER_TIMEOUT_S)[0]:
            # Else it would work on while others have the turn.
            self._process.kill()
            raise PeerFailed(f"{self._start.name}: no answer within {ANSWER_TIMEOUT_S:.0f} s")
        line = stdout.readline()
        if not line:
            raise PeerFailed(f"{self._start.name}: {self._last_words()}")
        return msgspec.json.decode(line, type=kind)

    def _last_words(self) -> str:
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process ended with {self._process.returncode}"


@contextmanager
def started(start: Start, threads: int, command: Sequence[str] = CHILD) -> Iterator[Player]:
    """A contender's process, which ends with the block: by the end of its input, or killed.

    Args:
        start: who, at what sizes, on which processors.
        threads: its libraries may start so many.
        command: starts the process.
    """
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=log, bufsize=0, env=_environment(threads)
        ) as process,
    ):
        assert process.stdin is not None
        try:
            yield Player(start, process, log)
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment(threads: int) -> dict[str, str]:
    """Ours, and what holds the libraries to so many threads, and to the CPU."""
    count = str(threads)
    return os.environ | {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
