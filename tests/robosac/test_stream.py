"""A stream never waits unless told to, keeps the order, and tells the end from damage."""

import socket
from collections.abc import Iterator

import pytest

from robosac.errors import LinkError
from robosac.framing import frame
from robosac.stream import Stream


@pytest.fixture
def ends() -> Iterator[tuple[Stream, socket.socket]]:
    one, other = socket.socketpair()
    stream = Stream(one)
    with other:
        yield stream, other
    stream.close()


def test_what_does_not_fit_waits_in_order(ends: tuple[Stream, socket.socket]) -> None:
    stream, other = ends
    sent = [bytes([number]) * 50_000 for number in range(40)]
    for payload in sent:
        stream.send(payload)
    assert stream.waiting_bytes > 0
    reader, got = Stream(other), []
    while len(got) < len(sent):
        stream.wait(1.0)
        got += reader.receive()
    assert got == sent
    assert stream.waiting_bytes == 0


def test_the_end_of_the_stream_is_told_after_what_came_before(
    ends: tuple[Stream, socket.socket],
) -> None:
    stream, other = ends
    other.sendall(frame(b"last words"))
    other.close()
    assert stream.receive() == [b"last words"]
    assert stream.closed
    stream.send(b"nobody hears")
    stream.wait(1.0)
    assert stream.waiting_bytes == 0


@pytest.mark.parametrize("damage", [frame(b"cut off")[:-1], b"\xff" * 20])
def test_damage_is_told(ends: tuple[Stream, socket.socket], damage: bytes) -> None:
    stream, other = ends
    other.sendall(damage)
    other.close()
    with pytest.raises(LinkError):
        stream.receive()
    assert stream.closed
