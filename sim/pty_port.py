"""One pseudo-terminal: a serial port without a cable, for any program that can open one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
import tty
from pathlib import Path

_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("<4I20B2I")
"""Four flag words, the line discipline and 19 control characters, input and output speed."""
_CHUNK = 65536


class PtyPort:
    """A port whose far end the twin holds.

    The terminal is raw, and the twin keeps its own handle on the client's end: without it a read
    here would fail whenever no client has the port open. Bytes that no client takes are lost once
    the kernel's buffer (about 4 kB) is full, as on a serial line.

    Args:
        link: a stable name to make for the port; a symbolic link there is replaced.

    Attributes:
        lost: bytes for the client that found no room.

    Raises:
        FileExistsError: at `link` lies something that is no symbolic link.
        OSError: the system has no pseudo-terminal left, or the link cannot be made.
    """

    def __init__(self, link: Path | None = None) -> None:
        self.lost = 0
        self._link = link
        self._master = self._slave = -1
        self._name = ""
        self.plug_in()

    @property
    def path(self) -> str:
        """What a client opens; without a link it changes with every `plug_in`."""
        return str(self._link or self._name)

    @property
    def linked(self) -> bool:
        """True if the port keeps its path."""
        return self._link is not None

    @property
    def plugged(self) -> bool:
        """False while the cable is out."""
        return self._master >= 0

    def fileno(self) -> int:
        """For `select`; -1 while the cable is out."""
        return self._master

    @property
    def baud(self) -> int:
        """The client's bit rate, bit/s: any number, not only the standard ones; 0 if unplugged."""
        if not self.plugged:
            return 0
        raw = fcntl.ioctl(self._master, _TCGETS2, bytes(_TERMIOS2.size))
        return int(_TERMIOS2.unpack(raw)[-1])

    def read(self) -> bytes:
        """What the client has sent; b"" if nothing."""
        if not self.plugged:
            return b""
        try:
            return os.read(self._master, _CHUNK)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Send to the client, as much as there is room for."""
        if not data or not self.plugged:
            return
        try:
            taken = os.write(self._master, data)
        except BlockingIOError:
            taken = 0
        self.lost += len(data) - taken

    def unplug(self) -> None:
        """Pull the cable: the client's next call fails, and the name is gone."""
        if not self.plugged:
            return
        if self._link is not None and self._is_ours(self._link):
            self._link.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    def plug_in(self) -> None:
        """Put the cable back: a new terminal under the old link."""
        if self.plugged:
            return
        self._master, self._slave = os.openpty()
        try:
            tty.setraw(self._slave, termios.TCSANOW)
            os.set_blocking(self._master, False)
            self._name = os.ttyname(self._slave)
            if self._link is not None:
                self._make_link(self._link)
        except OSError:
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = -1
            raise

    def close(self) -> None:
        """Give the terminal and its link back; safe to call twice."""
        self.unplug()

    def _make_link(self, link: Path) -> None:
        if os.path.lexists(link) and not link.is_symlink():
            raise FileExistsError(f"{link} exists and is no symbolic link; name another place")
        # Under its final name at once, and never half made.
        new = link.with_name(f".{link.name}.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        new.symlink_to(self._name)
        new.replace(link)

    def _is_ours(self, link: Path) -> bool:
        return link.is_symlink() and os.readlink(link) == self._name
