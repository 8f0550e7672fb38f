"""One end of a connection, without a network: order, bounds, and every way to end."""

from __future__ import annotations

import threading
from itertools import chain

import pytest

from robosac.errors import LinkError, LinkFull, LinkRefused, ProtocolError
from robosac.link.endpoint import Caps, Endpoint
from robosac.link.envelope import ENVELOPE_BYTES, SHARED_BYTES, Opener, Sealer
from tests.robosac.link.link_rig import PATIENCE_S, until

CAPS = Caps(message=100, waiting=250, received=400)


def test_messages_are_taken_in_order_and_counted_until_handed_over() -> None:
    end, opener = Endpoint(CAPS), Opener()
    end.send(b"one")
    first = end.take()
    assert first is not None
    end.send(b"three")
    # Taken is not yet handed over.
    assert end.waiting_bytes == 8
    second = end.take()
    assert second is not None
    assert (opener.open(first), opener.open(second)) == ([b"one"], [b"three"])
    assert end.waiting_bytes == 5
    with pytest.raises(TimeoutError):
        end.take(0.0)
    assert end.waiting_bytes == 0


def test_short_messages_go_together_and_long_ones_alone() -> None:
    end, opener = Endpoint(Caps(SHARED_BYTES, 10 * SHARED_BYTES, 1)), Opener()
    sizes = [SHARED_BYTES - 8, 0, 1, SHARED_BYTES, 1] + [2] * 50_000
    for size in sizes:
        end.send(bytes(size))
    found: list[list[int]] = []
    while sum(map(len, found)) < len(sizes):
        sealed = end.take(0.0)
        assert sealed is not None
        assert len(sealed) <= SHARED_BYTES + ENVELOPE_BYTES
        found.append(list(map(len, opener.open(sealed))))
    assert found[:3] == [[SHARED_BYTES - 8, 0], [1], [SHARED_BYTES]]
    assert list(chain.from_iterable(found)) == sizes
    assert 5 <= len(found) <= 6


def test_what_is_too_long_or_too_much_is_refused_and_the_rest_still_goes() -> None:
    end = Endpoint(CAPS)
    with pytest.raises(LinkError, match="101 bytes; at most 100"):
        end.send(bytes(101))
    end.send(bytes(100))
    end.send(bytes(100))
    with pytest.raises(LinkFull, match="200 bytes wait"):
        end.send(bytes(51))
    end.send(bytes(50))
    assert end.waiting_bytes == 250


def test_received_in_order_and_only_then_closed() -> None:
    end, sealer = Endpoint(CAPS), Sealer()
    assert end.deliver(sealer.seal([b"a"]))
    assert end.deliver(sealer.seal([b"b"]))
    end.end("gone")
    assert not end.closed
    assert end.receive() == [b"a", b"b"]
    assert end.closed
    assert end.receive() == []
    assert end.ended == "gone"


def test_a_damaged_message_ends_it_after_the_good_ones_and_is_told_once() -> None:
    end = Endpoint(CAPS)
    assert end.deliver(Sealer().seal([b"a"]))
    assert not end.deliver(b"nonsense of more than eight bytes")
    assert end.receive() == [b"a"]
    with pytest.raises(ProtocolError, match="damaged"):
        end.receive()
    assert end.receive() == []
    assert end.closed


def test_the_first_reason_is_kept() -> None:
    end = Endpoint(CAPS)
    end.end("first", LinkRefused("first"))
    end.end("second")
    end.close()
    assert end.ended == "first"
    with pytest.raises(LinkRefused, match="first"):
        end.receive()


def test_a_closed_end_takes_nothing_and_gives_nothing() -> None:
    closings: list[int] = []
    end = Endpoint(CAPS, lambda: closings.append(1))
    end.send(b"never")
    end.close()
    end.close()
    end.send(b"nor this")
    assert end.take() is None
    assert not end.deliver(Sealer().seal([b"late"]))
    assert end.receive() == []
    assert (end.closed, end.waiting_bytes, closings) == (True, 0, [1])


def test_a_reader_waits_while_too_much_is_kept() -> None:
    end, sealer = Endpoint(CAPS), Sealer()
    delivered: list[bool] = []

    def read() -> None:
        for _ in range(4):
            delivered.append(end.deliver(sealer.seal([bytes(100)])))

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: len(delivered) == 2)
    assert len(end.receive()) == 2
    reader.join(PATIENCE_S)
    assert delivered == [True] * 4


def test_a_waiting_reader_and_a_waiting_sender_are_let_go_at_the_end() -> None:
    end, sealer = Endpoint(Caps(100, 250, 10)), Sealer()
    found: list[object] = []

    def read() -> None:
        found.extend(end.deliver(sealer.seal([bytes(9)])) for _ in range(2))

    threads = [
        threading.Thread(target=read),
        threading.Thread(target=lambda: found.append(end.take())),
    ]
    for thread in threads:
        thread.start()
    until(lambda: found == [True])
    end.close()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(map(str, found)) == ["False", "None", "True"]


def test_one_message_longer_than_the_room_still_comes() -> None:
    end = Endpoint(Caps(100, 250, 10))
    assert end.deliver(Sealer().seal([bytes(99)]))
    assert len(end.receive()) == 1


def test_closing_with_patience_sends_what_waits() -> None:
    end, taken = Endpoint(CAPS), list[object]()
    end.send(b"last words")

    def transport() -> None:
        while (sealed := end.take()) is not None:
            taken.append(sealed)
        end.end("all sent")

    thread = threading.Thread(target=transport)
    thread.start()
    end.close(PATIENCE_S)
    thread.join(PATIENCE_S)
    assert len(taken) == 1
    assert end.ended == "all sent"
