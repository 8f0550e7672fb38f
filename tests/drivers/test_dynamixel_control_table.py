"""The control tables against ROBOTIS' own .model files, and against their own rules."""

import itertools
import math

import pytest
from dynamixel_easy_sdk.control_table import ControlTable as ModelFile

from drivers.dynamixel.constants import OperatingMode
from drivers.dynamixel.control_table import TABLES, Access, Area, ControlTable, Register

NAMES = {
    1000: "XH430-W350",
    1010: "XH430-W210",
    1020: "XM430-W350",
    1030: "XM430-W210",
    1040: "XH430-V350",
    1050: "XH430-V210",
    1060: "XL430-W250",
}
# Names of the .model files that are ours for the same register, or no register of their own.
SPELLED = {"secondary(shadow)_id": "secondary_id"}
ALIASES = {"indirect_address_write", "indirect_data_write"}
FILE_BLOCKS = {"indirect_address_read": (578, 2), "indirect_data_read": (634, 1)}
# Newer than the .model files: e-manual, Startup Configuration (60) and Backup Ready (147).
NEWER = {"startup_configuration", "backup_ready"}

tables = pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)


def test_the_models_and_their_numbers() -> None:
    assert {number: table.name for number, table in TABLES.items()} == NAMES
    assert all(table["model_number"].default == number for number, table in TABLES.items())


@tables
def test_every_register_lies_where_the_vendors_file_says(table: ControlTable) -> None:
    vendor: dict[str, tuple[int, int]] = {
        name.lower().replace(" ", "_"): (item.address, item.size)
        for name, item in ModelFile.getControlTable(table.model_number).items()
    }
    for name, place in vendor.items():
        if name in FILE_BLOCKS:
            assert place == FILE_BLOCKS[name]
        elif name not in ALIASES:
            register = table[SPELLED.get(name, name)]
            assert (register.address, register.size) == place, name
    spelled = {SPELLED.get(name, name) for name in vendor}
    ours = {register.name for register in table if not register.name.startswith("indirect_")}
    assert ours - spelled == NEWER


@tables
def test_registers_do_not_overlap_and_are_found_both_ways(table: ControlTable) -> None:
    for before, after in itertools.pairwise(table):
        assert before.end <= after.address, (before.name, after.name)
    for register in table:
        assert table[register.name] is register
        assert table.at(register.address) is register
        assert register.area is (Area.EEPROM if register.address < 64 else Area.RAM)
        assert register.size in (1, 2, 4)
        if register.default is not None and register.access is Access.RW:
            assert register.check(register.default) == register.default


@tables
def test_indirect_addresses_point_at_their_data(table: ControlTable) -> None:
    for i in range(1, 57):
        target = table[f"indirect_address_{i}"].default
        assert target is not None
        assert table.at(target).name == f"indirect_data_{i}"
    assert table["indirect_address_28"].address == 222
    assert table["indirect_address_56"].address == 632
    assert table["indirect_data_56"].address == 661


def test_units_are_the_manuals() -> None:
    table = TABLES[1020]
    assert table["goal_position"].to_si(4096) == pytest.approx(2 * math.pi)
    assert table["present_velocity"].to_si(100) == pytest.approx(2.398082, rel=1e-6)
    assert table["present_current"].to_si(-1000) == pytest.approx(-2.69)
    assert TABLES[1050]["present_current"].to_si(1000) == pytest.approx(1.34)
    assert TABLES[1060]["present_load"].to_si(-1000) == -1.0
    assert table["present_input_voltage"].to_si(120) == pytest.approx(12.0)
    assert table["return_delay_time"].to_si(250) == pytest.approx(500e-6)
    assert table["bus_watchdog"].to_si(5) == pytest.approx(0.1)
    assert table["pwm_limit"].to_si(885) == pytest.approx(1.0)


def test_what_differs_between_the_models() -> None:
    def defaults(name: str) -> list[int | None]:
        return [TABLES[n][name].default if name in TABLES[n] else None for n in sorted(NAMES)]

    assert defaults("current_limit") == [648, 648, 1193, 1193, 689, 689, None]
    assert defaults("position_p_gain") == [900, 900, 800, 800, 800, 800, 640]
    assert defaults("position_d_gain") == [0, 0, 0, 0, 0, 0, 4000]
    assert defaults("temperature_limit") == [80, 80, 80, 80, 80, 80, 72]
    assert defaults("max_voltage_limit") == [160, 160, 160, 160, 300, 300, 140]
    assert defaults("min_voltage_limit") == [95, 95, 95, 95, 110, 110, 60]
    xl430 = TABLES[1060]
    assert xl430.at(126).name == xl430.effort == "present_load"
    assert TABLES[1020].at(126).name == TABLES[1020].effort == "present_current"
    assert "goal_current" not in xl430
    assert math.isnan(xl430.torque_constant_nm_a)
    assert TABLES[1020].torque_constant_nm_a == pytest.approx(1.78, abs=0.005)
    assert set(OperatingMode) - xl430.operating_modes == {
        OperatingMode.CURRENT,
        OperatingMode.CURRENT_BASED_POSITION,
    }


def test_values_out_of_range_are_refused_on_both_sides() -> None:
    goal: Register = TABLES[1020]["goal_position"]
    for raw in (-1_048_575, 0, 1_048_575):
        assert goal.decode(goal.encode(raw)) == raw
    for raw in (-1_048_576, 1_048_576):
        with pytest.raises(ValueError, match="goal_position takes -1048575 to 1048575"):
            goal.encode(raw)
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="finite"):
            goal.to_raw(value)
    with pytest.raises(ValueError, match="4 bytes"):
        goal.decode(b"\x00")
    assert goal.to_raw(math.pi) == 2048
    assert TABLES[1020]["bus_watchdog"].decode(b"\xff") == -1


def test_unknown_names_and_addresses_say_what_there_is() -> None:
    with pytest.raises(KeyError, match="present_current"):
        TABLES[1020]["goal_curent_current"]
    with pytest.raises(KeyError, match="117"):
        TABLES[1020].at(117)
