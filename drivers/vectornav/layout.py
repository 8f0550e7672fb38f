"""Which measurements a VN-100's binary output frame carries, and where.

Source: VN-100 user manual UM001, section 4 (output groups 1, 2, 3 and 5; the others are not used on
the VN-100) and the binary output registers 75 to 77.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from typing import Final

SYNC: Final = 0xFA
"""First byte of every binary frame; the checksum begins behind it."""
CRC_SIZE: Final = 2


class Field(enum.Enum):
    """One measurement: output group, bit in the group's mask, struct codes, name with unit."""

    STARTUP = (1, 0, "Q", "startup_ns")
    SYNC_IN = (1, 2, "Q", "since_sync_in_ns")
    YAW_PITCH_ROLL = (1, 3, "3f", "yaw_pitch_roll_deg")
    QUATERNION = (1, 4, "4f", "quaternion_xyzw")
    ANGULAR_RATE = (1, 5, "3f", "angular_velocity_rad_s")
    ACCELERATION = (1, 8, "3f", "acceleration_m_s2")
    IMU = (1, 9, "6f", "raw_acceleration_m_s2_and_angular_velocity_rad_s")
    MAGNETIC_PRESSURE = (1, 10, "5f", "magnetic_gauss_temperature_c_pressure_kpa")
    DELTA = (1, 11, "7f", "delta_s_angle_deg_velocity_m_s")
    VPE_STATUS = (1, 12, "H", "vpe_status")
    SYNC_IN_COUNT = (1, 13, "I", "sync_in_count")
    TIME_STARTUP = (2, 0, "Q", "time_startup_ns")
    TIME_SYNC_IN = (2, 4, "Q", "time_since_sync_in_ns")
    TIME_SYNC_IN_COUNT = (2, 7, "I", "time_sync_in_count")
    TIME_SYNC_OUT_COUNT = (2, 8, "I", "time_sync_out_count")
    IMU_STATUS = (3, 0, "H", "imu_status")
    IMU_RAW_MAGNETIC = (3, 1, "3f", "raw_magnetic_gauss")
    IMU_RAW_ACCELERATION = (3, 2, "3f", "raw_acceleration_m_s2")
    IMU_RAW_ANGULAR_RATE = (3, 3, "3f", "raw_angular_velocity_rad_s")
    IMU_TEMPERATURE = (3, 4, "f", "temperature_c")
    IMU_PRESSURE = (3, 5, "f", "pressure_kpa")
    IMU_DELTA_ANGLE = (3, 6, "4f", "delta_s_angle_deg")
    IMU_DELTA_VELOCITY = (3, 7, "3f", "delta_velocity_m_s")
    IMU_MAGNETIC = (3, 8, "3f", "magnetic_gauss")
    IMU_ACCELERATION = (3, 9, "3f", "imu_acceleration_m_s2")
    IMU_ANGULAR_RATE = (3, 10, "3f", "imu_angular_velocity_rad_s")
    ATTITUDE_VPE_STATUS = (5, 0, "H", "attitude_vpe_status")
    ATTITUDE_YAW_PITCH_ROLL = (5, 1, "3f", "attitude_yaw_pitch_roll_deg")
    ATTITUDE_QUATERNION = (5, 2, "4f", "attitude_quaternion_xyzw")
    ATTITUDE_MATRIX = (5, 3, "9f", "attitude_matrix")
    ATTITUDE_MAGNETIC_NED = (5, 4, "3f", "magnetic_ned_gauss")
    ATTITUDE_ACCELERATION_NED = (5, 5, "3f", "acceleration_ned_m_s2")
    ATTITUDE_LINEAR_BODY = (5, 6, "3f", "linear_acceleration_body_m_s2")
    ATTITUDE_LINEAR_NED = (5, 7, "3f", "linear_acceleration_ned_m_s2")
    ATTITUDE_UNCERTAINTY = (5, 8, "3f", "yaw_pitch_roll_uncertainty_deg")

    @property
    def group(self) -> int:
        """Output group, from 1."""
        return self.value[0]

    @property
    def bit(self) -> int:
        """Bit in the group's mask."""
        return self.value[1]

    @property
    def codes(self) -> str:
        """Its numbers, as `struct` writes them."""
        return self.value[2]

    @property
    def label(self) -> str:
        """Name with unit."""
        return self.value[3]


class Layout:
    """A binary output frame with the given fields; they travel in the order of group and bit.

    Attributes:
        fields: in the order of the wire.
        header: sync byte, group byte and masks.
        size: bytes of a whole frame.

    Raises:
        ValueError: no fields.
    """

    def __init__(self, *fields: Field) -> None:
        if not fields:
            raise ValueError("a layout needs at least one field")
        self.fields = tuple(sorted(set(fields), key=lambda field: (field.group, field.bit)))
        masks: dict[int, int] = {}
        for field in self.fields:
            masks[field.group] = masks.get(field.group, 0) | 1 << field.bit
        self._masks = masks
        self._groups = sum(1 << group - 1 for group in masks)
        self.header = struct.pack(f"<BB{len(masks)}H", SYNC, self._groups, *masks.values())
        self._payload = struct.Struct("<" + "".join(field.codes for field in self.fields))
        self.size = len(self.header) + self._payload.size + CRC_SIZE
        self._slices: dict[Field, slice] = {}
        start = 0
        for field in self.fields:
            stop = start + len(struct.Struct("<" + field.codes).unpack(bytes(_size(field))))
            self._slices[field] = slice(start, stop)
            start = stop

    def unpack(self, frame: bytes) -> tuple[float, ...]:
        """All numbers of a frame of the right size, in the order of the wire."""
        return self._payload.unpack_from(frame, len(self.header))

    def slice_of(self, field: Field) -> slice:
        """Where `field`'s numbers are in what `unpack` returns; KeyError: it has no such field."""
        return self._slices[field]

    def named(
        self, values: tuple[float, ...], without: frozenset[Field]
    ) -> Mapping[str, tuple[float, ...]]:
        """What `unpack` returned, by the fields' labels, but for those in `without`."""
        return {
            field.label: values[place]
            for field, place in self._slices.items()
            if field not in without
        }

    def setting(self) -> str:
        """Groups and masks as registers 75 to 77 want them, e.g. "01,0131"."""
        return ",".join([f"{self._groups:02X}", *(f"{mask:04X}" for mask in self._masks.values())])


def _size(field: Field) -> int:
    return struct.calcsize("<" + field.codes)


MOTION: Final = frozenset({Field.STARTUP, Field.QUATERNION, Field.ANGULAR_RATE, Field.ACCELERATION})
"""What a reading is made of; a port's layout must have these."""
STANDARD: Final = Layout(*MOTION)
"""Time, attitude, angular rate and acceleration: 54 bytes, header fa 01 31 01."""
