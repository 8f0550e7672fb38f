"""The camera that is learned from or that the tracker follows: rate, age, exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.camera.frames import CameraFrame, CameraStatus
from robosac.check.picture import ROW as PICTURE
from robosac.check.picture import PictureReference, histogram, picture_row
from robosac.check.row import Level, Row, judged
from robosac.clock import Clock

LOOK_S: Final = 1.0
"""How long it is watched, s."""
FIRST_S: Final = 2.0
"""How long its first picture may take, s."""
POLL_S: Final = 0.01
RATE_AMBER, RATE_RED = 0.9, 0.5
"""Of the pictures a second that were asked for."""
AGE_AMBER: Final = 0.7
"""Of the age that ends an episode."""
LATE_PERIODS: Final = 1.5
"""A picture may come so much later than the one before without being missed."""
DARK, BRIGHT = 0.04, 0.96
"""Mean of a picture, of full scale, beyond which the exposure is told."""
ROWS: Final = ("camera rate", "camera age", "camera exposure")


class Watched(Protocol):
    """What is looked at of an open camera."""

    def newest(self, now: float) -> CameraFrame | None:
        """The newest frame at `now` (s); None: there is none that is young enough."""
        ...

    def status(self) -> CameraStatus:
        """How it is."""
        ...


@dataclass(frozen=True, slots=True)
class CameraWish:
    """What is asked of the camera."""

    fps: float
    age_s: float
    """The age that ends an episode."""
    exposure_s: float
    measured_s: float | None = None
    """The longest delay from exposure to use that was measured; None: it was not."""
    learned: bool = False
    """Whether a policy sees its pictures, so that they must stay alike."""
    reference: PictureReference | None = None
    """What they are compared with."""
    twin: bool = False
    """It is of a twin in this process, whose light nobody changes by accident."""

    @property
    def oldest_s(self) -> float | None:
        """The age that the newest picture may then reach, until the next one is seen."""
        if self.measured_s is None:
            return None
        return self.measured_s + LATE_PERIODS / self.fps + POLL_S


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What it did in `LOOK_S`."""

    fault: str = ""
    """What is wrong with it; empty: nothing."""
    frames: int = 0
    fps: float = 0.0
    age_s: float = math.inf
    """The greatest age of the newest picture, at any look."""
    mismatches: tuple[str, ...] = ()
    """Settings that it did not take."""
    brightness: float = math.nan
    """Mean of the newest picture, of full scale."""
    histogram: NDArray[np.float64] | None = None
    """Of the newest picture; see `picture.histogram`."""


def camera_rows(facts: CameraFacts, wish: CameraWish) -> tuple[Row, ...]:
    """Every row about a camera, in the order of `ROWS`; its picture's, where one learns from it."""
    rows = _rate(facts, wish), _age(facts, wish), _exposure(facts, wish)
    if not wish.learned:
        return rows
    return (*rows, picture_row(facts.histogram, wish.reference, wish.twin))


def camera_unknown(why: str, learned: bool = False) -> tuple[Row, ...]:
    """Every row when it could not be watched; unknown is red."""
    return tuple(
        judged(name, Level.RED, f"not known: {why}", "a camera that delivers", "mend that first")
        for name in ((*ROWS, PICTURE) if learned else ROWS)
    )


def watch(camera: Watched, clock: Clock) -> CameraFacts:
    """Watch an open camera for `LOOK_S`, from its first picture on."""
    _await_first(camera, clock)
    begin = clock.now()
    times: dict[int, float] = {}
    oldest, frame = 0.0, None
    for number in range(1, round(LOOK_S / POLL_S) + 1):
        clock.wait_until(begin + number * POLL_S)
        now = clock.now()
        frame = camera.newest(now)
        if frame is None:
            oldest = math.inf
            continue
        times[frame.sequence] = frame.time
        oldest = max(oldest, now - frame.time)
    status = camera.status()
    fault = "" if status.fault is None else f"{status.fault.value}: {status.detail}"
    return CameraFacts(
        fault=fault,
        frames=len(times),
        fps=_rate_of(times),
        age_s=oldest,
        mismatches=tuple(map(str, status.mismatches)),
        brightness=math.nan if frame is None else float(frame.image.mean()) / 255.0,
        histogram=None if frame is None else histogram([frame.image]),
    )


