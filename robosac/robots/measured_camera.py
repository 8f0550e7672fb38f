"""A camera's measured numbers: into the calibration, and from it into the robot file's tracker."""

from __future__ import annotations

import math

import msgspec

from calibration import Calibration
from calibration.camera import CameraResult
from calibration.camera_pose import CameraPose
from calibration.camera_record import MeasuredCamera
from calibration.record import DeviceTag, Evidence
from calibration.rotations import quaternion
from robosac.errors import CalibrationMismatch
from robosac.robots.robot_file import RobotFile
from robosac.robots.sections import CameraCalibration

TRACKER, HAND = "tracker", "hand"


class CameraControlsAsSet(msgspec.Struct, frozen=True):
    """What a camera was told while it was measured; None: it has no such control."""

    exposure_s: float
    gain: float | None
    white_balance_k: float | None
    focus: float | None


def measured_camera(
    lens: CameraResult,
    pose: CameraPose,
    device: DeviceTag,
    controls: CameraControlsAsSet,
    date: str,
) -> MeasuredCamera:
    """What the calibration file keeps of a camera."""
    matrix = lens.lens.matrix
    k1, k2, p1, p2, k3 = lens.lens.distortion.tolist()
    x, y, z = pose.position_m.tolist()
    return MeasuredCamera(
        date=date,
        device=device,
        size=lens.lens.size,
        focal_px=(float(matrix[0, 0]), float(matrix[1, 1])),
        centre_px=(float(matrix[0, 2]), float(matrix[1, 2])),
        distortion=(k1, k2, p1, p2, k3),
        attitude=quaternion(pose.rotation),
        position_m=(x, y, z),
        exposure_s=controls.exposure_s,
        gain=controls.gain,
        white_balance_k=controls.white_balance_k,
        focus=controls.focus,
    )


def camera_evidence(lens: CameraResult, pose: CameraPose, more: dict[str, float]) -> Evidence:
    """What the routines saw, and `more` by its names."""
    return Evidence(
        samples=len(lens.pixels) + pose.points,
        residuals={
            "reprojection_rms_px": lens.rms_px,
            "worst_view_rms_px": max(lens.view_rms_px),
            "views": float(len(lens.view_rms_px)),
            "uncertain_focal_share": lens.uncertain_focal,
            "uncertain_centre_px": lens.uncertain_centre_px,
            "pose_rms_px": pose.rms_px,
            "uncertain_m": pose.uncertain_m,
            "uncertain_deg": math.degrees(pose.uncertain_rad),
            **more,
        },
    )


def with_camera(
    base: Calibration, name: str, camera: MeasuredCamera, evidence: Evidence
) -> Calibration:
    """`base` with the camera `name` (hand or tracker) as measured.

    A camera has a date of its own, so that measuring it makes stale joints no younger; the
    calibration's is set only where nothing was measured before.
    """
    return msgspec.structs.replace(
        base,
        date=base.date if base.measured else camera.date,
        cameras={**base.cameras, name: camera},
        evidence={**base.evidence, f"camera_{name}": evidence},
    )


def with_measured_tracker(file: RobotFile, calibration: Calibration) -> RobotFile:
    """`file` whose tracker's numbers are the measured ones, if it was measured.

    Raises:
        CalibrationMismatch: it was measured at another resolution.
    """
    camera, section = calibration.cameras.get(TRACKER), file.tracker
    if camera is None or section is None:
        return file
    if camera.size != section.size:
        raise CalibrationMismatch(
            f"tracker: calibrated at {camera.size[0]} by {camera.size[1]} px, but the robot file's"
            f" size is {section.size[0]} by {section.size[1]}; correct it, or calibrate anew"
        )
    rows = [tuple(row) for row in camera.rotation.tolist()]
    (fx, fy), (cx, cy) = camera.focal_px, camera.centre_px
    measured = CameraCalibration(
        matrix=((fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)),
        distortion=camera.distortion,
        rotation=(rows[0], rows[1], rows[2]),
        position=camera.position_m,
    )
    return msgspec.structs.replace(
        file, tracker=msgspec.structs.replace(section, calibration=measured)
    )
