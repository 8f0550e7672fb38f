"""What registers must hold, worked out before anything is written."""

import pytest

from drivers.dynamixel import OperatingMode, ServoSetup
from drivers.dynamixel.control_table import TABLES
from drivers.dynamixel.setup import eeprom_counts, goal_at_rest, goal_limits, ram_counts
from tests.drivers.dynamixel_rig import POSITION

TURN = 4096


def test_the_goal_at_rest_follows_the_rewrap_of_position_mode() -> None:
    table = TABLES[1020]
    offset = table["homing_offset"].to_si(1000)
    beyond = table["homing_offset"].to_si(1025)
    position, extended = OperatingMode.POSITION, OperatingMode.EXTENDED_POSITION
    rows = [
        (ServoSetup(position), TURN + 100, ("goal_position", 100)),
        (ServoSetup(position), -100, ("goal_position", TURN - 100)),
        (ServoSetup(position, homing_offset_rad=offset), 500, ("goal_position", TURN + 500)),
        (ServoSetup(position, homing_offset_rad=offset), 1500, ("goal_position", 1500)),
        (ServoSetup(position, homing_offset_rad=beyond), 500, ("goal_position", 500)),
        (ServoSetup(extended), TURN + 100, ("goal_position", TURN + 100)),
        (ServoSetup(OperatingMode.VELOCITY), 100, ("goal_velocity", 0)),
        (ServoSetup(OperatingMode.CURRENT), 100, ("goal_current", 0)),
    ]
    for setup, raw, expected in rows:
        assert goal_at_rest(setup, raw, table) == expected


def test_plans_are_whole_and_in_the_order_that_servos_need() -> None:
    table = TABLES[1060]
    eeprom = list(eeprom_counts(POSITION, table, 45))
    assert eeprom.index("operating_mode") < eeprom.index("max_position_limit")
    assert "startup_configuration" in eeprom
    assert "startup_configuration" not in eeprom_counts(POSITION, table, 44)
    ram = ram_counts(POSITION, table)
    assert list(ram)[:2] == ["status_return_level", "bus_watchdog"]
    assert (ram["position_d_gain"], ram["position_p_gain"]) == (4000, 640)
    velocity = goal_limits(ServoSetup(OperatingMode.VELOCITY), table)
    assert velocity.high == -velocity.low == pytest.approx(265 * 0.0239808, rel=1e-5)
