"""A length that is claimed reserves nothing: the server's memory is watched from outside."""

from __future__ import annotations

import gzip
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from robosac.link.addresses import parse_address
from robosac.link.envelope import Sealer
from robosac.link.limits import MIB, SESSION
from tests.robosac.link.http2 import DATA, PREFACE, SETTINGS, frame, headers_frame, message_head
from tests.robosac.link.link_rig import PATIENCE_S, exchange, make_client

ROOT = Path(__file__).parents[3]
MOST_GROWTH = 8 * MIB
CLAIMED = 10 << 30


class Child:
    """The serving process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.robosac.link.serving_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def peak(self) -> int:
        """The most memory it ever had resident, bytes (proc(5), VmHWM)."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) * 1024

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def serves(self) -> None:
        """It still does what it is for."""
        client = make_client(parse_address(f"127.0.0.1:{self.port}"))
        client.connect()
        assert exchange(client, b"alive") == b"alive"
        client.close()

    def close(self) -> None:
        self._process.communicate("")


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    child = Child()
    # What it loads and reserves in ordinary use must be there before growth is measured.
    for _ in range(3):
        child.serves()
    yield child
    child.close()


def answer(connection: socket.socket, silence_s: float = PATIENCE_S) -> bytes:
    """What the server says until it has said how the call ended, closes, or is silent for long."""
    said = b""
    connection.settimeout(silence_s)
    try:
        while data := connection.recv(1 << 16):
            said += data
            if b"grpc-status" in said:
                # The rest of these headers may still be on its way.
                connection.settimeout(0.3)
    except (TimeoutError, ConnectionError):
        pass
    return said


def test_claimed_lengths_of_ten_gib_reserve_nothing(child: Child) -> None:
    # A gRPC length has 32 bits; three messages claim what none of them can alone.
    before, claimed = child.peak(), 0
    while claimed < CLAIMED:
        length = min(0xFFFFFFFF, CLAIMED - claimed)
        claimed += length
        with child.connect() as connection:
            connection.sendall(
                PREFACE
                + SETTINGS
                + headers_frame(SESSION)
                + frame(DATA, 0, 1, message_head(length) + bytes(16))
            )
            said = answer(connection)
            # grpc-status 8, RESOURCE_EXHAUSTED.
            assert b"grpc-status\x018" in said
            assert b"larger than max" in said
    assert child.peak() - before < MOST_GROWTH
    child.serves()


@pytest.mark.parametrize(("length", "refused"), [(4 * MIB + 13, True), (4 * MIB + 12, False)])
def test_the_limit_is_where_it_is_said_to_be(child: Child, length: int, refused: bool) -> None:
    with child.connect() as connection:
        connection.sendall(
            PREFACE
            + SETTINGS
            + headers_frame(SESSION)
            + frame(DATA, 0, 1, message_head(length) + bytes(16))
        )
        said = answer(connection, PATIENCE_S if refused else 1.0)
        assert (b"grpc-status\x018" in said) is refused


def test_http2_frames_above_their_size_are_refused(child: Child) -> None:
    before = child.peak()
    with child.connect() as connection:
        head = (0xFFFFFF).to_bytes(3, "big") + bytes([DATA, 0]) + (1).to_bytes(4, "big")
        connection.sendall(PREFACE + SETTINGS + headers_frame(SESSION) + head + bytes(100))
        answer(connection, 1.0)
    assert child.peak() - before < MOST_GROWTH
    child.serves()


def test_headers_without_end_are_refused(child: Child) -> None:
    before = child.peak()
    with child.connect() as connection:
        more = {f"x{n}": "y" * 100 for n in range(100)}
        block = headers_frame(SESSION, more=more)
        connection.sendall(PREFACE + SETTINGS)
        try:
            connection.sendall(block)
            for _ in range(2000):
                connection.sendall(frame(9, 0, 1, bytes([0, 1]) + b"a" + bytes([100]) + b"b" * 100))
        except OSError:
            pass
        answer(connection, 1.0)
    assert child.peak() - before < MOST_GROWTH
    child.serves()


def test_a_compressed_message_is_not_unpacked(child: Child) -> None:
    before = child.peak()
    bomb = gzip.compress(bytes(64 * MIB), 6)
    assert len(bomb) < MIB
    with child.connect() as connection:
        packed = message_head(len(bomb), compressed=True) + bomb
        connection.sendall(
            PREFACE + SETTINGS + headers_frame(SESSION, more={"grpc-encoding": "gzip"})
        )
        try:
            for at in range(0, len(packed), 16_000):
                connection.sendall(frame(DATA, 0, 1, packed[at : at + 16_000]))
        except OSError:
            pass
        assert b"disabled" in answer(connection)
    assert child.peak() - before < MOST_GROWTH
    child.serves()


def test_a_client_that_compresses_is_refused(child: Child) -> None:
    before = child.peak()
    with grpc.insecure_channel(
        f"127.0.0.1:{child.port}", compression=grpc.Compression.Gzip
    ) as channel:
        words = iter([Sealer().seal([bytes(64 * MIB)])])
        with pytest.raises(grpc.RpcError):
            list(channel.stream_stream(SESSION)(words, timeout=PATIENCE_S))
    assert child.peak() - before < MOST_GROWTH
    child.serves()
