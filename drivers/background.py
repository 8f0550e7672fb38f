"""A thread of a device's own: started once, told to stop, and waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from drivers.errors import BusTimeout

JOIN_S: Final = 15.0
"""How long a thread is waited for, s: OpenCV's V4L2 backend may wait 10 s for a frame
(OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT)."""


class Background:
    """Runs one body at a time; the body looks at `stopping`.

    Args:
        what: whose thread it is, for messages.

    Attributes:
        stopping: set once the body should come back.
    """

    def __init__(self, what: str) -> None:
        self.stopping = threading.Event()
        self._what = what
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """True while the body runs."""
        return self._thread is not None and self._thread.is_alive()

    def require_stopped(self) -> None:
        """Raises RuntimeError: started already."""
        if self._thread is not None:
            raise RuntimeError(f"{self._what} is open already; close it first")

    def start(self, body: Callable[[], None]) -> None:
        """Run `body` until it returns.

        Raises:
            RuntimeError: started already.
        """
        self.require_stopped()
        self.stopping.clear()
        self._thread = threading.Thread(target=body, name=self._what, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make the body come back and wait for it; safe to call twice.

        Raises:
            BusTimeout: it does not come back.
        """
        if self._thread is None:
            return
        self.stopping.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            raise BusTimeout(f"{self._what} has not come back for {JOIN_S:g} s")
        self._thread = None
