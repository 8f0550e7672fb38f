"""Keeps the newest seconds of a robot in memory, and has them written when a fault is latched.

In the control tick it only fills memory that was taken at the start. Copying and writing are a
thread's and another process's business; whatever goes wrong there is told, and the robot goes on.
"""

from __future__ import annotations

import datetime
import math
import queue
import re
import threading
import time as system_time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from robosac.errors import FlightFileError
from robosac.flight.log import FlightLog, Header, Note, ordered
from robosac.flight.ring import BusRing, TickRing
from robosac.flight.rows import Kind
from robosac.flight.writer import save_aside
from robosac.hal import Fault, Frame
from robosac.states import SafetyState
from robosac.ticks import Decision, Tick

BYTES_PER_S: Final = 600_000
"""Room for all ports together; eight moteus at 200 Hz with an inertial sensor take about 450 kB."""
CHUNKS_PER_S: Final = 6_000
"""Room for writes and reads."""
SPARE_TICKS: Final = 200
"""More than are asked for, since the oldest are lost while they are copied."""
KEPT_EVENTS: Final = 4_096
PATIENCE_S: Final = 1.0
"""Wall time after a fault until it is written though no more ticks come, s."""
CLOSING_S: Final = 150.0
_NAME: Final = re.compile(r"^\d{8}-\d{6}-\d{6}-.*\.mcap$")

