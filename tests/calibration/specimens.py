"""A measured calibration of the nominal quadruped's twin, as a routine would write it."""

from __future__ import annotations

import math

from calibration.record import (
    FORMAT,
    Calibration,
    Delay,
    DeviceTag,
    Evidence,
    JointCalibration,
)

JOINTS = (
    "front_left_front",
    "front_left_rear",
    "back_left_front",
    "back_left_rear",
    "front_right_front",
    "front_right_rear",
    "back_right_front",
    "back_right_rear",
)


def moteus_serial(id: int) -> str:
    """What the twin's controller `id` tells: made up from its registers and its id."""
    return "-".join(f"{register << 16 | id:08x}" for register in (0x120, 0x121, 0x122))


MEASURED = Calibration(
    format=FORMAT,
    robot="minitaur",
    date="2026-01-01",
    joints={
        name: JointCalibration(
            motor_id=index + 1,
            offset_correction_rad=0.01 * index,
            sign=-1 if index < 4 else 1,
            file_offset_rad=0.0,
            range_rad=(0.35, 3.25),
            device=DeviceTag(model="5", serial=moteus_serial(index + 1)),
        )
        for index, name in enumerate(JOINTS)
    },
    imu_mounting=(math.cos(0.1), 0.0, 0.0, math.sin(0.1)),
    gyro_bias_rad_s=(0.001, -0.002, 0.003),
    imu=DeviceTag(model="VN-100", serial="100012345"),
    ports={"legs": "LEGS0001", "imu": "IMU00001"},
    latency={"bus": Delay(count=1000, mean_s=0.001, p50_s=0.0009, p99_s=0.002, max_s=0.004)},
    evidence={
        "joints": Evidence(samples=4000, residuals={"worst_stop_rad": 0.002}),
        "imu": Evidence(samples=2000, residuals={"rms_rad": 0.003}),
    },
)
