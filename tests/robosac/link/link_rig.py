"""Keys, servers and clients for the tests of the link; every wait has an end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from robosac.link.addresses import Address, parse_address
from robosac.link.backoff import Backoff, BackoffSettings
from robosac.link.client import LinkClient
from robosac.link.key_folder import KeyFolder, read_key_folder
from robosac.link.keys import issue, make_authority
from robosac.link.limits import LinkLimits
from robosac.link.peers import Peer, Role
from robosac.link.session import Session

PATIENCE_S = 20.0
"""Far more than anything here takes, on a busy machine too."""
ANY_PORT = parse_address("127.0.0.1:0")
QUICK = replace(LinkLimits(), handshake_s=0.5, first_message_s=0.5)


class Echo:
    """Sends back what it gets; what it saw stands in lists."""

    def __init__(self) -> None:
        self.peers: list[str] = []
        self.received: list[bytes] = []
        self.ended: list[str] = []

    def session(self, session: Session) -> None:
        self.peers.append(str(session.peer))
        while not session.closed:
            session.wait(PATIENCE_S)
            for payload in session.receive():
                self.received.append(payload)
                session.send(payload)
        self.ended.append(session.ended)

    def watch(self, session: Session) -> None:
        self.peers.append(str(session.peer))
        session.send(b"welcome")
        while not session.closed:
            session.wait(PATIENCE_S)
        self.ended.append(session.ended)


def until(done: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait until `done`; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def make_client(
    address: Address,
    keys: KeyFolder | None = None,
    limits: LinkLimits | None = None,
    role: Role = Role.ROBOT,
    settings: BackoffSettings | None = None,
) -> LinkClient:
    """A client that is not connected yet."""
    backoff = Backoff(settings or BackoffSettings(0.01, 2.0, 0.1), random.Random(0).random)
    return LinkClient(address, keys, backoff, limits=limits, role=role)


def exchange(client: LinkClient, payload: bytes) -> bytes:
    """Send, and wait for one answer."""
    client.send(payload)
    found: list[bytes] = []
    until(lambda: (client.wait(0.1), found.extend(client.receive()), found or client.closed)[2])
    assert found, client.ended
    return found[0]


def ended(client: LinkClient) -> str:
    """Wait for the end of a connection; why it ended."""
    until(lambda: (client.wait(0.1), client.closed)[1])
    return client.ended


def laboratory(folder: Path) -> dict[str, KeyFolder]:
    """The keys of one laboratory by role."""
    make_authority(folder)
    names = {Role.LEARNER: "desk", Role.ROBOT: "minitaur-1", Role.VIEWER: "screen"}
    return {r.value: read_key_folder(issue(folder, Peer(r, n))) for r, n in names.items()}
