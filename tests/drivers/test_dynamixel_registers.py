"""Registers by name, with read-back: against scripted servos."""

import math

import pytest

from drivers.dynamixel import ServoRegisters
from drivers.errors import BusTimeout, DeviceError, WireClosed
from tests.drivers.dynamixel_rig import ArmingRig


def test_registers_by_name_in_units_and_in_counts() -> None:
    rig = ArmingRig()
    registers = ServoRegisters(rig.bus)
    registers.write(20, "goal_position", math.pi)
    assert rig.servos.get(20, 116, 4) == 2048
    assert registers.read(20, "goal_position") == pytest.approx(math.pi)
    registers.write_raw(21, "goal_velocity", -3)
    assert registers.read_raw(21, "goal_velocity") == -3
    assert registers.read(21, "present_input_voltage") == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("goal_position", math.nan, ValueError),
        ("bus_watchdog", 3.0, ValueError),
        ("present_position", 1.0, ValueError),
        ("goal_posture", 1.0, KeyError),
    ],
)
def test_writes_that_make_no_sense_are_not_sent(
    name: str, value: float, error: type[Exception]
) -> None:
    rig = ArmingRig()
    with pytest.raises(error):
        ServoRegisters(rig.bus).write(20, name, value)
    assert rig.writes() == []


def test_a_write_survives_a_lost_packet_and_a_lost_acknowledgement() -> None:
    rig = ArmingRig()
    losses = [b"", b""]

    def lose(packet: bytes) -> bytes | None:
        if len(losses) == 1:
            rig.servos.answer(packet)
        return losses.pop() if losses else None

    rig.before(0x03, lose)
    ServoRegisters(rig.bus).write_raw(20, "goal_position", 77)
    assert rig.servos.get(20, 116, 4) == 77


def test_what_a_servo_does_not_keep_is_told() -> None:
    rig = ArmingRig()
    rig.before(0x03, lambda packet: b"")
    with pytest.raises(DeviceError, match="servo 20 keeps goal_position at 0, not 77"):
        ServoRegisters(rig.bus).write_raw(20, "goal_position", 77)


def test_refusals_name_register_and_reason() -> None:
    rig = ArmingRig()
    rig.servos.refuse[11] = 7
    with pytest.raises(DeviceError, match="refuses operating_mode = 4: ACCESS; EEPROM"):
        ServoRegisters(rig.bus).write_raw(20, "operating_mode", 4)
    rig.servos.refuse[116] = 4
    with pytest.raises(DeviceError, match=r"DATA_RANGE; .*watchdog tripped"):
        ServoRegisters(rig.bus).write_raw(20, "goal_position", 4)
    assert rig.bus.statistics.refused == 2


def test_silence_is_a_timeout_and_a_dead_port_is_told() -> None:
    rig = ArmingRig()
    rig.servos.silent = {20}
    with pytest.raises(BusTimeout, match="servo 20"):
        ServoRegisters(rig.bus).read(20, "torque_enable")
    rig.bus.close()
    with pytest.raises(WireClosed):
        ServoRegisters(rig.bus).read(21, "torque_enable")
