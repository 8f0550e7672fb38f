"""When a camera's pictures can first be used: looked for while the loop waits for its next tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from robosac.clock import Clock
from robosac.hal import Image
from robosac.robots.eye import Camera

LOOK_S: Final = 0.001
"""Between two looks while the loop waits."""
MOST_GAP_S: Final = 0.006
"""After a longer one nobody knows when a picture came, and it is not counted."""
_SLACK_S: Final = 1e-9
"""A clock that is this near a deadline has reached it; sums of periods carry rounding errors."""


class WatchingClock:
    """`clock`, whose waits are cut up so that somebody can look in between.

    Args:
        clock: tells the time.

    Attributes:
        look: is called every `LOOK_S` of a wait; None: nobody looks, and waits are not cut up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.look: Callable[[], None] | None = None

    def now(self) -> float:
        """See `robosac.clock.Clock`."""
        return self._clock.now()

    def wait_until(self, deadline: float) -> None:
        """See `robosac.clock.Clock`."""
        look = self.look
        if look is None:
            self._clock.wait_until(deadline)
            return
        look()
        while (now := self._clock.now()) < deadline - _SLACK_S:
            self._clock.wait_until(min(deadline, now + LOOK_S))
            look()


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One picture, as somebody who looks again and again gets it."""

    arrived_s: float
    """When it could first be used, by the clock: the middle between the look before and this."""
    stamped_s: float
    """When it is said to have been exposed."""
    image: Image
    """What is kept of it."""


class CameraWatch:
    """Notes every picture of a camera that comes while `look` is called.

    Args:
        camera: the camera.
        now: the clock, monotonic seconds.
        kept: what is kept of a picture; it must be quick.

    Attributes:
        seen: what came, in order.
        lost: pictures that came after too long a gap.
    """

    def __init__(
        self,
        camera: Camera,
        now: Callable[[], float],
        kept: Callable[[Image], Image] = np.copy,
    ) -> None:
        self._camera, self._now, self._kept = camera, now, kept
        self.seen: list[Sighting] = []
        self.lost = 0
        frame = camera.newest(now())
        self._last = 0 if frame is None else frame.sequence
        self._looked = now()

    def look(self) -> None:
        """Note the newest picture, if it is another than at the last look."""
        now, before = self._now(), self._looked
        frame = self._camera.newest(now)
        self._looked = now
        if frame is None or frame.sequence == self._last:
            return
        self._last = frame.sequence
        if now - before > MOST_GAP_S:
            self.lost += 1
            return
        image = self._kept(frame.image)
        self.seen.append(Sighting((now + before) / 2.0, frame.time, image))
