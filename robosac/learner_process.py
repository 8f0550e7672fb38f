"""The learner as a process of its own: `python -m robosac.learner_process RUN`.

Its standard input is a socket to the actor, which starts it. The only one of the two that imports
torch. It leaves when the actor does, and never opens a robot.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

from robosac.errors import LinkError, RobosacError
from robosac.experience import make_replay
from robosac.learner_loop import Learner, LearnerLoop
from robosac.messages import VERSION, Begin, Failed, decode_to_learner, encode
from robosac.observation import IMAGE, Spaces
from robosac.runs import RunFolder
from robosac.settings import TrainConfig
from robosac.stream import Stream

NICE = 10
"""Added to this process' niceness: learning must never starve the control loop."""
AUTOGROUP = Path("/proc/self/autogroup")
BEGIN_S = 30.0
"""Longest wait for the actor's first message."""
LAST_WORDS_S = 2.0


@dataclass(frozen=True, slots=True)
class ToldSpaces:
    """What the actor's environment shows and takes, as it told."""

    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]


def spaces_of(begin: Begin) -> ToldSpaces:
    """The spaces whose shapes a message holds."""
    told = begin.observation
    if isinstance(told, dict):
        seen: gymnasium.Space[Any] = Dict({name: _box(name, s) for name, s in told.items()})
    else:
        seen = _box("", told)
    return ToldSpaces(seen, Box(-1.0, 1.0, begin.action, np.float32))


def serve(
    connection: socket.socket,
    folder: Path,
    make: Callable[[TrainConfig, Spaces], Learner],
) -> None:
    """Be the learner of a run at the end of `connection` until the actor stops or goes.

    What cannot be helped by a new start (a damaged checkpoint, a transition that must not be
    learned from, a full disk) is told to the actor before it is raised.

    Raises:
        RobosacError, OSError: see `LearnerLoop.run`.
    """
    stream = Stream(connection)
    try:
        run = RunFolder.open(folder)
        spaces = spaces_of(_begin(stream))
        replay = make_replay(run.config, spaces)
        LearnerLoop(stream, run, make(run.config, spaces), replay).run()
    except LinkError:
        raise
    except (RobosacError, OSError) as error:
        stream.send(encode(Failed(message=" ".join(str(error).split()))))
        stream.wait(LAST_WORDS_S)
        raise
    finally:
        stream.close()


def main(make: Callable[[TrainConfig, Spaces], Learner], folder: Path) -> int:
    """Run `serve` on standard input; errors go to standard error, a log of the run."""
    # Ctrl-C is for the actor, which stops the robot first and then says what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _yield_to_control()
    try:
        serve(socket.socket(fileno=os.dup(0)), folder, make)
    except (RobosacError, OSError):
        traceback.print_exc()
        return 1
    return 0


def _yield_to_control() -> None:
    """Run behind whoever drives the robot.

    Linux gives every session a share of the processor of its own (sched(7), autogroup), and
    niceness counts only within it. The actor starts the learner in a new session, whose share is
    lowered too; a shell's, where somebody starts it by hand, is left alone.
    """
    os.nice(NICE)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            AUTOGROUP.write_text(f"{NICE}", encoding="ascii")


def _begin(stream: Stream) -> Begin:
    payloads: list[bytes] = []
    while not payloads and not stream.closed:
        stream.wait(BEGIN_S)
        payloads = stream.receive()
        if not payloads and not stream.closed:
            raise LinkError(f"the actor said nothing in {BEGIN_S:g} s")
    message = decode_to_learner(payloads[0]) if len(payloads) == 1 else None
    if not isinstance(message, Begin):
        raise LinkError("the actor did not begin as agreed")
    if message.version != VERSION:
        raise LinkError(f"the actor speaks version {message.version}, this learner {VERSION}")
    return message


def _box(name: str, shape: tuple[int, ...]) -> Box:
    if name == IMAGE:
        return Box(0, 255, shape, np.uint8)
    return Box(-np.inf, np.inf, shape, np.float32)


if __name__ == "__main__":
    from robosac.learners import make_learner

    if len(sys.argv) != 2:
        sys.exit("usage: python -m robosac.learner_process RUN (started by robosac train --async)")
    sys.exit(main(make_learner, Path(sys.argv[1])))
