"""Faults put into effect on a twin, each in its time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sim.camera_capture import CaptureFaults, RenderedCamera
from sim.device_faults import FaultyDevice
from sim.fault_spec import BYTE_FAULTS, Fault, FaultSpecError, Kind, Part, Target
from sim.faulty_line import FaultyLine
from sim.firmware.servo_hooks import ImuHooks, ServoHooks
from sim.wire import Device, Direction
from sim.wire_framing import Framing

INTERMITTENT_PERIOD_S = 0.5
"""From one absence to the next."""

Switch = Callable[[bool], None]
"""Puts a fault into effect, or ends it."""
_FLAGS = {
    Kind.OFF: "off",
    Kind.INTERMITTENT: "off",
    Kind.STUCK: "stuck",
    Kind.GARBAGE: "garbage",
}
_CAMERA_FLAGS = {
    Kind.OFF: "blocked",
    Kind.INTERMITTENT: "blocked",
    Kind.STUCK: "frozen",
    Kind.GARBAGE: "undecodable",
    Kind.WRONG: "black",
}


class FaultyPort:
    """A device on its port: it can fail (`device`), and so can its cable (`line`)."""

    def __init__(
        self,
        device: Device,
        framing: Framing,
        now: Callable[[], float],
        rng: np.random.Generator,
    ) -> None:
        self.device = FaultyDevice(device, now, rng)
        self.line = FaultyLine(self.device, framing, now, rng)


@dataclass(frozen=True)
class Faultable:
    """What of a twin can fail."""

    ports: Mapping[str, FaultyPort]
    plug: Callable[[str, bool], None]
    """Pulls a port's cable out (False) or puts it back (True)."""
    rng: np.random.Generator
    servos: ServoHooks | None = None
    servo_port: str | None = None
    imu: ImuHooks | None = None
    imu_port: str | None = None
    cameras: Mapping[str, RenderedCamera] = field(default_factory=dict)


@dataclass
class _Entry:
    fault: Fault
    switch: Switch
    on: bool = False
    done: bool = False


