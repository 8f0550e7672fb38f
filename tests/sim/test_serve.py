"""A served twin: another process, real ports, real time, the same bytes; and faults on request."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.errors import WireClosed
from drivers.moteus import MoteusBus, PositionCommand, Stop
from drivers.vectornav.port import VectorNavPort
from drivers.wire import SerialWire
from sim.camera_port import CameraPort
from sim.fault_spec import FaultSpecError
from sim.minitaur import MinitaurTwin, TwinOptions
from sim.pty_port import PtyPort
from sim.serve import Server
from sim.served import ServedTwin, ServeError, served
from sim.wire_framing import LINES
from sim.worlds import WORLDS, World, WorldPort, make_world

pytestmark = pytest.mark.realtime

PATIENCE_S = 20.0
EXCHANGE_S = 0.5
"""Much longer than an exchange takes even on a computer that is busy."""
SLACK_S = 0.2
"""How far a twin may lag when it answers; one at half or twice the speed is farther off."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ports")


@pytest.fixture(scope="module")
def twin(folder: Path) -> Iterator[ServedTwin]:
    with served("minitaur", seed=3, link=folder) as twin:
        yield twin


@pytest.fixture
def bus(twin: ServedTwin) -> Iterator[MoteusBus]:
    bus = MoteusBus(SerialWire(twin.path("legs"), 921600), range(1, 9), time.monotonic)
    yield bus
    bus.close()
    twin.ask("faults")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came to that"


def stop(bus: MoteusBus) -> np.ndarray:
    return bus.exchange(Stop(), time.monotonic() + EXCHANGE_S).valid


def test_our_drivers_reach_the_twin(twin: ServedTwin, bus: MoteusBus) -> None:
    assert stop(bus).all()
    imu = VectorNavPort(SerialWire(twin.path("imu"), 921600), time.monotonic)
    imu.configure(divisor=4)
    until(lambda: imu.poll() is not None)
    imu.close()


def test_the_bytes_are_those_of_virtual_time(twin: ServedTwin) -> None:
    """Of a robot at rest: identity and mode do not depend on when they are asked for."""
    here = MinitaurTwin(TwinOptions())
    wire = SerialWire(twin.path("legs"), 921600)
    for line in (b"can send 8003 1100\n", b"can send 8007 1a800216a002\n", b"can bad\n"):
        here.legs.write(line)
        expected = here.legs.drain()
        wire.write(line)
        answer = b""
        while len(answer) < len(expected):
            more = wire.read(time.monotonic() + PATIENCE_S)
            assert more, answer
            answer += more
        assert answer == expected
    wire.close()


def test_it_keeps_real_time(twin: ServedTwin) -> None:
    def look() -> tuple[float, float, float]:
        """When it was asked, the time it kept and skipped by then, and when it had answered, s."""
        asked, state = time.monotonic(), twin.ask("state")
        return asked, state["time_s"] + state["skipped_s"], time.monotonic()

    asked, before, answered = look()
    until(lambda: time.monotonic() > answered + 0.5)
    asked_again, after, answered_again = look()
    assert after - before >= asked_again - answered - SLACK_S
    assert after - before <= answered_again - asked + SLACK_S


def test_the_journal_tells_of_the_motors(twin: ServedTwin, bus: MoteusBus) -> None:
    stop(bus)
    state = twin.ask("state")
    assert set(state["modes"].values()) == {"STOPPED"}
    assert all(0 <= state["time_s"] - time < 1 for time in state["last_frame_s"].values())
    assert set(state["last_position_s"].values()) == {None}
    assert state["client_baud"]["legs"] == 921600


def test_one_servo_falls_silent_and_comes_back(twin: ServedTwin, bus: MoteusBus) -> None:
    twin.ask("faults servo:3=off")
    until(lambda: stop(bus).tolist() == [True, True, False, *[True] * 5])
    assert twin.ask("state")["active_faults"] == ["servo=off"]
    twin.ask("faults")
    until(lambda: bool(stop(bus).all()))


def test_a_bad_cable_costs_replies(twin: ServedTwin, bus: MoteusBus) -> None:
    twin.ask("faults bus=drop:0.5")
    until(lambda: not stop(bus).all())
    twin.ask("faults")
    until(lambda: bool(stop(bus).all()))


def test_unplugging_is_felt_and_the_name_comes_back(twin: ServedTwin, folder: Path) -> None:
    wire = SerialWire(twin.path("legs"), 921600)
    twin.ask("unplug legs")
    with pytest.raises(WireClosed):
        wire.drain()
    assert not (folder / "legs").exists()
    wire.close()
    twin.ask("plug legs")
    bus = MoteusBus(SerialWire(twin.path("legs"), 921600), range(1, 9), time.monotonic)
    assert stop(bus).all()
    bus.close()


