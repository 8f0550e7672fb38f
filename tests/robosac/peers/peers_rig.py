"""Contenders that take as long as they are told, on a clock of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from robosac.errors import NativeUnavailable, PeerFailed
from robosac.peers.catalogue import make
from robosac.peers.child import Ready, Start
from robosac.peers.comparison import Plan, Report, compare
from robosac.peers.contender import Case, transitions
from robosac.peers.turns import Turn, timed

TINY = Case("5 observations, 2 actions", 5, 2, rows=60, batch=8, hidden=(8, 8))
PICTURES = Case("6 x 6 pictures, 3 numbers", 3, 2, rows=30, batch=4, hidden=(8, 8), side=6)
PLAN = Plan(rounds=3, updates=4, samples=4, update_cases=(TINY,), replay_cases=(TINY, PICTURES))


@dataclass
class FakePlayer:
    """Takes `seconds` for each update, and half of that in processor time."""

    seconds: float
    fails: str = ""
    resident_bytes: int = 0
    turns: int = 0

    def ready(self) -> Ready:
        """See `robosac.peers.conductor.Player`."""
        if self.fails:
            raise PeerFailed(self.fails)
        return Ready(transition_bytes=100, loaded_bytes=2_000_000)

    def play(self, count: int) -> Turn:
        """See `robosac.peers.conductor.Player`."""
        self.turns += 1
        self.resident_bytes = 3_000_000 + self.turns
        return Turn(count, count * self.seconds, 0.5 * count * self.seconds)


class HerePlayer:
    """A contender in this process: what it does is real, its speed is not its own."""

    def __init__(self, start: Start) -> None:
        self.resident_bytes = 0
        self._start, self._case = start, start.case

    def ready(self) -> Ready:
        """See `robosac.peers.conductor.Player`."""
        try:
            self._contender = make(self._start.kind, self._start.name, self._case)
        except NativeUnavailable as error:
            raise PeerFailed(f"{self._start.name}: {error}") from error
        self._contender.fill(transitions(self._case))
        return Ready(self._contender.transition_bytes(), 0)

    def play(self, count: int) -> Turn:
        """See `robosac.peers.conductor.Player`."""
        return timed(self._contender.run)(count)


@contextmanager
def here(start: Start, threads: int) -> Iterator[HerePlayer]:
    """Stands in for `robosac.peers.conductor.started` where processes are not what is tested."""
    assert threads > 0
    yield HerePlayer(start)


@dataclass
class FakeStage:
    """Starts players, and knows what became of them."""

    seconds: dict[str, float]
    fails: dict[str, str] = field(default_factory=dict)
    started: list[Start] = field(default_factory=list)
    open: int = 0

    @contextmanager
    def start(self, start: Start) -> Iterator[FakePlayer]:
        """See `robosac.peers.comparison.StartPlayer`."""
        self.started.append(start)
        self.open += 1
        try:
            yield FakePlayer(self.seconds[start.name], self.fails.get(start.name, ""))
        finally:
            self.open -= 1

    def report(self, plan: Plan = PLAN) -> Report:
        """A whole comparison, with nobody told."""
        return compare(plan, lambda line: None, self.start)


EVERYBODY = {
    "robosac": 0.001,
    "robosac, native core": 0.0004,
    "stable-baselines3": 0.004,
    "plain PyTorch": 0.005,
    "SBX": 0.002,
    "SBX, 20 a call": 0.0005,
    "TorchRL": 0.008,
}
"""Seconds of an update."""
