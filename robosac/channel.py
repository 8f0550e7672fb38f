"""What executor and actor tell each other through shared memory: newest goal down, every state up.

Nobody waits for a lock, so a process that is killed or stopped at any moment cannot block the
other; what it was just writing is not believed (see `seqlock`). One process writes each slot:

- the actor: request, command, trip;
- the executor: beat, ticks, pictures, lateness, answer, end.

Times are of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from robosac.channel_layout import (
    ANSWER,
    BEAT,
    DOCUMENT_BYTES,
    END,
    HEADER,
    LATENESS,
    PICTURES,
    TEXT_BYTES,
    TICKS,
    TRIP_BYTE,
    Layout,
    command_dtype,
    fixed_text,
    read_header,
    request_dtype,
)
from robosac.hal import BoolArray, Image
from robosac.lateness import LatenessHistogram
from robosac.seqlock import Slot
from robosac.shared_memory import SharedMemory
from robosac.states import SafetyState
from robosac.tick_codec import STATES, TickRecord, decode, encode, pack_goal, stands, unpack_goal

UNREADABLE_REASON: Final = "tripped by the actor; its reason could not be read"


class Code(enum.IntEnum):
    """What the actor may ask the executor to do, once each and with an answer."""

    ARM = 1
    DISARM = 2
    FREE = 3
    CLEAR = 4
    RESET_GATE = 5
    STATISTICS = 6
    CLOSE = 7


class AnswerKind(enum.IntEnum):
    """How a command went."""

    DONE = 0
    NOT_ARMED = 1
    ARMING = 2
    ROBOT = 3
    VALUE = 4
    CONFIG = 5


@dataclass(frozen=True, slots=True)
class GoalDown:
    """The newest goal of the actor."""

    number: int
    """Counts from 1."""
    made: float
    """When the actor made it, s."""
    ramp: float
    """s"""
    goal: object
    """rad; see `tick_codec.unpack_goal`."""


@dataclass(frozen=True, slots=True)
class CommandDown:
    """A command of the actor."""

    id: int
    code: Code
    text: str
    mask: BoolArray


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    id: int
    kind: AnswerKind
    text: str


@dataclass(frozen=True, slots=True)
class Beat:
    """The sign of life of the executor's loop."""

    time: float
    number: int
    """Of the newest tick."""
    safety: SafetyState
    tripped: bool
    """Whether its e-stop gate is."""


@dataclass(frozen=True, slots=True)
class End:
    """Why the executor's process has ended."""

    confirmed: bool
    """Whether every motor was read back as off."""
    text: str


