"""A calibration says who it is of, and holds no number without the measurement behind it."""

import datetime

import msgspec
import pytest

import calibration
from calibration.file import dump, parse
from calibration.record import (
    ActuatorCalibration,
    Calibration,
    DeviceTag,
    Evidence,
    JointCalibration,
    missing_evidence,
)
from tests.calibration.specimens import MEASURED

EVIDENCE = Evidence(samples=10, residuals={"worst_rad": 0.001})


def changed(**parts: object) -> Calibration:
    return msgspec.structs.replace(MEASURED, **parts)


def test_offsets_are_in_the_order_asked_for() -> None:
    names = ("front_left_rear", "front_left_front")
    found = MEASURED.offsets(names).tolist()
    assert found == [MEASURED.joints[name].offset_correction_rad for name in names]


def test_age_counts_days() -> None:
    assert MEASURED.date == "2026-01-01"
    assert MEASURED.age_days(datetime.date(2026, 3, 1)) == 59
    assert MEASURED.age_days(datetime.date(2025, 12, 31)) == -1
    with pytest.raises(ValueError, match="never measured"):
        calibration.nominal("claw").age_days(datetime.date(2026, 3, 1))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"imu_mounting": (1.0, 1.0, 0.0, 0.0)}, "unit quaternion"),
        ({"imu_mounting": (float("nan"), 1.0, 0.0, 0.0)}, "unit quaternion"),
        ({"gyro_bias_rad_s": (float("inf"), 1.0, 0.0)}, "not finite"),
        ({"date": "yesterday"}, "valid is such as"),
    ],
)
def test_numbers_that_cannot_be_are_refused(parts: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        changed(**parts)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"offset_correction_rad": 7.0}, "outside"),
        ({"offset_correction_rad": float("nan")}, "outside"),
        ({"sign": 1}, "belong together"),
        ({"range_rad": (0.0, 1.0)}, "without a sign"),
        (
            {
                "sign": 1,
                "file_offset_rad": 0.0,
                "device": DeviceTag(model="x"),
                "range_rad": (1.0, 0.0),
            },
            "no range",
        ),
    ],
)
def test_a_joint_that_cannot_be_is_refused(parts: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        msgspec.structs.replace(JointCalibration(motor_id=1), **parts)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"evidence": {}}, "evidence is empty"),
        ({"evidence": {"imu": EVIDENCE}}, "evidence.joints"),
        ({"evidence": {"joints": EVIDENCE}}, "evidence.imu"),
        ({"imu": None}, "evidence.imu"),
        ({"date": "nominal"}, "measured numbers"),
        (
            {"joints": {**MEASURED.joints, "back_left_rear": JointCalibration(motor_id=4)}},
            "back_left_rear",
        ),
    ],
)
def test_a_number_without_evidence_is_named(parts: dict[str, object], says: str) -> None:
    assert not missing_evidence(MEASURED)
    assert says in missing_evidence(changed(**parts))


ACTUATOR = ActuatorCalibration(
    torque_gain=0.9,
    torque_gain_error=0.01,
    viscous_nm_s_rad=0.02,
    viscous_error=0.001,
    dry_friction_nm=0.0,
    dry_friction_error=0.002,
    armature_kg_m2=2e-4,
    armature_error=1e-5,
)


def test_actuators_are_of_all_joints_and_have_their_evidence() -> None:
    every = dict.fromkeys(MEASURED.joints, ACTUATOR)
    shown = {**MEASURED.evidence, "actuators": EVIDENCE}
    whole = changed(actuators=every, evidence=shown)
    assert not missing_evidence(whole)
    assert parse(dump(whole), "c.yaml") == whole
    assert "evidence.actuators" in missing_evidence(changed(actuators=every))
    assert "evidence.actuators" in missing_evidence(changed(evidence=shown))
    some = dict.fromkeys(list(every)[1:], ACTUATOR)
    assert "same names" in missing_evidence(changed(actuators=some, evidence=shown))
    text = dump(whole).replace(b"torque_gain: 0.9", b"torque_gain: 0.8", 1)
    with pytest.raises(ValueError, match="sha256"):
        parse(text, "c.yaml")


@pytest.mark.parametrize(
    ("name", "value"),
    [("torque_gain", 0.0), ("armature_kg_m2", 0.0), ("dry_friction_nm", -0.1),
     ("viscous_error", float("nan")), ("armature_error", float("inf"))],
)  # fmt: skip
def test_an_actuator_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        msgspec.structs.replace(ACTUATOR, **{name: value})


def test_nominal_calibrations_hold_nothing_measured() -> None:
    for robot in ("minitaur", "claw"):
        found = calibration.nominal(robot)
        assert not found.measured
        assert not missing_evidence(found)


def test_an_unknown_robot_lists_the_known() -> None:
    with pytest.raises(ValueError, match="minitaur"):
        calibration.nominal("cat")
