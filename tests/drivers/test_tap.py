"""A tapped wire is the wire it wraps; what goes over it is heard, in order, by whoever listens."""

from __future__ import annotations

import math

import pytest

from drivers.errors import WireClosed
from drivers.tap import TappedWire
from drivers.wire import Wire
from sim.firmware.dynamixel.line import Missing
from tests.drivers.imu_contract import ImuContract
from tests.drivers.imu_rigs import Rig, VectorNavRig
from tests.drivers.motor_bus_contract import BusRig, MotorBusContract
from tests.drivers.scripted_wire import ScriptedWire
from tests.drivers.test_dynamixel_contract import DynamixelRig
from tests.drivers.test_moteus_contract import MoteusRig

Heard = list[tuple[float, str, bool, bytes]]


class Ear:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: Heard = []

    def __call__(self, time: float, port: str, to_device: bool, data: bytes) -> None:
        self.heard.append((time, port, to_device, data))


def tapped(wire: Wire) -> Wire:
    return TappedWire(wire, "port", Ear(), lambda: 0.0)


def test_both_ways_are_heard_with_port_and_time() -> None:
    ear = Ear()
    far = ScriptedWire(lambda data: data.upper())
    wire = TappedWire(far, "legs", ear, far.now)
    far.time = 2.0
    wire.write(b"ping")
    far.time = 3.0
    assert wire.read(4.0) == b"PING"
    assert wire.read(4.0) == b""
    far.time = 5.0
    wire.write(b"x")
    assert (wire.drain(), wire.drain()) == (b"X", b"")
    assert far.written == [b"ping", b"x"]
    assert ear.heard == [
        (2.0, "legs", True, b"ping"),
        (3.0, "legs", False, b"PING"),
        (5.0, "legs", True, b"x"),
        (5.0, "legs", False, b"X"),
    ]


def test_what_a_dead_port_was_told_is_heard_and_its_error_comes_through() -> None:
    ear = Ear()
    far = ScriptedWire(lambda data: b"")
    wire = TappedWire(far, "legs", ear, far.now)
    wire.close()
    assert not far.open
    for use in (lambda: wire.write(b"stop"), wire.drain, lambda: wire.read(1.0)):
        with pytest.raises(WireClosed):
            use()
    assert ear.heard == [(0.0, "legs", True, b"stop")]
    wire.reopen()
    wire.write(b"again")
    assert far.written == [b"again"]


class TestMoteusTapped(MotorBusContract):
    @pytest.fixture
    def rig(self) -> BusRig:
        return MoteusRig(True, tapped)


class TestDynamixelTapped(MotorBusContract):
    tolerance = 2 * math.pi / 4096

    @pytest.fixture
    def rig(self) -> BusRig:
        return DynamixelRig(Missing.SKIP, False, tapped)


class TestVectorNavTapped(ImuContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return VectorNavRig(wrap=tapped)
