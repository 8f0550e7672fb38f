"""The stop socket: trips while nobody ticks, refuses what is old or nonsense, and never blocks."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from robosac.hal import Drive
from robosac.stop_socket import MAX_LINE, StopServer, ask
from tests.robosac.executor_rig import Rig

WAIT_S = 20.0


class Served:
    """An armed executor that nobody ticks, behind its socket."""

    def __init__(self, folder: Path) -> None:
        self.rig, self.path = Rig().armed(), folder / "s"
        self.server = StopServer(self.path, self.rig.gate, self.rig.executor, epoch=7)

    def ask(self, **order: object) -> dict[str, object]:
        return ask(self.path, order, WAIT_S)


@pytest.fixture
def served() -> Iterator[Served]:
    # Not pytest's folder: the path of a socket must be short.
    with tempfile.TemporaryDirectory() as folder:
        one = Served(Path(folder))
        yield one
        one.server.close()
        one.server.close()
        assert not one.path.exists()
    assert "stop-socket" not in {thread.name for thread in threading.enumerate()}


def test_a_trip_counts_at_once_and_off_is_said_only_when_it_is(served: Served) -> None:
    said = served.ask(do="trip", reason="me")
    assert (said["tripped"], said["reason"], said["torque_off"]) == (True, "me", False)
    assert served.rig.gate.reason == "me"
    assert served.rig.robot.drive is Drive.POSITION
    served.rig.executor.tick()
    said = served.ask(do="status")
    assert (said["torque_off"], said["safety"], said["epoch"]) == (True, "fault", 7)
    assert said["faults"] == [{"id": 1, "name": "estop", "source": "gate"}]


def test_off_is_not_said_when_it_was_not_read_back(served: Served) -> None:
    served.rig.robot.stops = False
    served.ask(do="trip")
    for _ in range(3):
        served.rig.executor.tick()
        assert served.ask(do="status")["torque_off"] is False
    # A tripped gate does not rest until it is.
    served.rig.robot.stops = True
    served.rig.executor.tick()
    assert served.ask(do="status")["torque_off"] is True


def test_reset_and_clear_are_for_the_present_epoch_and_move_nothing(served: Served) -> None:
    served.ask(do="trip")
    served.rig.executor.tick()
    for order in ({"do": "reset"}, {"do": "clear", "name": "estop"}):
        for epoch in (None, 6, 8):
            with pytest.raises(ValueError, match="robot's is 7"):
                served.ask(**order, epoch=epoch)
    assert served.rig.gate.tripped
    served.ask(do="clear", name="estop", epoch=7)
    served.rig.executor.tick()
    assert served.ask(do="status")["safety"] == "fault"
    assert served.ask(do="reset", epoch=7)["tripped"] is False
    served.rig.run(3)
    assert served.rig.executor.safety.value == "fault"
    served.ask(do="clear", name="estop", epoch=7)
    served.rig.run(3)
    assert served.rig.executor.safety.value == "disarmed"
    assert served.rig.robot.drive is Drive.STOP


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"[]\n", b'{"do":"drive"}\n', b'{"do":"trip","x":1}\n', b"\xff\n"]
)
def test_nonsense_is_refused_and_trips_nothing(served: Served, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(served.path))
        client.sendall(line)
        assert b'"error"' in client.recv(MAX_LINE)
    assert not served.rig.gate.tripped


def test_a_client_that_says_nothing_or_too_much_delays_nobody(served: Served) -> None:
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as loud:
        for client in (silent, loud):
            client.settimeout(WAIT_S)
            client.connect(str(served.path))
        silent.sendall(b'{"do":')
        loud.sendall(b"x" * (MAX_LINE + 1))
        assert served.ask(do="trip")["tripped"] is True
        # Both are let go: the one at once, the other after a while.
        with pytest.raises((ConnectionError, AssertionError)):
            assert loud.recv(1) != b""
        assert silent.recv(1) == b""


def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(tmp_path / "none", {"do": "status"}, 0.1)


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"{folder}/s")
        deaf.listen()
        with pytest.raises(TimeoutError):
            ask(Path(folder) / "s", {"do": "status"}, 0.05)


def test_orders_are_small() -> None:
    assert len(msgspec.json.encode({"do": "trip", "reason": "x" * 500})) < MAX_LINE
