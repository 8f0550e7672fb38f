"""Examples: VN-100 user manual UM001, section 4."""

import pytest

from drivers.vectornav.layout import MOTION, STANDARD, Field, Layout


def test_the_standard_layout() -> None:
    assert STANDARD.header == bytes.fromhex("fa013101")
    assert STANDARD.size == 54
    assert STANDARD.setting() == "01,0131"
    assert set(STANDARD.fields) == MOTION


def test_the_manuals_example_of_three_groups() -> None:
    """$VNWRG,75,1,16,15,0001,000C,0014 (page 35)."""
    layout = Layout(
        Field.ATTITUDE_QUATERNION,
        Field.STARTUP,
        Field.IMU_RAW_ANGULAR_RATE,
        Field.IMU_RAW_ACCELERATION,
        Field.ATTITUDE_MAGNETIC_NED,
    )
    assert layout.setting() == "15,0001,000C,0014"
    assert layout.header == bytes.fromhex("fa15 0100 0c00 1400")
    assert layout.size == 8 + 8 + 24 + 28 + 2
    assert layout.slice_of(Field.IMU_RAW_ANGULAR_RATE) == slice(4, 7)
    assert layout.slice_of(Field.ATTITUDE_MAGNETIC_NED) == slice(11, 14)


def test_no_two_fields_share_a_place() -> None:
    places = [(field.group, field.bit) for field in Field]
    assert len(set(places)) == len(Field)
    assert len({field.label for field in Field}) == len(Field)


def test_a_layout_needs_a_field_and_knows_only_its_own() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Layout()
    with pytest.raises(KeyError):
        STANDARD.slice_of(Field.IMU_PRESSURE)
