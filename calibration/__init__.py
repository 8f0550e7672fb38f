"""From samples to numbers: one frozen Calibration that joins a robot's drawings to its metal."""

from calibration.record import Calibration, JointCalibration, load, nominal

__all__ = ["Calibration", "JointCalibration", "load", "nominal"]
