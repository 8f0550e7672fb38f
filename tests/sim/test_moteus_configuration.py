"""Driver and firmware together: options over the console, zeros and registers over frames."""

import math

import numpy as np
import pytest

from drivers.errors import BusTimeout, DeviceError
from drivers.moteus import (
    SAFETY_OPTIONS,
    Brake,
    Current,
    Damp,
    Mode,
    MoteusBus,
    Plausibility,
    PositionCommand,
    Register,
    Resolution,
    StayWithin,
    Stop,
    motor_kv,
)
from drivers.moteus.command import Command
from drivers.moteus.multiplex import Read
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig
from sim.wire import TwinWire
from sim.wire_faults import FaultRates, RandomFaults

WANTED = {
    "id.id": 2,
    "servo.pid_position.kp": 51.56,
    "servo.pid_position.kd": 0.7735,
    "servo.default_timeout_s": 0.1,
    "servo.timeout_mode": 12,
    "servo.timeout_max_torque_Nm": 5.0,
    "servo.default_velocity_limit": math.nan,
    "servo.default_accel_limit": 50.0,
    "servo.max_current_A": 100.0,
    "servo.voltage_mode_control": 1,
    "servopos.position_min": math.nan,
    "servopos.position_max": math.nan,
    "motor.resistance_ohm": 0.186,
    "motor.Kv": motor_kv(0.0954),
}


class Twin:
    """Two controllers on shafts that a test turns, behind either dialect, in virtual time."""

    def __init__(self, checksum: bool = False, plausible: Plausibility | None = None) -> None:
        self.steps = 0
        config = MoteusConfig(kp_nm_per_rev=51.56, kd_nm_s_per_rev=0.7735)
        self.bank = MoteusBank((1, 2), config)
        self.wire = TwinWire(Fdcanusb(self.bank.handle_frame), self)
        self.bus = MoteusBus(self.wire, (1, 2), self.now, checksum, plausible)
        self.position = np.array([0.1, -0.2])
        self._report()

    def now(self) -> float:
        return self.steps * 0.001

    def wait_until(self, deadline: float) -> None:
        while self.now() < deadline - 1e-9:
            self.steps += 1
            self.bank.control(self.position, np.zeros(2), 16.0, 0.001)
            self._report()

    def run(self, command: Command, seconds: float = 0.02) -> None:
        end = self.now() + seconds
        while self.now() < end:
            self.bus.exchange(command, self.now() + 0.004)
            self.wait_until(self.now() + 0.005)

    def _report(self) -> None:
        zero = np.zeros(2)
        self.bank.sense(self.position, zero, zero, zero, np.full(2, 25.0), 16.0)


def hold(twin: Twin) -> PositionCommand:
    zero, one, nan = np.zeros(2), np.ones(2), np.full(2, math.nan)
    limits = (nan, 0.1 * one, nan, -one)
    return PositionCommand(twin.position, zero, zero, one, one, one, *limits)


@pytest.mark.parametrize("checksum", [False, True])
def test_a_configuration_as_wanted_has_no_differences(checksum: bool) -> None:
    twin = Twin(checksum)
    assert set(WANTED) == set(SAFETY_OPTIONS)
    assert twin.bus.check_configuration(2, WANTED) == []
    assert twin.bus.statistics.lost == twin.bus.statistics.corrupt == 0


def test_differences_name_key_found_and_wanted() -> None:
    twin = Twin()
    wanted = WANTED | {
        "servo.timeout_mode": 10,
        "servopos.position_max": 0.5,
        "servo.default_accel_limit": math.nan,
        "servo.future_option": 1.0,
    }
    found = twin.bus.check_configuration(2, wanted)
    assert {each.key: each.found for each in found} == {
        "servo.timeout_mode": 12.0,
        "servopos.position_max": pytest.approx(math.nan, nan_ok=True),
        "servo.default_accel_limit": 50.0,
        "servo.future_option": None,
    }
    assert str(found[0]) == "servo.timeout_mode is 12, wanted 10"
    assert str(found[-1]) == "servo.future_option is unknown to it, wanted 1"


def test_options_are_set_while_stopped_read_back_and_saved_on_demand() -> None:
    twin = Twin()
    twin.bus.set_configuration(2, "servopos.position_max", 0.5)
    assert twin.bus.configuration(2, ["servopos.position_max"]) == {"servopos.position_max": 0.5}
    twin.bank.power_cycle()
    assert math.isnan(twin.bus.configuration(2, ["servopos.position_max"]).popitem()[1] or 0.0)
    twin.bus.set_configuration(2, "servopos.position_max", 0.5)
    twin.bus.save_configuration(2)
    twin.bank.power_cycle()
    assert twin.bus.configuration(2, ["servopos.position_max"]) == {"servopos.position_max": 0.5}
    with pytest.raises(DeviceError, match="error setting"):
        twin.bus.set_configuration(2, "servo.future_option", 1.0)


