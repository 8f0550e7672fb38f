"""Many times: the robot's or the learner's process is killed while rows go from store to store.

    python -m tests.sweeps.store_kills --kills 10000

from the repository's root. Every process is ended by SIGKILL at a random moment, its opening of the
store included, and started again. Exit code 0 only if nothing that was promised was lost, and
nothing is doubled, missing or corrupt at the end of each round.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from robosac.store.check import verify
from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox
from tests.sweeps.saying import say
from tests.sweeps.store_kill_ends import (
    ACTOR,
    INBOX,
    MOST_BYTES,
    OUTBOX,
    REPORT,
    learner,
    robot,
    row_bytes,
)

KILLS_A_ROUND = 200
SHORT_S, LONG_S, LONG_SHARE = 0.04, 0.3, 0.2
"""Most lives end while a store is opened or soon after; some see it at work for longer."""


@dataclass
class Tally:
    """What became of the kills."""

    kills: int = 0
    rows: int = 0
    """Rows that were committed by the robots."""
    lost: int = 0
    doubled: int = 0
    corrupt: int = 0
    problems: list[str] = field(default_factory=list[str])

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.corrupt or self.problems)


class End:
    """One of the two, started over again; what its store promised is remembered."""

    def __init__(self, run: Callable[[Path, int], None], folder: Path) -> None:
        self._run, self._folder, self._pid = run, folder, 0
        self._pipe, self._report = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._pipe, False)
        self.promised = self.saved = -1

    def start(self) -> None:
        """A fork, so that a life begins within milliseconds."""
        self._pid = os.fork()
        if self._pid:
            return
        try:
            self._run(self._folder, self._report)
        except BaseException:  # noqa: BLE001 (told; the parent sees how it ended)
            traceback.print_exc()
        finally:
            os._exit(70)

    def kill(self) -> str | None:
        """End it as nobody can prepare for; what was wrong with how it had ended, if it had."""
        os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        self.listen()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return None
        return f"{self._run.__name__} ended by itself with {os.waitstatus_to_exitcode(status)}"

    def listen(self) -> None:
        """Read what it promised."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._pipe, 4080):
                for promised, saved in REPORT.iter_unpack(data):
                    self.promised = max(self.promised, promised)
                    self.saved = max(self.saved, saved)

    def close(self) -> None:
        os.close(self._pipe)
        os.close(self._report)


def kill_round(folder: Path, kills: int, rng: random.Random, tally: Tally) -> None:
    """Kill `kills` times, and then look at what is in the two stores."""
    ends = [End(robot, folder), End(learner, folder)]
    try:
        for end in ends:
            end.start()
        for _ in range(kills):
            time.sleep(rng.uniform(0.0, LONG_S if rng.random() < LONG_SHARE else SHORT_S))
            end = rng.choice(ends)
            if wrong := end.kill():
                tally.problems.append(wrong)
            tally.kills += 1
            for other in ends:
                other.listen()
            end.start()
    finally:
        for end in ends:
            if wrong := end.kill():
                tally.problems.append(wrong)
    audit(folder, ends[0], ends[1], tally)
    for end in ends:
        end.close()


def audit(folder: Path, at_robot: End, at_learner: End, tally: Tally) -> None:
    """Let the learner get the rest, and hold every row against what it must be."""
    for name in (OUTBOX, INBOX):
        tally.problems += [f"{name}: {p}" for p in verify(folder / name).problems]
    outbox, inbox = Outbox(folder / OUTBOX), Inbox(folder / INBOX)
    last = outbox.next_sequence - 1
    hi = inbox.register(outbox.stream_id, ACTOR)
    tally.lost += max(0, at_robot.promised - last) + max(0, at_learner.promised - hi)
    if hi > last:
        tally.problems.append(f"the learner has row {hi}; the robot's last is {last}")
    if outbox.saved > at_learner.saved:
        tally.problems.append(f"row {outbox.saved} forgotten; saved are {at_learner.saved}")
    while hi < last:
        chunk = outbox.read(hi, MOST_BYTES)
        hi = inbox.accept(outbox.stream_id, chunk.first_sequence, chunk.rows)
    seen: list[int] = []
    after = -1
    while after < inbox.newest_arrival:
        for arrival in inbox.read(after, 1000, 4_000_000):
            after = arrival.arrival
            seen.append(arrival.sequence)
            good = arrival.data == row_bytes(outbox.stream_id, arrival.sequence)
            tally.corrupt += not good
    tally.rows += last + 1
    tally.doubled += len(seen) - len(set(seen))
    tally.lost += last + 1 - len(set(seen))
    if seen != sorted(seen):
        tally.problems.append("rows arrived out of order")
    outbox.close()
    inbox.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, tally, began = random.Random(options.seed), Tally(), time.monotonic()
    while tally.kills < options.kills:
        with tempfile.TemporaryDirectory() as folder:
            few = min(KILLS_A_ROUND, options.kills - tally.kills)
            kill_round(Path(folder), few, rng, tally)
        spent = time.monotonic() - began
        left = spent / tally.kills * (options.kills - tally.kills)
        say(
            f"\r{tally.kills} kills, {tally.rows} rows, clean: {tally.clean}, {left:.0f} s left ",
            end="",
        )
    say(
        f"\n{tally.kills} kills in {time.monotonic() - began:.0f} s, {tally.rows} rows committed:"
        f" lost {tally.lost}, doubled {tally.doubled}, corrupt {tally.corrupt}"
    )
    for problem in tally.problems[:20]:
        say(problem)
    return 0 if tally.clean else 1


if __name__ == "__main__":
    sys.exit(main())
