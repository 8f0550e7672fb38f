"""Configuration with read-back, engaging, rebooting: against scripted servos."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from drivers.dynamixel import (
    HardwareError,
    OperatingMode,
    PositionGoal,
    ServoArming,
    ServoRegisters,
    ServoSetup,
    scan,
)
from drivers.errors import BusTimeout, DeviceError
from tests.drivers.dynamixel_rig import ARMED_IDS, POSITION, ArmingRig
from tests.drivers.scripted_servos import crc_bit_by_bit


def test_configure_makes_a_factory_servo_fast_and_says_so() -> None:
    rig = ArmingRig()
    reports = rig.arming().configure()
    assert reports[20].changed == {"return_delay_time": (250, 0)}
    assert reports[20].warnings == ("return delay was 500 us, now 0",)
    assert reports[20].baud == 57_600
    assert rig.servos.get(20, 9, 1) == 0
    first = [address for id, address in rig.writes() if id == 20]
    assert first[:3] == [68, 64, 9], "answers on, torque off, then EEPROM"
    assert 98 in first


def test_configuring_twice_writes_no_eeprom() -> None:
    rig = ArmingRig()
    rig.arming().configure()
    rig.servos.log.clear()
    reports = rig.arming().configure()
    assert reports[21].changed == {}
    assert reports[21].warnings == ()
    assert all(address >= 64 for _, address in rig.writes())


def test_configure_takes_torque_away_from_what_switches_it_on_by_itself() -> None:
    rig = ArmingRig()
    rig.servos.set(20, 60, 1, 3)
    rig.servos.set(20, 10, 1, 8)
    rig.servos.set(20, 64, 1, 1)
    rig.servos.set(20, 98, 1, -1)
    report = rig.arming().configure()[20]
    assert [rig.servos.get(20, address, 1) for address in (60, 10, 64, 98)] == [0, 0, 0, 0]
    assert len(report.warnings) == 4
    assert "torque was on" in report.warnings


def test_configure_reaches_servos_that_answer_only_pings() -> None:
    rig = ArmingRig()
    rig.servos.set(20, 68, 1, 0)
    muted = rig.servos.memory[20]
    rig.before(0x02, lambda packet: b"" if packet[4] == 20 and muted[68] == 0 else None)
    rig.arming().configure()
    assert rig.servos.get(20, 68, 1) == 2


def test_configure_sets_what_is_asked_for() -> None:
    rig = ArmingRig()
    setup = ServoSetup(
        OperatingMode.CURRENT_BASED_POSITION,
        velocity_limit_rad_s=2.4,
        current_limit_a=1.0,
        temperature_limit_c=60,
        homing_offset_rad=-0.1,
        reverse=True,
        shutdown=HardwareError.OVERLOAD,
        gains={"position_p_gain": 400},
        profile_velocity_rad_s=1.2,
        profile_acceleration_rad_s2=8.0,
        goal_current_a=0.5,
    )
    rig.arming(setup).configure()
    registers = ServoRegisters(rig.bus)
    expected = {
        "operating_mode": 5,
        "velocity_limit": 100,
        "current_limit": 372,
        "temperature_limit": 60,
        "homing_offset": -65,
        "drive_mode": 1,
        "shutdown": 0x20,
        "position_p_gain": 400,
        "velocity_i_gain": 1920,
        "profile_velocity": 50,
        "profile_acceleration": 21,
        "goal_current": 186,
        "secondary_id": 255,
    }
    assert {name: registers.read_raw(21, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("model", "setup", "complaint"),
    [
        (1060, ServoSetup(OperatingMode.CURRENT), "XL430-W250 has no mode CURRENT"),
        (1020, ServoSetup(OperatingMode.PWM), "no mode PWM"),
        (1060, ServoSetup(OperatingMode.VELOCITY, current_limit_a=1.0), "no current limit"),
        (1020, ServoSetup(OperatingMode.POSITION, gains={"p": 1}), "unknown gains"),
        (1020, ServoSetup(OperatingMode.POSITION, gains={"position_p_gain": 16384}), "16383"),
        (1020, ServoSetup(OperatingMode.POSITION, low_rad=3.0, high_rad=2.0), "above high_rad"),
        (1020, ServoSetup(OperatingMode.POSITION, high_rad=6.3), "max_position_limit"),
        (
            1020,
            ServoSetup(
                OperatingMode.CURRENT_BASED_POSITION, current_limit_a=1.0, goal_current_a=1.1
            ),
            "goal_current_a",
        ),
    ],
)
def test_impossible_setups_are_refused_before_anything_is_written(
    model: int, setup: ServoSetup, complaint: str
) -> None:
    rig = ArmingRig(model)
    with pytest.raises(ValueError, match=complaint):
        rig.arming(setup)
    assert rig.servos.log == []


def test_a_setup_for_every_servo() -> None:
    with pytest.raises(ValueError, match=r"\[20\], the bus has \[20, 21\]"):
        ServoArming(ArmingRig().bus, {20: POSITION})


def test_servos_that_must_not_be_engaged() -> None:
    with pytest.raises(DeviceError, match="without bus watchdog"):
        ArmingRig(firmware=37).arming().configure()
    rig = ArmingRig()
    rig.servos.set(21, 70, 1, 0x20)
    with pytest.raises(DeviceError, match=r"servo 21 has .*OVERLOAD"):
        rig.arming().configure()


def test_engage_holds_still_and_arms_the_watchdog_last() -> None:
    rig = ArmingRig()
    arming = rig.arming()
    arming.configure()
    rig.servos.log.clear()
    arming.engage(0.1)
    assert rig.writes() == [(id, address) for id in ARMED_IDS for address in (116, 64, 98)]
    for id in ARMED_IDS:
        assert rig.servos.get(id, 116, 4) == 2000, "the goal is where the servo stands"
        assert rig.servos.get(id, 64, 1) == 1
        assert rig.servos.get(id, 98, 1) == 5
    with pytest.raises(ValueError, match="servo 20"):
        rig.bus.exchange(PositionGoal(np.full(2, 7.0)), 1.0)


@pytest.mark.parametrize("watchdog_s", [0.0, 0.009, 2.56, math.nan])
def test_engage_needs_a_watchdog(watchdog_s: float) -> None:
    rig = ArmingRig()
    arming = rig.arming()
    arming.configure()
    with pytest.raises(ValueError, match="watchdog"):
        arming.engage(watchdog_s)
    assert rig.servos.get(20, 64, 1) == 0


def engaging(rig: ArmingRig, setup: ServoSetup = POSITION) -> Callable[[], None]:
    arming = rig.arming(setup)
    arming.configure()
    return arming.engage


def test_a_servo_that_jumps_is_let_go_at_once() -> None:
    rig = ArmingRig()
    engage = engaging(rig)

    def jump(packet: bytes) -> None:
        if packet[4] == 21 and packet[8:11] == b"\x40\x00\x01":
            rig.servos.set(21, 132, 4, 2023)

    rig.before(0x03, jump)
    with pytest.raises(DeviceError, match="servo 21 jumped by 23 counts"):
        engage()
    assert [rig.servos.get(id, 64, 1) for id in ARMED_IDS] == [0, 0]


def test_an_interrupt_while_engaging_switches_off_too() -> None:
    rig = ArmingRig()
    engage = engaging(rig)

    def interrupt(packet: bytes) -> None:
        if packet[4] == 21:
            raise KeyboardInterrupt

    rig.before(0x03, interrupt)
    with pytest.raises(KeyboardInterrupt):
        engage()
    assert [rig.servos.get(id, 64, 1) for id in ARMED_IDS] == [0, 0]


@pytest.mark.parametrize(
    ("setup", "position", "complaint"),
    [
        (ServoSetup(OperatingMode.POSITION, low_rad=3.2), 2000, "stands at 3.068"),
        (ServoSetup(OperatingMode.POSITION, start_high_rad=3.0), 2000, "stands at 3.068"),
        (ServoSetup(OperatingMode.EXTENDED_POSITION, start_high_rad=6.0), 6096, "stands at 9.351"),
    ],
)
def test_a_servo_in_the_wrong_place_is_not_engaged(
    setup: ServoSetup, position: int, complaint: str
) -> None:
    rig = ArmingRig()
    rig.servos.set(20, 132, 4, position)
    with pytest.raises(DeviceError, match=complaint):
        engaging(rig, setup)()
    assert 64 not in [address for _, address in rig.writes()[-3:]]


def test_a_moving_servo_is_not_engaged() -> None:
    rig = ArmingRig()
    engage = engaging(rig)
    rig.before(0x02, lambda _: rig.servos.set(20, 132, 4, rig.servos.get(20, 132, 4) + 30))
    with pytest.raises(DeviceError, match="servo 20 moves"):
        engage()


def boot(rig: ArmingRig, seconds: float, acknowledged: bool = True) -> None:
    """Let servo 20 fall silent for `seconds` when it is told to reboot."""
    back_at = math.inf
    inner = rig.servos.answer

    def answer(packet: bytes) -> bytes:
        nonlocal back_at
        if rig.wire.time >= back_at:
            rig.servos.silent.discard(20)
        reply = inner(packet)
        if packet[7] != 0x08 or not reply:
            return reply
        rig.servos.silent.add(20)
        rig.servos.set(20, 70, 1, 0)
        rig.servos.set(20, 84, 2, 1)
        back_at = rig.wire.time + seconds
        return reply if acknowledged else b""

    rig.wire.answer = answer


@pytest.mark.parametrize("acknowledged", [True, False])
def test_reboot_waits_until_the_servo_is_back_and_sets_it_up_again(acknowledged: bool) -> None:
    rig = ArmingRig()
    arming = rig.arming()
    arming.configure()
    arming.engage()
    rig.servos.set(20, 70, 1, 0x20)
    boot(rig, 0.5, acknowledged)
    started = rig.wire.time
    report = arming.reboot(20)
    assert report.info.model == 1020
    assert 0.5 <= rig.wire.time - started < 1.0
    assert [rig.servos.get(20, address, 1) for address in (64, 70, 98)] == [0, 0, 0]
    assert rig.servos.get(20, 84, 2) == 800, "gains are lost and set again"


def test_a_servo_that_does_not_come_back_is_told() -> None:
    rig = ArmingRig()
    boot(rig, math.inf)
    with pytest.raises(BusTimeout, match="servo 20 is silent"):
        rig.arming().reboot(20)


def test_round_trip_is_the_median_of_pings() -> None:
    rig = ArmingRig()
    inner = rig.wire.answer

    def slow(packet: bytes) -> bytes:
        rig.wire.time += 0.005
        return inner(packet)

    rig.wire.answer = slow
    assert rig.arming().round_trip_s(20, 5) == pytest.approx(0.005)


def test_scan_finds_those_that_are_not_listed() -> None:
    rig = ArmingRig()
    replies = b"".join(rig.servos.answer(b) for b in pings((20, 21)))
    stranger = replies[:14].replace(b"\x14", b"\x09", 1)
    rig.before(0x01, lambda packet: replies + stranger if packet[4] == 0xFE else None)
    found = scan(rig.bus, 0.1)
    assert set(found) == {20, 21}, "a damaged reply finds nobody"
    assert found[20].name == "XM430-W350"


def pings(ids: tuple[int, ...]) -> list[bytes]:
    """Ping packets of servos 20 and 21, their CRC worked out by hand."""
    packets = [b"\xff\xff\xfd\x00" + bytes([id]) + b"\x03\x00\x01" for id in ids]
    return [packet + crc_bit_by_bit(packet).to_bytes(2, "little") for packet in packets]