class FaultPlan:
    """Switches faults on and off as time passes.

    Raises:
        FaultSpecError: a fault of something that this twin does not have.
    """

    def __init__(self, faults: Sequence[Fault], twin: Faultable) -> None:
        self._entries = [
            _Entry(fault, switch) for fault in faults for switch in _switches(fault, twin)
        ]

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults in effect."""
        return tuple(entry.fault for entry in self._entries if entry.on)

    def step(self, now: float) -> None:
        """Bring every fault up to `now` (s)."""
        for entry in self._entries:
            if entry.done or entry.on == (on := _in_effect(entry.fault, now)):
                continue
            entry.switch(on)
            # What happens once has neither an end nor a second beginning.
            entry.done = entry.fault.once or entry.fault.kind is Kind.REBOOT
            entry.on = on and not entry.done

    def end(self) -> None:
        """End every fault that is in effect."""
        for entry in self._entries:
            if entry.on:
                entry.switch(False)
            entry.on, entry.done = False, True


def _in_effect(fault: Fault, now: float) -> bool:
    if not fault.start <= now < fault.end:
        return False
    if fault.kind is not Kind.INTERMITTENT:
        return True
    phase = math.fmod(now - fault.start, INTERMITTENT_PERIOD_S) / INTERMITTENT_PERIOD_S
    return phase < fault.amount


def _switches(fault: Fault, twin: Faultable) -> Iterator[Switch]:
    """What puts a fault into effect: one switch for each servo, else one."""
    target = fault.target
    match target.part:
        case Part.SERVO:
            if twin.servos is None:
                raise FaultSpecError("the servos of this twin cannot fail one by one")
            for id in _servo_ids(target, twin.servos):
                yield _servo_switch(fault, id, twin.servos, twin.rng)
        case Part.IMU:
            yield _imu_switch(fault, twin)
        case Part.CAMERA:
            if not twin.cameras:
                raise FaultSpecError("this twin serves no camera")
            for camera in twin.cameras.values():
                yield _camera_switch(fault, camera)
        case Part.BUS:
            name = _port_name(target, twin)
            yield _bus_switch(fault, name, twin)


def _servo_ids(target: Target, servos: ServoHooks) -> Sequence[int]:
    if target.name is None:
        return servos.ids
    if int(target.name) not in servos.ids:
        raise FaultSpecError(f"no servo {target.name}; this twin has {list(servos.ids)}")
    return (int(target.name),)


def _servo_switch(fault: Fault, id: int, servos: ServoHooks, rng: np.random.Generator) -> Switch:
    amount = fault.amount
    switches: dict[Kind, Switch] = {
        Kind.OFF: lambda on: servos.silence(id, on),
        Kind.INTERMITTENT: lambda on: servos.silence(id, on),
        Kind.STUCK: lambda on: servos.freeze(id, on),
        Kind.GARBAGE: lambda on: servos.garble(id, rng if on else None),
        Kind.WRONG: lambda on: servos.skew(id, on * amount),
        Kind.SLOW: lambda on: servos.hold(id, on * amount),
        Kind.DELAYED: lambda on: servos.lag(id, on * amount),
        Kind.REBOOT: lambda on: servos.reboot(id),
        Kind.ENCODER: lambda on: servos.jam_encoder(id, on),
        Kind.HOT: lambda on: servos.heat(id, amount if on else None),
    }
    return switches[fault.kind]


def _imu_switch(fault: Fault, twin: Faultable) -> Switch:
    imu, amount = twin.imu, fault.amount
    if imu is None or twin.imu_port is None:
        raise FaultSpecError("this twin serves no imu")
    switches: dict[Kind, Switch] = {
        Kind.WRONG: lambda on: imu.skew(on * amount),
        Kind.DELAYED: lambda on: imu.lag(on * amount),
        Kind.REBOOT: lambda on: imu.reboot(),
        Kind.RANGE: lambda on: imu.saturate(on),
    }
    return switches.get(fault.kind) or _device_switch(fault, twin.ports[twin.imu_port].device)


def _device_switch(fault: Fault, device: FaultyDevice) -> Switch:
    """Off, stuck, garbage, intermittent or slow."""
    name = _FLAGS.get(fault.kind)
    return _attribute(device, "slow_s", fault.amount) if name is None else _attribute(device, name)


def _camera_switch(fault: Fault, camera: RenderedCamera) -> Switch:
    name = _CAMERA_FLAGS.get(fault.kind)
    if name is not None:
        return _attribute(camera.faults, name)
    if fault.kind is Kind.DELAYED:
        return _attribute(camera.faults, "late_s", fault.amount)
    frames = 1 + round(fault.amount * camera.fps)

    def switch(on: bool) -> None:
        camera.faults.slow = frames if on else 1

    return switch


def _attribute(what: FaultyDevice | CaptureFaults, name: str, value: bool | float = True) -> Switch:
    """An attribute that has `value` during the fault, and is false or 0 otherwise."""
    return lambda on: setattr(what, name, value if on else type(value)(0))


def _port_name(target: Target, twin: Faultable) -> str:
    name = target.name or twin.servo_port
    if name is None or name not in twin.ports:
        raise FaultSpecError(f"no port {name!r}; this twin has {', '.join(twin.ports)}")
    return name


def _bus_switch(fault: Fault, name: str, twin: Faultable) -> Switch:
    port, kind = twin.ports[name], fault.kind
    if kind is Kind.UNPLUG:
        return lambda on: twin.plug(name, not on)
    if kind is Kind.BROWNOUT:
        return _brownout_switch(fault, name, twin)
    if kind is Kind.DELAYED:
        return _attribute(port.device, "behind")
    if kind in BYTE_FAULTS or kind is Kind.WRONG:
        return _message_switch(fault, port.line)
    return _device_switch(fault, port.device)


def _brownout_switch(fault: Fault, name: str, twin: Faultable) -> Switch:
    servos, imu = twin.servos, twin.imu
    if name == twin.servo_port and servos is not None:
        return lambda on: servos.sag(fault.amount if on else None)
    if name == twin.imu_port and imu is not None:
        return lambda on: imu.reboot() if on else None
    raise FaultSpecError(f"nothing on port {name!r} has a supply that can sag")


def _message_switch(fault: Fault, line: FaultyLine) -> Switch:
    way = fault.target.direction
    both = (Direction.TO_HOST,) if fault.once else tuple(Direction)
    ways = both if way is None else (way,)
    # A wrong id is a reply's: requests have none of their own.
    kind = Kind.WRONG_ID if fault.kind is Kind.WRONG else fault.kind
    probability = 1.0 if fault.kind is Kind.WRONG else fault.amount

    def switch(on: bool) -> None:
        for one in ways:
            if fault.once and on:
                line.arm(kind, one, fault.seconds)
            elif not fault.once:
                line.set_rate(kind, one, on * probability, fault.seconds)

    return switch
