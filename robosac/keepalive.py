"""Remote keep-alive endpoints: while one that is expected does not prove that it lives, no motion.

After Boston Dynamics' Spot (spot-sdk, docs/concepts/estop_service.md): each endpoint checks in
within its own time-out, answering a challenge that nobody could know before; when one is lost the
robot first settles, then its torque is cut. Datagrams over UDP, on the loopback address by default.

A message is one JSON object and its HMAC-SHA256 under a key that both sides hold in a private file.
Nothing is looked at before the HMAC is right; counters and challenges stop replays.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import math
import os
import secrets
import select
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from robosac.errors import ConfigError
from robosac.estop import NO_DEMAND, Demand, EStopGate, Stop
from robosac.listening import ListeningThread

MAX_DATAGRAM: Final = 512
KEY_BYTES: Final = 32
TAG_BYTES: Final = hashlib.sha256().digest_size
Timeout = Annotated[float, Meta(ge=0.05, le=3.0)]
"""s; hazard 35 of the house's catalogue: 1 to 3 s, and shorter is safer."""


class Beat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an endpoint sends."""

    name: str
    session: str
    """Drawn anew when the endpoint starts."""
    counter: Annotated[int, Meta(ge=0)]
    """Grows with every beat of a session."""
    answer: str
    """The challenge of the last reply; empty before the first."""
    timeout_s: Timeout
    stop: bool = False
    """Stop now."""


class Challenge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the robot answers."""

    challenge: str
    """To be answered by the next beat."""
    session: str
    counter: int
    """Of the beat that this answers."""
    tripped: bool


MessageT = TypeVar("MessageT", Beat, Challenge)


def sealed(message: Beat | Challenge, key: bytes) -> bytes:
    """The datagram of a message."""
    body = msgspec.json.encode(message)
    return _tag(body, type(message), key) + body


def opened(datagram: bytes, kind: type[MessageT], key: bytes) -> MessageT | None:
    """The message of a datagram; None: it is not ours."""
    tag, body = datagram[:TAG_BYTES], datagram[TAG_BYTES:]
    if len(datagram) > MAX_DATAGRAM or not hmac.compare_digest(tag, _tag(body, kind, key)):
        return None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(body, type=kind)
    return None


def _tag(body: bytes, kind: type[Beat] | type[Challenge], key: bytes) -> bytes:
    # The kind goes in, so that what one side said can never be played back to it as the other's.
    return hmac.digest(key, kind.__name__.encode() + b"\0" + body, "sha256")


def make_key(path: Path) -> None:
    """Write a new key of mode 0600. Raises ConfigError: the file exists, or cannot be made."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"key {path} cannot be made: {error.strerror}") from error
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))


def read_key(path: Path) -> bytes:
    """The key in a file of mode 0600 or less. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"key {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(f"key {path} has mode {stat.S_IMODE(mode):04o}; valid is 0600")
    if len(key) != KEY_BYTES:
        raise ConfigError(f"key {path} is not {KEY_BYTES} bytes; make one with --make-key")
    return key


@dataclass
class _Endpoint:
    """What is known of one endpoint."""

    session: str = ""
    counter: int = -1
    challenge: str = field(default_factory=lambda: secrets.token_hex(16))
    heard_at: float | None = None
    """When it last answered a challenge, s; None: not yet."""
    timeout_s: float = 0.0


