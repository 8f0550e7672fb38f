"""How fast the link is on loopback, beside pickle over a socket, which is what peers send.

    python -m tests.benchmarks.link_speed --rounds 20

The other end is a process of its own. The ways take turns within one run, so that whatever else the
computer does falls on all alike. The pickle baseline is here alone; the product has none.
"""

from __future__ import annotations

import argparse
import json
import pickle  # noqa: TID251 - the baseline
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from robosac.link.addresses import parse_address
from robosac.link.backoff import Backoff, BackoffSettings
from robosac.link.client import LinkClient
from robosac.link.key_folder import read_key_folder
from robosac.link.keys import issue, make_authority
from robosac.link.peers import Peer, Role
from robosac.link.server import LinkServer
from robosac.link.session import Session
from tests.sweeps.saying import say

SIZES = {"1 KiB": 1024, "42 KiB": 42 * 1024, "1.4 MB": 1_400_000}
"""A state, two small pictures, a policy."""
BATCH = {"1 KiB": 400, "42 KiB": 100, "1.4 MB": 8}
"""Round trips a round."""
WINDOW_BYTES = 4 << 20
"""Most that waits while messages are sent one way."""
_LENGTH = struct.Struct("<I")


class Way(Protocol):
    """One way of sending messages to the other process."""

    def send(self, payload: bytes) -> None: ...
    def receive_one(self) -> bytes: ...
    def close(self) -> None: ...


class Answering:
    """Echoes what begins with `e`; counts the rest, and says how many after `c`."""

    def __init__(self) -> None:
        self.count = 0

    def answer(self, payload: bytes) -> bytes | None:
        """What to send back."""
        kind = payload[:1]
        if kind == b"e":
            return payload
        if kind == b"c":
            count, self.count = self.count, 0
            return b"%d" % count
        self.count += 1
        return None


class Service:
    """The link's other end."""

    def session(self, session: Session) -> None:
        answering = Answering()
        while not session.closed:
            session.wait(60.0)
            for payload in session.receive():
                answer = answering.answer(payload)
                if answer is not None:
                    session.send(answer)

    def watch(self, session: Session) -> None:
        session.close()


class LinkWay:
    """The product's."""

    def __init__(self, port: int, keys: Path | None) -> None:
        backoff = Backoff(BackoffSettings(), random.Random(0).random)
        folder = None if keys is None else read_key_folder(keys)
        self.client = LinkClient(parse_address(f"127.0.0.1:{port}"), folder, backoff)
        self.client.connect()
        self._kept: list[bytes] = []

    def send(self, payload: bytes) -> None:
        while self.client.waiting_bytes > WINDOW_BYTES:
            time.sleep(0.0005)
        self.client.send(payload)

    def receive_one(self) -> bytes:
        while not self._kept:
            self.client.wait(10.0)
            if self.client.closed:
                raise ConnectionError(self.client.ended)
            self._kept = self.client.receive()
        return self._kept.pop(0)

    def close(self) -> None:
        self.client.close()


