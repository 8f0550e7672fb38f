"""Another shell in which somebody types `robosac estop`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from robosac.owner import alive, owners
from robosac.run_folder import NAME, known_folders

COMMAND: Final = (sys.executable, "-c", "from robosac.cli import main; main()", "estop", "--json")
PATIENCE_S: Final = 30.0
RUNTIME: Final = "XDG_RUNTIME_DIR"
"""Names the folder in which a rehearsal's executor is found, apart from all others."""


class _Robot(msgspec.Struct, frozen=True):
    """What became of one robot, as `robosac estop --json` says; the rest is not needed."""

    torque_off: bool
    how: str
    seconds: float


class _Answer(msgspec.Struct, frozen=True):
    robots: tuple[_Robot, ...]


@dataclass(frozen=True)
class ShellAnswer:
    """What the other shell was told."""

    problem: str
    """Why the stop did not succeed; empty: it did."""
    seconds: float = 0.0
    """From the call to torque read back as off, by its own clock."""


def strangers(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Robots of this user that run beside the rehearsal: a stop would be theirs too."""
    ours = Path(environment[RUNTIME]) / NAME
    return tuple(
        str(owner)
        for folder in known_folders(environment)
        if folder != ours
        for _, owner in owners(folder)[0]
        if alive(owner)
    )


def stop_from_shell(environment: Mapping[str, str], meanwhile: Callable[[], None]) -> ShellAnswer:
    """Type it, and call `meanwhile` again and again until it has answered."""
    shell = subprocess.Popen(
        COMMAND,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    try:
        while shell.poll() is None and time.monotonic() < deadline:
            meanwhile()
    finally:
        # Harmless if it has ended.
        shell.kill()
        out, err = shell.communicate()
    return understood(shell.returncode, out, err)


def understood(code: int, out: bytes, err: bytes) -> ShellAnswer:
    """What an exit code and its texts mean."""
    if code:
        text = " ".join((out + err).decode(errors="replace").split())
        return ShellAnswer(f"robosac estop ended with {code}: {text[:300]}")
    try:
        robots = msgspec.json.decode(out, type=_Answer).robots
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return ShellAnswer(f"robosac estop said what is no answer: {error}")
    if len(robots) != 1 or not robots[0].torque_off:
        return ShellAnswer(f"robosac estop stopped {len(robots)} robots; valid is this one")
    if robots[0].how != "owner":
        return ShellAnswer(f"torque was switched off by {robots[0].how}, not by the executor")
    return ShellAnswer("", robots[0].seconds)
