"""A bad cable: a device whose messages get lost, damaged, doubled, cut in two or come late.

It stands between a device and its wire, in virtual and in real time alike, and is the same run
again from the same seed. A wire keeps the order of its bytes: what follows a message that was split
waits for its second part. Only a late message is overtaken: it was held back before it reached the
wire, as an adapter's queue does.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import numpy as np

from sim.fault_spec import BYTE_FAULTS, Kind
from sim.wire import Device, Direction
from sim.wire_faults import damage
from sim.wire_framing import Framing


class FaultyLine:
    """`device` behind a cable whose faults are set with `set_rate` and `arm`.

    Args:
        device: the good end.
        framing: where its messages end.
        now: the twin's clock, s.
        rng: decides what happens to which message.

    Attributes:
        counts: how often each kind happened.
    """

    def __init__(
        self,
        device: Device,
        framing: Framing,
        now: Callable[[], float],
        rng: np.random.Generator,
    ) -> None:
        self.counts: Counter[Kind] = Counter()
        self._device, self._framing, self._now = device, framing, now
        self._ways = {way: _Way(framing, rng, self.counts) for way in Direction}

    def set_rate(
        self, kind: Kind, direction: Direction, probability: float, seconds: float = 0.0
    ) -> None:
        """From now on `kind` happens to a message with `probability`.

        Args:
            kind: one of `fault_spec.BYTE_FAULTS`.
            direction: of the messages.
            probability: 0 to 1.
            seconds: how late a late message is, or how long the gap in a split one, s.

        Raises:
            ValueError: not a kind that befalls messages.
        """
        _check(kind)
        self._ways[direction].rates[kind] = probability
        self._ways[direction].seconds[kind] = seconds

    def arm(self, kind: Kind, direction: Direction, seconds: float = 0.0) -> None:
        """`kind` happens to the next message, once; arguments as in `set_rate`."""
        _check(kind)
        self._ways[direction].armed.append((kind, seconds))

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        self._pass_to_device(data)

    def transmit(self) -> bytes:
        """Bytes for the host that have arrived by now."""
        self._pass_to_device(b"")
        way = self._ways[Direction.TO_HOST]
        return self._through(way, self._device.transmit())

    def _pass_to_device(self, data: bytes) -> None:
        arrived = self._through(self._ways[Direction.TO_DEVICE], data)
        if arrived:
            self._device.receive(arrived)

    def _through(self, way: _Way, data: bytes) -> bytes:
        if way.idle:
            return data
        now = self._now()
        for piece in self._framing.cut(data):
            way.put(piece, now)
        return way.take(now)


class _Way:
    """One direction of the cable."""

    def __init__(self, framing: Framing, rng: np.random.Generator, counts: Counter[Kind]) -> None:
        self.rates: dict[Kind, float] = dict.fromkeys(BYTE_FAULTS, 0.0)
        self.seconds: dict[Kind, float] = {}
        self.armed: list[tuple[Kind, float]] = []
        self._framing, self._rng, self._counts = framing, rng, counts
        self._queue: deque[tuple[float, bytes]] = deque()
        self._late: list[tuple[float, bytes]] = []

    @property
    def idle(self) -> bool:
        """True while nothing can go wrong and nothing is held back."""
        return not (self.armed or self._queue or self._late or any(self.rates.values()))

    def put(self, piece: bytes, now: float) -> None:
        """A message sent at `now`."""
        kinds, seconds = self._draw()
        self._counts.update(kinds)
        arrives = damage(piece, kinds, self._framing, self._rng)
        if Kind.LATE in kinds:
            self._late.append((now + seconds[Kind.LATE], arrives))
        elif Kind.SPLIT in kinds and len(arrives) > 1:
            at = int(self._rng.integers(1, len(arrives)))
            self._append(now, arrives[:at])
            self._append(now + seconds[Kind.SPLIT], arrives[at:])
        else:
            self._append(now, arrives)

    def take(self, now: float) -> bytes:
        """Everything that has arrived by `now`, in the order of arrival."""
        for due, piece in sorted(self._late, key=lambda item: item[0]):
            if due <= now:
                self._append(due, piece)
        self._late = [item for item in self._late if item[0] > now]
        arrived: list[bytes] = []
        while self._queue and self._queue[0][0] <= now:
            arrived.append(self._queue.popleft()[1])
        return b"".join(arrived)

    def _append(self, due: float, piece: bytes) -> None:
        """Behind everything that is already on the wire."""
        last = self._queue[-1][0] if self._queue else due
        self._queue.append((max(due, last), piece))

    def _draw(self) -> tuple[list[Kind], dict[Kind, float]]:
        """What happens to the next message, and the times it takes."""
        kinds = [kind for kind, rate in self.rates.items() if self._rng.random() < rate]
        seconds = dict(self.seconds)
        for kind, time in self.armed:
            kinds.append(kind)
            seconds[kind] = time
        self.armed.clear()
        return kinds, seconds


def _check(kind: Kind) -> None:
    if kind not in BYTE_FAULTS:
        valid = ", ".join(kind.value for kind in BYTE_FAULTS)
        raise ValueError(f"{kind.value} does not befall messages; valid are {valid}")
