"""What the rehearsal and its actor say to each other: lines of JSON over a Unix socket.

The actor's first message brings the executor's channel along as an open file, so that the rehearsal
reads the executor's own records, whatever becomes of the actor.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from robosac.errors import RobotError
from robosac.rehearsal.cases import Spoil

MOST_BYTES: Final = 1 << 20


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """Base of every message; its class name travels with it."""


class Hello(Message, frozen=True):
    """Actor, first: who is there."""

    executor_pid: int
    period_s: float
    tilt_limit: float | None
    """rad; None: a robot that cannot fall."""
    joints: int
    warnings: tuple[str, ...]


class Ready(Message, frozen=True):
    """Actor: the robot rests without torque, and waits to be set up."""

    time: float
    faults: tuple[str, ...]
    """Latched, to be cleared by name once it is set up."""


class Standing(Message, frozen=True):
    """Actor: the robot stands in its stance, and waits for its body to be let go."""

    time: float


class Resetting(Message, frozen=True):
    """Actor: it is armed, and on its way to where an episode begins."""

    time: float


class Acting(Message, frozen=True):
    """Actor: an episode has begun."""

    time: float


class Spoilt(Message, frozen=True):
    """Actor: the first goal of nonsense was put."""

    time: float


class Ended(Message, frozen=True):
    """Actor: an episode has ended."""

    time: float
    end: str


class Refused(Message, frozen=True):
    """Actor: the robot could not be set up."""

    time: float
    text: str


class Cleared(Message, frozen=True):
    """Actor: these faults were cleared."""

    names: tuple[str, ...]


class Progress(Message, frozen=True):
    """Actor: how learning goes."""

    time: float
    steps: int
    episodes: int
    policies: int
    """Policies that were taken over."""
    updates: int
    """Gradient updates of the learner."""
    stored: int
    """Transitions that the learner has."""
    learner: bool
    """Whether the learner answers."""
    learner_pid: int


class Go(Message, frozen=True):
    """Rehearsal: the robot is set up, and the causes of its faults were seen to."""


class LetGo(Message, frozen=True):
    """Rehearsal: the body is free."""


class SpoilGoals(Message, frozen=True):
    """Rehearsal: ask for nonsense until the episode ends, or for a second."""

    how: Spoil


class Finish(Message, frozen=True):
    """Rehearsal: switch torque off and end."""


FromActor = (
    Hello | Ready | Standing | Resetting | Acting | Spoilt | Ended | Refused | Cleared | Progress
)
ToActor = Go | LetGo | SpoilGoals | Finish
In = TypeVar("In", FromActor, ToActor)


class Line(Generic[In]):
    """One end of it.

    Args:
        connection: owned from now on.
        kind: what comes in.
        descriptor: a file that came with the first message; owned; -1: none.
    """

    def __init__(self, connection: socket.socket, kind: type[In]) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._decoder = msgspec.json.Decoder(kind)
        self._text = bytearray()
        self._unread: list[In] = []
        self.descriptor = -1
        self.closed = False

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """Send a message, with an open file if one is given.

        Raises:
            RobotError: the other end has gone, or does not listen.
        """
        data = msgspec.json.encode(message) + b"\n"
        try:
            if descriptor is not None:
                sent = socket.send_fds(self._socket, [data], [descriptor])
            else:
                sent = self._socket.send(data)
        except OSError as error:
            self.closed = True
            raise RobotError(f"the rehearsal's other end has gone: {error}") from error
        if sent != len(data):
            raise RobotError("the rehearsal's other end does not listen")

    def receive(self, timeout_s: float = 0.0) -> list[In]:
        """The messages that have come; waits for the first for at most `timeout_s`.

        Raises:
            RobotError: what came is no message.
        """
        if self._unread:
            unread, self._unread = self._unread, []
            return unread
        if self.closed or not select.select([self._socket], [], [], timeout_s)[0]:
            return []
        self._read()
        *lines, rest = self._text.split(b"\n")
        self._text = rest
        try:
            return [self._decoder.decode(line) for line in lines]
        except msgspec.DecodeError as error:
            raise RobotError(
                f"the rehearsal's other end says what is no message: {error}"
            ) from error

    def first(self, timeout_s: float) -> In | None:
        """Only the first of the messages that have come; `receive` gives the others.

        Raises:
            RobotError: what came is no message.
        """
        messages = self.receive(timeout_s)
        self._unread = messages[1:]
        return messages[0] if messages else None

    def close(self) -> None:
        """Safe to call twice."""
        self.closed = True
        self._socket.close()

    def _read(self) -> None:
        try:
            while len(self._text) <= MOST_BYTES:
                data, files, _, _ = socket.recv_fds(self._socket, 65536, 4)
                for file in files:
                    self._keep(file)
                if not data:
                    self.closed = True
                    return
                self._text += data
        except BlockingIOError:
            return
        except OSError:
            self.closed = True
            return
        raise RobotError(f"the rehearsal's other end says more than {MOST_BYTES} bytes in a line")

    def _keep(self, file: int) -> None:
        """The first file is wanted; no other is."""
        if self.descriptor < 0:
            self.descriptor = file
        else:
            os.close(file)


class Listener:
    """Where actors call in.

    Args:
        path: of the socket to make.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(str(path))
            path.chmod(0o600)
            self._socket.listen(1)
        except OSError:
            self._socket.close()
            raise

    def accept(self, timeout_s: float) -> Line[FromActor] | None:
        """The next actor; None: none called in time."""
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return None
        connection, _ = self._socket.accept()
        return Line(connection, FromActor)  # type: ignore[arg-type]

    def close(self) -> None:
        """Safe to call twice."""
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


def call(path: Path, timeout_s: float) -> Line[ToActor]:
    """An actor's end.

    Raises:
        OSError: nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return Line(connection, ToActor)  # type: ignore[arg-type]


def now() -> float:
    """The machine's monotonic clock, s: the same in every process."""
    return time.monotonic()
