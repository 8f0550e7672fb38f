"""The hand's servos on their bus: servo angles become joint radians, and back.

Every servo is in the mode current-based position: it goes to a position with no more current than
the tick allows, which is how torque is limited and derated. It has no stiffness that a tick could
scale, so arming raises none: goals begin where the joints stand. To damp, goals follow the measured
positions with a small current: that resists motion and holds nothing.

The valve turns without end. Its servo counts turns since its power came on; the joint's angle is
told within half a turn of its zero when the robot is configured, and goes on from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from calibration import Calibration
from calibration.record import DeviceTag
from drivers.dynamixel import (
    TABLES,
    DynamixelBus,
    DynamixelReadings,
    HardwareError,
    OperatingMode,
    PositionGoal,
    ServoArming,
    ServoRegisters,
    ServoSetup,
    TorqueOff,
)
from drivers.dynamixel.control_table import Register
from drivers.errors import WireClosed
from robosac.errors import RobotError
from robosac.hal import BoolArray, Drive, Fault, JointCommand, JointState
from robosac.robots.claw_file import VALVE, ClawFile
from robosac.robots.condition import MotorCondition, look_at_servos
from robosac.robots.identity import check_motors
from robosac.robots.wiring import check_calibration, directions, motor_zeros

STOP_ATTEMPTS = 20
DAMPING_SHARE = 0.15
"""Of the torque that a damped joint may use: enough to resist gravity, too little to hurt."""
TRIPPED = -1
"""The register bus_watchdog of a servo that its watchdog has stopped."""
ERROR_NAMES = {
    HardwareError.OVERLOAD: "servo_overload",
    HardwareError.OVERHEATING: "servo_overheated",
    HardwareError.INPUT_VOLTAGE: "servo_supply",
    HardwareError.MOTOR_ENCODER: "servo_encoder",
    HardwareError.ELECTRICAL_SHOCK: "servo_shock",
}


class Servos:
    """The servos, as the robot uses them.

    Args:
        bus: its ids are the robot file's, in order.
        file: the robot file.
        calibration: what was measured on this robot.
        now: the clock, monotonic seconds.

    Raises:
        CalibrationMismatch: the calibration is another robot's.
    """

    def __init__(
        self,
        bus: DynamixelBus,
        file: ClawFile,
        calibration: Calibration,
        now: Callable[[], float],
    ) -> None:
        check_calibration(file, calibration)
        self._bus, self._file, self._now = bus, file, now
        self._calibration = calibration
        self.devices: dict[str, DeviceTag] = {}
        """By joint, what `find` found."""
        self._names = file.joint_names
        self._direction = directions(file)
        self._zero = motor_zeros(file, calibration)
        self._turns = np.zeros(len(self._names))
        self._valve = self._names.index(VALVE)
        self._most_torque = file.joint_limits().torque
        self._torque_constant = np.ones(len(self._names))
        self._everyone: BoolArray = np.ones(len(self._names), dtype=np.bool_)
        self._held: BoolArray = ~self._everyone
        self._heard: BoolArray = ~self._everyone
        self._shaft = np.zeros(len(self._names))
        self._voltage, self._temperature = (np.full(len(self._names), math.nan) for _ in range(2))
        self._configured_at = math.inf
        self._gone = False
        bus.watch(file.watchdog_s)

    def find(self) -> None:
        """See that every servo answers, over a new opening of the wire if it was gone.

        Raises:
            RobotError: servos are missing, or of another model. DriverError: the bus is not there.
            CalibrationMismatch: they are not those that were calibrated.
        """
        try:
            if self._gone:
                self._bus.reopen()
                self._gone = False
            found = self._bus.probe()
        except WireClosed:
            self._gone = True
            raise
        pairs = list(zip(self._names, self._bus.ids, strict=True))
        missing = [name for name, id in pairs if id not in found]
        if missing:
            raise RobotError(
                f"no answer from the servos of {', '.join(missing)}; check power, wiring, baud rate"
                " and the ids in the robot file"
            )
        wanted = self._file.model
        others = [f"{name}: {found[id].name}" for name, id in pairs if found[id].name != wanted]
        if others:
            raise RobotError(f"the robot file is for {wanted}, but found {', '.join(others)}")
        # Servos of this series tell no serial number.
        self.devices = {name: DeviceTag(model=found[id].name) for name, id in pairs}
        check_motors(self._calibration, self.devices)

    def condition(self) -> tuple[MotorCondition, ...]:
        """Look at every servo, over a new opening of the wire if it was gone.

        Hardware errors stay. Where torque is off, the bus watchdog is tried; it is off again then.

        Raises:
            DriverError: the bus is not there, or a model is not known.
        """
        try:
            if self._gone:
                self._bus.reopen()
                self._gone = False
            return look_at_servos(self._bus, self._names, self._file.watchdog_s)
        except WireClosed:
            self._gone = True
            raise

    def make_safe(self) -> None:
        """Switch torque off, restart servos with a hardware error, and set all of them up.

        Everything is set up every time: a servo that lost its power in between has forgotten it.

        Raises:
            RobotError: not every servo is read back as off. DriverError: the bus is not there, or a
                servo refuses.
        """
        try:
            unconfirmed = self._bus.stop_all(STOP_ATTEMPTS)
            if unconfirmed:
                raise RobotError(f"servos {unconfirmed} do not confirm that their torque is off")
            arming = ServoArming(self._bus, self._setups())
            arming.reboot_faulty()
            arming.configure()
            self._look(arming.registers)
        except WireClosed:
            self._gone = True
            raise
        self._held = ~self._everyone

    def exchange(
        self, command: JointCommand, deadline: float
    ) -> tuple[JointState, tuple[Fault, ...]]:
        """One transaction, and the faults that it shows; a lost bus is a fault, not an error."""
        if self._gone:
            return self._lost("its port is gone; plug it in")
        if command.drive is Drive.STOP and len(self._bus.infos) < len(self._names):
            # Nobody has looked for the servos yet, and none can be driving for us.
            return self._to_joints(self._bus.last_readings()), ()
        try:
            readings = self._bus.exchange(self.to_bus(command), deadline)
        except WireClosed as error:
            self._gone = True
            return self._lost(str(error))
        self._heard = np.isfinite(readings.position_rad)
        self._shaft = np.where(self._heard, readings.position_rad, 0.0)
        return self._to_joints(readings), self._faults(readings, command.drive)

    def stop(self) -> bool:
        """Torque off, read back from every servo."""
        try:
            if self._gone:
                self._bus.reopen()
                self._gone = False
            return not self._bus.stop_all(STOP_ATTEMPTS)
        except WireClosed:
            self._gone = True
            return False

    def _look(self, registers: ServoRegisters) -> None:
        """Read what telemetry would tell only after a while, and how often the valve has turned."""
        ids = self._bus.ids
        self._voltage = np.array([registers.read(id, "present_input_voltage") for id in ids])
        self._temperature = np.array([registers.read(id, "present_temperature") for id in ids])
        self._torque_constant = np.array([self._bus.table(id).torque_constant_nm_a for id in ids])
        self._configured_at = self._now()
        shaft = registers.read(ids[self._valve], "present_position")
        angle = self._direction[self._valve] * shaft - self._zero[self._valve]
        self._turns[self._valve] = round(angle / math.tau) * math.tau

    def _setups(self) -> dict[int, ServoSetup]:
        """What each servo is to be: its current limit is what the joint's peak torque takes."""
        setups: dict[int, ServoSetup] = {}
        low, high = self._file.supply_v.peaks
        for id, most in zip(self._bus.ids, self._most_torque.tolist(), strict=True):
            table = self._bus.table(id)
            register = table["current_limit"]
            most_a = min(most / table.torque_constant_nm_a, register.to_si(register.bounds()[1]))
            setups[id] = ServoSetup(
                mode=OperatingMode.CURRENT_BASED_POSITION,
                current_limit_a=most_a,
                # Telemetry looks at a supply once a second; the servos tell in every answer.
                voltage_low_v=_within(table["min_voltage_limit"], low),
                voltage_high_v=_within(table["max_voltage_limit"], high),
                gains={"position_p_gain": self._file.position_p_gain},
            )
        return setups

    def to_bus(self, command: JointCommand) -> PositionGoal | TorqueOff:
        if command.drive is Drive.STOP:
            self._held = ~self._everyone
            return TorqueOff()
        if command.drive is Drive.DAMP:
            current = DAMPING_SHARE * command.max_torque / self._torque_constant
            return PositionGoal(self._shaft, current, self._held & self._heard)
        self._held = self._everyone if command.free is None else ~command.free
        shaft = (command.position + self._zero + self._turns) * self._direction
        return PositionGoal(shaft, command.max_torque / self._torque_constant, self._held)

    def _to_joints(self, readings: DynamixelReadings) -> JointState:
        """Servo angles to joint angles; supply and warmth as of the last look at each."""
        telemetry, direction = readings.telemetry, self._direction
        asked = telemetry.supply_time >= self._configured_at
        voltage = np.where(asked, telemetry.voltage_v, self._voltage)
        return JointState(
            time=readings.time,
            # An old answer is one, but keeps the time of the last that was not.
            valid=readings.valid | readings.old,
            position=readings.position_rad * direction - self._zero - self._turns,
            velocity=readings.velocity_rad_s * direction,
            torque=readings.torque_nm * direction,
            temperature=np.where(asked, telemetry.temperature_c, self._temperature),
            voltage=voltage,
            power=voltage * np.abs(readings.effort),
            driving=readings.holding,
        )

    def _lost(self, detail: str) -> tuple[JointState, tuple[Fault, ...]]:
        """What is known without a bus: every value old, nobody known to drive."""
        state = self._to_joints(self._bus.last_readings())
        return state, (Fault("bus_dead", "servos", detail),)

    def _faults(self, readings: DynamixelReadings, drive: Drive) -> tuple[Fault, ...]:
        """What servos have said, since they were set up, is wrong with themselves."""
        telemetry, since = readings.telemetry, self._configured_at
        wrong = (telemetry.hardware_error > 0) & (telemetry.hardware_error_time >= since)
        jumped = readings.jumped & self._held
        tripped = (telemetry.watchdog == TRIPPED) & (telemetry.watchdog_time >= since)
        if drive is Drive.STOP:
            tripped &= False
        clinging = readings.clinging & ~self._held
        if not (wrong | tripped | jumped | clinging).any():
            return ()
        faults = [
            Fault(name, self._names[index], f"hardware error {error.name}; it has let go")
            for index in np.flatnonzero(wrong)
            for error, name in ERROR_NAMES.items()
            if error & int(telemetry.hardware_error[index])
        ]
        faults += [
            Fault("motor_watchdog", self._names[index], "its watchdog expired; arm anew")
            for index in np.flatnonzero(tripped)
        ]
        faults += [
            Fault(
                "impossible_motion",
                self._names[index],
                "it answers, in order, with a position out of any servo's reach since its last: "
                "its turns or its encoder are lost",
            )
            for index in np.flatnonzero(jumped)
        ]
        faults += [
            Fault("motor_not_released", self._names[index], "told to let go, it says torque is on")
            for index in np.flatnonzero(clinging)
        ]
        return tuple(faults)


def stiffness_n_m_per_rad(file: ClawFile) -> float:
    """What a servo that stands pushes with for each rad to its goal; 0: no known model.

    Its law: PWM = gain / 128 times the error in counts; all of the PWM is its stall torque. Source:
    ROBOTIS e-manual, X series, Position PID Gain (84) and PWM Limit (36).
    """
    table = next((table for table in TABLES.values() if table.name == file.model), None)
    if table is None:
        return 0.0
    gain, full, count = table["position_p_gain"], table["goal_pwm"], table["goal_position"]
    return file.position_p_gain * gain.scale * full.scale / count.scale * table.stall_torque_nm


def _within(register: Register, value: float) -> float:
    """The nearest `value` (V) that a voltage limit can be."""
    least, most = register.bounds()
    return min(max(value, register.to_si(least)), register.to_si(most))
