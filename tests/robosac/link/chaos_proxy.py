"""A TCP proxy that breaks connections in every way a network does; what it does is drawn by a seed.

Which bytes come in one piece depends on the operating system, so a seed repeats the draws and not
the run to the bit.
"""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Chances:
    """How likely each fault is for each piece of at most `piece_bytes` that is forwarded."""

    cut: float = 0.0
    """Both sides are closed after a part of the piece."""
    reset: float = 0.0
    """Like it, with RST."""
    flip: float = 0.0
    """One bit is changed."""
    stall: float = 0.0
    """Nothing goes for up to `stall_s`, then everything."""
    blackhole: float = 0.0
    """Nothing goes any more in either direction; the sockets stay open."""
    delay: float = 0.0
    """The piece waits for up to `delay_s`."""
    stall_s: float = 0.3
    delay_s: float = 0.01
    piece_bytes: int = 4096


class ChaosProxy:
    """Listens on a free port of 127.0.0.1 and forwards to `target`.

    Args:
        target: host and port.
        chances: of the faults; may be replaced while it runs.
        seed: of everything drawn.
    """

    def __init__(self, target: tuple[str, int], chances: Chances, seed: int) -> None:
        self.target, self.chances = target, chances
        self.done: Counter[str] = Counter()
        """How often each fault was made."""
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="chaos", daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Cut everything and end."""
        self._closing.set()
        with self._lock:
            sockets = list(self._open)
        # A thread that waits in `accept` is woken by this, not by `close` alone.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in sockets:
            _shut(each)
        for thread in self._threads:
            thread.join(5.0)

    def cut_all(self) -> None:
        """Cut every connection now."""
        with self._lock:
            sockets = list(self._open)
        for each in sockets:
            _shut(each)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, 5.0)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            black = threading.Event()
            for source, sink in ((near, far), (far, near)):
                thread = threading.Thread(
                    target=self._forward, args=(source, sink, black), name="chaos", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, sink: socket.socket, black: threading.Event) -> None:
        try:
            while data := source.recv(self.chances.piece_bytes):
                fault, at, share = self._draw(len(data))
                if fault == "blackhole":
                    black.set()
                if black.is_set():
                    continue
                if fault == "flip":
                    changed = bytearray(data)
                    changed[at] ^= 1 << int(share * 8)
                    data = bytes(changed)
                elif fault in ("stall", "delay"):
                    longest = getattr(self.chances, fault + "_s")
                    self._closing.wait(share * longest)
                elif fault in ("cut", "reset"):
                    sink.sendall(data[:at])
                    self._end(source, sink, fault == "reset")
                    return
                sink.sendall(data)
        except OSError:
            pass
        self._end(source, sink, False)

    def _draw(self, size: int) -> tuple[str, int, float]:
        """Which fault, at which byte, and a number in [0, 1) for it."""
        with self._lock:
            drawn = self._random.random()
            at, share = self._random.randrange(size), self._random.random()
            for name in ("cut", "reset", "flip", "stall", "blackhole", "delay"):
                drawn -= getattr(self.chances, name)
                if drawn < 0:
                    self.done[name] += 1
                    return name, at, share
        return "", at, share

    def _end(self, one: socket.socket, other: socket.socket, reset: bool) -> None:
        with self._lock:
            known = {one, other} & self._open
            self._open -= known
        for each in known:
            if reset:
                linger = (1).to_bytes(4, "little") + bytes(4)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            else:
                _shut(each)
            each.close()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Gone already.
        return
