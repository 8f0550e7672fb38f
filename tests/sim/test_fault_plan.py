"""Faults from a text reach the right part of a twin, in their time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim.camera_capture import CaptureFaults, RenderedCamera
from sim.fault_plan import INTERMITTENT_PERIOD_S, Faultable, FaultPlan, FaultyPort
from sim.fault_spec import BYTE_FAULTS, FaultSpecError, Kind, parse_faults
from sim.wire import Direction
from sim.wire_framing import LINES, STREAM

Call = tuple[object, ...]


class Silent:
    """A device that says nothing."""

    def receive(self, data: bytes) -> None:
        del data

    def transmit(self) -> bytes:
        return b""


class Recorder:
    """Stands for servos and sensors: notes what is asked of them."""

    ids = (4, 5)

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, *arguments))


class Rig:
    def __init__(self, spec: str) -> None:
        rng = np.random.default_rng(0)
        self.servos: Any = Recorder()
        self.imu: Any = Recorder()
        self.plugs: list[tuple[str, bool]] = []
        self.ports = {
            "legs": FaultyPort(Silent(), LINES, lambda: 0.0, rng),
            "imu": FaultyPort(Silent(), STREAM, lambda: 0.0, rng),
        }
        picture = np.zeros((2, 2, 3), np.uint8)
        self.camera = RenderedCamera(
            lambda time: picture, (2, 2), 30.0, lambda: 0.0, lambda deadline: None
        )
        self.plan = FaultPlan(
            parse_faults(spec),
            Faultable(
                ports=self.ports,
                plug=lambda name, on: self.plugs.append((name, on)),
                rng=rng,
                servos=self.servos,
                servo_port="legs",
                imu=self.imu,
                imu_port="imu",
                cameras={"palm": self.camera},
            ),
        )

    def run(self, *times: float) -> None:
        for time in times:
            self.plan.step(time)


@pytest.mark.parametrize(
    ("spec", "on", "off"),
    [
        ("servo:4=off@1-2", ("silence", 4, True), ("silence", 4, False)),
        ("servo:4=stuck@1-2", ("freeze", 4, True), ("freeze", 4, False)),
        ("servo:4=wrong:0.3@1-2", ("skew", 4, 0.3), ("skew", 4, 0.0)),
        ("servo:4=slow:0.3@1-2", ("hold", 4, 0.3), ("hold", 4, 0.0)),
        ("servo:4=delayed:0.3@1-2", ("lag", 4, 0.3), ("lag", 4, 0.0)),
        ("bus=brownout:5@1-2", ("sag", 5.0), ("sag", None)),
    ],
)
def test_faults_of_servos_begin_and_end(spec: str, on: Call, off: Call) -> None:
    rig = Rig(spec)
    rig.run(0.0, 0.999)
    assert rig.servos.calls == []
    rig.run(1.0, 1.5)
    assert rig.servos.calls == [on]
    assert len(rig.plan.active) == 1
    rig.run(2.0, 9.0)
    assert rig.servos.calls == [on, off]
    assert rig.plan.active == ()


def test_without_a_number_every_servo_fails() -> None:
    rig = Rig("servo=off")
    rig.run(0.0)
    assert rig.servos.calls == [("silence", 4, True), ("silence", 5, True)]


def test_garbage_is_given_a_generator_and_taken_it_again() -> None:
    rig = Rig("servo:5=garbage@0-1")
    rig.run(0.0, 1.0)
    (name, id, rng), end = rig.servos.calls
    assert (name, id, end) == ("garble", 5, ("garble", 5, None))
    assert isinstance(rng, np.random.Generator)


def test_a_reboot_happens_once() -> None:
    rig = Rig("servo:4=reboot@1-2,imu=reboot@1")
    rig.run(0.0, 1.0, 1.5, 2.0, 3.0)
    assert rig.plan.active == ()
    rig.plan.end()
    assert rig.servos.calls == [("reboot", 4)]
    assert rig.imu.calls == [("reboot",)]


def test_intermittent_is_away_for_its_share_of_each_period() -> None:
    rig = Rig("servo:4=intermittent:0.25@1")
    times = 1.0 + INTERMITTENT_PERIOD_S * np.arange(0.05, 2.0, 0.1)
    away = []
    for time in times:
        rig.run(time)
        away.append(bool(rig.plan.active))
    assert np.mean(away) == pytest.approx(0.25, abs=0.051)
    assert len(rig.servos.calls) == 4


@pytest.mark.parametrize(
    ("spec", "port", "name", "value"),
    [
        ("imu=off", "imu", "off", True),
        ("imu=stuck", "imu", "stuck", True),
        ("imu=garbage", "imu", "garbage", True),
        ("imu=slow:0.2", "imu", "slow_s", 0.2),
        ("bus=off", "legs", "off", True),
        ("bus:imu=stuck", "imu", "stuck", True),
        ("bus=garbage", "legs", "garbage", True),
        ("bus=slow:0.2", "legs", "slow_s", 0.2),
        ("bus=delayed", "legs", "behind", True),
        ("bus=intermittent:1", "legs", "off", True),
    ],
)
def test_faults_of_whole_devices(spec: str, port: str, name: str, value: object) -> None:
    rig = Rig(f"{spec}@1-2")
    device = rig.ports[port].device
    rig.run(0.0)
    assert not getattr(device, name)
    rig.run(1.0)
    assert getattr(device, name) == value
    rig.run(2.0)
    assert not getattr(device, name)


@pytest.mark.parametrize(
    ("spec", "call"),
    [("imu=wrong:0.2", ("skew", 0.2)), ("imu=delayed:0.3", ("lag", 0.3)),
     ("bus:imu=brownout@1", ("reboot",))],
)  # fmt: skip
def test_faults_of_the_sensor_itself(spec: str, call: Call) -> None:
    rig = Rig(spec)
    rig.run(1.0)
    assert rig.imu.calls == [call]


@pytest.mark.parametrize(
    ("spec", "name", "value"),
    [
        ("camera=off", "blocked", True),
        ("camera=stuck", "frozen", True),
        ("camera=garbage", "undecodable", True),
        ("camera=wrong", "black", True),
        ("camera=slow:0.1", "slow", 4),
        ("camera=delayed:0.4", "late_s", 0.4),
        ("camera=intermittent:1", "blocked", True),
    ],
)
def test_faults_of_a_camera(spec: str, name: str, value: object) -> None:
    rig = Rig(f"{spec}@1-2")
    rig.run(1.0)
    assert getattr(rig.camera.faults, name) == value
    rig.run(2.0)
    assert rig.camera.faults == CaptureFaults()


@pytest.mark.parametrize("kind", BYTE_FAULTS)
def test_faults_of_messages_reach_the_line(kind: Kind) -> None:
    rig = Rig(f"bus/to-host={kind.value}:1@1-2")
    line = rig.ports["legs"].line
    rig.run(1.0)
    line._ways[Direction.TO_HOST].put(b"rcv 0100 00 E\r\n", 0.0)
    assert line.counts[kind] == 1
    assert not any(line._ways[Direction.TO_DEVICE].rates.values())
    rig.run(2.0)
    assert not any(line._ways[Direction.TO_HOST].rates.values())


def test_once_without_a_direction_is_one_reply() -> None:
    rig = Rig("bus=flip:once@1")
    rig.run(1.0, 1.1, 5.0)
    ways = rig.ports["legs"].line._ways
    assert ways[Direction.TO_HOST].armed == [(Kind.FLIP, 0.0)]
    assert ways[Direction.TO_DEVICE].armed == []


def test_the_cable_is_pulled_and_put_back() -> None:
    rig = Rig("bus:imu=unplug@1-2")
    rig.run(0.0, 1.0, 1.5, 2.0)
    assert rig.plugs == [("imu", False), ("imu", True)]


def test_ending_the_plan_ends_what_is_in_effect() -> None:
    rig = Rig("servo:4=off,servo:5=off@9,bus=unplug")
    rig.run(0.0)
    rig.plan.end()
    rig.run(10.0)
    assert rig.servos.calls == [("silence", 4, True), ("silence", 4, False)]
    assert rig.plugs == [("legs", False), ("legs", True)]


@pytest.mark.parametrize(
    ("spec", "says"),
    [("servo:7=off", r"no servo 7.*4, 5"), ("bus:hand=off", "no port 'hand'.*legs, imu")],
)
def test_what_the_twin_does_not_have_is_told(spec: str, says: str) -> None:
    with pytest.raises(FaultSpecError, match=says):
        Rig(spec)


@pytest.mark.parametrize("spec", ["servo=off", "imu=off", "camera=off", "bus=off", "bus=brownout"])
def test_a_twin_without_the_part_refuses(spec: str) -> None:
    bare = Faultable({}, lambda name, on: None, np.random.default_rng(0))
    with pytest.raises(FaultSpecError):
        FaultPlan(parse_faults(spec), bare)
