"""Keep-alive endpoints: proof of life by challenge, loss in two stages, nothing without the key."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.errors import ConfigError
from robosac.estop import EStopGate, Stop
from robosac.keepalive import (
    MAX_DATAGRAM,
    Beat,
    Beating,
    Challenge,
    EndpointServer,
    EndpointWatch,
    make_key,
    opened,
    read_key,
    sealed,
)
from robosac.states import SafetyState
from tests.robosac.executor_rig import Rig

KEY = bytes(range(32))
TIMEOUT_S, SETTLE_S = 0.5, 0.2


class Site:
    """A robot and the one endpoint it expects, with time to move by hand."""

    def __init__(self) -> None:
        self.time, self.gate = 10.0, EStopGate()
        self.watch = EndpointWatch(["desk"], KEY, self.gate, lambda: self.time, SETTLE_S)
        self.desk = Beating("desk", TIMEOUT_S, KEY)

    def beat(self, stop: bool = False) -> Challenge | None:
        reply = self.watch.hear(self.desk.beat(stop))
        return None if reply is None else self.desk.hear(reply)

    def alive(self) -> Site:
        for _ in range(2):
            assert self.beat() is not None
        return self

    @property
    def stop(self) -> Stop:
        return self.watch.demand().stop


def test_the_first_beat_only_earns_a_challenge() -> None:
    site = Site()
    assert site.watch.demand().reason == "endpoint desk has not checked in"
    site.beat()
    assert site.stop is Stop.CUT
    site.beat()
    assert site.stop is Stop.NONE


def test_loss_settles_then_cuts_and_a_late_beat_does_not_save_it() -> None:
    site = Site().alive()
    site.time += TIMEOUT_S
    assert site.stop is Stop.NONE
    site.time += 0.01
    assert site.stop is Stop.SETTLE
    site.alive()
    assert site.stop is Stop.SETTLE
    site.time += SETTLE_S
    assert site.stop is Stop.CUT
    site.alive()
    assert site.stop is Stop.NONE


def test_a_recorded_session_proves_nothing() -> None:
    site = Site()
    recorded: list[bytes] = []
    for _ in range(5):
        recorded.append(site.desk.beat())
        reply = site.watch.hear(recorded[-1])
        assert reply is not None
        site.desk.hear(reply)
    site.time += TIMEOUT_S + SETTLE_S + 1.0
    for datagram in recorded:
        site.watch.hear(datagram)
    assert site.stop is Stop.CUT


def test_a_reply_that_was_lost_costs_one_beat() -> None:
    site = Site().alive()
    site.watch.hear(site.desk.beat())
    site.time += TIMEOUT_S * 0.9
    assert site.beat() is not None
    assert site.beat() is not None
    site.time += TIMEOUT_S * 0.9
    assert site.stop is Stop.NONE


def test_an_endpoint_stops_at_once_even_unproved() -> None:
    site = Site()
    site.beat(stop=True)
    assert site.gate.reason == "endpoint desk demanded a stop"


def test_strangers_get_no_answer() -> None:
    site = Site()
    assert site.watch.hear(Beating("desk", TIMEOUT_S, KEY[::-1]).beat(stop=True)) is None
    assert site.watch.hear(Beating("door", TIMEOUT_S, KEY).beat(stop=True)) is None
    assert not site.gate.tripped
    assert site.desk.hear(sealed(Challenge("x", "other", 0, False), KEY)) is None


@given(data=st.binary(max_size=MAX_DATAGRAM + 8))
def test_no_bytes_but_ours_are_a_message(data: bytes) -> None:
    assert opened(data, Beat, KEY) is None
    assert Site().watch.hear(data) is None


@given(place=st.integers(0, 1000), bit=st.integers(0, 7))
def test_one_changed_bit_spoils_it(place: int, bit: int) -> None:
    datagram = bytearray(Beating("desk", TIMEOUT_S, KEY).beat())
    datagram[place % len(datagram)] ^= 1 << bit
    assert opened(bytes(datagram), Beat, KEY) is None


def test_a_beat_is_no_challenge_and_values_have_bounds() -> None:
    beat = Beating("desk", TIMEOUT_S, KEY).beat()
    assert opened(beat, Challenge, KEY) is None
    for wrong in (0.0, 3.1):
        assert opened(Beating("desk", wrong, KEY).beat(), Beat, KEY) is None


def test_the_executor_damps_then_cuts() -> None:
    site, rig = Site(), Rig()
    rig.gate.add(site.watch)
    site.alive()
    rig.armed().run(3)
    site.time += TIMEOUT_S + 0.1
    assert rig.run(1).safety is SafetyState.DAMPED
    site.time += SETTLE_S
    assert rig.run(1).safety is SafetyState.FAULT
    assert rig.executor.faults[0].fault.name == "estop"
    assert "endpoint desk is lost" in rig.executor.faults[0].fault.detail


def test_over_a_real_socket() -> None:
    site = Site()
    server = EndpointServer(("127.0.0.1", 0), site.watch)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(20.0)
            line.connect(server.address)
            line.send(b"garbage")
            line.send(b"x" * 60_000)
            for _ in range(2):
                line.send(site.desk.beat())
                assert site.desk.hear(line.recv(MAX_DATAGRAM)) is not None
        assert site.stop is Stop.NONE
        with pytest.raises(ConfigError, match="address"):
            EndpointServer(server.address, site.watch)
    finally:
        server.close()
        server.close()


def test_keys_are_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    make_key(path)
    assert len(read_key(path)) == 32
    with pytest.raises(ConfigError, match="cannot be made"):
        make_key(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="mode 0640; valid is 0600"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="not 32 bytes"):
        read_key(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key(tmp_path / "none")
