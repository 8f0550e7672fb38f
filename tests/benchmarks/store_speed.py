"""How fast rows go through both stores on this disk, and what handing one over costs the caller.

    python -m tests.benchmarks.store_speed --folder PLACE

from the repository's root; PLACE is on the disk of interest. The outbox and the inbox share it
here, so each waits for the other's syncs; on two machines they do not.
"""

from __future__ import annotations

import argparse
import gc
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robosac.store.inbox import Inbox
from robosac.store.inbox_thread import InboxThread
from robosac.store.limits import StoreLimits
from robosac.store.outbox import Outbox
from robosac.store.writer import StoreThread
from tests.sweeps.saying import say

SIZES = {"1 KiB": 1024, "42 KiB": 42 * 1024}
CHUNK_BYTES = 1_000_000
PACE_HZ = 200.0


@dataclass(frozen=True)
class Speed:
    """What was measured for rows of one size."""

    through_both: float
    """Rows/s from `put` to the learner's acknowledgement."""
    put_us: tuple[float, float, float]
    """Cost of `put` while the disk is busy, us: median, 99th centile, longest."""
    commit_ms: tuple[float, float]
    """A single row on the disk, ms: median, 99th centile."""


def measure(folder: Path, size: int, seconds: float) -> Speed:
    """Measure rows of `size` bytes, for about `seconds` each way."""
    return Speed(
        _through_both(folder / "both", size, seconds),
        _put_cost(folder / "put", size, seconds),
        _commit_time(folder / "commit", size, seconds),
    )


def _through_both(folder: Path, size: int, seconds: float) -> float:
    """As fast as it goes: put until full, send, acknowledge, forget."""
    folder.mkdir()
    store = StoreThread(lambda: Outbox(folder / "out.sqlite"), StoreLimits(reserve_bytes=0))
    inbox = InboxThread(lambda: Inbox(folder / "in.sqlite"))
    data, ends = np.random.default_rng(0).bytes(size), time.monotonic() + seconds

    def collect() -> None:
        while time.monotonic() < ends:
            if store.waiting_rows * size < 8_000_000:
                store.put(store.next_sequence, data)
            else:
                time.sleep(0.001)

    collecting, began = threading.Thread(target=collect), time.monotonic()
    collecting.start()
    hi = inbox.register(store.stream_id, "a")
    while collecting.is_alive() or hi < store.next_sequence - 1:
        chunk = store.read(hi, CHUNK_BYTES).result()
        if not chunk.rows:
            time.sleep(0.001)
            continue
        hi = inbox.accept(store.stream_id, chunk.first_sequence, chunk.rows)
        if hi % 1000 < len(chunk.rows):
            store.forget(inbox.mark_checkpointed(inbox.newest_arrival)[store.stream_id])
    spent = time.monotonic() - began
    store.close()
    inbox.close()
    return (hi + 1) / spent


def _put_cost(folder: Path, size: int, seconds: float) -> tuple[float, float, float]:
    """At a control loop's pace, so that each finds the store's thread as it happens to be."""
    folder.mkdir()
    store = StoreThread(lambda: Outbox(folder / "out.sqlite"), StoreLimits(reserve_bytes=0))
    data = np.random.default_rng(0).bytes(size)
    costs = _timed(lambda: store.put(store.next_sequence, data, b"state"), seconds, 1 / PACE_HZ)
    store.close()
    return 1e6 * float(np.median(costs)), 1e6 * float(np.quantile(costs, 0.99)), 1e6 * max(costs)


def _commit_time(folder: Path, size: int, seconds: float) -> tuple[float, float]:
    folder.mkdir()
    outbox = Outbox(folder / "out.sqlite")
    data = np.random.default_rng(0).bytes(size)
    times = _timed(lambda: outbox.append([data]), seconds, 0.0)
    outbox.close()
    return 1e3 * float(np.median(times)), 1e3 * float(np.quantile(times, 0.99))


def _timed(call: Callable[[], object], seconds: float, pause_s: float) -> list[float]:
    times: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
        time.sleep(pause_s)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    say(f"SQLite {sqlite3.sqlite_version}, WAL, synchronous FULL, {options.seconds:.0f} s each")
    # As in the control loop's own process.
    gc.disable()
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            speed = measure(Path(folder), size, options.seconds)
        median, late, longest = speed.put_us
        say(
            f"{name}: {speed.through_both:,.0f} rows/s through both stores; put {median:.0f} us,"
            f" 99 % {late:.0f} us, longest {longest:.0f} us; one row on the disk"
            f" {speed.commit_ms[0]:.2f} ms, 99 % {speed.commit_ms[1]:.2f} ms"
        )


if __name__ == "__main__":
    main()
