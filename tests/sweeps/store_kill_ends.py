"""Two processes that are killed again and again: a robot with an outbox, a learner with an inbox.

They speak over a Unix socket. Each tells what its store has promised over a pipe, before anybody
else hears of it; the pipe outlives it.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Final

from robosac.store.inbox import Inbox
from robosac.store.inbox_thread import InboxThread
from robosac.store.limits import StoreLimits
from robosac.store.outbox import Outbox
from robosac.store.rows import Row
from robosac.store.writer import StoreThread

OUTBOX: Final = "outbox.sqlite"
INBOX: Final = "inbox.sqlite"
PORT: Final = "learner.sock"
ACTOR: Final = "robot"
REPORT: Final = struct.Struct("<qq")
"""The last row that is promised to be on the disk, and the last that is promised to be saved."""
_HEAD: Final = struct.Struct("<QI")
_ROW: Final = struct.Struct("<II")
_ANSWER: Final = struct.Struct("<qq")
_HI: Final = struct.Struct("<q")
SIZES: Final = (20, 300, 1_000, 5_000, 42_000)
WEIGHTS: Final = (4, 8, 8, 2, 1)
MOST_BYTES: Final = 256_000


def row_bytes(stream_id: bytes, sequence: int) -> bytes:
    """The one row that may have this number in this stream."""
    rng = random.Random(stream_id.hex() + str(sequence))
    (size,) = rng.choices(SIZES, WEIGHTS)
    return rng.randbytes(size)


def robot(folder: Path, report: int) -> None:
    """Collect rows and send them, until killed."""
    limits = StoreLimits(window_s=0.004, most_waiting_bytes=4_000_000)
    store = StoreThread(lambda: Outbox(folder / OUTBOX), limits)
    state = store.actor_state
    if store.next_sequence and (state is None or state.sequence != store.next_sequence - 1):
        raise AssertionError(f"state {state}, but row {store.next_sequence} is next")
    threading.Thread(target=_send, args=(store, folder / PORT), daemon=True).start()
    told = None
    while True:
        sequence = store.next_sequence
        if not store.is_full:
            store.put(sequence, row_bytes(store.stream_id, sequence), b"%d" % sequence)
        now = (store.committed, store.saved)
        if now != told:
            os.write(report, REPORT.pack(*now))
            told = now
        time.sleep(0.001)


def _send(store: StoreThread, port: Path) -> None:
    """The robot's link: ask how far the learner is, send what follows, over again when it dies."""
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
            link.connect(str(port))
            link.sendall(store.stream_id)
            (hi,) = _HI.unpack(_exactly(link, _HI.size))
            while True:
                chunk = store.read(hi, MOST_BYTES).result()
                if not chunk.rows:
                    time.sleep(0.002)
                    continue
                link.sendall(_packed(chunk.first_sequence, chunk.rows))
                hi, saved = _ANSWER.unpack(_exactly(link, _ANSWER.size))
                store.forget(saved)
        time.sleep(0.002)


def learner(folder: Path, report: int) -> None:
    """Take rows, acknowledge them, save a checkpoint now and then, until killed."""
    port = folder / PORT
    inbox = InboxThread(lambda: Inbox(folder / INBOX))
    port.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(port))
        listening.listen()
        while True:
            link, _ = listening.accept()
            threading.Thread(target=_serve, args=(inbox, link, report), daemon=True).start()


def _serve(inbox: InboxThread, link: socket.socket, report: int) -> None:
    with contextlib.suppress(OSError), link:
        stream_id = _exactly(link, 16)
        link.sendall(_HI.pack(inbox.register(stream_id, ACTOR)))
        saved = inbox.mark_checkpointed(-1)[stream_id]
        for turn in range(1, 1 << 30):
            first, count = _HEAD.unpack(_exactly(link, _HEAD.size))
            rows = [_received(link) for _ in range(count)]
            hi = inbox.accept(stream_id, first, rows)
            if turn % 5 == 0:
                saved = inbox.mark_checkpointed(inbox.newest_arrival)[stream_id]
            os.write(report, REPORT.pack(hi, saved))
            link.sendall(_ANSWER.pack(hi, saved))


def _packed(first: int, rows: tuple[Row, ...]) -> bytes:
    parts = [_HEAD.pack(first, len(rows))]
    for row in rows:
        parts += [_ROW.pack(row.crc, len(row.data)), row.data]
    return b"".join(parts)


def _received(link: socket.socket) -> Row:
    crc, size = _ROW.unpack(_exactly(link, _ROW.size))
    return Row(crc, _exactly(link, size))


def _exactly(link: socket.socket, size: int) -> bytes:
    """Raises ConnectionError: the other end is gone."""
    got = bytearray()
    while len(got) < size:
        part = link.recv(size - len(got))
        if not part:
            raise ConnectionError("the other end is gone")
        got += part
    return bytes(got)