def test_nothing_is_changed_while_driving() -> None:
    twin = Twin()
    twin.run(hold(twin), 0.05)
    assert twin.bank.modes == (Mode.POSITION, Mode.POSITION)
    for change in (
        lambda: twin.bus.set_configuration(1, "servo.max_current_A", 7.0),
        lambda: twin.bus.save_configuration(1),
        lambda: twin.bus.rezero(1, 0.0),
        lambda: twin.bus.recapture(1),
    ):
        with pytest.raises(DeviceError, match="stop it"):
            change()
    assert twin.bus.configuration(1, ["servo.max_current_A"]) == {"servo.max_current_A": 100.0}


@pytest.mark.parametrize("seed", range(6))
def test_options_are_right_or_not_told_on_a_bad_wire(seed: int) -> None:
    twin = Twin(checksum=True)
    rates = FaultRates(drop=0.05, flip=0.03, truncate=0.02, duplicate=0.05)
    twin.bus.configuration(2, ["id.id"])
    twin.wire.faults = RandomFaults(rates, np.random.default_rng(seed))
    told = 0
    for _ in range(3):
        for key, wanted in WANTED.items():
            try:
                found = twin.bus.configuration(2, [key])
            except BusTimeout:
                continue
            told += 1
            assert found[key] == pytest.approx(wanted, rel=1e-5, nan_ok=True)
    assert told > 25


def test_a_silent_controller_times_out() -> None:
    twin = Twin()
    with pytest.raises(BusTimeout, match="servo"):
        twin.bus.configuration(3, ["servo.max_current_A"])


def test_a_new_zero_is_followed_by_the_readings() -> None:
    twin = Twin()
    twin.run(Stop())
    assert twin.bus.rezero(1, 3.0, exact=True) == 3.0
    assert twin.bus.rezero(2, 5.0) == pytest.approx(4.8)
    readings = twin.bus.exchange(Stop(), twin.now() + 0.004)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [3.0, 4.8], rtol=1e-6)
    twin.bus.recapture(1)


def test_every_command_type_reaches_its_mode() -> None:
    twin = Twin()
    zero, one = np.zeros(2), np.ones(2)
    commands: list[tuple[Command, Mode]] = [
        (hold(twin), Mode.POSITION),
        (StayWithin(-one, one, zero, one, one, one, 0.1 * one), Mode.STAY_WITHIN),
        (Damp(1.0, 0.1), Mode.ZERO_VELOCITY),
        (Brake(), Mode.BRAKE),
        (Current(zero, zero), Mode.CURRENT),
        (Stop(), Mode.STOPPED),
    ]
    for command, mode in commands:
        twin.run(command, 0.03)
        assert set(twin.bank.modes) == {mode}
        assert (twin.bus.exchange(command, twin.now() + 0.004).mode == mode).all()
    assert twin.bus.statistics.implausible == 0


def test_a_latched_timeout_is_left_by_stop_alone() -> None:
    twin = Twin()
    twin.run(hold(twin), 0.05)
    twin.wait_until(twin.now() + 0.2)
    for command in (hold(twin), Damp(1.0, 0.1), Brake()):
        readings = twin.bus.exchange(command, twin.now() + 0.004)
        assert (readings.mode == Mode.TIMEOUT).all()
    assert twin.bus.stop_all(3) == []
    twin.run(hold(twin), 0.05)
    assert set(twin.bank.modes) == {Mode.POSITION}


def test_several_registers_at_once() -> None:
    twin = Twin()
    twin.run(hold(twin), 0.05)
    blocks = [
        Read(Register.MODE, Resolution.INT8),
        Read(Register.COMMAND_POSITION, Resolution.FLOAT, 6),
        Read(Register.VOLTAGE, Resolution.INT16, 3),
    ]
    values = twin.bus.read_many(2, blocks)
    assert values[Register.MODE] == Mode.POSITION
    assert values[Register.COMMAND_POSITION] == pytest.approx(-0.2)
    assert values[Register.COMMAND_MAXIMUM_TORQUE] == 1.0
    assert values[Register.TEMPERATURE] == 25.0
    with pytest.raises(DeviceError, match="no such register"):
        twin.bus.read(2, 0x008)


def test_a_skewed_position_is_implausible_until_it_can_be_true() -> None:
    twin = Twin(plausible=Plausibility(maximum_speed_rev_s=10.0))
    twin.run(hold(twin), 0.05)
    command = hold(twin)
    twin.position = twin.position + np.array([0.5, 0.0])
    twin.wait_until(twin.now() + 0.001)
    readings = twin.bus.exchange(command, twin.now() + 0.004)
    assert readings.valid.tolist() == [False, True]
    assert readings.position_rev[0] == pytest.approx(0.1)
    assert twin.bus.statistics.implausible == 1
    twin.run(command, 0.06)
    assert twin.bus.exchange(command, twin.now() + 0.004).valid.all()