class Channel:
    """Both ends of it; `create` by the parent, `attach` by the child.

    Args:
        memory: holds a header already; this object owns it.

    Raises:
        ValueError: it is no channel of this version.
    """

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self.layout = read_header(bytes(memory.view[: HEADER.itemsize + 4]))
        places, size = self.layout.places()
        if size > len(memory.view):
            raise ValueError(f"the channel needs {size} bytes, but has {len(memory.view)}")
        self._views = {
            name: [memory.view[begin:end] for begin, end in slots] for name, slots in places.items()
        }
        self._slots = {name: [Slot(v) for v in views] for name, views in self._views.items()}
        self._versions = dict.fromkeys(self._slots, 0)
        joints = self.layout.joints
        self._request, self._command = request_dtype(joints), command_dtype(joints)

    @classmethod
    def create(cls, layout: Layout) -> Channel:
        """A channel in new memory."""
        memory = SharedMemory.create(layout.places()[1])
        header = layout.header()
        memory.view[: len(header)] = header
        return cls(memory)

    @classmethod
    def attach(cls, descriptor: int) -> Channel:
        """The channel behind an inherited file.

        Raises:
            ValueError: it is no channel of this version. OSError: there is no such file.
        """
        memory = SharedMemory(descriptor)
        try:
            return cls(memory)
        except ValueError:
            memory.close()
            raise

    @property
    def descriptor(self) -> int:
        """The file behind it, to be inherited."""
        return self._memory.descriptor

    def close(self) -> None:
        """Let go of the memory; safe to call twice."""
        for views in self._views.values():
            for view in views:
                view.release()
        self._views = {}
        self._memory.close()

    # The actor's side.

    def put_request(self, number: int, goal: object, ramp: float, made: float) -> None:
        """Replace the newest goal by number `number`, made at `made` (s)."""
        row = np.zeros(1, dtype=self._request)
        kind, vector = pack_goal(goal, self.layout.joints)
        row[0] = (made, ramp, vector, kind)
        self._slots["request"][0].write(row.tobytes(), number)

    def put_command(
        self, id: int, code: Code, text: str = "", mask: BoolArray | None = None
    ) -> None:
        """Ask for `code`; the executor obeys every id once.

        Raises:
            ValueError: the text is too long.
        """
        if len(text.encode("utf-8", errors="replace")) > TEXT_BYTES:
            raise ValueError(f"a command's text has at most {TEXT_BYTES} bytes, got {text!r}")
        row = np.zeros(1, dtype=self._command)
        row[0] = (id, code, 0 if mask is None else mask, fixed_text(text, TEXT_BYTES))
        self._slots["command"][0].write(row.tobytes(), id)

    def put_trip(self, reason: str) -> None:
        """Trip the e-stop gate; the first reason is kept. Storing one byte is enough, at any time.

        The byte comes first: a signal handler may interrupt this very function.
        """
        if not self._memory.view[TRIP_BYTE]:
            self._memory.view[TRIP_BYTE] = 1
            self._put("trip", fixed_text(reason, TEXT_BYTES).ljust(TEXT_BYTES, b"\0"))

    def take_back_trip(self) -> None:
        """Before the gate is reset: the actor trips it no longer."""
        self._memory.view[TRIP_BYTE] = 0

    def beat(self) -> Beat | None:
        """The newest sign of life; None: not yet, or not at this moment."""
        row = self._row("beat", BEAT)
        if row is None:
            return None
        state = STATES[int(row["safety"])]
        return Beat(float(row["time"]), int(row["number"]), state, bool(row["tripped"]))

    def answer(self) -> Answer | None:
        """The newest answer; None: not yet, or not at this moment."""
        row = self._row("answer", ANSWER)
        if row is None:
            return None
        return Answer(int(row["id"]), AnswerKind(int(row["kind"])), bytes(row["text"]).decode())

    def end(self) -> End | None:
        """How the executor's process ended, if it could still say so."""
        row = self._row("end", END)
        return None if row is None else End(bool(row["confirmed"]), bytes(row["text"]).decode())

    def lateness(self) -> tuple[LatenessHistogram, int]:
        """How late the executor's ticks began, and how many were missed altogether."""
        row = self._row("lateness", LATENESS)
        if row is None:
            return LatenessHistogram(), 0
        histogram = LatenessHistogram(row["counts"].tolist(), float(row["longest"]))
        return histogram, int(row["overruns"])

    def tick_stands(self, number: int) -> tuple[int, int, float] | None:
        """Request, command and time (s) of tick `number`; None: it is not there (any more)."""
        raw = self._tick(number)
        return None if raw is None else stands(raw, self.layout.joints)

    def tick(self, number: int) -> TickRecord | None:
        """Tick `number`; None: it is not there yet, or was overwritten."""
        raw = self._tick(number)
        return None if raw is None else decode(raw, self.layout.joints, self._picture)

    # The executor's side.

    def request(self) -> GoalDown | None:
        """The newest goal; None: not yet, or not at this moment."""
        found = self._slots["request"][0].read()
        if found is None:
            return None
        row = np.frombuffer(found[1], dtype=self._request)[0]
        goal = unpack_goal(int(row["kind"]), row["goal"].copy())
        return GoalDown(found[0], float(row["made"]), float(row["ramp"]), goal)

    def command(self) -> CommandDown | None:
        """The newest command; None: not yet, or not at this moment."""
        row = self._row("command", self._command)
        if row is None:
            return None
        code, text = Code(int(row["code"])), bytes(row["text"]).decode()
        return CommandDown(int(row["id"]), code, text, row["mask"] != 0)

    def trip_reason(self) -> str | None:
        """Why the actor trips the e-stop gate; None: it does not."""
        if not self._memory.view[TRIP_BYTE]:
            return None
        found = self._slots["trip"][0].read()
        text = "" if found is None else found[1].rstrip(b"\0").decode(errors="replace")
        return text or UNREADABLE_REASON

    def put_beat(self, beat: Beat) -> None:
        """Show that the loop lives."""
        values = (beat.time, beat.number, STATES.index(beat.safety), beat.tripped)
        self._put("beat", np.array(values, dtype=BEAT).tobytes())

    def put_answer(self, answer: Answer) -> None:
        """Answer a command.

        Raises:
            ValueError: the text is too long to be told whole.
        """
        raw = answer.text.encode("utf-8", errors="replace")
        if len(raw) > DOCUMENT_BYTES:
            raise ValueError(f"an answer has at most {DOCUMENT_BYTES} bytes, got {len(raw)}")
        self._put("answer", np.array((answer.id, answer.kind, raw), dtype=ANSWER).tobytes())

    def put_end(self, end: End) -> None:
        """Say why the process ends; the last thing it does."""
        raw = fixed_text(end.text, DOCUMENT_BYTES)
        self._put("end", np.array((end.confirmed, raw), dtype=END).tobytes())

    def put_lateness(self, histogram: LatenessHistogram, overruns: int) -> None:
        """Show how the loop has kept time so far."""
        values = (tuple(histogram.counts), histogram.longest_s, overruns)
        self._put("lateness", np.array(values, dtype=LATENESS).tobytes())

    def put_tick(self, record: TickRecord) -> None:
        """Show a tick; its number must be one more than the last one's."""
        raw = encode(record, self.layout.joints)
        self._slots["tick"][record.number % TICKS].write(raw, record.number)

    def put_picture(self, number: int, image: Image) -> None:
        """Show picture `number`, before the tick that names it.

        Raises:
            ValueError: another size than the channel has, or the channel has no pictures.
        """
        picture = self.layout.picture
        if picture is None or image.shape != (*picture, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"a picture is {image.dtype}{image.shape}; the channel is for uint8 {picture}, RGB"
            )
        self._slots["picture"][number % PICTURES].write(image.tobytes(), number)

    def _put(self, name: str, raw: bytes) -> None:
        self._versions[name] += 1
        self._slots[name][0].write(raw, self._versions[name])

    def _row(self, name: str, dtype: np.dtype[Any]) -> Any:
        found = self._slots[name][0].read()
        return None if found is None else np.frombuffer(found[1], dtype=dtype)[0]

    def _tick(self, number: int) -> bytes | None:
        return self._numbered("tick", number, TICKS)

    def _picture(self, number: int) -> Image | None:
        raw = self._numbered("picture", number, PICTURES)
        if raw is None or self.layout.picture is None:
            return None
        return np.frombuffer(raw, dtype=np.uint8).reshape(*self.layout.picture, 3)

    def _numbered(self, name: str, number: int, count: int) -> bytes | None:
        found = self._slots[name][number % count].read()
        return found[1] if found is not None and found[0] == number else None
