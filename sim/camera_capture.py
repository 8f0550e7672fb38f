"""A USB camera's far end: renders frames into a driver's queue, and fails on request.

It answers the calls that `cv2.VideoCapture` answers for a V4L2 camera, down to the habits that
hurt: a queue that keeps the OLD frames while nobody reads, properties that are refused or
forgotten, `set` returning True for nothing, and a grab that blocks for ten seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.camera import properties as cp

Image = NDArray[np.uint8]
SELECT_TIMEOUT_S: Final = 10.0
"""How long OpenCV's V4L2 backend waits for a frame before it gives up."""
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


@dataclass
class CaptureFaults:
    """What is wrong with the camera; may be changed at any time.

    In the common vocabulary of faults: off (`unplugged`, `blocked`), stuck (`frozen`), garbage
    (`undecodable`), wrong (`black`, `wrong_size`, `refused`, `forgets_controls`), slow (`slow`),
    delayed (`late_s`), intermittent (`drop`).
    """

    unplugged: bool = False
    """Every grab fails, and it cannot be opened."""
    blocked: bool = False
    """No frame is made; a grab waits 10 s and then fails."""
    raises: OSError | None = None
    """Reading it raises this."""
    frozen: bool = False
    """The same picture for ever, with new stamps."""
    black: bool = False
    undecodable: bool = False
    """Frames arrive, but decoding them fails."""
    wrong_size: bool = False
    """Half the size that was agreed on."""
    slow: int = 1
    """Only every so many-th frame is made, as with automatic exposure in the dark."""
    late_s: float = 0.0
    """From exposure to the queue, s."""
    drop: float = 0.0
    """Share of frames that are lost, 0 to 1."""
    no_stamps: bool = False
    """The kernel's stamp is always 0."""
    refused: frozenset[int] = field(default_factory=frozenset[int])
    """Properties that cannot be set, though `set` says they were."""
    forgets_controls: bool = False
    """Falls back to automatic exposure at the first grab after opening."""


class RenderedCamera:
    """The camera itself; it outlives its captures. `open` is what the driver calls.

    Args:
        render: the picture exposed at a time (s): RGB, shape (height, width, 3).
        size: (width, height) of the pictures, px.
        fps: rate, 1/s.
        now: the clock, monotonic seconds.
        wait_until: waits on that clock; a grab with an empty queue does.
        depth: frames that the queue holds.
        rng: chooses which frames are dropped.

    Attributes:
        faults: what is wrong at present.
        captures: every capture that was opened, in order.
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
    ) -> None:
        self.faults = CaptureFaults()
        self.captures: list[RenderedCapture] = []
        self.size, self.fps, self.depth = size, fps, depth
        self.now, self.wait_until = now, wait_until
        self._render = render
        self._rng = rng or np.random.default_rng(0)
        self._frozen_image: Image | None = None

    def open(self) -> RenderedCapture:
        """A new capture, with the settings that the camera wakes up with."""
        capture = RenderedCapture(self)
        self.captures.append(capture)
        return capture

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
    """A frame in the queue."""

    exposed: float
    ready: float
    image: Image


class RenderedCapture:
    """One opening of a `RenderedCamera`: what `cv2.VideoCapture` is to a real one.

    Attributes:
        properties: what was set and kept, by number.
        log: every (property, value) that was set, in order.
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
        self._open = not camera.faults.unplugged
        self._queue: deque[_Buffer] = deque()
        self._start: float | None = None
        self._exposures = 0
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

    def grab(self) -> bool:
        camera = self._camera
        if camera.faults.raises is not None:
            raise camera.faults.raises
        if not self._open or camera.faults.unplugged:
            return False
        if self._start is None:
            self._start = camera.now()
            if camera.faults.forgets_controls:
                self.properties.update(_CONTROLS)
        give_up = camera.now() + SELECT_TIMEOUT_S
        while not (frame := self._take()):
            if camera.now() >= give_up:
                return False
            camera.wait_until(min(self._next_event(), give_up))
        self._grabbed = frame
        return True

    def retrieve(self) -> tuple[bool, Image | None]:
        if self._grabbed is None or self._camera.faults.undecodable:
            return False, None
        return True, self._grabbed.image

    def release(self) -> None:
        self._open = False
        self._queue.clear()

    def step(self, now: float) -> None:
        """Expose every frame that is due by `now` (s); a twin may call it with each of its steps.

        A full queue keeps what it has: the frames that are lost are the NEW ones.
        """
        if self._start is None:
            return
        camera = self._camera
        while (exposed := self._exposed_at(self._exposures)) <= now + 1e-9:
            self._exposures += 1
            if camera.faults.blocked or self._exposures % camera.faults.slow:
                continue
            image = camera.expose(exposed)
            depth = int(self.properties[cp.BUFFERSIZE])
            if image is not None and len(self._queue) < depth:
                self._queue.append(_Buffer(exposed, exposed + camera.faults.late_s, image))

    def _take(self) -> _Buffer | None:
        """The oldest frame that is ready."""
        now = self._camera.now()
        self.step(now)
        ready = bool(self._queue) and self._queue[0].ready <= now + 1e-9
        return self._queue.popleft() if ready else None

    def _exposed_at(self, number: int) -> float:
        return (self._start or 0.0) + (number + 1) / self._camera.fps

    def _next_event(self) -> float:
        """When the next frame can be ready at the earliest, s."""
        exposure = self._exposed_at(self._exposures)
        return min(exposure, self._queue[0].ready) if self._queue else exposure
