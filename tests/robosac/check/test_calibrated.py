"""Rows about the calibration."""

import datetime

import msgspec
import pytest

import calibration
from calibration.record import DeviceTag
from robosac.check.calibrated import (
    OLD_SHARE,
    Devices,
    age_row,
    devices_row,
    file_row,
    measured_row,
)
from robosac.check.place import Place
from robosac.check.row import Level
from tests.robosac.check.facts import TODAY, facts, measured

NOMINAL = calibration.nominal("minitaur")
TWINS = (Place.IN_PROCESS, Place.SERVED)


def aged(days: float) -> Level:
    date = (TODAY - datetime.timedelta(days=days)).isoformat()
    return age_row(facts(measured(date)), Place.REAL, TODAY, 180.0).level


def test_a_file_that_cannot_be_used_is_red_in_every_row() -> None:
    broken = facts(problem="my.yaml: sha256 is not that of the content")
    rows = (
        file_row(broken),
        measured_row(broken, Place.SERVED, True),
        age_row(broken, Place.SERVED, TODAY, 180.0),
        devices_row(broken, Devices()),
    )
    assert {row.level for row in rows} == {Level.RED}
    assert "sha256" in rows[0].found


def test_the_drawings_numbers_are_for_twins() -> None:
    nominal = facts(NOMINAL)
    real = measured_row(nominal, Place.REAL, True)
    assert real.level is Level.RED
    assert "nominal" in real.found
    assert "robosac calibrate" in real.remedy
    assert age_row(nominal, Place.REAL, TODAY, 180.0).level is Level.RED
    for place in TWINS:
        assert measured_row(nominal, place, True).level is Level.TWIN
        assert age_row(nominal, place, TODAY, 180.0).level is Level.TWIN


def test_measured_in_part_is_not_measured() -> None:
    whole = measured()
    assert measured_row(facts(whole), Place.REAL, True).level is Level.GREEN
    no_imu = msgspec.structs.replace(whole, imu=None)
    row = measured_row(facts(no_imu), Place.REAL, True)
    assert row.level is Level.RED
    assert "inertial sensor" in row.found
    assert measured_row(facts(no_imu), Place.REAL, False).level is Level.GREEN
    name = next(iter(whole.joints))
    bare = {**whole.joints, name: NOMINAL.joints[name]}
    row = measured_row(facts(msgspec.structs.replace(whole, joints=bare)), Place.REAL, True)
    assert row.level is Level.RED
    assert name in row.found


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, Level.GREEN),
        (OLD_SHARE * 180, Level.GREEN),
        (OLD_SHARE * 180 + 1, Level.AMBER),
        (180, Level.AMBER),
        (181, Level.RED),
        (-1, Level.GREEN),
        (-2, Level.RED),
    ],
)
def test_age_is_told_before_it_is_refused(days: float, expected: Level) -> None:
    assert aged(days) is expected


def test_other_devices_than_those_it_was_measured_on_are_red() -> None:
    found = msgspec.structs.replace(measured(), ports={"legs": "ABC"})
    motors = {name: joint.device for name, joint in found.joints.items() if joint.device}
    imu, ports = found.imu, {"legs": "ABC"}
    assert devices_row(facts(found), Devices(motors, imu, ports)).level is Level.GREEN
    name = next(iter(motors))
    other = {**motors, name: DeviceTag(model="4", serial="another")}
    fewer = {key: tag for key, tag in motors.items() if key != name}
    stranger = DeviceTag(model="VN-100", serial="8")
    for devices in (
        Devices(other, imu, ports),
        Devices(fewer, imu, ports),
        Devices(None, imu, ports),
        Devices(motors, stranger, ports),
        Devices(motors, None, ports),
        Devices(motors, imu, {"legs": "ABD"}),
        Devices(motors, imu, {}),
        Devices(motors, imu, None),
    ):
        assert devices_row(facts(found), devices).level is Level.RED
