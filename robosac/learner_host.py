"""A learner and everything around it: its inbox, the server its actors come to, its traces.

Knows no torch: what makes a learner is handed in. Nothing here acts on a robot; all that a learner
can do to one is offer a policy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from robosac.errors import RobosacError, RunFolderError, StoreBusy
from robosac.experience import make_replay
from robosac.files import write_whole
from robosac.learner_board import Board
from robosac.learner_service import LearnerService
from robosac.learner_session import Session
from robosac.learning import Learner, Learning
from robosac.link.addresses import Address
from robosac.link.key_folder import KeyFolder
from robosac.link.peers import LOCAL
from robosac.link.server import LinkServer
from robosac.link.session import Session as Connection
from robosac.messages import LearnerMeans
from robosac.observation import Spaces
from robosac.policy_shelf import PolicyShelf
from robosac.runs import RunFolder
from robosac.schema import Schema
from robosac.settings import TrainConfig
from robosac.store.inbox import Inbox
from robosac.store.inbox_thread import InboxThread
from robosac.told_spaces import spaces_of

INBOX, SCHEMA, POLICIES = "inbox.sqlite", "schema.json", "policies"
BUSY_S: Final = 20.0
"""Longest wait for the learner before this one to let go of the inbox."""
START_S: Final = 120.0
"""Longest time that making a learner may take."""
LOOK_S: Final = 0.2
LAST_WORDS_S: Final = 1.0
"""Time for every session to tell why it is over."""


class Witness(Protocol):
    """What is told to people."""

    def listening(self, address: Address) -> None:
        """Actors may come."""
        ...

    def means(self, means: LearnerMeans) -> None:
        """What the newest updates saw."""
        ...

    def look(self, board: Board, step: int) -> None:
        """Called now and then."""
        ...


class Listener:
    """The service of `robosac.link.server`: a `Session` for each robot's connection."""

    def __init__(self, run: str, lockstep: bool, board: Board, inbox: InboxThread) -> None:
        self._run, self._lockstep, self._board, self._inbox = run, lockstep, board, inbox

    def session(self, session: Connection) -> None:
        """Talk with a robot."""
        name = None if session.peer.name == LOCAL else session.peer.name
        Session(session, name, self._run, self._lockstep, self._board, self._inbox).run()

    def watch(self, session: Connection) -> None:
        """Tell a viewer how far the learner is, in JSON, until it goes."""
        while not session.closed:
            standing = self._board.standing()
            told = {
                "actors": self._board.actors,
                "learned": {name.hex(): last for name, last in standing.learned.items()},
                "updates": standing.updates,
                "owed": standing.owed,
                "replay_bytes": standing.replay_bytes,
            }
            session.send(msgspec.json.encode(told))
            session.wait(1.0)


def host(
    run: RunFolder,
    address: Address,
    keys: KeyFolder | None,
    make: Callable[[TrainConfig, Spaces], Learner],
    witness: Witness,
    stopped: Callable[[], bool],
) -> None:
    """Learn from every actor that comes to `address`, until told to stop.

    Raises:
        RobosacError, OSError: see `robosac.learner_service.LearnerService.run`, store and link.
    """
    board = Board(time.monotonic)
    known = _read_schema(run.path)
    if known is not None:
        board.agree(known)
    inbox = _open_inbox(run.path / INBOX, stopped)
    try:
        name = f"{run.created:%Y%m%d-%H%M%S-%f}"
        listener = Listener(name, run.config.learner_process.lockstep, board, inbox)
        server = LinkServer(address, keys, listener)
        server.start()
        try:
            witness.listening(server.address)
            board.tell_busy("starting", START_S)
            schema = _await_schema(run.path, board, stopped)
            if schema is not None:
                _learn(run, schema, inbox, board, make, witness, stopped)
        except (RobosacError, OSError) as error:
            # A new start would not help: the actors are told before it is raised.
            board.fail(" ".join(str(error).split()))
            time.sleep(LAST_WORDS_S)
            raise
        finally:
            server.close()
    finally:
        inbox.close()


def _learn(
    run: RunFolder,
    schema: Schema,
    inbox: InboxThread,
    board: Board,
    make: Callable[[TrainConfig, Spaces], Learner],
    witness: Witness,
    stopped: Callable[[], bool],
) -> None:
    spaces = spaces_of(schema)
    replay = make_replay(run.config, spaces)
    learning = Learning(run.config, make(run.config, spaces), replay)
    shelf = PolicyShelf(run.path / POLICIES, schema)

    def looked() -> bool:
        witness.look(board, learning.step)
        return stopped()

    try:
        LearnerService(run, learning, inbox, shelf.publish, board, witness.means).run(looked)
    finally:
        learning.close()


def _open_inbox(path: Path, stopped: Callable[[], bool]) -> InboxThread:
    """The inbox, once whoever had it before has let go of it."""
    end = time.monotonic() + BUSY_S
    while True:
        try:
            return InboxThread(lambda: Inbox(path))
        except StoreBusy:
            if time.monotonic() >= end or stopped():
                raise
            time.sleep(LOOK_S)


def _await_schema(folder: Path, board: Board, stopped: Callable[[], bool]) -> Schema | None:
    """What is learned from, once the first actor has said; kept for the next start."""
    while (schema := board.schema()) is None:
        if stopped():
            return None
        board.wait(LOOK_S)
    if not (folder / SCHEMA).exists():
        write_whole(folder / SCHEMA, msgspec.json.format(msgspec.json.encode(schema)))
    return schema


def _read_schema(folder: Path) -> Schema | None:
    file = folder / SCHEMA
    try:
        return parse_schema(file.read_bytes()) if file.exists() else None
    except RunFolderError as error:
        raise RunFolderError(f"{file}: {error}") from error


def parse_schema(data: bytes) -> Schema:
    """A schema as it is kept. Raises RunFolderError: it is none."""
    try:
        return msgspec.json.decode(data, type=Schema)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFolderError(f"this is no schema: {error}") from error
