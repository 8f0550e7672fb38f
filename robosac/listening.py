"""A thread that waits for something to be said, and can be woken to end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


class ListeningThread:
    """Runs `listen` in a daemon thread of its own until `close`.

    Args:
        name: of the thread.
        listen: gets a handle to wait on beside its own ones, and returns once that can be read.
    """

    def __init__(self, name: str, listen: Callable[[int], None]) -> None:
        self._listen = listen
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.closed = False
        """Whether `close` was called."""

    def start(self) -> None:
        """Begin. Raises RuntimeError: there can be no more threads."""
        self._thread.start()

    def close(self) -> None:
        """Wake the thread and wait until it has ended; safe to call twice, and before `start`."""
        if self.closed:
            return
        self.closed = True
        if self._thread.ident is not None:
            os.write(self._woken, b"x")
            self._thread.join()
        os.close(self._wake)
        os.close(self._woken)

    def _run(self) -> None:
        # Signals are for the main thread.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._listen(self._wake)
