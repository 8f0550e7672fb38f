"""The learner as a child of its actor: `python -m robosac.learner_process RUN unix:SOCKET`.

It leaves when the actor does, whose end of its standard input then closes.
"""

from __future__ import annotations

import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from robosac.errors import RobosacError
from robosac.learner_board import Board
from robosac.learner_host import host
from robosac.learning import Learner
from robosac.link.addresses import Address, parse_address
from robosac.messages import LearnerMeans
from robosac.observation import Spaces
from robosac.runs import RunFolder
from robosac.settings import TrainConfig
from robosac.stand_back import stand_back


class Silent:
    """Nobody watches a child: its actor tells what it tells."""

    def listening(self, address: Address) -> None:
        """See `robosac.learner_host.Witness`."""

    def means(self, means: LearnerMeans) -> None:
        """See `robosac.learner_host.Witness`."""

    def look(self, board: Board, step: int) -> None:
        """See `robosac.learner_host.Witness`."""


def main(make: Callable[[TrainConfig, Spaces], Learner], folder: Path, address: str) -> int:
    """Learn until the actor goes, or SIGTERM; errors go to standard error, a log of the run."""
    # Ctrl-C is for the actor, which stops the robot first and then says what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    stand_back()
    try:
        run = RunFolder.open(folder)
        host(run, parse_address(address), None, make, Silent(), lambda: told.is_set() or _alone())
    except (RobosacError, OSError):
        sys.stderr.write(time.strftime("%Y-%m-%d %H:%M:%S\n"))
        traceback.print_exc()
        return 1
    return 0


def _alone() -> bool:
    """Whether the actor has gone: nothing is ever written to standard input."""
    return bool(select.select([0], [], [], 0.0)[0])


if __name__ == "__main__":
    from robosac.learners import make_learner

    if len(sys.argv) != 3:
        sys.exit("usage: python -m robosac.learner_process RUN unix:SOCKET (started by an actor)")
    sys.exit(main(make_learner, Path(sys.argv[1]), sys.argv[2]))
