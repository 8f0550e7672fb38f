"""From samples to numbers: one frozen Calibration that joins a robot's drawings to its metal."""

from calibration.file import load, nominal
from calibration.record import Calibration, JointCalibration

__all__ = ["Calibration", "JointCalibration", "load", "nominal"]
