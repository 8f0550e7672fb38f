"""The stop key: trips, passes the rest on, and puts the terminal back."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import termios
import threading
from pathlib import Path

from robosac.console_key import StopKey
from robosac.estop import EStopGate

PROGRAM = """
import os, sys, time
os.close(os.open(os.ttyname(0), os.O_RDWR))  # makes it the session's terminal
from robosac.console_key import StopKey
from robosac.estop import EStopGate
gate = EStopGate()
try:
    with StopKey(gate) as key:
        print("ready", flush=True)
        print("got", repr(key.source.readline()), gate.tripped, flush=True)
        while not gate.tripped:
            time.sleep(0.001)
        print("tripped", gate.reason, flush=True)
        raise LookupError
except LookupError:
    print("left", sys.stdin is key.source, flush=True)
"""
WAIT_S = 60.0


def read_until(terminal: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], WAIT_S)
        assert ready, f"only {seen!r}"
        seen += os.read(terminal, 1024)
    return seen


def test_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    # A session of its own, so that the program is in front of its terminal.
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=theirs,
        stdout=theirs,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    try:
        read_until(ours, b"ready")
        changed = termios.tcgetattr(theirs)
        assert not changed[3] & (termios.ICANON | termios.ECHO)
        assert changed[3] & termios.ISIG
        os.write(ours, b"hello\n")
        assert b"got 'hello\\n' False" in read_until(ours, b"False")
        os.write(ours, b"x ")
        assert b"tripped stop key on the console" in read_until(ours, b"left True")
        assert program.wait(WAIT_S) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        program.kill()
        program.wait()
        os.close(ours)
        os.close(theirs)


def test_without_a_terminal_nothing_is_touched(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("s\n")
    gate = EStopGate()
    with (tmp_path / "input").open() as file, StopKey(gate, file) as key:
        assert key.source is file
        assert "stop-key" not in {thread.name for thread in threading.enumerate()}
    with StopKey(gate, io.StringIO("s")) as key:
        assert key.source.readline() == "s"
    assert not gate.tripped