@pytest.mark.parametrize(
    ("command", "says"),
    [("dance", "valid are state, release"), ("unplug tail", "ports legs, imu"),
     ("faults servo=drop", "a servo can be"), ("faults servo:70=off", "no servo 70")],
)  # fmt: skip
def test_a_wrong_command_is_refused(twin: ServedTwin, command: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        twin.ask(command)


@pytest.mark.parametrize(
    ("preset", "options", "says"),
    [
        ("dog", {}, "valid are minitaur, claw"),
        ("minitaur", {"faults": "servo:9=off"}, "no servo 9"),
        ("minitaur", {"faults": "bus=unplug@1"}, "needs --link"),
        ("minitaur", {"link": Path("/nowhere/at/all")}, "nowhere"),
    ],
)
def test_what_cannot_be_served_is_told(preset: str, options: dict, says: str) -> None:
    with pytest.raises(ServeError, match=says), served(preset, **options):
        raise AssertionError("it was served")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with served("minitaur", link=tmp_path) as twin:
        os.kill(twin.pid, number)
        with pytest.raises(ServeError, match="code 0"):
            twin.next_event()
        assert not list(tmp_path.iterdir())


class Stand:
    """A world of one echoing device, served in this process on a clock turned by hand."""

    def __init__(self, baud: int | None = None, faults: str = "") -> None:
        self.steps, self.real = 0, 0.0
        self.heard: list[bytes] = []
        self._out: list[bytes] = []
        world = World(
            clock=self,
            ports={
                "line": WorldPort(self, LINES, "an echo", None if baud is None else lambda: baud)
            },
            servo_port="line",
        )
        self.port = PtyPort()
        self.server = Server(
            world, {"line": self.port}, faults, np.random.default_rng(0), lambda: self.real
        )

    dt = 0.001

    def now(self) -> float:
        return self.steps * self.dt

    def wait_until(self, deadline: float) -> None:
        self.steps = round(deadline / self.dt)

    def receive(self, data: bytes) -> None:
        self.heard.append(data)
        self._out.append(data)

    def transmit(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def turn(self, seconds: float) -> None:
        self.real += seconds
        self.server.turn()


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    yield stand
    stand.port.close()


def test_a_request_is_answered_within_one_turn(stand: Stand) -> None:
    wire = SerialWire(stand.port.path, 115200)
    wire.write(b"hello\n")
    stand.turn(0.0)
    assert wire.drain() == b"hello\n"
    assert stand.steps == 0
    wire.close()


def test_after_a_stall_the_ports_are_looked_after_while_catching_up(stand: Stand) -> None:
    wire = SerialWire(stand.port.path, 115200)
    wire.write(b"hello\n")
    stand.turn(0.04)
    assert wire.drain() == b"hello\n"
    assert 0 < stand.steps < 10
    for _ in range(20):
        stand.turn(0.0)
    assert stand.steps == 40
    stand.turn(3.0)
    assert stand.server.status()["skipped_s"] == pytest.approx(2.95)
    wire.close()


def test_a_wrong_bit_rate_is_silence() -> None:
    stand = Stand(baud=1_000_000)
    for baud, heard in ((115200, []), (1_000_000, [b"hello\n"])):
        wire = SerialWire(stand.port.path, baud)
        wire.write(b"hello\n")
        stand.turn(0.001)
        assert stand.heard == heard
        assert wire.drain() == b"".join(heard)
        wire.close()
    stand.port.close()


def test_scheduled_faults_follow_the_twins_clock() -> None:
    stand = Stand(faults="bus=off@0.01-0.02")
    wire = SerialWire(stand.port.path, 115200)
    answers = []
    for _ in range(10):
        wire.write(b"?")
        stand.turn(0.003)
        answers.append(wire.drain())
    assert answers == [*[b"?"] * 3, *[b""] * 3, *[b"?"] * 4]
    wire.close()
    stand.port.close()


def test_unplugging_needs_a_name_that_stays(stand: Stand) -> None:
    with pytest.raises(FaultSpecError, match="needs --link"):
        stand.server.command("faults bus=unplug")


def test_the_registry_names_what_there_is() -> None:
    assert set(WORLDS) == {"minitaur", "claw"}


def heard(wire: SerialWire, size: int, wait_s: float = PATIENCE_S) -> bytes:
    """What the wire brings, up to `size` bytes, or all there is within `wait_s`."""
    data, end = b"", time.monotonic() + wait_s
    while len(data) < size and time.monotonic() < end:
        data += wire.read(end)
    return data


def test_the_hand_is_served_at_its_own_bit_rate() -> None:
    """A broadcast ping from the e-manual: every servo answers 14 bytes, in the order of ids."""
    ping = bytes.fromhex("FFFFFD00 FE 0300 01 3142")
    with served("claw") as hand:
        wire = SerialWire(hand.path("servos"), hand.ports["servos"]["baud"])
        wire.write(ping)
        ids = list(heard(wire, 140)[4::14])
        assert ids == [10, 11, 12, 20, 21, 22, 30, 31, 32, 50]
        hand.ask("faults servo:20=off")
        wire.write(ping)
        assert list(heard(wire, 126)[4::14]) == [id for id in ids if id != 20]
        wire.close()
        wire = SerialWire(hand.path("servos"), 57600)
        wire.write(ping)
        assert heard(wire, 1, EXCHANGE_S) == b""
        wire.close()
        assert set(hand.ask("state")["torque"].values()) == {False}


LocalServer = Callable[..., Server]


@pytest.fixture
def local_server(tmp_path: Path) -> Iterator[LocalServer]:
    """Makes servers in this process; nothing turns them but the test."""
    opened: list[PtyPort | CameraPort] = []

    def make(preset: str, *, cameras: bool = False) -> Server:
        world, folder = make_world(preset, 0), tmp_path
        ports = {name: PtyPort(folder / name) for name in world.ports}
        eyes = {
            name: CameraPort(
                camera.device,
                folder / f"{name}.camera",
                time.monotonic,
                camera.what,
                camera.sheet,
            )
            for name, camera in (world.cameras() if cameras else {}).items()
        }
        opened.extend((*ports.values(), *eyes.values()))
        return Server(world, ports, "", np.random.default_rng(0), time.monotonic, eyes)

    yield make
    for port in opened:
        port.close()


def test_a_command_tells_when_it_took_effect(local_server: LocalServer) -> None:
    server = local_server("minitaur")
    before = time.monotonic()
    answer = server.command("faults servo:3=off")
    assert server.status()["active_faults"] == ["servo=off"]
    effect = answer["monotonic_s"]
    assert isinstance(effect, float)
    assert before <= effect <= time.monotonic()
    assert answer["time_s"] == server.status()["time_s"]


def test_a_robot_is_placed_and_pushed(local_server: LocalServer) -> None:
    server = local_server("minitaur")
    server.command("place 3")
    server.command("release")
    server.command("push 0 200 0 0.2")
    end = time.monotonic() + PATIENCE_S
    while abs(server._world.journal()["tilt_rad"]) < 0.3:  # type: ignore[operator, arg-type]
        assert time.monotonic() < end
        server.turn()
    server.command("place 4")
    assert server._world.journal()["tilt_rad"] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("push", ["push", "push 1 2 3", "push 0 0 0 0", "push 0 nan 0 1", "push a"])
def test_what_is_no_push_is_refused(local_server: LocalServer, push: str) -> None:
    server = local_server("minitaur")
    with pytest.raises(ValueError, match=r"push|could not convert"):
        server.command(push)
    with pytest.raises(ValueError, match="no body"):
        local_server("claw").command("push 0 1 0 1")


def test_cameras_are_ports_too(local_server: LocalServer, tmp_path: Path) -> None:
    server = local_server("claw", cameras=True)
    sheet = server.ports()["hand"]
    assert isinstance(sheet, dict)
    assert sheet["path"] == f"unix:{tmp_path / 'hand.camera'}"
    assert sheet["sheet"]["picture"] == [32, 32]
    server.command("unplug hand")
    assert not (tmp_path / "hand.camera").exists()
    server.command("plug hand")
    assert (tmp_path / "hand.camera").exists()
    server.command("faults camera=wrong")
    assert server.status()["active_faults"] == ["camera=wrong"]


def test_the_server_tells_when_a_motor_was_last_driven(twin: ServedTwin, bus: MoteusBus) -> None:
    assert stop(bus).all()
    state = twin.ask("state")
    assert state["driven"] is False
    count = len(bus.ids)
    zero, one, nan = np.zeros(count), np.ones(count), np.full(count, np.nan)
    hold = PositionCommand(*(nan, zero, zero, one, one, 3.5 * one, nan, one, nan, -one))
    bus.exchange(hold, time.monotonic() + EXCHANGE_S)
    until(lambda: bool(twin.ask("state")["last_driven_s"] > state["time_s"]))
    assert stop(bus).all()
    until(lambda: twin.ask("state")["driven"] is False)
