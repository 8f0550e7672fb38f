"""From one episode to the next: what is checked before servos are held, and what is set right."""

import math

import numpy as np
import pytest

from drivers.dynamixel import (
    HardwareError,
    Observe,
    OperatingMode,
    ServoArming,
    ServoSetup,
    TorqueOff,
)
from drivers.errors import BusTimeout, DeviceError
from sim.firmware.dynamixel.servo import BOOT_TIME_S
from tests.drivers.dynamixel_rig import ARMED_IDS, ArmingRig
from tests.drivers.held_servos import OFF, ON, PERIOD, SETUP, HeldServos

GOAL_CURRENT, GOAL_POSITION, WATCHDOG = 102, 116, 98


def prepared() -> tuple[ArmingRig, ServoArming]:
    rig = ArmingRig()
    arming = rig.arming(SETUP)
    arming.prepare()
    rig.servos.log.clear()
    return rig, arming


def test_a_new_servo_is_configured_as_ever() -> None:
    rig = ArmingRig()
    reports = rig.arming(SETUP).prepare()
    assert set(reports) == set(ARMED_IDS)
    assert reports[20].changed["return_delay_time"] == (250, 0)
    assert rig.servos.get(20, GOAL_POSITION, 4) == 2000, "the goal is where it stands"
    assert rig.servos.get(20, 64, 1) == 0


def test_whoever_is_as_it_must_be_gets_its_goal_and_nothing_else() -> None:
    rig, arming = prepared()
    rig.servos.set(21, 132, 4, -777)
    assert arming.prepare() == {}
    assert rig.writes() == [(id, GOAL_POSITION) for id in ARMED_IDS]
    assert rig.servos.get(21, GOAL_POSITION, 4, signed=True) == -777


@pytest.mark.parametrize(
    ("name", "address", "size", "found", "wanted"),
    [
        ("operating_mode", 11, 1, 3, 5),
        ("torque_enable", 64, 1, 1, 0),
        ("status_return_level", 68, 1, 1, 2),
        ("hardware_error_status", 70, 1, 0x20, 0),
        ("velocity_i_gain", 76, 2, 1919, 1920),
        ("position_p_gain", 84, 2, 0, 800),
        ("feedforward_1st_gain", 90, 2, 1, 0),
        ("bus_watchdog", WATCHDOG, 1, -1, 0),
        ("profile_velocity", 112, 4, 9, 0),
    ],
)
def test_what_differs_is_told_and_set_right(
    name: str, address: int, size: int, found: int, wanted: int
) -> None:
    rig, arming = prepared()
    rig.servos.set(21, address, size, found)
    assert arming.verify(20) == {}
    assert arming.verify(21) == {name: (found, wanted)}
    assert rig.writes() == [], "looking changes nothing"
    if name == "hardware_error_status":
        return
    assert set(arming.prepare()) == {21}
    assert rig.servos.get(21, address, size) == wanted
    assert arming.verify(21) == {}


def test_what_the_tick_changes_is_no_difference() -> None:
    rig, arming = prepared()
    rig.servos.set(20, GOAL_CURRENT, 2, 7)
    rig.servos.set(20, WATCHDOG, 1, 5)
    rig.servos.set(20, GOAL_POSITION, 4, 12)
    assert arming.verify(20) == {}


def test_a_servo_whose_configuration_failed_is_configured_again() -> None:
    rig, arming = prepared()
    rig.servos.refuse = {84: 7}
    with pytest.raises(DeviceError, match="position_p_gain"):
        arming.configure()
    rig.servos.refuse = {}
    assert set(arming.prepare()) == {20}, "the other one had not been touched"


def test_a_servo_in_the_wrong_place_is_not_prepared() -> None:
    rig = ArmingRig()
    setup = ServoSetup(OperatingMode.CURRENT_BASED_POSITION, start_high_rad=3.0)
    with pytest.raises(DeviceError, match=r"servo 20 stands at 3\.068"):
        rig.arming(setup).prepare()


def test_all_that_have_an_error_restart_at_once() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, times=10)
    for place in (1, 2):
        rig.servo(place).health.inject(HardwareError.OVERLOAD)
    rig.hold(ON, ON, ON, times=5)
    rig.exchange(TorqueOff())
    started = rig.bench.clock.now()
    assert set(rig.arming.reboot_faulty()) == {11, 12}
    assert BOOT_TIME_S <= rig.bench.clock.now() - started < 2 * BOOT_TIME_S
    assert [rig.servo(place).memory["hardware_error_status"] for place in range(3)] == [0, 0, 0]
    assert [rig.arming.verify(id) for id in rig.ids] == [{}, {}, {}]
    assert rig.arming.reboot_faulty() == {}


def test_an_error_that_stays_is_told() -> None:
    rig, arming = prepared()
    rig.servos.set(21, 70, 1, 0x20)
    with pytest.raises(DeviceError, match=r"servo 21 has .*OVERLOAD"):
        arming.prepare()


def test_a_servo_that_does_not_come_back_is_told() -> None:
    rig, arming = prepared()
    rig.servos.set(21, 70, 1, 0x20)
    rig.before(0x08, lambda packet: rig.servos.silent.add(packet[4]))
    with pytest.raises(BusTimeout, match="servo 21 is silent"):
        arming.prepare()


def test_a_restarted_servo_counts_from_elsewhere_and_is_believed() -> None:
    rig = HeldServos()
    rig.bench.turn(9000.0, 2)
    rig.bus.forget(12)
    before = rig.exchange(Observe()).position_rad[2]
    rig.servo(2).health.inject(HardwareError.OVERLOAD)
    rig.bench.run(0.02)
    rig.arming.prepare()
    assert math.isinf(rig.bus.last_readings().time[2]), "where it stood is not where it stands"
    readings = rig.exchange(Observe())
    assert readings.valid[2]
    assert readings.position_rad[2] == pytest.approx(before - math.tau)


def test_the_next_episode_begins_without_writing_registers() -> None:
    rig = HeldServos()
    rig.bus.watch(0.06)
    for _ in range(3):
        readings = rig.hold(ON, ON, OFF, times=10)
        assert readings.holding.tolist() == [True, True, False]
        assert rig.watchdogs()[:2] == [3, 3]
        for _ in range(3):
            rig.exchange(TorqueOff())
        assert rig.torque() == [False] * 3
        assert rig.arming.prepare() == {}, "an armed watchdog does no harm while torque is off"
        rig.exchange(Observe())


def test_a_fresh_arming_holds_again_whoever_let_go() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, times=10)
    rig.servo(1).reboot()
    rig.hold(ON, ON, ON, times=int(2 * BOOT_TIME_S / PERIOD))
    assert rig.torque() == [True, False, True]
    assert rig.bus.stop_all(3) == []
    reports = rig.arming.prepare()
    assert set(reports) <= {11}
    rig.exchange(Observe())
    readings = rig.hold(ON, ON, ON, times=10)
    assert readings.holding.all()
    np.testing.assert_allclose(readings.position_rad, rig.stands())
