"""Serves a twin's devices on pseudo-terminals, in real time; a process of its own.

    python -m sim.serve minitaur --seed 1 --faults "servo:3=off@2.0"

It speaks to the program that started it in lines: JSON documents on standard output, the first of
them `ready` or `error`, and commands on standard input, each answered by one `answer`. When its
input ends, or on SIGTERM or SIGINT, it gives the ports back and ends: it never outlives its parent.
`sim.served` is the other side.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sim.camera_port import CameraPort
from sim.clock import RealTimePacer
from sim.fault_plan import Faultable, FaultPlan, FaultyPort
from sim.fault_spec import FaultSpecError, Kind, parse_faults
from sim.measured_eye import MeasuredEye
from sim.pty_port import PtyPort
from sim.punctual import be_punctual
from sim.worlds import UnknownTwin, World, make_world

CATCH_UP_S = 0.05
"""After a longer stall the twin's time slips: under half of the shortest motor watchdog."""
CHUNK_S = 0.004
"""While catching up, the ports are looked after at least this often in the twin's time."""
STATUS_PERIOD_S = 1.0
OK, USAGE = 0, 2

Say = Callable[[Mapping[str, object]], None]


class Server:
    """A world and its ports; `turn` is one pass of the serving loop.

    Args:
        world: the twin.
        ports: of its devices, by their names.
        faults: see `sim.fault_spec`; what may fail from the start on.
        rng: of everything random in the faults.
        monotonic: real time, s.
        cameras: of its cameras, by their names.

    Raises:
        FaultSpecError: the faults are not of this twin.
    """

    def __init__(
        self,
        world: World,
        ports: Mapping[str, PtyPort],
        faults: str,
        rng: np.random.Generator,
        monotonic: Callable[[], float] = time.monotonic,
        cameras: Mapping[str, CameraPort] | None = None,
    ) -> None:
        self._world, self._ports, self._monotonic = world, ports, monotonic
        self._cameras = cameras or {}
        self._driven_s: dict[int, float] = {}
        now = world.clock.now
        self._devices = {
            name: FaultyPort(port.device, port.framing, now, rng)
            for name, port in world.ports.items()
        }
        self._faultable = Faultable(
            ports=self._devices,
            plug=self._plug,
            rng=rng,
            servos=world.servos,
            servo_port=world.servo_port,
            imu=world.imu,
            imu_port=world.imu_port,
            cameras={name: port.camera for name, port in self._cameras.items()},
        )
        self._plan = self._checked_plan(faults)
        self._pacer = RealTimePacer(world.clock, monotonic, CATCH_UP_S)
        self._requests = 0
        self._marked = (monotonic(), world.clock.now(), 0)

    def turn(self, control: int | None = None) -> bool:
        """Wait for bytes or the next step, then serve both; True if `control` can be read."""
        watched = [port.fileno() for port in self._ports.values() if port.plugged]
        if control is not None:
            watched.append(control)
        ready, _, _ = select.select(watched, [], [], self._pacer.until_due())
        self._pacer.advance(CHUNK_S)
        self._plan.step(self._world.clock.now())
        for name in self._ports:
            self._serve(name, ready)
        for camera in self._cameras.values():
            camera.turn()
        for motor in self._world.driven():
            self._driven_s[motor] = self._world.clock.now()
        return control in ready

    def command(self, line: str) -> Mapping[str, object]:
        """Carry out a command and return its answer.

        Raises:
            ValueError: not a command, or its argument is wrong.
        """
        word, _, rest = line.strip().partition(" ")
        match word, rest:
            case "state", "":
                return self.status() | dict(self._world.journal())
            case "release", "":
                self._world.release()
            case "place", seed if seed.isdecimal():
                self._world.place(int(seed))
            case "push", numbers:
                self._push(numbers)
            case "faults", spec:
                plan = self._checked_plan(spec)
                self._plan.end()
                self._plan = plan
                plan.step(self._world.clock.now())
            case (("unplug" | "plug"), name) if name in self._ports or name in self._cameras:
                self._plug(name, word == "plug")
            case _:
                raise ValueError(
                    f"{line.strip()!r} is no command; valid are state, release, place SEED, push "
                    "FX FY FZ SECONDS, faults SPEC, unplug PORT, plug PORT, with the ports "
                    f"{', '.join([*self._ports, *self._cameras])}"
                )
        return {"monotonic_s": self._monotonic(), "time_s": self._world.clock.now()}

    def _push(self, numbers: str) -> None:
        """Push the body; raises ValueError for what is no push."""
        push, values = self._world.push, [float(text) for text in numbers.split()]
        if push is None:
            raise ValueError("this twin has no body that could be pushed")
        if len(values) != 4 or not all(map(math.isfinite, values)) or not values[3] > 0.0:
            raise ValueError(f"push {numbers!r}: a push is FX FY FZ (N) and SECONDS above 0")
        push((values[0], values[1], values[2]), values[3])

    def status(self) -> dict[str, object]:
        """How the serving goes; rates are those since the last call."""
        wall, world, requests = self._monotonic(), self._world.clock.now(), self._requests
        before = self._marked
        self._marked = (wall, world, requests)
        elapsed = max(wall - before[0], 1e-9)
        return {
            "time_s": world,
            "monotonic_s": wall,
            "driven": bool(self._world.driven()),
            "last_driven_s": max(self._driven_s.values(), default=0.0),
            "motors_driven_s": self._driven_s,
            "real_time_factor": (world - before[1]) / elapsed,
            "requests_per_s": (requests - before[2]) / elapsed,
            "skipped_s": self._pacer.skipped_s,
            "lost_bytes": {name: port.lost for name, port in self._ports.items()},
            "client_baud": {name: port.baud for name, port in self._ports.items()},
            "active_faults": [
                f"{fault.target.part.value}={fault.kind.value}" for fault in self._plan.active
            ],
        }

    def ports(self) -> dict[str, object]:
        """Every port's path, what is behind it, and the bit rate it wants (None: any)."""
        cameras: dict[str, object] = {
            name: {"path": port.path, "what": port.what, "baud": None, "sheet": port.sheet}
            for name, port in self._cameras.items()
        }
        return cameras | {
            name: {"path": port.path, "what": world.what, "baud": world.baud and world.baud()}
            for (name, port), world in zip(
                self._ports.items(), self._world.ports.values(), strict=True
            )
        }

    def _serve(self, name: str, ready: Sequence[int]) -> None:
        """Pass one port's bytes on, unless the client's bit rate makes noise of them."""
        port, device = self._ports[name], self._devices[name].line
        if port.fileno() in ready and (data := port.read()):
            self._requests += name == self._world.servo_port
            if self._understood(name):
                device.receive(data)
        if (said := device.transmit()) and self._understood(name):
            port.write(said)

    def _understood(self, name: str) -> bool:
        """False while client and device speak at different rates."""
        port, world = self._ports[name], self._world.ports[name]
        if world.set_client_baud is not None:
            world.set_client_baud(port.baud)
            return True
        return world.baud is None or world.baud() == port.baud

    def _plug(self, name: str, on: bool) -> None:
        port = self._cameras[name] if name in self._cameras else self._ports[name]
        if on:
            port.plug_in()
        else:
            port.unplug()

    def _checked_plan(self, spec: str) -> FaultPlan:
        faults = parse_faults(spec)
        if any(fault.kind is Kind.UNPLUG for fault in faults) and not all(
            port.linked for port in self._ports.values()
        ):
            raise FaultSpecError("unplug needs --link DIR: a port comes back under another name")
        return FaultPlan(faults, self._faultable)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; the exit code."""
    options = _parser().parse_args(arguments)
    ending: list[int] = []
    # Before there is anything to give back, so that no signal can come too soon.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: ending.append(number))
    ports: dict[str, PtyPort] = {}
    cameras: dict[str, CameraPort] = {}
    try:
        try:
            world = make_world(options.preset, options.seed, options.eye)
            if options.hung:
                world.hang(options.seed)
            if options.floor:
                world.release()
            for name in world.ports:
                ports[name] = PtyPort(options.link and options.link / name)
            for name, camera in world.cameras().items() if options.cameras else ():
                place = options.cameras / name
                cameras[name] = CameraPort(
                    camera.device, place, time.monotonic, camera.what, camera.sheet
                )
            rng = np.random.default_rng(options.seed)
            server = Server(world, ports, options.faults, rng, time.monotonic, cameras)
        except (UnknownTwin, FaultSpecError, OSError) as error:
            _say({"event": "error", "message": str(error)})
            return USAGE
        refused = be_punctual(options.priority)
        _say({"event": "ready", "ports": server.ports(), "step_s": world.clock.dt,
              "refused": refused})  # fmt: skip
        _loop(server, sys.stdin.fileno(), ending, options.status)
    finally:
        for port in (*ports.values(), *cameras.values()):
            port.close()
    return OK


def _loop(server: Server, control: int, ending: list[int], with_status: bool) -> None:
    """Serve until the parent is gone or a signal was put into `ending`."""
    rest = b""
    next_status = time.monotonic() + STATUS_PERIOD_S
    while not ending:
        if server.turn(control):
            data = os.read(control, 4096)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _say(_answer(server, line.decode("ascii", errors="replace")))
        if with_status and time.monotonic() >= next_status:
            next_status += STATUS_PERIOD_S
            _say({"event": "status"} | server.status())


def _answer(server: Server, line: str) -> Mapping[str, object]:
    try:
        return {"event": "answer"} | dict(server.command(line))
    except (ValueError, OSError) as error:
        return {"event": "answer", "problem": str(error)}


def _say(document: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(document, default=float) + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sim.serve", description="Serve a twin's devices.")
    parser.add_argument("preset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", default="")
    parser.add_argument("--link", type=Path)
    parser.add_argument("--cameras", type=Path)
    parser.add_argument("--eye", type=MeasuredEye.of, help="see sim.measured_eye")
    stands = parser.add_mutually_exclusive_group()
    stands.add_argument("--floor", action="store_true")
    stands.add_argument("--hung", action="store_true")
    parser.add_argument("--status", action="store_true")
    parser.add_argument("--priority", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
