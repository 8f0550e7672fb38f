"""A channel never waits unless told to, keeps the order, and tells the end from damage."""

import socket
from collections.abc import Iterator

import pytest

from robosac.channel import Channel
from robosac.errors import LinkError
from robosac.framing import frame


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    one, other = socket.socketpair()
    channel = Channel(one)
    with other:
        yield channel, other
    channel.close()


def test_what_does_not_fit_waits_in_order(ends: tuple[Channel, socket.socket]) -> None:
    channel, other = ends
    sent = [bytes([number]) * 50_000 for number in range(40)]
    for payload in sent:
        channel.send(payload)
    assert channel.waiting_bytes > 0
    reader, got = Channel(other), []
    while len(got) < len(sent):
        channel.wait(1.0)
        got += reader.receive()
    assert got == sent
    assert channel.waiting_bytes == 0


def test_the_end_of_the_stream_is_told_after_what_came_before(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, other = ends
    other.sendall(frame(b"last words"))
    other.close()
    assert channel.receive() == [b"last words"]
    assert channel.closed
    channel.send(b"nobody hears")
    channel.wait(1.0)
    assert channel.waiting_bytes == 0


@pytest.mark.parametrize("damage", [frame(b"cut off")[:-1], b"\xff" * 20])
def test_damage_is_told(ends: tuple[Channel, socket.socket], damage: bytes) -> None:
    channel, other = ends
    other.sendall(damage)
    other.close()
    with pytest.raises(LinkError):
        channel.receive()
    assert channel.closed
