"""The twins that can be served, by name, each with what a server has to know of it.

A twin's packages are imported when it is made, so that naming them costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sim.clock import Steppable
from sim.firmware.servo_hooks import ImuHooks, ServoHooks
from sim.measured_eye import MeasuredEye
from sim.wire import Device
from sim.wire_framing import LINES, PACKETS, STREAM, Framing

if TYPE_CHECKING:
    from sim.camera_capture import RenderedCamera
    from sim.firmware.fdcanusb import Fdcanusb
    from sim.firmware.moteus.hooks import HookedMoteusBank


class UnknownTwin(ValueError):
    """A name that is no twin's; the message lists those that are."""


@dataclass(frozen=True)
class WorldPort:
    """One device's serial port."""

    device: Device
    framing: Framing
    what: str
    """What a client finds there, in words."""
    baud: Callable[[], int] | None = None
    """The bit rate that the device is set to, bit/s; None: it understands any, as USB CDC does."""
    set_client_baud: Callable[[int], None] | None = None
    """Tells the firmware the client's bit rate, where it sees to the consequences itself."""


@dataclass(frozen=True)
class WorldCamera:
    """A camera that looks at the twin."""

    device: RenderedCamera
    what: str
    """What it sees, in words."""
    sheet: Mapping[str, object]
    """What a robot file says of such a camera, beside its path."""


@dataclass(frozen=True)
class World:
    """A twin, ready to be served."""

    clock: Steppable
    ports: Mapping[str, WorldPort]
    servo_port: str
    servos: ServoHooks | None = None
    imu_port: str | None = None
    imu: ImuHooks | None = None
    release: Callable[[], object] = lambda: None
    """Lets go of a body that is held, if there is one."""
    journal: Callable[[], Mapping[str, object]] = field(default=dict)
    """What the twin knows of its motors and no wire tells."""
    driven: Callable[[], Sequence[int]] = tuple
    """Ids of the motors that may follow a goal at present."""
    place: Callable[[int], object] = lambda seed: None
    """Sets the robot up anew, as an operator would; everything random in it from the seed."""
    hang: Callable[[int], object] = lambda seed: None
    """Hangs it up where each joint may move by itself; everything random in it from the seed."""
    push: Callable[[tuple[float, float, float], float], object] | None = None
    """Pushes the body with a force (N, in the world) for so long (s); None: it has none."""
    cameras: Callable[[], Mapping[str, WorldCamera]] = dict
    """Makes the cameras that look at it, by name; they cost time, so only where they are served."""


def make_world(name: str, seed: int, eye: MeasuredEye | None = None) -> World:
    """The twin `name`, everything random in it from `seed`.

    Args:
        name: one of `WORLDS`.
        seed: of everything random.
        eye: what its camera takes over; None: it is as drawn.

    Raises:
        UnknownTwin: no such twin.
    """
    if name not in WORLDS:
        raise UnknownTwin(f"no twin {name!r}; valid are {', '.join(WORLDS)}")
    return WORLDS[name](seed, eye or MeasuredEye())


def _minitaur(seed: int, eye: MeasuredEye) -> World:
    from sim.firmware.moteus.hooks import HookedMoteusBank
    from sim.firmware.vectornav.hooks import HookedVn100
    from sim.minitaur import MinitaurTwin, TwinOptions

    twin = MinitaurTwin(TwinOptions(), bank_type=HookedMoteusBank, imu_type=HookedVn100)
    twin.place(seed)
    bank, imu = twin.bank, twin.vn100
    assert isinstance(bank, HookedMoteusBank)
    assert isinstance(imu, HookedVn100)

    def journal() -> Mapping[str, object]:
        return {
            "modes": {id: mode.name for id, mode in zip(bank.ids, bank.modes, strict=True)},
            "last_frame_s": _known(bank.last_frame),
            "last_position_s": _known(bank.last_position),
            "last_change_s": _known(bank.last_change),
            "tilt_rad": twin.plant.tilt,
        }

    def cameras() -> Mapping[str, WorldCamera]:
        from sim.overhead_camera import OverheadView

        view = replace(OverheadView(), delays=eye.delays)
        if eye.placed is not None:
            view = replace(view, placed=eye.placed)
        what = "the floor and the robot from above"
        return {"overhead": WorldCamera(twin.look(view), what, view.sheet())}

    return World(
        clock=twin.clock,
        ports={
            "legs": WorldPort(
                _LateReplies(twin.legs.device, twin.adapter, bank),
                LINES,
                "fdcanusb with eight moteus, ids 1 to 8",
            ),
            "imu": WorldPort(twin.imu.device, STREAM, "VN-100"),
        },
        servo_port="legs",
        servos=bank,
        imu_port="imu",
        imu=imu,
        release=twin.released,
        journal=journal,
        driven=lambda: bank.following,
        place=twin.place,
        hang=twin.hang,
        push=lambda force, seconds: twin.plant.push(force, max(1, round(seconds / twin.clock.dt))),
        cameras=cameras,
    )


def _claw(seed: int, eye: MeasuredEye) -> World:
    from drivers.dynamixel.constants import BAUD_RATES
    from sim.claw import ClawTwin
    from sim.claw_camera import ClawCameraOptions
    from sim.ray_camera import CameraLook

    twin = ClawTwin()
    twin.place(seed)
    line = twin.line

    def hear_at(baud: int) -> None:
        line.host_baud = baud

    port = WorldPort(
        twin.servos.device,
        PACKETS,
        f"Dynamixel line, ids {', '.join(map(str, twin.ids))}",
        baud=lambda: BAUD_RATES[line.servos[0].baud_rate],
        set_client_baud=hear_at,
    )

    def cameras() -> Mapping[str, WorldCamera]:
        look = CameraLook(placed=eye.placed)
        options = ClawCameraOptions(look=look, delays=eye.delays)
        size = list(options.size)
        sheet = {"size": size, "picture": size, "fps": options.fps, "exposure_s": 0.01}
        return {"hand": WorldCamera(twin.look(options).device, "the valve", sheet)}

    return World(
        clock=twin.clock,
        ports={"servos": port},
        servo_port="servos",
        servos=twin.faults,
        release=twin.released,
        journal=twin.journal,
        driven=lambda: [
            id
            for id, servo in zip(twin.ids, line.servos, strict=True)
            if servo.motion.torque and not servo.motion.stopped
        ],
        place=twin.place,
        hang=twin.hang,
        cameras=cameras,
    )


WORLDS: dict[str, Callable[[int, MeasuredEye], World]] = {"minitaur": _minitaur, "claw": _claw}
"""What makes each twin from a seed, with a camera as it was measured."""


def _known(times: Mapping[int, float]) -> dict[int, float | None]:
    """Times by id; None: never."""
    return {id: time if math.isfinite(time) else None for id, time in times.items()}


class _LateReplies:
    """The legs' adapter, which also passes on the frames that controllers held back."""

    def __init__(self, legs: Device, adapter: Fdcanusb, bank: HookedMoteusBank) -> None:
        self._legs, self._adapter, self._bank = legs, adapter, bank

    def receive(self, data: bytes) -> None:
        self._legs.receive(data)

    def transmit(self) -> bytes:
        for arbitration_id, data in self._bank.late_frames():
            self._adapter.deliver(arbitration_id, data)
        return self._legs.transmit()
