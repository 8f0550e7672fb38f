"""How long one exchange takes, beside the vendors' own clients: taking turns in one run.

    python -m tests.benchmarks.bus_speed

from the repository's root. Nine Dynamixel servos and eight moteus controllers behind pseudo-
terminals, answered by another process with remembered bytes, so that what is measured is the
client, the kernel and one switch between processes. The vendors' clients take no values apart here;
ours gives all of them in SI units. One exchange follows upon the other, unless a pause is asked
for: then ours sleeps until an answer is there, and dynamixel-sdk keeps the processor awake.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import moteus
import numpy as np
from dynamixel_sdk import (
    COMM_SUCCESS,
    GroupSyncRead,
    GroupSyncWrite,
    PortHandler,
    Protocol2PacketHandler,
)

from drivers.dynamixel import DynamixelBus, PositionGoal
from drivers.moteus import MoteusBus, PositionCommand
from drivers.wire import SerialWire
from tests.benchmarks.canned_devices import CONTROLLER_IDS, SERVO_IDS, canned_devices
from tests.conformance.moteus_client import client

DEADLINE_S = 0.05
"""Long, so that a busy computer makes an exchange slow and not incomplete."""
GOAL = 2048
Exchange = Callable[[], Awaitable[None]]


class BareBus(DynamixelBus):
    """Ours, made to ask for no more than the vendor's client does."""

    def _ask_for_telemetry(self, tick: Any, deadline: float) -> None:
        return


def our_servos(path: str, kind: type[DynamixelBus]) -> Exchange:
    """Our exchange; every other one also asks for one servo's telemetry."""
    bus = kind(SerialWire(path, 1_000_000), SERVO_IDS, time.monotonic)
    bus.probe()
    goal = PositionGoal(np.full(len(SERVO_IDS), GOAL * 2 * np.pi / 4096))

    async def exchange() -> None:
        readings = bus.exchange(goal, time.monotonic() + DEADLINE_S)
        assert readings.valid.all(), bus.statistics

    return exchange


def their_servos(path: str) -> Exchange:
    """The vendor's sync write and sync read of the same registers."""
    port = PortHandler(path)
    assert port.openPort()
    assert port.setBaudRate(1_000_000)
    handler = Protocol2PacketHandler()
    read, write = GroupSyncRead(port, handler, 126, 10), GroupSyncWrite(port, handler, 116, 4)
    for id in SERVO_IDS:
        read.addParam(id)
        write.addParam(id, bytes(4))

    async def exchange() -> None:
        for id in SERVO_IDS:
            write.changeParam(id, list(GOAL.to_bytes(4, "little")))
        write.txPacket()
        assert read.txRxPacket() == COMM_SUCCESS

    return exchange


def our_controllers(path: str) -> Exchange:
    """Our exchange with every controller."""
    bus = MoteusBus(SerialWire(path, 921_600), CONTROLLER_IDS, time.monotonic)
    count = len(CONTROLLER_IDS)
    zero, one, nan = np.zeros(count), np.ones(count), np.full(count, np.nan)
    command = PositionCommand(zero, zero, zero, one, one, one, nan, 0.1 * one, nan, -one)

    async def exchange() -> None:
        readings = bus.exchange(command, time.monotonic() + DEADLINE_S)
        assert readings.valid.all(), bus.statistics

    return exchange


def their_controllers(transport: Any) -> Exchange:
    """The vendor's cycle: a position command with its query for every controller."""
    controllers = [moteus.Controller(id, transport=transport) for id in CONTROLLER_IDS]

    async def exchange() -> None:
        commands = [
            controller.make_position(
                position=0.0,
                velocity=0.0,
                feedforward_torque=0.0,
                kp_scale=1.0,
                kd_scale=1.0,
                maximum_torque=1.0,
                watchdog_timeout=0.1,
                accel_limit=-1.0,
                query=True,
            )
            for controller in controllers
        ]
        assert len(await transport.cycle(commands)) == len(controllers)

    return exchange


async def measure(
    exchanges: Mapping[str, Exchange], rounds: int, count: int, pause_s: float
) -> dict[str, list[float]]:
    """Seconds of each exchange of each client; they take turns, `count` exchanges at a time."""
    times: dict[str, list[float]] = {name: [] for name in exchanges}
    for turn in range(rounds + 1):
        for name, exchange in exchanges.items():
            for _ in range(count):
                if pause_s:
                    time.sleep(pause_s)
                started = time.perf_counter()
                await exchange()
                elapsed = time.perf_counter() - started
                if turn:
                    times[name].append(elapsed)
    return times


async def run(rounds: int, count: int, pause_s: float) -> dict[str, list[float]]:
    """Measure all clients; the first turn of each is not counted."""
    ports = ("servos", "servos", "servos", "controllers", "controllers")
    with canned_devices(ports) as (ours, bare, theirs, our_legs, their_legs):
        async with client(their_legs, checksum=False) as transport:
            exchanges = {
                "servos, ours": our_servos(ours, DynamixelBus),
                "servos, ours without telemetry": our_servos(bare, BareBus),
                "servos, dynamixel-sdk": their_servos(theirs),
                "controllers, ours": our_controllers(our_legs),
                "controllers, moteus": their_controllers(transport),
            }
            return await measure(exchanges, rounds, count, pause_s)


def table(times: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Mean and percentiles, us, and how many times the vendor's client's median ours is faster."""
    peers = {"servos": "servos, dynamixel-sdk", "controllers": "controllers, moteus"}
    medians = {name: float(np.median(values)) for name, values in times.items()}
    return {
        name: {
            "mean_us": round(1e6 * float(np.mean(values)), 1),
            "median_us": round(1e6 * medians[name], 1),
            "p99_us": round(1e6 * float(np.percentile(values, 99)), 1),
            "times_faster": round(medians[peers[name.partition(",")[0]]] / medians[name], 2),
        }
        for name, values in times.items()
    }


def main() -> None:
    """Measure and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="turns each client takes")
    parser.add_argument("--count", type=int, default=200, help="exchanges in one turn")
    parser.add_argument("--pause-ms", type=float, default=0.0, help="between two exchanges")
    parser.add_argument("--json", type=Path, help="write here rather than to standard output")
    options = parser.parse_args()
    times = asyncio.run(run(options.rounds, options.count, options.pause_ms * 1e-3))
    text = json.dumps(table(times), indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
