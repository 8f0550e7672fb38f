"""From a routine's result to the robot's calibration: each adds its part and keeps the others.

What another routine has measured stays as it is, with its evidence. The date is that of the newest
part, so a calibration is as fresh as what was measured last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from calibration import Calibration, JointCalibration
from calibration.actuators import ActuatorResult
from calibration.camera_latency import CameraLatency
from calibration.imu import ImuResult
from calibration.joints import JointResult, correction
from calibration.latency import StepResponse, shifted
from calibration.motion_delay import MotionDelay
from calibration.record import ActuatorCalibration, Delay, DeviceTag, Evidence
from robosac.errors import CalibrationMismatch
from robosac.robots.wiring import Wiring, check_calibration

COMMAND_TO_MOTION = "command_to_motion"
"""Of `Calibration.latency`: from a command to its effect among the readings."""
CAMERA = "camera"
"""Of `Calibration.latency`: from a picture's exposure until it can be used."""


def with_joints(
    base: Calibration,
    file: Wiring,
    results: Mapping[str, JointResult],
    devices: Mapping[str, DeviceTag],
    date: str,
) -> Calibration:
    """`base` with the joints as measured.

    Args:
        base: of the same robot; its own joints are replaced.
        file: the robot file that was calibrated with.
        results: by joint, of every joint.
        devices: the motors' controllers, by joint.
        date: of today, ISO.

    Raises:
        CalibrationMismatch: joints are missing, turn the other way than the robot file says, or may
            be asked beyond their measured stops; in one line that names the first.
    """
    missing = [name for name in file.joint_names if name not in results or name not in devices]
    if missing:
        raise CalibrationMismatch(f"joints {', '.join(missing)} were not measured")
    joints = {
        name: JointCalibration(
            motor_id=motor.id,
            offset_correction_rad=correction(results[name], motor.offset_rad),
            sign=1 if results[name].sign > 0 else -1,
            file_offset_rad=motor.offset_rad,
            range_rad=_range(results[name]),
            device=devices[name],
        )
        for name, motor in file.motors.items()
    }
    used = [results[name] for name in file.joint_names]
    evidence = Evidence(
        samples=sum(result.readings for result in used),
        residuals={
            "worst_misfit_rad": max(result.misfit_rad for result in used),
            "worst_noise_rad": max(result.noise_rad for result in used),
        },
    )
    measured = msgspec.structs.replace(
        base, date=date, joints=joints, evidence={**base.evidence, "joints": evidence}
    )
    check_calibration(file, measured)
    return measured


def _range(result: JointResult) -> tuple[float, float] | None:
    """Both stops; None where there are none."""
    found = result.lower_rad, result.upper_rad
    return found if all(map(math.isfinite, found)) else None


def with_imu(base: Calibration, result: ImuResult, device: DeviceTag, date: str) -> Calibration:
    """`base` with the inertial sensor `device` as measured, on the ISO date `date`."""
    evidence = Evidence(
        samples=result.readings,
        residuals={
            "rms_rad": result.rms_rad,
            "worst_rad": result.worst_rad,
            "uncertain_rad": result.uncertain_rad,
            "coverage": result.coverage,
            "gyro_noise_rad_s": max(result.gyro_noise_rad_s),
            "acceleration_noise_m_s2": max(result.acceleration_noise_m_s2),
        },
    )
    return msgspec.structs.replace(
        base,
        date=date,
        imu_mounting=result.mounting,
        gyro_bias_rad_s=result.gyro_bias_rad_s,
        imu=device,
        evidence={**base.evidence, "imu": evidence},
    )


def with_latency(
    base: Calibration,
    round_trip: Delay,
    response: StepResponse,
    date: str,
    ages: Mapping[str, Delay] | None = None,
    camera: CameraLatency | None = None,
    motion: MotionDelay | None = None,
) -> Calibration:
    """`base` with the bus's round trip and the way from command to motion, on the date `date`.

    Args:
        ages: of other sensors' values when they are used, by name.
        camera: the robot's, if it was timed; else what was measured of it before stays.
        motion: by which the mean of `response` was found, if it was.
    """
    found = {"bus": round_trip, COMMAND_TO_MOTION: response.delay, **(ages or {})}
    residuals = {"step_misfit": response.misfit}
    if motion is not None:
        residuals |= {"motion_misfit": motion.misfit, "motion_uncertain_s": motion.error_s}
    if camera is not None:
        found[CAMERA] = camera.delay
        residuals |= {
            "camera_misfit": camera.misfit,
            "camera_uncertain_s": camera.uncertain_s,
            "camera_stamp_s": camera.stamp_s,
        }
    elif "latency" in base.evidence:
        earlier = base.evidence["latency"].residuals.items()
        residuals |= {name: value for name, value in earlier if name.startswith("camera_")}
    evidence = Evidence(
        samples=round_trip.count + response.delay.count,
        residuals=residuals,
    )
    return msgspec.structs.replace(
        base,
        date=date,
        latency={**base.latency, **found},
        evidence={**base.evidence, "latency": evidence},
    )


def with_actuators(
    base: Calibration, names: Sequence[str], result: ActuatorResult, date: str
) -> Calibration:
    """`base` with the actuators of the joints `names` as identified, on the date `date`.

    A delay that was measured before gets the mean that was found with them, of all joints' motion;
    its spread, which single steps tell, stays.
    """
    latency = dict(base.latency)
    if COMMAND_TO_MOTION in latency:
        latency[COMMAND_TO_MOTION] = shifted(latency[COMMAND_TO_MOTION], result.delay_s)
    rows = zip(result.table.tolist(), result.error.tolist(), strict=True)
    actuators = {
        name: ActuatorCalibration(
            torque_gain=row[0],
            torque_gain_error=error[0],
            viscous_nm_s_rad=row[1],
            viscous_error=error[1],
            dry_friction_nm=row[2],
            dry_friction_error=error[2],
            armature_kg_m2=row[3],
            armature_error=error[3],
        )
        for name, (row, error) in zip(names, rows, strict=True)
    }
    evidence = Evidence(
        samples=result.samples,
        residuals={
            "held_out_nominal_rad": result.before_all_rad,
            "held_out_identified_rad": result.after_all_rad,
            "noise_rad": result.noise_rad,
            "delay_s": result.delay_s,
        },
    )
    return msgspec.structs.replace(
        base,
        date=date,
        actuators=actuators,
        latency=latency,
        evidence={**base.evidence, "actuators": evidence},
    )


def with_ports(base: Calibration, ports: Mapping[str, str | None]) -> Calibration:
    """`base` keyed to the adapters whose USB serial numbers `ports` tells."""
    known = {name: serial for name, serial in ports.items() if serial is not None}
    return msgspec.structs.replace(base, ports=known)