class PickleWay:
    """What peers do: pickle.dumps, a length, sendall."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def send(self, payload: bytes) -> None:
        send_pickle(self._socket, payload)

    def receive_one(self) -> bytes:
        return read_pickle(self._file)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def send_pickle(connection: socket.socket, payload: bytes) -> None:
    data = pickle.dumps(payload)
    connection.sendall(_LENGTH.pack(len(data)) + data)


def read_pickle(file: Any) -> Any:
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    return pickle.loads(file.read(length))  # noqa: S301 - the baseline, from our own process


def serve(mode: str, keys: Path) -> None:
    """Be the other process until standard input ends."""
    if mode == "pickle":
        listener = socket.create_server(("127.0.0.1", 0))
        say(str(listener.getsockname()[1]))
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answering = Answering()
        with connection, connection.makefile("rb") as file:
            while True:
                try:
                    payload = read_pickle(file)
                except struct.error:
                    return
                answer = answering.answer(payload)
                if answer is not None:
                    send_pickle(connection, answer)
    folder = read_key_folder(keys / "learner-desk") if mode == "tls" else None
    server = LinkServer(parse_address("127.0.0.1:0"), folder, Service())
    server.start()
    say(str(server.address.port))
    sys.stdin.read()
    server.close()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def round_trips(way: Way, size: int, count: int) -> list[float]:
    """Times, s."""
    payload, times = b"e" + bytes(size - 1), list[float]()
    for _ in range(count):
        begin = time.perf_counter()
        way.send(payload)
        if len(way.receive_one()) != size:
            raise RuntimeError("another message came back")
        times.append(time.perf_counter() - begin)
    return times


def one_way(way: Way, size: int, count: int) -> float:
    """Messages a second, until the other end has them all."""
    payload = b"d" + bytes(size - 1)
    begin = time.perf_counter()
    for _ in range(count):
        way.send(payload)
    way.send(b"c")
    if int(way.receive_one()) != count:
        raise RuntimeError("messages are missing")
    return count / (time.perf_counter() - begin)


def send_cost(client: LinkClient, size: int, seconds: float) -> list[float]:
    """What `send` takes in a loop of 50 Hz, s."""
    payload, times = b"d" + bytes(size - 1), list[float]()
    following = time.perf_counter()
    while len(times) < seconds * 50:
        following += 0.02
        time.sleep(max(0.0, following - time.perf_counter()))
        begin = time.perf_counter()
        client.send(payload)
        times.append(time.perf_counter() - begin)
        client.receive()
    return times


def measure(ways: dict[str, Way], rounds: int, cost_s: float) -> dict[str, Any]:
    """All figures; the ways take turns."""
    times: dict[tuple[str, str], list[float]] = {}
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for size in SIZES:
            for name, way in ways.items():
                found = round_trips(way, SIZES[size], BATCH[size])
                times.setdefault((name, size), []).extend(found)
                rate = one_way(way, SIZES[size], 5 * BATCH[size])
                rates.setdefault((name, size), []).append(rate)
    figures: dict[str, Any] = {}
    for (name, size), found in times.items():
        figures[f"{name}, {size}"] = {
            "round_trip_p50_us": percentile(found, 0.5) * 1e6,
            "round_trip_p99_us": percentile(found, 0.99) * 1e6,
            "messages_per_s": percentile(rates[name, size], 0.5),
        }
    for name, way in ways.items():
        if isinstance(way, LinkWay):
            for size in ("1 KiB", "42 KiB"):
                cost = send_cost(way.client, SIZES[size], cost_s)
                figures[f"{name}, send of {size} at 50 Hz"] = {
                    "p50_us": percentile(cost, 0.5) * 1e6,
                    "p99_us": percentile(cost, 0.99) * 1e6,
                    "max_us": max(cost) * 1e6,
                }
    return figures


def table(figures: dict[str, Any]) -> str:
    lines = []
    for name, row in figures.items():
        cells = ", ".join(f"{key} {value:,.0f}" for key, value in row.items())
        lines.append(f"{name:34}{cells}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cost-seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        serve(options.serve[0], Path(options.serve[1]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "laboratory"
        make_authority(keys)
        issue(keys, Peer(Role.LEARNER, "desk"))
        robot = issue(keys, Peer(Role.ROBOT, "minitaur-1"))
        makers: dict[str, Callable[[int], Way]] = {
            "pickle": PickleWay,
            "plain": lambda port: LinkWay(port, None),
            "tls": lambda port: LinkWay(port, robot),
        }
        ways, processes = dict[str, Way](), list[subprocess.Popen[str]]()
        try:
            for name, make in makers.items():
                command = [sys.executable, "-m", "tests.benchmarks.link_speed"]
                process = subprocess.Popen(
                    [*command, "--serve", name, str(keys)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                processes.append(process)
                assert process.stdout is not None
                ways[name] = make(int(process.stdout.readline()))
            figures = measure(ways, options.rounds, options.cost_seconds)
        finally:
            for way in ways.values():
                way.close()
            for process in processes:
                process.communicate("")
    say(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