def _await_first(camera: Watched, clock: Clock) -> None:
    """A stream that has just been opened may take a moment."""
    begin = clock.now()
    for number in range(round(FIRST_S / POLL_S)):
        if camera.newest(clock.now()) is not None:
            return
        clock.wait_until(begin + (number + 1) * POLL_S)


def glance(camera: Watched, clock: Clock) -> CameraFacts:
    """How an open camera is at this moment, without waiting; before each arming."""
    now = clock.now()
    frame, status = camera.newest(now), camera.status()
    fault = "" if status.fault is None else f"{status.fault.value}: {status.detail}"
    return CameraFacts(
        fault=fault,
        frames=status.frames,
        fps=status.fps,
        age_s=math.inf if frame is None else now - frame.time,
        mismatches=tuple(map(str, status.mismatches)),
        brightness=math.nan if frame is None else float(frame.image.mean()) / 255.0,
        histogram=None if frame is None else histogram([frame.image]),
    )


def _rate_of(times: dict[int, float]) -> float:
    """Pictures a second, those that were overtaken between two looks included."""
    if len(times) < 2:
        return 0.0
    first, last = min(times), max(times)
    elapsed = times[last] - times[first]
    return (last - first) / elapsed if elapsed > 0.0 else 0.0


def _rate(facts: CameraFacts, wish: CameraWish) -> Row:
    valid = f"{wish.fps:g} pictures a second"
    remedy = "another USB socket without a hub, more light, dynamic_framerate false"
    if facts.fault:
        return judged(ROWS[0], Level.RED, facts.fault, valid, "plug it in anew, take off its cap")
    share = facts.fps / wish.fps
    level = Level.GREEN if share >= RATE_AMBER else Level.AMBER
    if share < RATE_RED:
        level = Level.RED
    return judged(ROWS[0], level, f"{facts.fps:.1f} a second", valid, remedy)


def _age(facts: CameraFacts, wish: CameraWish) -> Row:
    valid = f"up to {1e3 * wish.age_s:.0f} ms"
    remedy = "another USB socket, fewer programs beside it; or raise the age in the settings"
    level = Level.GREEN if facts.age_s <= AGE_AMBER * wish.age_s else Level.AMBER
    oldest = wish.oldest_s
    if oldest is not None and not facts.age_s <= oldest:
        level = Level.AMBER
        valid += f", and {1e3 * oldest:.0f} by the delay that was measured"
        remedy += "; or measure it anew (robosac calibrate latency)"
    if not facts.age_s <= wish.age_s:
        level = Level.RED
    found = "no picture" if math.isinf(facts.age_s) else f"up to {1e3 * facts.age_s:.0f} ms"
    return judged(ROWS[1], level, found, valid, remedy)


def _exposure(facts: CameraFacts, wish: CameraWish) -> Row:
    valid = f"{1e3 * wish.exposure_s:g} ms, kept with every other control, and a picture"
    if facts.mismatches:
        found = "; ".join(facts.mismatches)
        remedy = "correct the camera's section of the robot file"
        return judged(ROWS[2], Level.RED, found, valid, remedy)
    if math.isnan(facts.brightness):
        return judged(ROWS[2], Level.RED, "no picture", valid, "take off its cap")
    level = Level.GREEN if DARK <= facts.brightness <= BRIGHT else Level.AMBER
    found = f"{1e3 * wish.exposure_s:g} ms is kept; mean {facts.brightness:.0%} of full scale"
    return judged(ROWS[2], level, found, valid, "change the light, or exposure_s and gain")
