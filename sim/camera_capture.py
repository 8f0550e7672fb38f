"""A USB camera's far end: renders frames into a driver's queue, and fails on request.

It answers the calls that `cv2.VideoCapture` answers for a V4L2 camera, down to the habits that
hurt: a queue that keeps the OLD frames while nobody reads, properties that are refused or
forgotten, `set` returning True for nothing, and a grab that blocks for ten seconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.camera import properties as cp
from sim.camera_faults import CaptureFaults
from sim.delays import Delays

Image = NDArray[np.uint8]
SELECT_TIMEOUT_S: Final = 10.0
"""How long OpenCV's V4L2 backend waits for a frame before it gives up."""
_SLACK_S: Final = 1e-9
"""Sums of periods carry rounding errors."""
_CONTROLS: Final = {
    cp.AUTO_EXPOSURE: float(cp.EXPOSURE_APERTURE_PRIORITY),
    cp.EXPOSURE: 157.0,
    cp.AUTO_WB: 1.0,
    cp.WB_TEMPERATURE: 4600.0,
    cp.GAIN: 0.0,
    cp.AUTOFOCUS: 1.0,
    cp.FOCUS: 0.0,
}
"""What a webcam wakes up with."""


class RenderedCamera:
    """The camera itself; it outlives its captures. `open` is what the driver calls.

    Args:
        render: the picture exposed at a time (s): RGB, shape (height, width, 3).
        size: (width, height) of the pictures, px.
        fps: rate, 1/s.
        now: the clock, monotonic seconds.
        wait_until: waits on that clock; a grab with an empty queue does.
        depth: frames that the queue holds.
        rng: chooses which frames are dropped, and the jitter.
        latency_s: from exposure to the queue, s.
        jitter_s: up to so much is added to the latency of each frame, uniformly, s.
        delays: from exposure to the queue as measured on one camera, in the place of both.

    Attributes:
        faults: what is wrong at present.
        captures: every capture that was opened, in order.

    Raises:
        ValueError: fps is not positive, or a time is negative.
    """

    def __init__(
        self,
        render: Callable[[float], Image],
        size: tuple[int, int],
        fps: float,
        now: Callable[[], float],
        wait_until: Callable[[float], None],
        depth: int = 4,
        rng: np.random.Generator | None = None,
        latency_s: float = 0.0,
        jitter_s: float = 0.0,
        delays: Delays | None = None,
    ) -> None:
        if not (fps > 0.0 and latency_s >= 0.0 and jitter_s >= 0.0):
            raise ValueError(
                "a camera needs fps above 0 and latency_s and jitter_s of at least 0, got"
                f" {fps}, {latency_s} and {jitter_s}"
            )
        self.faults = CaptureFaults()
        self.captures: list[RenderedCapture] = []
        self.size, self.fps, self.depth = size, fps, depth
        self.now, self.wait_until = now, wait_until
        self._render = render
        self._rng = rng or np.random.default_rng(0)
        self._latency_s, self._jitter_s, self._delays = latency_s, jitter_s, delays
        self._frozen_image: Image | None = None

    def open(self) -> RenderedCapture:
        """A new capture, with the settings that the camera wakes up with."""
        capture = RenderedCapture(self)
        self.captures.append(capture)
        return capture

    @property
    def controls(self) -> Mapping[int, float]:
        """What the newest capture was told and kept, by number.

        Raises:
            ValueError: nobody has opened the camera yet.
        """
        if not self.captures:
            raise ValueError("a camera has no controls before it is opened")
        return self.captures[-1].properties

    def ready(self) -> bool:
        """Whether a grab from the newest capture comes back at once, with a frame or a failure."""
        return bool(self.captures) and self.captures[-1].ready()

    def expose_due(self, now: float) -> None:
        """Expose the frame that is due by `now` (s), if any, with the scene as it is now.

        For a twin to call after each of its steps: hardly costs anything while none is due.
        """
        if self.captures and now >= self.captures[-1].due - _SLACK_S:
            self.captures[-1].expose_now(now)

    def restart(self, rng: np.random.Generator) -> None:
        """Count the frames from now on and draw from `rng`; those that wait are gone.

        What happens from here on does not depend on what was before.
        """
        self._rng = rng
        self._frozen_image = None
        if self.captures:
            self.captures[-1].restart()

    def transit_s(self) -> float:
        """From exposure to the queue, drawn for one frame, s."""
        if self._delays is not None:
            return self._delays.draw(self._rng) + self.faults.late_s
        jitter_s = self._jitter_s * self._rng.random() if self._jitter_s > 0.0 else 0.0
        return self._latency_s + jitter_s + self.faults.late_s

    def expose(self, time: float) -> Image | None:
        """The BGR picture of `time` (s) as the faults leave it; None: the frame is lost."""
        faults = self.faults
        if faults.drop > 0.0 and self._rng.random() < faults.drop:
            return None
        if faults.frozen and self._frozen_image is not None:
            return self._frozen_image.copy()
        image = np.ascontiguousarray(self._render(time)[:, :, ::-1])
        if faults.black:
            image[:] = 0
        if faults.wrong_size:
            image = np.ascontiguousarray(image[::2, ::2])
        self._frozen_image = image
        return image.copy()


@dataclass(frozen=True, slots=True, eq=False)
class _Buffer:
    """A frame on its way, or in the queue."""

    exposed: float
    arrives: float
    image: Image


