"""A robot file's limits lie within its twin's mechanical stops: no goal leans on one."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

import calibration
from calibration import Calibration
from calibration.record import DeviceTag, Evidence
from robosac.errors import CalibrationMismatch
from robosac.hal import FloatArray
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.robots.wiring import Wiring, check_calibration
from robosac.tasks.turn_definitions import RANGE
from sim.claw_plant import ClawPlant
from sim.plant import MinitaurPlant
from tests.robosac.turn_rig import make_rig

SPARE_RAD = math.radians(0.5)
"""A calibrated zero is right to 0.2 degrees, and stops are found as well as that."""
BASES = [0, 3, 6]
"""Of the hand's joints, those whose stop is nearest."""
FILES = {"minitaur": load_robot_file, "claw": load_claw_file}
PLANTS = {"minitaur": MinitaurPlant, "claw": ClawPlant}


def stops(kind: str, names: tuple[str, ...]) -> FloatArray:
    """Lower and upper stop of each joint in the twin's model, rad, shape (n, 2); none: infinite."""
    joints = [PLANTS[kind]().model.joint(name) for name in names]
    rows = [joint.range if joint.limited[0] else (-math.inf, math.inf) for joint in joints]
    return np.array(rows)


def measured(file: Wiring, ranges: FloatArray) -> Calibration:
    """The calibration of a robot whose stops were found where `ranges` has them."""
    joints = {
        name: calibration.JointCalibration(
            motor_id=motor.id,
            sign=1 if motor.direction > 0 else -1,
            file_offset_rad=motor.offset_rad,
            device=DeviceTag(model="XH430-V210"),
            range_rad=(float(row[0]), float(row[1])) if np.isfinite(row).all() else None,
        )
        for (name, motor), row in zip(file.motors.items(), ranges, strict=True)
    }
    evidence = {"joints": Evidence(samples=100, residuals={"worst_misfit_rad": 0.001})}
    nominal = calibration.nominal(file.name)
    return msgspec.structs.replace(nominal, date="2026-05-04", joints=joints, evidence=evidence)


@pytest.mark.parametrize("kind", FILES)
def test_a_robot_files_limits_lie_within_the_stops_of_its_twin(kind: str) -> None:
    file = FILES[kind](None)
    limits, twin = file.joint_limits(), stops(kind, file.joint_names)
    inside = (limits.lower >= twin[:, 0] + SPARE_RAD) & (limits.upper <= twin[:, 1] - SPARE_RAD)
    assert inside.all(), [name for name, good in zip(limits.names, inside, strict=True) if not good]


def test_the_hands_measured_stops_accept_its_limits_and_no_wider_ones() -> None:
    file = load_claw_file(None)
    found = stops("claw", file.joint_names)
    check_calibration(file, measured(file, found))
    base = msgspec.structs.replace(file.limits.base, lower_rad=-float(RANGE[0]))
    wider = msgspec.structs.replace(file, limits=msgspec.structs.replace(file.limits, base=base))
    with pytest.raises(CalibrationMismatch, match=r"joint base_0: .* beyond its measured stops"):
        check_calibration(wider, measured(wider, found))


def test_a_finger_that_is_asked_beyond_its_stop_rests_beside_it() -> None:
    rig = make_rig("claw", "twin.servos=xh430")
    rig.env.reset(seed=0)
    goal = rig.executor.commanded_position.copy()
    goal[BASES] = -RANGE[0]
    for _ in range(50):
        rig.executor.request(goal)
        rig.executor.tick()
    lower = rig.executor.limits.lower[BASES]
    np.testing.assert_array_equal(rig.executor.commanded_position[BASES], lower)
    resting = rig.twin.plant.joint_position[BASES]
    np.testing.assert_allclose(resting, lower, atol=SPARE_RAD)
    assert (resting > stops("claw", ("base_0",))[0, 0]).all(), "no joint leans on its stop"
