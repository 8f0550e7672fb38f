"""The overhead tracker: a marker on the robot's back, seen by a calibrated camera.

It works in a thread of its own, beside the camera's: finding a marker may take longer (2 to 30 ms)
than a camera's period, and a camera thread held up that long would let old frames pile up in the
driver's queue. This one always takes the newest frame, and passes over what came meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Protocol, Self

from drivers.aruco.geometry import (
    CameraModel,
    MarkerMount,
    PlanarPose,
    PosePrior,
    base_pose,
    pose_from_corners,
)
from drivers.aruco.marker import MarkerFinder, Sight
from drivers.aruco.velocity import Admission, GateLimits, JumpGate, VelocityEstimator
from drivers.background import Background
from drivers.camera.frames import CameraFrame
from drivers.errors import ProtocolError
from drivers.opened import Opened
from drivers.tracker import PlanarFix

WAIT_S: Final = 0.1
"""How long the thread waits for a frame before it looks whether it should stop, s."""


@dataclass(frozen=True, slots=True)
class ArucoSettings:
    """Which marker, and what to believe of it."""

    marker_id: int
    mount: MarkerMount
    max_age_s: float = 0.2
    """An older fix is none."""
    velocity_window_s: float = 0.1
    """The forward velocity is half of this older than its fix."""
    max_reprojection_px: float = 2.0
    """Corners that fit their pose worse are no square of that size at that height."""
    max_height_error_m: float = 0.15
    """So far off its stated height the marker has another size, or is not the robot's."""
    max_tilt_rad: float = 0.8
    """Fallen over: no planar fix."""
    prior: PosePrior = field(default_factory=PosePrior)
    gate: GateLimits = field(default_factory=GateLimits)


@dataclass(frozen=True, slots=True)
class ArucoStatistics:
    """What became of the frames since the tracker was made."""

    frames: int = 0
    fixes: int = 0
    missing: int = 0
    """Without the marker."""
    ambiguous: int = 0
    """With the marker twice."""
    misshapen: int = 0
    """With corners that no upright marker of that size and height can have."""
    jumps: int = 0
    """With the marker where the robot cannot be so soon."""
    restarts: int = 0
    """Times the robot was found elsewhere and believed to have been carried."""
    unordered: int = 0
    """Frames that were not newer than the one before."""


class ArucoTracker:
    """Makes fixes of frames, one by one; satisfies `drivers.tracker.Tracker`.

    A fix carries the time of its frame. It is given only with a velocity, which takes three
    sightings within the window; a frame without the marker gives none, and the last one just ages.
    """

    def __init__(self, camera: CameraModel, settings: ArucoSettings) -> None:
        self.settings = settings
        self._camera = camera
        self._finder = MarkerFinder(settings.marker_id)
        self._gate = JumpGate(settings.gate)
        self._velocity = VelocityEstimator(settings.velocity_window_s)
        self._statistics = ArucoStatistics()
        self._last_time = float("-inf")
        # Replaced whole: another thread sees one fix or the other, never a mixture.
        self._fix: PlanarFix | None = None

    @property
    def velocity_delay_s(self) -> float:
        """How much older the forward velocity is than the fix that carries it, s."""
        return self._velocity.delay_s

    @property
    def statistics(self) -> ArucoStatistics:
        """A snapshot of the counters."""
        return self._statistics

    def newest(self, now: float) -> PlanarFix | None:
        """The newest fix at `now` (s); None if it is older than `max_age_s`, or there is none."""
        fix = self._fix
        return fix if fix is not None and now - fix.time <= self.settings.max_age_s else None

    def process(self, frame: CameraFrame) -> PlanarFix | None:
        """Look for the robot in a frame; its fix, or None.

        Raises:
            ValueError: the frame has not the size for which the camera was calibrated.
        """
        height, width, _ = frame.image.shape
        if (width, height) != self._camera.size:
            raise ValueError(
                f"the camera is calibrated for {self._camera.size} px, the frame has"
                f" {(width, height)}"
            )
        self._count("frames")
        if frame.time <= self._last_time:
            self._count("unordered")
            return None
        self._last_time = frame.time
        pose = self._sight(frame)
        if pose is None:
            return None
        admission = self._gate.admit(frame.time, pose)
        if admission is Admission.REFUSED:
            self._count("jumps")
            return None
        if admission is Admission.RESTARTED:
            self._count("restarts")
            self._velocity.reset()
        velocity = self._velocity.add(frame.time, pose)
        if velocity is None:
            return None
        self._count("fixes")
        self._fix = PlanarFix(frame.time, pose.x, pose.y, pose.yaw, velocity.forward)
        return self._fix

    def _sight(self, frame: CameraFrame) -> PlanarPose | None:
        """Where the base is in this frame alone."""
        sight, corners = self._finder.find(frame.image)
        if corners is None:
            self._count("ambiguous" if sight is Sight.AMBIGUOUS else "missing")
            return None
        settings = self.settings
        try:
            marker = pose_from_corners(corners, self._camera, settings.mount, settings.prior)
        except ProtocolError:
            self._count("misshapen")
            return None
        if not (
            marker.reprojection_px <= settings.max_reprojection_px
            and abs(marker.z - settings.mount.height_m) <= settings.max_height_error_m
            and max(abs(marker.pitch), abs(marker.roll)) <= settings.max_tilt_rad
        ):
            self._count("misshapen")
            return None
        return base_pose(marker, settings.mount)

    def _count(self, name: str) -> None:
        self._statistics = replace(self._statistics, **{name: getattr(self._statistics, name) + 1})


class NewerFrames(Protocol):
    """A camera that can be waited for; `drivers.camera.device.Camera` is one."""

    def wait_newer(self, sequence: int, timeout_s: float) -> CameraFrame | None:
        """A frame with a higher number than `sequence`, or None if none came in time."""
        ...


class CameraTracker(Opened):
    """An `ArucoTracker` in a thread that follows a camera; satisfies `drivers.tracker.Tracker`.

    If the thread dies of an error, threading.excepthook tells it and there are no fixes any more.
    """

    def __init__(self, camera: NewerFrames, tracker: ArucoTracker) -> None:
        self._camera, self._tracker = camera, tracker
        self._background = Background("the tracker")

    def open(self) -> Self:
        """Start following.

        Raises:
            RuntimeError: it does already.
        """
        self._background.start(self._run)
        return self

    def newest(self, now: float) -> PlanarFix | None:
        """The newest fix at `now` (s); None if it is too old, or nobody follows the camera."""
        return self._tracker.newest(now) if self._background.alive else None

    def close(self) -> None:
        """Stop following; the camera stays open. Safe to call twice.

        Raises:
            BusTimeout: the thread does not come back.
        """
        self._background.stop()

    def _run(self) -> None:
        sequence = 0
        while not self._background.stopping.is_set():
            frame = self._camera.wait_newer(sequence, WAIT_S)
            if frame is not None:
                sequence = frame.sequence
                self._tracker.process(frame)
