"""Single servos' torque on and off within the tick: whom to tell, and whom to ask. No I/O.

A sync write is not answered and may be lost. So a servo is told in every exchange until it says
itself that it is as wanted. Whoever should be free and holds is told again. Whoever has held and
holds no more is not: why it let go (restarted, shut down, stopped by its watchdog) is for a fresh
arming to find out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.constants import WATCHDOG_TRIPPED
from drivers.dynamixel.control_table import TABLES
from drivers.dynamixel.instructions import sync_write
from drivers.dynamixel.telemetry import UNKNOWN, Topic

BoolArray = NDArray[np.bool_]

WATCHDOG_S: Final = 0.1
"""Five times 20 ms: more than the worst lateness of a loaded host, s."""
REFUSALS: Final = 3
"""So many answers in a row that torque is on, each after orders to let go: no order was lost."""

# The same in every model.
_TORQUE, _WATCHDOG = TABLES[1020]["torque_enable"], TABLES[1020]["bus_watchdog"]
_ON, _OFF = _TORQUE.encode(1), _TORQUE.encode(0)


def watchdog_counts(watchdog_s: float) -> int:
    """What the register bus_watchdog must hold.

    Raises:
        ValueError: less than 20 ms or more than 2.54 s.
    """
    counts = _WATCHDOG.to_raw(watchdog_s)
    if counts < 1:
        raise ValueError(f"a watchdog of {watchdog_s} s would be none; 0.02 to 2.54 is valid")
    return counts


@dataclass(slots=True)
class _Servo:
    """What one servo is to do, and what it has said since that changed."""

    wanted: bool | None = None
    """Torque on or off; None: as it is."""
    torque: int = UNKNOWN
    watchdog: int = UNKNOWN
    has_held: bool = False
    was_watched: bool = False
    refusals: int = 0
    """Answers in a row that torque is on although it is wanted off."""

    @property
    def unswitched(self) -> bool:
        """Whether it must be told to switch torque."""
        if self.wanted is None:
            return False
        return not self.has_held if self.wanted else self.torque != 0

    @property
    def unwatched(self) -> bool:
        """Whether it must be told to arm its watchdog; one that has tripped does not listen."""
        return bool(self.wanted) and not self.was_watched and self.watchdog != WATCHDOG_TRIPPED

    @property
    def holding(self) -> bool:
        """Whether it can be relied on: its last words are torque on, and armed as it was told."""
        relied_on = self.was_watched if self.wanted else self.wanted is None
        return relied_on and self.torque == 1 and self.watchdog > 0

    @property
    def free(self) -> bool:
        """Whether its last word is no torque, and it was not told otherwise since."""
        return self.torque == 0 and not self.unswitched


class TorqueSwitch:
    """One exchange after the other: `hear` the answers, send `orders`, ask `next_question`.

    Args:
        ids: the servos, in the order of every array.

    Attributes:
        watchdog: counts of 20 ms for the servos that are switched on.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self.watchdog = watchdog_counts(WATCHDOG_S)
        self._ids = tuple(ids)
        self._servos = [_Servo() for _ in ids]
        self._wanted = b""
        self._open: list[tuple[int, Topic]] = []
        self._pass: list[tuple[int, Topic]] = []
        self._holding = self._free = self._clinging = _frozen([False] * len(self._ids))

    @property
    def holding(self) -> BoolArray:
        """Who has said, since it was last told otherwise, that torque and watchdog are on."""
        return self._holding

    @property
    def free(self) -> BoolArray:
        """Who has said, since it was last told otherwise, that torque is off."""
        return self._free

    @property
    def clinging(self) -> BoolArray:
        """Who was told to let go and has said `REFUSALS` times since that torque is on."""
        return self._clinging

    @property
    def asking(self) -> bool:
        """Whether somebody is not known to be as wanted."""
        return bool(self._open)

    def orders(self, hold: BoolArray) -> bytes:
        """What to send behind the goals, so that torque is on where `hold` is, and off elsewhere.

        Watchdogs are armed behind it. b"" once all have said that they are as wanted.
        """
        if not self._open and hold.tobytes() == self._wanted:
            return b""
        self._want(hold)
        watchdog = _WATCHDOG.encode(self.watchdog)
        pairs = list(zip(self._ids, self._servos, strict=True))
        torque = {id: _ON if servo.wanted else _OFF for id, servo in pairs if servo.unswitched}
        armed = {id: watchdog for id, servo in pairs if servo.unwatched}
        return b"".join(
            sync_write(register.address, register.size, data)
            for register, data in ((_TORQUE, torque), (_WATCHDOG, armed))
            if data
        )

    def hear(self, place: int, topic: Topic, code: int) -> None:
        """Servo number `place` answers a question that was put after the last orders were sent."""
        servo = self._servos[place]
        if topic is Topic.TORQUE:
            news = servo.torque != code
            servo.torque = code
            servo.has_held |= bool(servo.wanted) and code == 1
            servo.refusals = servo.refusals + 1 if servo.wanted is False and code else 0
        elif topic is Topic.WATCHDOG:
            news = servo.watchdog != code
            servo.watchdog = code
            servo.was_watched |= bool(servo.wanted) and code == self.watchdog
        else:
            return
        if news or self._open:
            self._update()

    def next_question(self) -> tuple[int, Topic] | None:
        """Whom to ask about what; None after each pass, so that other questions get a turn."""
        while self._pass:
            question = self._pass.pop(0)
            if question in self._open:
                return question
        self._pass = list(self._open)
        return None

    def release(self) -> None:
        """All were told to let go: nobody is wanted on or off, and no word that one holds stays."""
        held = [servo.wanted is not None or servo.torque == 1 for servo in self._servos]
        if any(held):
            self._servos = [_Servo(torque=0 if s.torque == 0 else UNKNOWN) for s in self._servos]
            self._wanted = b""
            self._update()

    def forget(self, place: int | None = None) -> None:
        """Everything about servo number `place`, or about all: others have switched its torque."""
        for each in range(len(self._ids)) if place is None else (place,):
            self._servos[each] = _Servo()
        self._wanted = b""
        self._update()

    def _want(self, hold: BoolArray) -> None:
        """Begin anew with those for whom `hold` is another than before."""
        wanted = hold.tobytes()
        if wanted == self._wanted:
            return
        self._wanted = wanted
        for place, on in enumerate(hold.tolist()):
            if self._servos[place].wanted is not on:
                self._servos[place] = _Servo(on)
        self._update()
        self._pass = list(self._open)

    def _update(self) -> None:
        """Work out what follows from what is wanted and was heard."""
        servos = self._servos
        self._open = [
            *((place, Topic.TORQUE) for place, servo in enumerate(servos) if servo.unswitched),
            *((place, Topic.WATCHDOG) for place, servo in enumerate(servos) if servo.unwatched),
        ]
        self._holding = _frozen([servo.holding for servo in servos])
        self._free = _frozen([servo.free for servo in servos])
        self._clinging = _frozen([servo.refusals >= REFUSALS for servo in servos])


def _frozen(values: list[bool]) -> BoolArray:
    array = np.array(values, dtype=np.bool_)
    array.setflags(write=False)
    return array
