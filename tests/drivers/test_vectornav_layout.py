"""Examples: VN-100 user manual UM001, section 4."""

import struct

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


# Output group, bit, bytes (UM001, section 4.2 to 4.5 and 4.7), and our name for it.
FIELDS = """
1  0  8 startup_ns
1  2  8 since_sync_in_ns
1  3 12 yaw_pitch_roll_deg
1  4 16 quaternion_xyzw
1  5 12 angular_velocity_rad_s
1  8 12 acceleration_m_s2
1  9 24 raw_acceleration_m_s2_and_angular_velocity_rad_s
1 10 20 magnetic_gauss_temperature_c_pressure_kpa
1 11 28 delta_s_angle_deg_velocity_m_s
1 12  2 vpe_status
1 13  4 sync_in_count
2  0  8 time_startup_ns
2  4  8 time_since_sync_in_ns
2  7  4 time_sync_in_count
2  8  4 time_sync_out_count
3  0  2 imu_status
3  1 12 raw_magnetic_gauss
3  2 12 raw_acceleration_m_s2
3  3 12 raw_angular_velocity_rad_s
3  4  4 temperature_c
3  5  4 pressure_kpa
3  6 16 delta_s_angle_deg
3  7 12 delta_velocity_m_s
3  8 12 magnetic_gauss
3  9 12 imu_acceleration_m_s2
3 10 12 imu_angular_velocity_rad_s
5  0  2 attitude_vpe_status
5  1 12 attitude_yaw_pitch_roll_deg
5  2 16 attitude_quaternion_xyzw
5  3 36 attitude_matrix
5  4 12 magnetic_ned_gauss
5  5 12 acceleration_ned_m_s2
5  6 12 linear_acceleration_body_m_s2
5  7 12 linear_acceleration_ned_m_s2
5  8 12 yaw_pitch_roll_uncertainty_deg
"""


def test_fields_are_where_the_manual_has_them() -> None:
    rows = [line.split() for line in FIELDS.split("\n") if line]
    assert len(rows) == len(Field)
    for field, (group, bit, size, label) in zip(Field, rows, strict=True):
        assert (field.group, field.bit, field.label) == (int(group), int(bit), label)
        # Sync, group byte and one mask before, the CRC behind.
        assert Layout(field).size == 4 + int(size) + 2


def test_a_field_is_given_once_in_the_order_of_the_wire() -> None:
    layout = Layout(Field.IMU_PRESSURE, Field.STARTUP, Field.TIME_STARTUP, Field.STARTUP)
    assert layout.fields == (Field.STARTUP, Field.TIME_STARTUP, Field.IMU_PRESSURE)
    assert layout.setting() == "07,0001,0001,0020"
    payload = struct.pack("<QQf", 5, 6, 7.5)
    values = layout.unpack(layout.header + payload + b"\x00\x00")
    assert values == (5, 6, 7.5)
    assert layout.named(values, frozenset()) == {
        "startup_ns": (5,),
        "time_startup_ns": (6,),
        "pressure_kpa": (7.5,),
    }
    assert layout.named(values, frozenset({Field.STARTUP, Field.IMU_PRESSURE})) == {
        "time_startup_ns": (6,)
    }


def test_no_two_fields_share_a_place() -> None:
    places = [(field.group, field.bit) for field in Field]
    assert len(set(places)) == len(Field)
    assert len({field.label for field in Field}) == len(Field)


def test_a_layout_needs_a_field_and_knows_only_its_own() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Layout()
    with pytest.raises(KeyError):
        STANDARD.slice_of(Field.IMU_PRESSURE)
