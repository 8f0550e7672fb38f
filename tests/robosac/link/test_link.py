"""Client and server on loopback: messages both ways, every way to end, and coming back."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from robosac.errors import ConfigError, LinkError, LinkRefused, ProtocolError
from robosac.link.addresses import parse_address
from robosac.link.backoff import BackoffSettings
from robosac.link.key_folder import KeyFolder
from robosac.link.limits import LinkLimits
from robosac.link.peers import Role
from robosac.link.server import LinkServer
from robosac.link.session import Session
from tests.robosac.link.link_rig import (
    ANY_PORT,
    PATIENCE_S,
    Echo,
    ended,
    exchange,
    make_client,
    until,
)


class Served:
    """A server for the length of a `with`."""

    def __init__(
        self, service: object, keys: KeyFolder | None = None, limits: LinkLimits | None = None
    ) -> None:
        self.server = LinkServer(ANY_PORT, keys, service, limits)  # type: ignore[arg-type]

    def __enter__(self) -> LinkServer:
        self.server.start()
        return self.server

    def __exit__(self, *_: object) -> None:
        self.server.close()


@pytest.mark.parametrize("secure", [False, True])
def test_messages_go_both_ways_in_order(secure: bool, keys: dict[str, KeyFolder]) -> None:
    echo = Echo()
    with Served(echo, keys["learner"] if secure else None) as server:
        client = make_client(server.address, keys["robot"] if secure else None)
        assert client.closed
        assert client.ended == "not connected yet"
        assert client.connect()
        assert not client.connect()
        payloads = [bytes([n]) * size for n, size in enumerate((0, 1, 1000, 42_000, 4 << 20))]
        for payload in payloads:
            client.send(payload)
        found: list[bytes] = []
        until(lambda: (client.wait(0.1), found.extend(client.receive()), len(found) == 5)[2])
        assert found == payloads
        assert client.connected
        until(lambda: client.waiting_bytes == 0)
        assert echo.peers == ["robot minitaur-1" if secure else "robot local"]
        client.close()
        assert client.closed
        until(lambda: echo.ended)
        assert server.sessions == ()


def test_large_messages_go_down_and_too_large_ones_are_refused_before_they_go() -> None:
    class Down:
        def session(self, session: Session) -> None:
            with pytest.raises(LinkError, match="at most 67108864"):
                session.send(bytes((64 << 20) + 1))
            session.send(bytes(64 << 20))
            session.wait(PATIENCE_S)

    with Served(Down()) as server:
        client = make_client(server.address)
        client.connect()
        with pytest.raises(LinkError, match="at most 4194304"):
            client.send(bytes((4 << 20) + 1))
        assert len(exchange(client, b"please")) == 64 << 20
        client.close()


def test_a_restarted_server_is_found_again() -> None:
    echo = Echo()
    with Served(echo) as server:
        client = make_client(server.address)
        client.connect()
        assert exchange(client, b"one") == b"one"
        address = server.address
    ended(client)
    again = LinkServer(address, None, echo)
    # Attempts until then come to nothing, and hurt nobody.
    client.connect()
    ended(client)
    again.start()
    until(lambda: (client.connect(), client.wait(0.05), client.connected)[2])
    assert exchange(client, b"two") == b"two"
    client.close()
    again.close()


def test_attempts_wait_for_the_back_off_and_a_success_resets_it() -> None:
    now = [0.0]
    echo = Echo()
    with Served(echo) as server:
        client = make_client(server.address, settings=BackoffSettings(1.0, 2.0, 60.0, 0.0))
        client._clock = lambda: now[0]
        for waits in (1.0, 2.0, 4.0):
            assert client.connect()
            client.close()
            assert not client.connect()
            assert client.retry_in_s == pytest.approx(waits)
            now[0] += waits
        assert client.connect()
        assert exchange(client, b"x") == b"x"
        client.close()
        assert not client.connect()
        now[0] += 8.0
        assert client.connect()
        assert client.retry_in_s == pytest.approx(1.0)
        client.close()


def test_the_service_may_refuse_and_what_it_raises_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(str(args.exc_value)))

    class Choosy:
        def session(self, session: Session) -> None:
            session.wait(PATIENCE_S)
            word = session.receive()[0]
            if word == b"refuse":
                session.refuse("of another robot: 8 joints, expected 9")
            elif word == b"protocol":
                raise ProtocolError("not a message")
            else:
                raise ZeroDivisionError("a bug")

    with Served(Choosy()) as server:
        for word, says in ((b"refuse", "8 joints, expected 9"), (b"protocol", "not a message")):
            client = make_client(server.address)
            client.connect()
            client.send(word)
            assert says in ended(client)
            with pytest.raises(LinkRefused, match=says):
                client.receive()
            client.close()
        client = make_client(server.address)
        client.connect()
        client.send(b"bug")
        ended(client)
        until(lambda: raised == ["a bug"])


def test_too_many_robots_are_told_so_and_a_place_that_is_free_is_given_again() -> None:
    limits = replace(LinkLimits(), sessions=2)
    with Served(Echo(), limits=limits) as server:
        inside = [make_client(server.address) for _ in range(2)]
        for client in inside:
            client.connect()
            exchange(client, b"here")
        third = make_client(server.address)
        third.connect()
        assert "2 robot sessions are open; at most 2 may be" in ended(third)
        with pytest.raises(LinkRefused):
            third.receive()
        inside.pop().close()
        until(lambda: len(server.sessions) == 1)
        until(lambda: (third.connect(), third.wait(0.05), third.connected)[2])
        assert exchange(third, b"me") == b"me"
        for client in (third, *inside):
            client.close()


def test_a_robot_that_comes_back_takes_its_own_place(keys: dict[str, KeyFolder]) -> None:
    limits = replace(LinkLimits(), sessions=1)
    with Served(Echo(), keys["learner"], limits) as server:
        old, new = (make_client(server.address, keys["robot"]) for _ in range(2))
        old.connect()
        exchange(old, b"old")
        new.connect()
        assert exchange(new, b"new") == b"new"
        assert "replaced by a newer connection of robot minitaur-1" in ended(old)
        assert len(server.sessions) == 1
        new.close()


@pytest.mark.parametrize("secure", [False, True])
def test_a_viewer_watches_and_cannot_send(secure: bool, keys: dict[str, KeyFolder]) -> None:
    echo = Echo()
    with Served(echo, keys["learner"] if secure else None) as server:
        viewer = make_client(server.address, keys["viewer"] if secure else None, role=Role.VIEWER)
        viewer.connect()
        with pytest.raises(LinkError, match="only watches"):
            viewer.send(b"move")
        until(lambda: (viewer.wait(0.1), viewer.connected)[1])
        until(lambda: viewer.receive() == [b"welcome"])
        # One that sends all the same.
        viewer._connection.send(b"move")
        assert "must not send" in ended(viewer)
        assert echo.received == []
        viewer.close()


def test_closing_with_patience_brings_the_last_word() -> None:
    echo = Echo()
    with Served(echo) as server:
        client = make_client(server.address)
        client.connect()
        for n in range(50):
            client.send(bytes([n]) * 10_000)
        client.close(PATIENCE_S)
        until(lambda: echo.ended)
        assert [payload[0] for payload in echo.received] == list(range(50))


def test_nothing_is_left_behind() -> None:
    before = {thread.name for thread in threading.enumerate()}
    with Served(Echo()) as server:
        for _ in range(3):
            client = make_client(server.address)
            client.connect()
            exchange(client, b"x")
            client.close()
    until(lambda: {t.name for t in threading.enumerate() if t.name.startswith("link")} <= before)


def test_a_unix_socket_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    address = parse_address(f"unix:{folder / 'link'}")
    server = LinkServer(address, None, Echo())
    server.start()
    assert (folder / "link").stat().st_mode & 0o777 == 0o600
    client = make_client(address)
    client.connect()
    assert exchange(client, b"x") == b"x"
    client.close()
    server.close()
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        LinkServer(address, None, Echo())
    with pytest.raises(ConfigError, match="chmod 700"):
        make_client(address)


def test_an_address_in_use_is_named() -> None:
    with Served(Echo()) as server, pytest.raises(ConfigError, match="cannot be listened on"):
        LinkServer(server.address, None, Echo()).start()