class EndpointWatch:
    """Judges beats; a guard of the gate. Pure but for the challenges it draws.

    Args:
        names: every endpoint that must be alive; others are not listened to.
        key: see `read_key`.
        gate: tripped at once when an endpoint demands it.
        now: monotonic s.
        settle_s: time between the loss of an endpoint, which damps, and the cut, s.
    """

    def __init__(
        self,
        names: Sequence[str],
        key: bytes,
        gate: EStopGate,
        now: Callable[[], float],
        settle_s: float,
    ) -> None:
        self._endpoints = {name: _Endpoint() for name in names}
        self._key, self._gate, self._now, self._settle_s = key, gate, now, settle_s

    def hear(self, datagram: bytes) -> bytes | None:
        """Take one datagram; the reply, or None where there is none to be given."""
        beat = opened(datagram, Beat, self._key)
        if beat is None or beat.name not in self._endpoints:
            return None
        endpoint = self._endpoints[beat.name]
        if beat.stop:
            # Even an old one: a stop that is played back stops again, which hurts nobody.
            self._gate.trip(f"endpoint {beat.name} demanded a stop")
        if beat.session == endpoint.session and beat.counter <= endpoint.counter:
            return None
        proved = hmac.compare_digest(beat.answer.encode(), endpoint.challenge.encode())
        if beat.session == endpoint.session or proved:
            endpoint.session, endpoint.counter = beat.session, beat.counter
        if proved:
            endpoint.challenge = secrets.token_hex(16)
            # Once the robot settles because of a loss, it settles to the end.
            if not 0 < self._late(endpoint) <= self._settle_s:
                endpoint.heard_at, endpoint.timeout_s = self._now(), beat.timeout_s
        reply = Challenge(endpoint.challenge, beat.session, beat.counter, self._gate.tripped)
        return sealed(reply, self._key)

    def demand(self) -> Demand:
        """See `robosac.estop.Guard`."""
        worst = NO_DEMAND
        for name, endpoint in self._endpoints.items():
            if endpoint.heard_at is None:
                return Demand(Stop.CUT, f"endpoint {name} has not checked in")
            late = self._late(endpoint)
            if late > self._settle_s:
                return Demand(Stop.CUT, f"endpoint {name} is lost for {late:.2f} s too long")
            if late > 0:
                worst = Demand(Stop.SETTLE, f"endpoint {name} is lost")
        return worst

    def _late(self, endpoint: _Endpoint) -> float:
        """How long an endpoint has been silent beyond its time-out, s; negative while it is not."""
        if endpoint.heard_at is None:
            return math.inf
        return self._now() - endpoint.heard_at - endpoint.timeout_s


class EndpointServer:
    """Hears datagrams in a thread of its own, for an `EndpointWatch`.

    Raises:
        ConfigError: the address cannot be used.
    """

    def __init__(self, address: tuple[str, int], watch: EndpointWatch) -> None:
        self._watch = watch
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(address)
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"stop.keepalive.address {address}: {error.strerror}") from error
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = ListeningThread("keepalive", self._listen)
        self._thread.start()

    def close(self) -> None:
        """End the thread; safe to call twice."""
        self._thread.close()

    def _listen(self, wake: int) -> None:
        with self._socket:
            while True:
                ready, _, _ = select.select([self._socket, wake], [], [])
                if wake in ready:
                    return
                # A lost network is noticed by the beats that do not come.
                with contextlib.suppress(OSError):
                    datagram, sender = self._socket.recvfrom(MAX_DATAGRAM + 1)
                    reply = self._watch.hear(datagram)
                    if reply is not None:
                        self._socket.sendto(reply, sender)


class Beating:
    """An endpoint's side: one beat after the other, each answering the last challenge.

    Args:
        name: as the robot's settings have it.
        timeout_s: after so long without a beat the robot stops, s.
        key: see `read_key`.
    """

    def __init__(self, name: str, timeout_s: float, key: bytes) -> None:
        self._name, self._timeout_s, self._key = name, timeout_s, key
        self._session = secrets.token_hex(8)
        self._counter, self._challenge = -1, ""

    def beat(self, stop: bool = False) -> bytes:
        """The next datagram."""
        self._counter += 1
        return sealed(
            Beat(self._name, self._session, self._counter, self._challenge, self._timeout_s, stop),
            self._key,
        )

    def hear(self, datagram: bytes) -> Challenge | None:
        """Take a reply; None: it is not the robot's, or not one to this session's newest beat."""
        reply = opened(datagram, Challenge, self._key)
        if reply is None or (reply.session, reply.counter) != (self._session, self._counter):
            return None
        self._challenge = reply.challenge
        return reply
