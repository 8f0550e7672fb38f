"""Numbered messages through a network that cuts, flips and swallows: each once, each whole."""

from __future__ import annotations

import hashlib
import random
import struct
import time
from dataclasses import replace

import pytest

from robosac.errors import LinkError
from robosac.link.addresses import parse_address
from robosac.link.backoff import Backoff, BackoffSettings
from robosac.link.client import LinkClient
from robosac.link.key_folder import KeyFolder
from robosac.link.limits import LinkLimits
from robosac.link.server import LinkServer
from robosac.link.session import Session
from tests.robosac.link.chaos_proxy import Chances, ChaosProxy
from tests.robosac.link.link_rig import ANY_PORT, Echo, ended, exchange, make_client, until

LIMITS = replace(
    LinkLimits(), handshake_s=2.0, first_message_s=2.0, ping_every_s=0.2, ping_within_s=0.4
)
_NUMBER = struct.Struct("<Q")


def message(number: int) -> bytes:
    """Number and contents, which follow from it alone; up to some kilobytes."""
    content = hashlib.sha256(_NUMBER.pack(number)).digest()
    return _NUMBER.pack(number) + content * (1 + number * 7 % 150)


class Collector:
    """Takes the next number only, and says how far it is."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.wrong: list[bytes] = []

    def session(self, session: Session) -> None:
        session.send(_NUMBER.pack(len(self.kept)))
        while not session.closed:
            session.wait(1.0)
            for payload in session.receive():
                number = _NUMBER.unpack_from(payload)[0]
                if payload != message(number):
                    self.wrong.append(payload)
                if number == len(self.kept):
                    self.kept.append(number)
            session.send(_NUMBER.pack(len(self.kept)))

    def watch(self, session: Session) -> None:
        raise AssertionError("nobody watches")


def push(client: LinkClient, count: int, limit_s: float) -> int:
    """Send until all is acknowledged, from what was acknowledged on after each loss; how often."""
    acknowledged = following = attempts = 0
    end = time.monotonic() + limit_s
    while acknowledged < count:
        assert time.monotonic() < end, f"{acknowledged} of {count}; {client.ended}"
        if client.closed:
            if client.connect():
                attempts += 1
                following = acknowledged
            else:
                time.sleep(client.retry_in_s)
            continue
        while following < count and client.waiting_bytes < 50_000:
            client.send(message(following))
            following += 1
        client.wait(0.02)
        try:
            for payload in client.receive():
                acknowledged = max(acknowledged, *_NUMBER.unpack(payload))
        except LinkError:
            # Damaged or refused on the way: the connection is over, and another begins.
            continue
    return attempts


@pytest.mark.parametrize("secure", [False, True])
def test_everything_comes_once_and_whole(secure: bool, keys: dict[str, KeyFolder]) -> None:
    collector = Collector()
    server = LinkServer(ANY_PORT, keys["learner"] if secure else None, collector, LIMITS)
    server.start()
    chances = Chances(
        cut=0.01, reset=0.005, flip=0.02, stall=0.005, blackhole=0.003, delay=0.05, stall_s=0.1
    )
    proxy = ChaosProxy(("127.0.0.1", server.address.port), chances, seed=5 + secure)
    backoff = Backoff(BackoffSettings(0.01, 2.0, 0.1), random.Random(1).random)
    address = parse_address(f"127.0.0.1:{proxy.port}")
    client = LinkClient(address, keys["robot"] if secure else None, backoff, limits=LIMITS)
    attempts = push(client, 500, 120.0)
    client.close()
    proxy.close()
    server.close()
    assert collector.kept == list(range(500))
    assert collector.wrong == []
    # It was not a quiet day.
    assert attempts > 5
    assert all(proxy.done[name] for name in ("cut", "flip", "delay")), proxy.done


def test_a_blackhole_is_noticed_at_both_ends() -> None:
    echo = Echo()
    limits = replace(LIMITS, ping_every_s=0.5, ping_within_s=0.5)
    server = LinkServer(ANY_PORT, None, echo, limits)
    server.start()
    proxy = ChaosProxy(("127.0.0.1", server.address.port), Chances(), seed=1)
    client = make_client(parse_address(f"127.0.0.1:{proxy.port}"), limits=limits)
    client.connect()
    assert exchange(client, b"x") == b"x"
    proxy.chances = Chances(blackhole=1.0)
    begin = time.monotonic()
    assert "lost" in ended(client)
    # Below the time after which anything but the pings would have noticed.
    assert time.monotonic() - begin < 15.0
    until(lambda: echo.ended)
    client.close()
    proxy.close()
    server.close()
    assert len(echo.ended) == 1
    assert "gone" in echo.ended[0] or "lost" in echo.ended[0]
