"""Rows about motors: each is red where it must be, and green where all is well."""

import math
from collections.abc import Mapping

import pytest

from robosac.check.motors import ROWS, MotorBounds, motor_rows, not_looked_at
from robosac.check.row import Level, reds
from tests.robosac.check.facts import BOUNDS, by_name, motor


def level(name: str, *changes: Mapping[str, object], bounds: MotorBounds = BOUNDS) -> Level:
    found = tuple(motor(number + 1, **change) for number, change in enumerate(changes))
    return by_name(motor_rows(found, bounds))[name].level


def test_healthy_motors_are_green_in_every_row() -> None:
    rows = motor_rows((motor(1), motor(2)), BOUNDS)
    assert tuple(row.name for row in rows) == ROWS
    assert {row.level for row in rows} == {Level.GREEN}


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("motor ids", {"model": None}, Level.RED),
        ("motor models", {"model": "5"}, Level.RED),
        ("motor firmware", {"firmware": "0.1.12"}, Level.AMBER),
        ("motor firmware", {"outdated": "37, and 38 brought the watchdog"}, Level.RED),
        ("motor settings", {"settings": ("servo.pid_position.kp is 4",)}, Level.RED),
        ("motor settings", {"problem": "controller 2 does not tell"}, Level.RED),
        ("torque", {"torque_on": True}, Level.RED),
        ("torque", {"torque_on": None}, Level.RED),
        ("supply voltage", {"voltage_v": 12.9}, Level.RED),
        ("supply voltage", {"voltage_v": 17.6}, Level.RED),
        ("supply voltage", {"voltage_v": math.nan}, Level.RED),
        ("supply voltage", {"voltage_v": 13.1}, Level.AMBER),
        ("supply voltage", {"voltage_v": 17.4}, Level.AMBER),
        ("motor temperatures", {"temperature_c": 80.0}, Level.RED),
        ("motor temperatures", {"temperature_c": math.nan}, Level.RED),
        ("motor temperatures", {"temperature_c": 70.0}, Level.AMBER),
        ("motor temperatures", {"temperature_c": 69.9}, Level.GREEN),
        ("hardware errors", {"error": "hardware error OVERLOAD (0x20)"}, Level.RED),
        ("hardware errors", {"problem": "controller 2 does not answer"}, Level.RED),
        ("hardware errors", {"tripped": True}, Level.AMBER),
        ("hardware errors", {"tripped": True, "error": "x"}, Level.RED),
        ("watchdog", {"watchdog_s": math.nan}, Level.RED),
        ("watchdog", {"watchdog_s": 0.1}, Level.RED),
        ("watchdog", {"watchdog_s": 0.0}, Level.RED),
    ],
)
def test_one_motor_that_is_not_well_decides_its_row(
    name: str, change: dict[str, object], expected: Level
) -> None:
    assert level(name, {}, change) is expected
    assert level(name, change, {}) is expected


def test_what_is_wrong_names_the_joint_and_the_remedy() -> None:
    rows = by_name(motor_rows((motor(1), motor(2, model=None)), BOUNDS))
    assert "joint_2 (id 2)" in rows["motor ids"].found
    assert "wiring" in rows["motor ids"].remedy
    assert "joint_1" not in rows["motor ids"].found


def test_the_robot_files_model_counts_where_it_names_one() -> None:
    wanted = MotorBounds((13.0, 17.5), 80.0, 0.08, "XH430-V210")
    assert level("motor models", {}, {}, bounds=wanted) is Level.RED
    right = {"model": "XH430-V210"}
    assert level("motor models", right, right, bounds=wanted) is Level.GREEN


def test_nobody_at_all_is_red_and_never_all_well() -> None:
    assert len(reds(not_looked_at("the port is gone"))) == len(ROWS)
    nobody = by_name(motor_rows((), BOUNDS))
    bad = {"motor models", "supply voltage", "motor temperatures", "hardware errors", "watchdog"}
    assert {name for name in bad if nobody[name].level is not Level.RED} == set()
