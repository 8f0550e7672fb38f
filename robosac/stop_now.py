"""`robosac estop`: stop every executor of this user, and say so only when torque was read back off.

First every gate is tripped, which takes a millisecond each. An owner that does not confirm in time
hangs, is stopped, or cannot switch torque off; it is killed, so that the motors' own watchdogs act,
and its ports are opened here, to switch torque off and read it back without it. The record of an
owner that died without saying that torque is off is treated alike.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from robosac.errors import RobotError
from robosac.owner import MotorPort, Owner, Places, alive, kill, owners, read_owner, who
from robosac.stop_socket import ask

POLL_S: Final = 0.002
KILL_WAIT_S: Final = 3.0
"""How long a killed process may take to go, s; one that waits for a broken disk may stay."""
PORT_WAIT_S: Final = 2.0
"""How long its ports may take to become free, and its motors to confirm, s."""

StopPort = Callable[[MotorPort], list[int]]
"""Switches the motors of a port off; the ids that were not read back as off. Raises OSError."""


@dataclass(frozen=True)
class Stopped:
    """What became of one robot."""

    robot: str
    owner: str
    torque_off: bool
    """Every motor was read back as off after the gate was tripped or the owner had gone."""
    how: str
    """owner: it confirmed; ports: read back here; none: nobody could."""
    killed: bool
    seconds: float
    """From the call to the confirmation, or to giving up."""
    detail: str


def stop_everything(
    folders: Sequence[Path], wait_s: float, stop_port: StopPort
) -> tuple[list[Stopped], list[Path]]:
    """Stop every robot with a record in `folders`; also tells the records that cannot be read.

    Args:
        folders: see `robosac.run_folder.known_folders`.
        wait_s: how long an owner may take to confirm until it is killed, s.
        stop_port: how a port is stopped without its owner.
    """
    began = time.monotonic()
    found: list[tuple[Places, Owner]] = []
    unreadable: list[Path] = []
    for folder in folders:
        known, lost = owners(folder)
        found += known
        unreadable += lost
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        # Side by side: an owner that hangs must not delay the others' stop.
        jobs = [pool.submit(_stop_one, *one, began, wait_s, stop_port) for one in found]
        return [job.result() for job in jobs], unreadable


def _stop_one(
    places: Places, owner: Owner, began: float, wait_s: float, stop_port: StopPort
) -> Stopped:
    trouble = _trip(places, owner, wait_s) or _confirmed(places, began + wait_s)
    if not trouble:
        return _result(owner, True, "owner", False, began, "torque read back off")
    if read_owner(places.record) != owner:
        # It takes its record away only once torque was read back off.
        detail = "the owner has read torque back off and ended"
        return _result(owner, True, "owner", False, began, detail)
    return _stop_without(places, owner, trouble, began, stop_port)


def _trip(places: Places, owner: Owner, timeout_s: float) -> str:
    """Trip one gate; empty, or why it could not be."""
    if not alive(owner):
        return "the owner died without saying that torque is off"
    try:
        ask(places.socket, {"do": "trip", "reason": f"robosac estop by {who()}"}, timeout_s)
    except (OSError, ValueError) as error:
        return f"the owner does not answer ({error or type(error).__name__})"
    return ""


def _confirmed(places: Places, deadline: float) -> str:
    """Wait until the owner says that torque was read back off; empty, or why not."""
    status: dict[str, Any] = {}
    while True:
        try:
            left = max(0.01, deadline - time.monotonic())
            status = ask(places.socket, {"do": "status"}, left)
        except (OSError, ValueError) as error:
            return f"the owner stopped answering ({error or type(error).__name__})"
        if status["tripped"] and status["torque_off"]:
            return ""
        if time.monotonic() >= deadline:
            return f"the owner answers, but reads no torque off (it is {status['safety']})"
        time.sleep(POLL_S)


def _stop_without(
    places: Places, owner: Owner, trouble: str, began: float, stop_port: StopPort
) -> Stopped:
    """Kill the owner if it lives, and switch torque off by the ports themselves."""
    killed = alive(owner)
    if killed and not kill(owner, signal.SIGKILL, KILL_WAIT_S):
        detail = f"{trouble}; killed, but it does not go: cut the motor supply"
        return _result(owner, False, "none", True, began, detail)
    failure = _stop_port(places, owner, stop_port)
    if failure:
        detail = f"{trouble}; {failure}: cut the motor supply"
        return _result(owner, False, "none", killed, began, detail)
    detail = f"{trouble}; torque read back off at {owner.motors.path}"
    return _result(owner, True, "ports", killed, began, detail)


def _stop_port(places: Places, owner: Owner, stop_port: StopPort) -> str:
    """Try for a while to switch the motors off; empty, or why they were not read back as off."""
    deadline = time.monotonic() + PORT_WAIT_S
    while True:
        try:
            with _locked(places):
                unconfirmed = stop_port(owner.motors)
                if not unconfirmed:
                    places.record.unlink(missing_ok=True)
                    return ""
            failure = f"motors {unconfirmed} are not read back as off"
        except OSError as error:
            failure = f"its port cannot be used ({error})"
        if time.monotonic() >= deadline:
            return failure
        time.sleep(10 * POLL_S)


@contextlib.contextmanager
def _locked(places: Places) -> Iterator[None]:
    """Hold the robot's lock. Raises RobotError: a new owner has it."""
    handle = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RobotError(f"somebody new owns robot {places.robot!r}") from error
        yield
    finally:
        os.close(handle)


def _result(owner: Owner, off: bool, how: str, killed: bool, began: float, detail: str) -> Stopped:
    return Stopped(owner.robot, str(owner), off, how, killed, time.monotonic() - began, detail)
