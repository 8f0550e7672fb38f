"""A twin served by another process, from the side of whoever starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sim.measured_eye import MeasuredEye

END_TIMEOUT_S = 10.0
"""How long the serving process may take to give its ports back, s."""


class ServeError(RuntimeError):
    """The twin could not be served, or its process has ended; the message says why."""


class ServedTwin:
    """A running server.

    Attributes:
        ports: of every device `path`, `what` is there, and the `baud` it wants (None: any).
        step_s: the twin's physics step, s.
        refused: why it has not the priority that was asked for; None: it has.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        first = self.next_event()
        if first["event"] == "error":
            raise ServeError(str(first["message"]))
        self.ports: Mapping[str, Mapping[str, Any]] = first["ports"]
        self.step_s: float = first["step_s"]
        self.refused: str | None = first["refused"]

    @property
    def pid(self) -> int:
        """Of the serving process."""
        return self._process.pid

    def path(self, port: str) -> str:
        """What a client opens to reach `port`."""
        return self.ports[port]["path"]

    def ask(self, command: str) -> Mapping[str, Any]:
        """Have a command carried out (`sim.serve.Server.command`) and return the answer.

        Raises:
            ValueError: the server refuses the command.
            ServeError: it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ServeError("the serving process has ended") from error
        while (event := self.next_event())["event"] != "answer":
            continue
        if "problem" in event:
            raise ValueError(event["problem"])
        return event

    def next_event(self) -> Mapping[str, Any]:
        """The next thing the server says; waits for it.

        Raises:
            ServeError: it has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ServeError(f"the serving process has ended with code {self._process.wait()}")
        return json.loads(line)


@contextmanager
def served(
    preset: str,
    *,
    seed: int = 0,
    faults: str = "",
    link: Path | None = None,
    cameras: Path | None = None,
    eye: MeasuredEye | None = None,
    floor: bool = False,
    hung: bool = False,
    status: bool = False,
    priority: int = 0,
) -> Iterator[ServedTwin]:
    """Serve a twin in a process of its own, for as long as the block lasts.

    Args:
        preset: one of `sim.worlds.WORLDS`.
        seed: of everything random in the twin and its faults.
        faults: see `sim.fault_spec`.
        link: a folder for stable names of the ports; it must exist.
        cameras: a folder for the sockets of its cameras; None: no camera is served.
        eye: what its camera takes over of a measured one.
        floor: let the body go at once; otherwise it is held as on a stand.
        hung: hang it up where each joint may move by itself; not with `floor`.
        status: the server also says once a second how it goes.
        priority: see `sim.punctual.be_punctual`.

    Raises:
        ServeError: the twin cannot be served.
    """
    command = [sys.executable, "-m", "sim.serve", preset, f"--seed={seed}", f"--faults={faults}"]
    command += [f"--priority={priority}"]
    command += [f"--link={link}"] if link is not None else []
    command += [f"--cameras={cameras}"] if cameras is not None else []
    command += [f"--eye={eye.text()}"] if eye is not None else []
    command += ["--floor"] * floor + ["--hung"] * hung + ["--status"] * status
    # A session of its own: Ctrl-C is for whoever asked for the twin, and may need it to the end.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        start_new_session=True,
    )
    try:
        yield ServedTwin(process)
    finally:
        process.terminate()
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
