"""One contender in a process of its own: `python -m robosac.peers.child`, told what on its input.

It answers on its output, one JSON document a line, and leaves when its input ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from robosac.peers.catalogue import make
from robosac.peers.contender import Case, transitions
from robosac.peers.turns import Turn, timed


class Start(msgspec.Struct, frozen=True):
    """Who, and at what sizes."""

    kind: str
    """`learner` or `replay`."""
    name: str
    case: Case
    cores: list[int]
    """Processors it may use, by number; empty: any."""


class Ready(msgspec.Struct, frozen=True):
    """It is made and its replay is filled."""

    transition_bytes: int
    """See `robosac.peers.contender.Contender`."""
    loaded_bytes: int
    """Resident before the replay was filled, networks included; 0: this system does not tell."""


class Play(msgspec.Struct, frozen=True):
    """Take a turn."""

    count: int


class Played(msgspec.Struct, frozen=True):
    """What it took, and the memory resident after it."""

    turn: Turn
    resident_bytes: int


def resident_bytes() -> int:
    """Memory of this process that is resident; 0 where the system does not tell (not Linux)."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve(told: BinaryIO, answers: BinaryIO) -> None:
    """Be the contender that the first line names, and take a turn for each line after it."""

    def say(answer: msgspec.Struct) -> None:
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()

    start = msgspec.json.decode(told.readline(), type=Start)
    # Before torch or JAX is imported: their pools are as large as the processors they find then.
    if start.cores:
        os.sched_setaffinity(0, start.cores)
    contender = make(start.kind, start.name, start.case)
    loaded = resident_bytes()
    contender.fill(transitions(start.case))
    say(Ready(contender.transition_bytes(), loaded))
    play = timed(contender.run)
    for line in told:
        turn = play(msgspec.json.decode(line, type=Play).count)
        say(Played(turn, resident_bytes()))


def main() -> int:
    """Keep standard output for answers alone: libraries that print go to standard error."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        serve(sys.stdin.buffer, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
