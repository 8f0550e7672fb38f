"""Many ends of a program, through a cable that loses messages: is a motor left driving?

    python -m tests.sweeps.torque_off --exits 10000

from the repository's root. Every row below has so many ends: returns, exceptions, SystemExit, and
interrupts by a real signal at a random use of the wire, every other one followed by a second while
the motors are being stopped. The firmware runs in virtual time. Then real processes on a
pseudo-terminal are ended by SIGINT and SIGTERM. Exit code 0 only if no motor was left driving.
"""

from __future__ import annotations

import argparse
import enum
import json
import math
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from drivers.errors import DriverError
from drivers.powered import powered
from tests.sweeps.ended_processes import Ended, end_processes
from tests.sweeps.torque_rows import ROWS, Row

LOSSES = (0.01, 0.1)
MOST_TICKS = 6
ENGAGE_USES, TICK_USES, STOP_USES = 60, 12, 12
"""How often the wire is used meanwhile, about: a signal comes at any of them."""


class Way(enum.Enum):
    """How the block is left."""

    RETURN = "return"
    EXCEPTION = "exception"
    INTERRUPT = "interrupt"
    EXIT = "exit"


class Planned(RuntimeError):
    """The exception of `Way.EXCEPTION`."""


@dataclass
class Count:
    """What became of the motors at the ends of one kind."""

    exits: int = 0
    driven: int = 0
    """Ends at which a motor was driving when the block was left."""
    interrupted: int = 0
    """Ends by KeyboardInterrupt."""
    left_driving: int = 0
    """Ends after which a motor was still driving."""
    unconfirmed: int = 0
    """Ends after which an error named motors."""
    held_back: int = 0
    """Signals that came while stopping."""


class Signals:
    """Real signals to this process at random uses of a wire: one, and perhaps a second."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.fired = self.stopping = False
        self.held_back = 0
        self._rng = rng
        self._uses_left = math.inf

    def within(self, uses: int) -> None:
        """One of the next `uses` of the wire brings a signal."""
        self._uses_left = int(self._rng.integers(1, uses + 1))

    def fire(self) -> None:
        """Now; and perhaps again before long."""
        self._uses_left = math.inf
        if not self.fired and self._rng.random() < 0.5:
            self.within(STOP_USES)
        self.fired = True
        self.held_back += self.stopping
        signal.raise_signal(signal.SIGTERM if self._rng.random() < 0.5 else signal.SIGINT)

    def __call__(self) -> None:
        self._uses_left -= 1
        if self._uses_left == 0:
            self.fire()


def end_once(row: Row, way: Way, loss: float, rng: np.random.Generator, count: Count) -> None:
    """Switch the motors on, leave the block in the given way, and look at the motors."""
    signals = Signals(rng)
    row.wire.notice = signals
    row.lose(loss)
    count.exits += 1
    early = rng.random() < 0.3
    try:
        with powered(row.bus):
            try:
                if way is Way.INTERRUPT and early:
                    signals.within(ENGAGE_USES)
                row.engage()
                if way is Way.INTERRUPT and not early:
                    signals.within(TICK_USES)
                for _ in range(int(rng.integers(MOST_TICKS))):
                    row.tick()
                leave(way, signals)
            finally:
                count.driven += row.driving() > 0
                signals.stopping = True
    except (Planned, SystemExit):
        pass
    except KeyboardInterrupt:
        count.interrupted += 1
    except DriverError as error:
        # The cable may be too bad to engage the motors; that is another way out.
        count.unconfirmed += "cut their power" in str(error)
    finally:
        row.wire.notice = lambda: None
        row.lose(0.0)
    count.held_back += signals.held_back
    count.left_driving += row.driving() > 0
    assert row.bus.stop_all(3) == [], "without loss they can always be stopped"


def leave(way: Way, signals: Signals) -> None:
    """The end of a block."""
    if way is Way.INTERRUPT and not signals.fired:
        signals.fire()
    if way is Way.EXCEPTION:
        raise Planned
    if way is Way.EXIT:
        raise SystemExit(1)


def end_many(
    kind: str, loss: float, exits: int, seed: int, say: Callable[[str], object]
) -> dict[Way, Count]:
    """`exits` ends of a program with motors of one kind, the four ways in turn."""
    rng = np.random.default_rng(seed)
    row, counts = ROWS[kind](rng), {way: Count() for way in Way}
    began = time.monotonic()
    for number in range(exits):
        way = list(Way)[number % len(Way)]
        end_once(row, way, loss, rng, counts[way])
        if number % 50 == 49 or number == exits - 1:
            left = (time.monotonic() - began) / (number + 1) * (exits - number - 1)
            driving = sum(count.left_driving for count in counts.values())
            say(
                f"\r{kind}, {loss:.0%} lost: {number + 1:,} of {exits:,} ends, "
                f"{driving} left driving, {left:.0f} s left "
            )
    say("\n")
    return counts


def interrupted(number: int, frame: FrameType | None) -> None:
    """A signal as an exception."""
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exits", type=int, default=10_000, help="for each kind and loss")
    parser.add_argument("--processes", type=int, default=24, help="for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    # Both: a process of the background is born with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    say = sys.stderr.write
    rows: list[Mapping[str, object]] = []
    left = 0
    for kind in ROWS:
        for loss in LOSSES:
            for way, count in end_many(kind, loss, options.exits, options.seed, say).items():
                rows.append({"motors": kind, "loss": loss, "way": way.value} | vars(count))
                left += count.left_driving
    for kind in ROWS:
        ended: Ended = end_processes(kind, options.processes, options.seed, say)
        rows.append({"motors": kind, "way": "process"} | vars(ended))
        left += ended.left_driving
    text = json.dumps(rows, indent=1)
    sys.stdout.write(text + "\n")
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if left == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
