"""Memory that a parent and its child share, without a name.

A named segment (`multiprocessing.shared_memory`) may outlive a parent that was killed, can be
opened by anybody who guesses its name, and Python's resource tracker complains in every child that
attaches. Memory without a name is handed to the child as an open file, and is gone with the last of
the two.
"""

from __future__ import annotations

import mmap
import os


class SharedMemory:
    """Memory mapped by this process; zeros at first.

    Args:
        descriptor: of the file behind it; this object owns it.

    Attributes:
        view: its bytes.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        try:
            self._map = mmap.mmap(descriptor, 0)
        except (OSError, ValueError):
            os.close(descriptor)
            raise
        self.view = memoryview(self._map)
        self._closed = False

    @classmethod
    def create(cls, size: int) -> SharedMemory:
        """New memory of `size` bytes, that a child inherits only if `descriptor` is passed on."""
        descriptor = os.memfd_create("robosac", os.MFD_CLOEXEC)
        os.truncate(descriptor, size)
        return cls(descriptor)

    def close(self) -> None:
        """Let go of it; safe to call twice. Views of `view` must have been released."""
        if self._closed:
            return
        self._closed = True
        self.view.release()
        self._map.close()
        os.close(self.descriptor)
