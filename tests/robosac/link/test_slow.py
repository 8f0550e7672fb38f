"""Who connects and then says nothing, or too little, is let go in time; real sockets, by hand."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from robosac.errors import LinkRefused
from robosac.link.client import LinkClient
from robosac.link.key_folder import KeyFolder
from robosac.link.limits import SESSION, LinkLimits
from robosac.link.server import LinkServer
from tests.robosac.link.http2 import PREFACE, SETTINGS, headers_frame
from tests.robosac.link.link_rig import (
    ANY_PORT,
    PATIENCE_S,
    QUICK,
    Echo,
    ended,
    exchange,
    make_client,
    until,
)


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def server(request: pytest.FixtureRequest, keys: dict[str, KeyFolder]) -> Iterator[LinkServer]:
    server = LinkServer(ANY_PORT, keys["learner"] if request.param else None, Echo(), QUICK)
    server.start()
    yield server
    server.close()


def connected(server: LinkServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.address.port), PATIENCE_S)


def closed_after_s(connection: socket.socket) -> float:
    """Read until the server closes; how long that took, s. A time-out fails the test."""
    begin = time.monotonic()
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - begin


def test_the_usual_times_are_below_five_seconds() -> None:
    assert max(LinkLimits().handshake_s, LinkLimits().first_message_s) < 5.0


def test_tcp_and_nothing(server: LinkServer) -> None:
    with connected(server) as connection:
        assert closed_after_s(connection) < PATIENCE_S


def client_context(keys: dict[str, KeyFolder]) -> ssl.SSLContext:
    own = keys["robot"].path
    context = ssl.create_default_context(cafile=own / "ca.pem")
    context.load_cert_chain(own / "certificate.pem", own / "private.key")
    context.set_alpn_protocols(["h2"])
    return context


def test_a_tls_hello_and_nothing(keys: dict[str, KeyFolder]) -> None:
    server = LinkServer(ANY_PORT, keys["learner"], Echo(), QUICK)
    server.start()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = client_context(keys).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    hello = outgoing.read()
    for part in (hello, hello[: len(hello) // 2], hello[:1]):
        with connected(server) as connection:
            connection.sendall(part)
            assert closed_after_s(connection) < PATIENCE_S
    server.close()


def test_tls_and_nothing(keys: dict[str, KeyFolder]) -> None:
    server = LinkServer(ANY_PORT, keys["learner"], Echo(), QUICK)
    server.start()
    for words in (b"", PREFACE[:10], PREFACE, PREFACE + SETTINGS):
        context = client_context(keys)
        with context.wrap_socket(connected(server), server_hostname="127.0.0.1") as connection:
            connection.sendall(words)
            assert closed_after_s(connection) < PATIENCE_S
    server.close()


@pytest.mark.parametrize(
    "words",
    [
        PREFACE[:10],
        PREFACE,
        PREFACE + SETTINGS,
        # A frame that announces headers and brings half of them; RFC 9113, section 6.2.
        PREFACE + SETTINGS + bytes.fromhex("000100 01 00 00000001 8286".replace(" ", "")),
    ],
    ids=["half a preface", "preface", "settings", "half of the headers"],
)
def test_the_beginning_of_http2_and_nothing(words: bytes) -> None:
    server = LinkServer(ANY_PORT, None, Echo(), QUICK)
    server.start()
    with connected(server) as connection:
        connection.sendall(words)
        assert closed_after_s(connection) < PATIENCE_S
    server.close()


def client_of(server: LinkServer, keys: dict[str, KeyFolder]) -> LinkClient:
    plain = server._keys is None
    client = make_client(server.address, None if plain else keys["robot"])
    client.connect()
    return client


def test_a_session_and_nothing(server: LinkServer, keys: dict[str, KeyFolder]) -> None:
    client = client_of(server, keys)
    assert "no message came in time" in ended(client)
    with pytest.raises(LinkRefused):
        client.receive()
    until(lambda: server.sessions == ())
    client.close()


def test_a_session_and_half_a_message(server: LinkServer, keys: dict[str, KeyFolder]) -> None:
    if server._keys is not None:
        pytest.skip("the same beneath TLS")
    headers = headers_frame(SESSION)
    # A gRPC message of 100 bytes (u8 compressed, u32 length) that stops after three.
    half = bytes.fromhex("000008 00 00 00000001 00 00000064 616263".replace(" ", ""))
    with connected(server) as connection:
        connection.sendall(PREFACE + SETTINGS + headers + half)
        assert closed_after_s(connection) < PATIENCE_S
    until(lambda: server.sessions == ())


def test_who_has_spoken_may_be_silent(server: LinkServer, keys: dict[str, KeyFolder]) -> None:
    client = client_of(server, keys)
    assert exchange(client, b"one") == b"one"
    time.sleep(3.0 * QUICK.first_message_s)
    assert exchange(client, b"two") == b"two"
    client.close()


def test_no_more_connections_than_allowed() -> None:
    server = LinkServer(ANY_PORT, None, Echo(), replace(LinkLimits(), connections=3))
    server.start()
    held = [connected(server) for _ in range(3)]
    for connection in held:
        connection.sendall(PREFACE + SETTINGS)
        assert connection.recv(1)
    with connected(server) as one_more:
        # Far below the time that a handshake may take.
        assert closed_after_s(one_more) < LinkLimits().handshake_s
    for connection in held:
        connection.close()
    server.close()