Save = Callable[[FlightLog, Path], None]


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """How much is kept, and when it is written."""

    seconds: float = 30.0
    """s, kept at full rate."""
    tail_s: float = 0.3
    """s of clock time recorded after a fault before it is written."""
    pictures: int = 30
    """Newest pictures kept."""
    files: int = 20
    """Newest recordings kept in the folder; older ones are removed."""
    at_close: bool = False
    """Whether to write when closed, fault or not."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 600:
            raise ValueError(f"recorder seconds must lie in (0, 600], got {self.seconds}")
        if self.tail_s < 0 or self.pictures < 0 or self.files < 1:
            raise ValueError("recorder tail_s and pictures must be >= 0, and files >= 1")


def bus_ring(seconds: float) -> BusRing:
    """Room for the bytes of `seconds`."""
    return BusRing(int(seconds * BYTES_PER_S), int(seconds * CHUNKS_PER_S))


@dataclass(slots=True)
class _Order:
    """One recording that shall be written."""

    reasons: list[str]
    due: float
    """Clock time from which on it may be, s."""
    since: float = math.inf
    """Clock time of its first fault, s."""
    taken: bool = False
    """Whether its memory is being copied, so that nothing more can join it."""
    ready: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


class FlightRecorder:
    """An `Observer` of one executor.

    Args:
        header: what is known of the robot; reason and date are put in.
        period: of a tick, s.
        folder: where recordings go; may be set later.
        settings: how much is kept, and when it is written.
        bus: the bytes of the ports; whoever taps the wires fills it.
        tell: is told, in one line, what was written and what failed; from any thread.
        save: writes a log to a path; raises FlightFileError.

    Attributes:
        folder: where recordings go.
        written: paths of what was written.
        failures: what went wrong, one line each.
    """

    def __init__(
        self,
        header: Header,
        period: float,
        folder: Path,
        settings: RecorderSettings,
        bus: BusRing,
        tell: Callable[[str], None],
        save: Save = save_aside,
    ) -> None:
        self.folder, self.settings, self.bus = folder, settings, bus
        self.written: list[Path] = []
        self.failures: list[str] = []
        self._header, self._tell, self._save = header, tell, save
        rows = int(settings.seconds / period) + SPARE_TICKS
        self._ring = TickRing(rows, len(header.joints))
        self._events: deque[Note] = deque(maxlen=KEPT_EVENTS)
        self._notes: deque[tuple[Note, ...]] = deque(maxlen=rows)
        self._frames: deque[Frame] = deque(maxlen=settings.pictures)
        self._broken = self._closed = False
        self._orders: queue.Queue[_Order | None] = queue.Queue()
        self._open: _Order | None = None
        self._last: _Order | None = None
        self._lock = threading.Lock()
        # Started here, so that it does not inherit the real-time priority that its maker may ask
        # for later; see `robosac.realtime.prepare` for what it gets.
        self._thread = threading.Thread(target=self._work, name="flight recorder", daemon=True)
        self._thread.start()

    def ticked(self, tick: Tick) -> None:
        """Keep one exchange; never raises."""
        if self._broken or tick.decision is None:
            return
        try:
            self._keep(tick, tick.decision)
        except Exception as error:  # noqa: BLE001 (a recorder must not stop the robot)
            self._broken = True
            self._complain(f"flight recorder: it stopped recording: {error!r}")
        order = self._open
        if order is not None and tick.time >= order.due:
            self._release(order)

    def entered(self, state: SafetyState, time: float) -> None:
        """Note a safety state."""
        self._events.append(Note(time, self._ring.count, "entered", state.value))

    def latched(self, fault: Fault, time: float) -> None:
        """Note a fault, and have everything written shortly after."""
        self._events.append(Note.of("latched", fault, time, self._ring.count))
        self._order(fault.name, time + self.settings.tail_s, time)

    def write(self, reason: str) -> None:
        """Have everything written now; returns at once."""
        self._release(self._order(reason, -float("inf")))

    def flush(self, timeout_s: float = CLOSING_S) -> bool:
        """Wait until all that is ordered is written or has failed; False: it takes longer."""
        marker = _Order([], 0.0)
        marker.ready.set()
        order = self._open
        if order is not None:
            self._release(order)
        self._orders.put(marker)
        return marker.done.wait(timeout_s)

    def close(self) -> None:
        """Write what is still to be written and end; safe to call twice. Never raises."""
        if self._closed:
            return
        self._closed = True
        if self.settings.at_close:
            self.write("close")
        if not self.flush():
            self._complain(f"flight recorder: not written within {CLOSING_S:g} s")
        self._orders.put(None)
        self._thread.join(PATIENCE_S)

    def _keep(self, tick: Tick, decision: Decision) -> None:
        number = self._ring.count
        self._ring.add(tick, decision)
        reported, found = tick.state.faults, decision.findings.faults
        if reported or found:
            self._notes.append(
                tuple(Note.of("reported", fault, tick.time, number) for fault in reported)
                + tuple(Note.of("found", fault, tick.time, number) for fault in found)
            )
        if decision.asked and self._ring.kind(tick.requested) is Kind.MALFORMED:
            note = Note(tick.time, number, "malformed", type(tick.requested).__name__[:60])
            self._notes.append((note,))
        view = tick.state.camera
        frame = None if view is None else view.frame
        if frame is not None and (not self._frames or frame is not self._frames[-1]):
            self._frames.append(frame)

    def _order(self, reason: str, due: float, since: float = math.inf) -> _Order:
        """The recording that `reason` goes into: one that still waits, or another.

        Everything that waits goes into one: it is the same memory, and recordings of the same
        seconds, one behind the other, would keep a busy computer busy.
        """
        with self._lock:
            order = self._last
            if order is None or order.taken:
                order = self._last = self._open = _Order([reason], due, since)
                self._orders.put(order)
                return order
            if reason not in order.reasons:
                order.reasons.append(reason)
            if self._open is not order:
                # It was ready, and waits for the one before it: what follows this belongs to it.
                self._open, order.due = order, due
                order.ready.clear()
        return order

    def _release(self, order: _Order) -> None:
        """Let the thread write `order`."""
        with self._lock:
            if self._open is order:
                self._open = None
            order.ready.set()

    def _take(self, order: _Order) -> None:
        """Wait until `order` is ready, but not for ever; nothing joins it from then on."""
        order.ready.wait(PATIENCE_S)
        with self._lock:
            order.taken = True
            if self._open is order:
                self._open = None

    def _work(self) -> None:
        """The thread: one recording after the other."""
        while (order := self._orders.get()) is not None:
            self._take(order)
            try:
                if order.reasons:
                    self._write(order)
            except Exception as error:  # noqa: BLE001 (told; the next fault must be written)
                text = str(error) if isinstance(error, FlightFileError) else repr(error)
                self._complain(f"flight recorder: {' '.join(text.split())}")
            finally:
                order.done.set()

    def _write(self, order: _Order) -> None:
        reasons = order.reasons
        now = datetime.datetime.now(datetime.UTC)
        words = re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(reasons))[:80]
        path = self.folder / f"{now:%Y%m%d-%H%M%S-%f}-{words}.mcap"
        header = msgspec.structs.replace(
            self._header, reason=", ".join(reasons), created=now.isoformat(timespec="milliseconds")
        )
        log = self._copy(header)
        if len(log.rows) and order.since < (first := float(log.rows["timing.time"][0])):
            self._complain(
                f"flight recorder: {path} begins {first - order.since:.1f} s after its first fault:"
                " the recording before it took too long to be written"
            )
        self._save(log, path)
        self.written.append(path)
        self._tell(f"flight recorder: {path} ({header.reason})")
        kept = sorted(entry for entry in self.folder.iterdir() if _NAME.match(entry.name))
        for old in kept[: -self.settings.files]:
            old.unlink(missing_ok=True)

    def _copy(self, header: Header) -> FlightLog:
        """All that is kept now, and of notes what belongs to it."""
        # A deque is copied in one step of the interpreter.
        frames, events, noted = tuple(self._frames), tuple(self._events), tuple(self._notes)
        rows, bus = self._ring.copy(), self.bus.copy()
        first, last = 0, -1
        if len(rows):
            first, last = (int(rows["timing.sequence"][row]) for row in (0, -1))
        notes = [note for group in noted for note in group if first <= note.sequence <= last]
        notes += [note for note in events if note.sequence >= first]
        return FlightLog(header, rows, ordered(notes), bus, frames)

    def _complain(self, text: str) -> None:
        self.failures.append(text)
        self._tell(text)


def epoch_of(now: float) -> int:
    """What makes nanoseconds since 1970 of a clock that shows `now` (s)."""
    return system_time.time_ns() - round(now * 1e9)
