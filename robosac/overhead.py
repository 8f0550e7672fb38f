"""The overhead camera and the tracker that follows it, as the robot file describes them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from drivers.aruco.geometry import CameraModel, MarkerMount
from drivers.aruco.tracker import ArucoSettings, ArucoTracker, CameraTracker
from drivers.camera.device import Camera
from drivers.camera.settings import CameraControls, CameraSettings, CaptureFactory
from drivers.errors import DriverError
from drivers.tracker import PlanarFix, Tracker
from robosac.camera_path import camera_at
from robosac.errors import ConfigError
from robosac.robots.sections import TrackerSection


class OverheadCamera:
    """A camera and its tracker, closed together; satisfies `drivers.tracker.Tracker`.

    Args:
        camera: open already.
        tracker: follows it already.
    """

    def __init__(self, camera: Camera, tracker: CameraTracker) -> None:
        self._camera, self._tracker = camera, tracker

    @property
    def camera(self) -> Camera:
        """The camera itself."""
        return self._camera

    def newest(self, now: float) -> PlanarFix | None:
        """See `drivers.tracker.Tracker`."""
        return self._tracker.newest(now)

    def close(self) -> None:
        """Stop both threads and release the camera; safe to call twice.

        Raises:
            BusTimeout: a thread does not come back.
        """
        try:
            self._tracker.close()
        finally:
            self._camera.close()


def overhead_of(tracker: Tracker | None) -> Camera | None:
    """The camera that a tracker follows; None: it follows none."""
    return tracker.camera if isinstance(tracker, OverheadCamera) else None


def v4l2_camera(section: TrackerSection) -> CaptureFactory:
    """How the camera of a robot file is opened under Linux."""
    return camera_at(section.camera, section.power_line_hz, section.dynamic_framerate)


def open_tracker(
    section: TrackerSection, now: Callable[[], float], open_capture: CaptureFactory
) -> OverheadCamera:
    """Open the camera, lock its controls, and let a tracker follow it.

    Args:
        section: camera, marker and calibration.
        now: the robot's clock, monotonic seconds.
        open_capture: opens the camera's stream.

    Raises:
        ConfigError: a value that cannot be, or the camera is not there or does not keep its
            settings; in one line. Nothing stays open then.
    """
    try:
        camera = Camera(open_capture, camera_settings(section), now)
        marker = ArucoTracker(camera_model(section), aruco_settings(section))
        # OpenCV's own threads would take the cores that the control loop runs on.
        cv2.setNumThreads(1)
        camera.open()
    except (DriverError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"tracker with the camera {section.camera}: {detail}") from error
    return OverheadCamera(camera, CameraTracker(camera, marker).open())


def camera_settings(section: TrackerSection) -> CameraSettings:
    """Stream and locked controls. Raises ValueError for values that cannot be."""
    width, height = section.size
    controls = CameraControls(
        exposure_s=section.exposure_s,
        gain=section.gain,
        white_balance_k=section.white_balance_k,
        focus=section.focus,
    )
    return CameraSettings(width, height, section.fps, controls, latency_s=section.latency_s)


def camera_model(section: TrackerSection) -> CameraModel:
    """The calibrated camera. Raises ValueError for what is no camera."""
    measured = section.calibration
    return CameraModel(
        matrix=np.array(measured.matrix),
        distortion=np.array(measured.distortion),
        rotation=np.array(measured.rotation),
        position=np.array(measured.position),
        size=section.size,
    )


def aruco_settings(section: TrackerSection) -> ArucoSettings:
    """The marker and where it is on the robot. Raises ValueError for what cannot be."""
    marker = section.marker
    mount = MarkerMount(
        side_m=marker.side_m,
        height_m=marker.height_m,
        forward_m=marker.forward_m,
        left_m=marker.left_m,
        up_m=marker.up_m,
        yaw_rad=marker.yaw_rad,
    )
    return ArucoSettings(marker.id, mount)