class RenderedCapture:
    """One opening of a `RenderedCamera`: what `cv2.VideoCapture` is to a real one.

    Attributes:
        properties: what was set and kept, by number.
        log: every (property, value) that was set, in order.
        due: when the next frame is exposed, s; infinite while the stream is off.
    """

    def __init__(self, camera: RenderedCamera) -> None:
        self._camera = camera
        self.properties: dict[int, float] = {
            **_CONTROLS,
            cp.FRAME_WIDTH: 640.0,
            cp.FRAME_HEIGHT: 480.0,
            cp.FPS: camera.fps,
            cp.FOURCC: float(cp.fourcc("YUYV")),
            cp.BUFFERSIZE: float(camera.depth),
        }
        self.log: list[tuple[int, float]] = []
        self.due = math.inf
        self._open = not camera.faults.unplugged
        self._underway: deque[_Buffer] = deque()
        self._queue: deque[_Buffer] = deque()
        self._start = 0.0
        self._exposures = 0
        self._waiting_since: float | None = None
        self._grabbed: _Buffer | None = None

    def isOpened(self) -> bool:
        return self._open

    def set(self, property_id: int, value: float, /) -> bool:
        self.log.append((property_id, value))
        if property_id not in self.properties:
            return False
        manual = self.properties[cp.AUTO_EXPOSURE] == cp.EXPOSURE_MANUAL
        ignored = property_id == cp.EXPOSURE and not manual
        if property_id not in self._camera.faults.refused and not ignored:
            self.properties[property_id] = value
        return True

    def get(self, property_id: int, /) -> float:
        if property_id == cp.POS_MSEC:
            stamped = self._grabbed is not None and not self._camera.faults.no_stamps
            return self._grabbed.exposed * 1000.0 if stamped and self._grabbed else 0.0
        return self.properties.get(property_id, -1.0)

    def ready(self) -> bool:
        """Whether a grab comes back at once; whoever asks waits for a frame from then on."""
        if self._broken():
            return True
        give_up = self._begin_to_wait()
        self._bring_up_to_date()
        return bool(self._queue) or self._camera.now() >= give_up

    def grab(self) -> bool:
        camera = self._camera
        if camera.faults.raises is not None:
            raise camera.faults.raises
        if self._broken():
            return False
        give_up = self._begin_to_wait()
        self._bring_up_to_date()
        while not self._queue and camera.now() < give_up:
            camera.wait_until(min(self._next_event(), give_up))
            self._bring_up_to_date()
        self._waiting_since = None
        if not self._queue:
            return False
        self._grabbed = self._queue.popleft()
        return True

    def retrieve(self) -> tuple[bool, Image | None]:
        if self._grabbed is None or self._camera.faults.undecodable:
            return False, None
        return True, self._grabbed.image

    def release(self) -> None:
        self._open = False
        self.due = math.inf
        self._underway.clear()
        self._queue.clear()

    def restart(self) -> None:
        """Begin a running stream anew, with an empty queue and the next frame a period from now."""
        self._underway.clear()
        self._queue.clear()
        self._waiting_since = None
        if self.due != math.inf:
            self._start_stream()

    def step(self, now: float) -> None:
        """Expose every frame that is due by `now` (s), each at its own time.

        For a scene that is known at any time; see `RenderedCamera.expose_due` for one that is not.
        """
        while self.due <= now + _SLACK_S:
            self._expose(self.due)

    def expose_now(self, now: float) -> None:
        """Expose one frame at `now` (s), and lose those that were due before."""
        while self.due + 1.0 / self._camera.fps <= now + _SLACK_S:
            self._count()
        self._expose(now)

    def _broken(self) -> bool:
        faults = self._camera.faults
        return faults.raises is not None or faults.unplugged or not self._open

    def _begin_to_wait(self) -> float:
        """Start the stream and the wait for a frame unless they go on; when that wait ends, s."""
        camera = self._camera
        if self.due == math.inf:
            self._start_stream()
            if camera.faults.forgets_controls:
                self.properties.update(_CONTROLS)
        if self._waiting_since is None:
            self._waiting_since = camera.now()
        return self._waiting_since + SELECT_TIMEOUT_S

    def _start_stream(self) -> None:
        self._exposures = 0
        self._start = self._camera.now()
        self.due = self._start + 1.0 / self._camera.fps

    def _bring_up_to_date(self) -> None:
        now = self._camera.now()
        self.step(now)
        self._arrive(now)

    def _arrive(self, now: float) -> None:
        """Move what has arrived by `now` (s) into the queue.

        A full queue keeps what it has: the frames that are lost are the NEW ones.
        """
        depth = int(self.properties[cp.BUFFERSIZE])
        while self._underway and self._underway[0].arrives <= now + _SLACK_S:
            buffer = self._underway.popleft()
            if len(self._queue) < depth:
                self._queue.append(buffer)

    def _count(self) -> bool:
        """Go on to the next frame; whether the present one is made at all."""
        self._exposures += 1
        self.due = self._start + (self._exposures + 1) / self._camera.fps
        faults = self._camera.faults
        return not (faults.blocked or self._exposures % faults.slow)

    def _expose(self, time: float) -> None:
        camera = self._camera
        self._arrive(time)
        image = camera.expose(time) if self._count() else None
        if image is not None:
            self._underway.append(_Buffer(time, time + camera.transit_s(), image))

    def _next_event(self) -> float:
        """When the next frame can be there at the earliest, s."""
        return min(self.due, self._underway[0].arrives) if self._underway else self.due
