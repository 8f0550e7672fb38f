"""Actor and rehearsal talking: typed lines, a file handed over, and an end that is noticed."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from robosac.errors import RobotError
from robosac.rehearsal.cases import Spoil
from robosac.rehearsal.link import (
    MOST_BYTES,
    Acting,
    FromActor,
    Go,
    Hello,
    Line,
    Listener,
    Ready,
    SpoilGoals,
    ToActor,
    call,
)

HELLO = Hello(executor_pid=7, period_s=0.005, tilt_limit=0.9, joints=8, warnings=("slow",))
PATIENCE_S = 20.0
Ends = tuple[Line[ToActor], Line[FromActor]]


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    listener = Listener(tmp_path / "control")
    actor = call(tmp_path / "control", PATIENCE_S)
    rehearsal = listener.accept(PATIENCE_S)
    assert rehearsal is not None
    yield actor, rehearsal
    actor.close()
    rehearsal.close()
    listener.close()
    assert not (tmp_path / "control").exists()


def test_messages_go_both_ways(ends: Ends) -> None:
    actor, rehearsal = ends
    actor.send(Ready(time=1.5, faults=("bus_dead",)))
    actor.send(Acting(time=2.0))
    assert rehearsal.receive(PATIENCE_S) == [
        Ready(time=1.5, faults=("bus_dead",)),
        Acting(time=2.0),
    ]
    rehearsal.send(Go())
    rehearsal.send(SpoilGoals(how=Spoil.NAN))
    assert actor.receive(PATIENCE_S) == [Go(), SpoilGoals(how=Spoil.NAN)]
    assert actor.receive() == []


def test_a_file_comes_with_the_first_message(ends: Ends) -> None:
    actor, rehearsal = ends
    memory = os.memfd_create("test")
    os.write(memory, b"shared")
    actor.send(HELLO, memory)
    actor.send(Acting(time=2.0))
    actor.send(Acting(time=3.0))
    assert rehearsal.first(PATIENCE_S) == HELLO
    # What came with it is not lost.
    assert rehearsal.receive(PATIENCE_S) == [Acting(time=2.0), Acting(time=3.0)]
    assert rehearsal.first(0.0) is None
    assert os.pread(rehearsal.descriptor, 6, 0) == b"shared"
    for handle in (memory, rehearsal.descriptor):
        os.close(handle)


def test_an_end_is_noticed(ends: Ends) -> None:
    actor, rehearsal = ends
    actor.send(Acting(time=2.0))
    actor.close()
    assert rehearsal.receive(PATIENCE_S) == [Acting(time=2.0)]
    assert rehearsal.closed
    with pytest.raises(RobotError, match="has gone"):
        rehearsal.send(Go())


@pytest.mark.parametrize(
    "line", [b"{}\n", b"nonsense\n", b'{"type":"Go"}\n', b'{"type":"Acting","time":1,"x":2}\n']
)
def test_what_is_no_message_is_refused(tmp_path: Path, line: bytes) -> None:
    listener = Listener(tmp_path / "control")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.connect(str(tmp_path / "control"))
        rehearsal = listener.accept(PATIENCE_S)
        assert rehearsal is not None
        stranger.sendall(line)
        with pytest.raises(RobotError, match="no message"):
            rehearsal.receive(PATIENCE_S)
        rehearsal.close()
    listener.close()


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "control")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.connect(str(tmp_path / "control"))
        talk = threading.Thread(target=shout, args=(stranger,))
        rehearsal = listener.accept(PATIENCE_S)
        assert rehearsal is not None
        talk.start()
        with pytest.raises(RobotError, match="bytes in a line"):
            listen(rehearsal)
        rehearsal.close()
        with contextlib.suppress(ConnectionError):
            stranger.shutdown(socket.SHUT_RDWR)
        talk.join()
    listener.close()


def shout(stranger: socket.socket) -> None:
    """Say more than may be said, until the other end has gone."""
    with contextlib.suppress(ConnectionError):
        stranger.sendall(b"x" * (2 * MOST_BYTES))


def listen(line: Line[FromActor]) -> None:
    """Hear everything for a while."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        line.receive(0.1)


def test_nobody_calls(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "control")
    assert listener.accept(0.01) is None
    listener.close()
    with pytest.raises(OSError, match="No such file"):
        call(tmp_path / "control", 0.1)
