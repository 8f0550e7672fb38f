"""Asks the system for punctuality: real-time priority, memory that stays, no garbage collection."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

SWITCH_S: Final = 0.0005
"""How long another thread, such as a camera's, may keep the interpreter from the loop, s.

Python's own 5 ms are a whole tick of the quadruped.
"""
HELPER_PRIORITY: Final = 1
"""Of the process's other threads: below any loop's, above everything ordinary."""
_MCL_CURRENT, _MCL_FUTURE = 1, 2
CAP_IPC_LOCK: Final = 14
"""Whoever has it may lock memory whatever the limit is (linux/capability.h)."""
CAP_SYS_NICE: Final = 23
"""Whoever has it may take any priority."""


def prepare(priority: int) -> tuple[str, ...]:
    """Make the calling thread as punctual as the system lets it be, and the others no obstacle.

    A thread that holds the interpreter while it waits for a processor keeps the loop waiting too,
    whatever the loop's priority: a recorder's beside three busy programs on two cores did so for
    54 ms. So every other Python thread that runs already gets the lowest real-time priority.

    Args:
        priority: of SCHED_FIFO, 1 to 99; 0: neither priority nor locked memory are asked for.

    Returns a line for each thing that was refused, and why. Cyclic garbage is not collected any
    more: what is alive now stays, and the loop makes none.
    """
    refused = [] if priority == 0 else [*_refusals(priority)]
    share_interpreter()
    gc.collect()
    gc.freeze()
    gc.disable()
    return tuple(refused)


@contextlib.contextmanager
def punctual(priority: int) -> Iterator[tuple[str, ...]]:
    """As `prepare`, for as long as the block lasts: for a process that goes on to other work."""
    collects, switch_s = gc.isenabled(), sys.getswitchinterval()
    before = _scheduling()
    try:
        yield prepare(priority)
    finally:
        if priority:
            _give_back(before)
        sys.setswitchinterval(switch_s)
        gc.unfreeze()
        if collects:
            gc.enable()


def _scheduling() -> dict[int, tuple[int, os.sched_param]]:
    """Policy and priority of every Python thread that runs, by its number in the system."""
    if not hasattr(os, "sched_getscheduler"):
        return {}
    numbers = [thread.native_id for thread in threading.enumerate() if thread.native_id is not None]
    return {
        number: (os.sched_getscheduler(number), os.sched_getparam(number)) for number in numbers
    }


def _give_back(before: dict[int, tuple[int, os.sched_param]]) -> None:
    """Schedule threads as they were, those begun since as this one was; let memory be moved."""
    own = before.get(threading.get_native_id())
    for thread in threading.enumerate():
        number = thread.native_id
        policy = own if number is None else before.get(number, own)
        if number is not None and policy is not None:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(number, *policy)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "munlockall"):
        libc.munlockall()


def share_interpreter() -> None:
    """Let no Python thread of this process keep the interpreter for longer than SWITCH_S."""
    sys.setswitchinterval(SWITCH_S)


def _refusals(priority: int) -> tuple[str, ...]:
    tries: tuple[tuple[str, Callable[[], None]], ...] = (
        (f"real-time priority {priority} (SCHED_FIFO)", lambda: set_fifos(priority)),
        ("locked memory (mlockall)", lock_memory),
    )
    refused: list[str] = []
    for what, attempt in tries:
        try:
            attempt()
        except OSError as error:
            refused.append(f"{what} was refused: {error.strerror}; docs/hardware.md tells how to")
    return tuple(refused)


def set_fifos(priority: int) -> None:
    """Schedule the calling thread first in, first out, and the other Python threads behind it.

    Raises:
        OSError: the system refuses, or has no such thing.
    """
    if not hasattr(os, "SCHED_FIFO"):
        raise OSError(0, "this system has no SCHED_FIFO")
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    own = threading.get_ident()
    for thread in threading.enumerate():
        if thread.ident != own and thread.native_id is not None:
            helper = os.sched_param(min(HELPER_PRIORITY, priority))
            # One that has just ended is no obstacle.
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(thread.native_id, os.SCHED_FIFO, helper)


def lock_memory() -> None:
    """Keep all memory of this process, present and future, in RAM.

    Not where a limit on locked memory stands: it would make a later allocation fail, in the loop.

    Raises:
        OSError: the system refuses, or has no such thing.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not capable(CAP_IPC_LOCK):
        raise OSError(0, f"only {limit // 1024} KiB may be locked (RLIMIT_MEMLOCK)")
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "mlockall"):
        raise OSError(0, "this system has no mlockall")
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def capable(capability: int, proc: Path = Path("/proc")) -> bool:
    """Whether this process has a capability, such as CAP_IPC_LOCK, in effect."""
    status = proc / "self/status"
    if not status.exists():
        return False
    for line in status.read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False
