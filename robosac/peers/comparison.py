"""The comparison itself: everybody who is here, at the same sizes, in one run; and its figures."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

import msgspec

from robosac.errors import PeerFailed
from robosac.peers import catalogue
from robosac.peers.catalogue import OURS, PLAIN, REFERENCE, Peer
from robosac.peers.child import Ready, Start
from robosac.peers.conductor import cores_for, started
from robosac.peers.contender import Case
from robosac.peers.turns import Spread, Turn, interleave, paired_ratio

UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""What a processor may have that decides how fast products of matrices are."""
UPDATE_CASES = (
    Case("17 observations, 6 actions", 17, 6, 100_000),
    Case("112 observations, 8 actions", 112, 8, 100_000),
)
"""HalfCheetah's sizes, and those of the paper's Minitaur with its history."""
REPLAY_CASES = (
    *UPDATE_CASES,
    Case("84 x 84 pictures, 27 numbers", 27, 9, 10_000, side=84),
)


class Plan(msgspec.Struct, frozen=True):
    """How much is measured."""

    threads: int = 1
    rounds: int = 9
    """Turns of each that are kept."""
    updates: int = 40
    """Updates of one turn."""
    samples: int = 100
    """Batches of one turn, where replays are compared."""
    update_cases: tuple[Case, ...] = UPDATE_CASES
    replay_cases: tuple[Case, ...] = REPLAY_CASES


class Figures(msgspec.Struct, frozen=True):
    """Of one contender at one size."""

    rate: Spread
    """Updates, or batches drawn, a second."""
    rate_of_cpu: float
    """The same by a second of processor time, median: what others on this computer take is out."""
    busy_cores: float
    """Processor time by time, median: 1.0 is one core kept busy."""
    times_reference: float
    """As fast as the reference, so many times; median over rounds."""
    robosac_times: float
    """As fast as this one robosac is, so many times; median over rounds."""
    transition_bytes: int
    """Of its replay."""
    loaded_mb: float | None
    """Resident memory with libraries and networks, before the replay was filled; 1e6 bytes."""
    resident_mb: float | None
    """Resident memory after the turns; none: this system does not tell."""


class Row(msgspec.Struct, frozen=True):
    """One size."""

    case: Case
    reference: str
    contenders: dict[str, Figures]
    failed: dict[str, str]
    """Who is installed but did not work, and its own last words."""


class Report(msgspec.Struct, frozen=True):
    """Everything that was measured, and where."""

    machine: dict[str, Any]
    versions: dict[str, str]
    threads: int
    held_to_cores: list[int]
    """By number; empty: this system does not hold a process to some."""
    rounds: int
    missing: dict[str, str]
    """Who is not installed, and what to install."""
    updates: list[Row]
    replays: list[Row]


class Playing(Protocol):
    """A contender as its conductor has it; see `robosac.peers.conductor.Player`."""

    resident_bytes: int

    def ready(self) -> Ready:
        """Make it and fill its replay."""
        ...

    def play(self, count: int) -> Turn:
        """Let it work for a turn."""
        ...


StartPlayer = Callable[[Start], AbstractContextManager[Playing]]
"""Starts a contender, which ends with the block."""


def compare(
    plan: Plan, tell: Callable[[str], None], start_player: StartPlayer | None = None
) -> Report:
    """Measure everybody who is installed.

    Args:
        plan: how much.
        tell: is told what happens, a line at a time.
        start_player: None: in processes held to as many processors as there are threads.

    Raises:
        PeerFailed: robosac itself did, or somebody in the middle of its turns.
    """
    cores = cores_for(plan.threads)

    def process(start: Start) -> AbstractContextManager[Playing]:
        return started(start, plan.threads)

    def rows(kind: str, peers: Sequence[Peer], cases: Sequence[Case], count: int) -> list[Row]:
        names = [peer.name for peer in catalogue.installed(peers)]
        found: list[Row] = []
        for case in cases:
            tell(f"{kind}s, {case.name}")
            starts = [Start(kind, name, case, cores) for name in names]
            found.append(_row(starts, count, plan.rounds, tell, start_player or process))
        return found

    return Report(
        machine=machine(),
        versions=catalogue.versions(),
        threads=plan.threads,
        held_to_cores=cores,
        rounds=plan.rounds,
        missing={p.name: p.distribution for p in catalogue.missing(catalogue.LEARNERS)},
        updates=rows("learner", catalogue.LEARNERS, plan.update_cases, plan.updates),
        replays=rows("replay", catalogue.REPLAYS, plan.replay_cases, plan.samples),
    )


def machine() -> dict[str, Any]:
    """What a reader must know of this computer to judge its figures."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    told = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    flags = told.get("flags", "").split()
    return {
        "processor": told.get("model name", platform.machine()),
        "units": [unit for unit in UNITS if unit in flags],
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _row(
    starts: Sequence[Start],
    count: int,
    rounds: int,
    tell: Callable[[str], None],
    start_player: StartPlayer,
) -> Row:
    failed: dict[str, str] = {}
    players: dict[str, Playing] = {}
    told: dict[str, Ready] = {}
    with ExitStack() as stack:
        for start in starts:
            name, player = start.name, stack.enter_context(start_player(start))
            try:
                told[name] = player.ready()
                # Here compilers do their work, and another version's surprises show.
                player.play(count)
            except PeerFailed as error:
                if name == OURS:
                    raise
                failed[name] = str(error)
                tell(f"  {error}")
                continue
            players[name] = player
            tell(f"  {name} is ready")
        turns = _turns(players, count, rounds, tell)
        memory = {name: each.resident_bytes for name, each in players.items()}
    reference = next(name for name in (REFERENCE, PLAIN, OURS) if name in turns)
    contenders = {
        name: _figures(turns, name, reference, told[name], memory[name]) for name in turns
    }
    return Row(starts[0].case, reference, contenders, failed)


def _turns(
    players: Mapping[str, Playing], count: int, rounds: int, tell: Callable[[str], None]
) -> dict[str, list[Turn]]:
    newest: dict[str, float] = {}

    def player(name: str, playing: Playing) -> Callable[[int], Turn]:
        def play(count: int) -> Turn:
            turn = playing.play(count)
            newest[name] = turn.seconds
            return turn

        return play

    def after_round(number: int) -> None:
        left = (rounds - number) * sum(newest.values())
        tell(f"  {number} of {rounds} rounds, about {left:.0f} s left")

    each = {name: player(name, playing) for name, playing in players.items()}
    return interleave(each, rounds, count, after_round=after_round)


def _figures(
    turns: Mapping[str, Sequence[Turn]], name: str, reference: str, told: Ready, resident: int
) -> Figures:
    own = turns[name]
    return Figures(
        rate=Spread.of([turn.rate for turn in own]),
        rate_of_cpu=statistics.median(turn.count / turn.cpu_seconds for turn in own),
        busy_cores=statistics.median(turn.cpu_seconds / turn.seconds for turn in own),
        times_reference=paired_ratio(own, turns[reference]),
        robosac_times=paired_ratio(turns[OURS], own),
        transition_bytes=told.transition_bytes,
        loaded_mb=told.loaded_bytes / 1e6 if told.loaded_bytes else None,
        resident_mb=resident / 1e6 if resident else None,
    )
