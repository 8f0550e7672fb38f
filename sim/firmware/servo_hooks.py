"""What a line of servos lets a fault do to one of them.

Whole messages can be spoilt from outside (`sim.faulty_line`); to make one servo of a shared line
lie or fall silent its firmware has to lend a hand. Firmware offers `ServoHooks`, and keeps for each
servo what `ReadingFaults` and `ReplyFaults` keep.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np


class ServoHooks(Protocol):
    """Faults of single servos, by id; an id that is not in `ids` raises KeyError."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Every servo on the line."""
        ...

    def silence(self, id: int, on: bool) -> None:
        """Off the line: it neither hears nor answers, and its watchdog sees to the rest."""
        ...

    def freeze(self, id: int, on: bool) -> None:
        """It obeys, but every answer tells the values of when it was frozen."""
        ...

    def jam_encoder(self, id: int, on: bool) -> None:
        """It turns, but tells the position of when this began, and no speed."""
        ...

    def heat(self, id: int, temperature_c: float | None) -> None:
        """It tells this temperature, degrees C; None: its own."""
        ...

    def skew(self, id: int, offset_rad: float) -> None:
        """It tells a position that is off by so much; 0: the truth."""
        ...

    def lag(self, id: int, seconds: float) -> None:
        """It answers in time with what it measured so long ago; 0: with the present."""
        ...

    def hold(self, id: int, seconds: float) -> None:
        """Its answers come so late; 0: at once."""
        ...

    def garble(self, id: int, rng: np.random.Generator | None) -> None:
        """Its answers are random bytes; None: no more."""
        ...

    def reboot(self, id: int) -> None:
        """It starts anew: torque off, what was not stored lost, silent while it boots."""
        ...

    def sag(self, volts: float | None) -> None:
        """The line's supply falls to at most so much; None: it is back."""
        ...


class ImuHooks(Protocol):
    """Faults of an inertial sensor that only its firmware can have."""

    def skew(self, angle_rad: float) -> None:
        """It tells an attitude turned by so much about its x axis; 0: the truth."""
        ...

    def lag(self, seconds: float) -> None:
        """It tells, as of now, what it measured so long ago; 0: the present."""
        ...

    def saturate(self, on: bool) -> None:
        """It tells rates and forces beyond the end of its range."""
        ...

    def reboot(self) -> None:
        """It starts anew: what was not stored is lost."""
        ...


Reading = tuple[float, ...]
"""Of a servo: position, speed, two others, temperature; then whatever else."""
_TEMPERATURE = 4
_SAME_TIME_S = 1e-9


class ReadingFaults:
    """What one device measures, until a fault changes it.

    Attributes:
        frozen: every reading is the one of when this was set.
        lag_s: every reading is as old as that, s.
        offset: added to the first value of a reading.
        jammed: the first value is the one of when this was set, and the second is 0.
        temperature_c: in place of a servo's own; None: that.
    """

    def __init__(self) -> None:
        self.frozen = False
        self.lag_s = 0.0
        self.offset = 0.0
        self.jammed = False
        self.temperature_c: float | None = None
        self._held: Reading | None = None
        self._jammed_at: float | None = None
        self._past: deque[tuple[float, Reading]] = deque()

    @property
    def none(self) -> bool:
        """True while readings are told as they are."""
        changed = self.frozen or self.lag_s or self.offset or self.jammed
        return not changed and self.temperature_c is None

    def read(self, now: float, true: Reading) -> Reading:
        """What is told at `now` (s) in place of the `true` reading."""
        reading = self._old(now, true) if self.lag_s else true
        if not self.frozen:
            self._held = None
        elif self._held is None:
            self._held = reading
        else:
            reading = self._held
        if not self.jammed:
            self._jammed_at = None
        else:
            self._jammed_at = reading[0] if self._jammed_at is None else self._jammed_at
            reading = (self._jammed_at, 0.0, *reading[2:])
        if self.temperature_c is not None:
            before, after = reading[:_TEMPERATURE], reading[_TEMPERATURE + 1 :]
            reading = (*before, self.temperature_c, *after)
        return (reading[0] + self.offset, *reading[1:]) if self.offset else reading

    def _old(self, now: float, true: Reading) -> Reading:
        """The newest reading that is at least `lag_s` old, or else the oldest known."""
        past = self._past
        if past and now < past[-1][0]:
            past.clear()
        past.append((now, true))
        while len(past) > 1 and past[1][0] <= now - self.lag_s + _SAME_TIME_S:
            past.popleft()
        return past[0][1]
