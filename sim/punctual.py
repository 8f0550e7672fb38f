"""Asks the system to serve a twin on time: a robot's motors do not wait for a busy computer."""

from __future__ import annotations

import gc
import os


def be_punctual(priority: int) -> str | None:
    """Give the calling thread real-time priority; a line that tells why not, or None.

    Devices answer whatever the robot's computer is busy with. A twin at ordinary priority does not:
    beside a learner it waits for a processor, and each wait looks like a bus that lost an answer.

    Args:
        priority: of SCHED_FIFO, 1 to 99; above that of the executor, which waits for the answers.
            0: none is asked for.
    """
    if priority == 0:
        return None
    # Pauses of the collector would be silences of the motors; the serving loop leaves no cycles.
    gc.collect()
    gc.freeze()
    gc.disable()
    if not hasattr(os, "SCHED_FIFO"):
        return "the twin has no real-time priority: this system has no SCHED_FIFO"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        return f"the twin has no real-time priority {priority} (SCHED_FIFO): {error.strerror}"
    return None
