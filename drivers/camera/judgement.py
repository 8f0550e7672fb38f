"""What a camera's last word is worth at a later time: no I/O, thread or clock."""

from __future__ import annotations

from dataclasses import replace

from drivers.camera.frames import CameraFault, CameraFrame, CameraState, CameraStatus
from drivers.camera.settings import CameraSettings


def judged(status: CameraStatus, settings: CameraSettings, now: float) -> CameraStatus:
    """`status` as it stands at `now` (s): dead if nothing usable came for too long since."""
    silent_s = now - status.usable_at
    told = status.state in (CameraState.DEAD, CameraState.CLOSED)
    if told or silent_s <= settings.deadline_s:
        return status
    fault = status.fault or CameraFault.SILENT
    detail = status.detail or f"no usable frame for {silent_s:.2f} s"
    return replace(status, state=CameraState.DEAD, fault=fault, detail=detail)


def shown(
    frame: CameraFrame | None, status: CameraStatus, settings: CameraSettings, now: float
) -> CameraFrame | None:
    """`frame` if it may pass for what the camera of `status` (as judged) sees at `now` (s)."""
    if frame is None or status.state in (CameraState.DEAD, CameraState.CLOSED):
        return None
    return frame if now - frame.time <= settings.max_age_s else None
