"""The hand's twin on plain joints: nine finger servos and the valve's on one line.

Ids, model and baud rate: ROBEL's D'Claw (Ahn et al. 2019, arXiv 1909.11639). The fingers do not
touch the valve here: that takes a physics engine behind `ServoPlant`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sim.clock import VirtualClock
from sim.firmware.dynamixel.hooks import DynamixelHooks
from sim.firmware.dynamixel.line import DynamixelLine, LineOptions
from sim.firmware.dynamixel.servo import ServoSpec
from sim.servo_joint import MOTORS, JointParameters, PlainJoints, ServoMotors
from sim.wire import TwinWire

DT = 0.001
FINGER_IDS = (10, 11, 12, 20, 21, 22, 30, 31, 32)
VALVE_ID = 50
MODEL = 1050
BAUD_1M = 3
"""Value of register 8."""
_NEUTRAL = (math.pi / 2.0, math.pi, math.pi)
"""The shafts of one finger as it points straight ahead, rad; the servos' calibration in ROBEL."""
_VALVE_AT = math.pi


@dataclass(frozen=True)
class ClawOptions:
    """Everything about the twin that is not the hand's own design."""

    supply_v: float = 24.0
    model: int = MODEL
    finger: JointParameters = field(default_factory=JointParameters)
    valve: JointParameters = field(default_factory=JointParameters)
    line: LineOptions = field(default_factory=LineOptions)


class ClawTwin:
    """A hand that answers its servos' bytes.

    Attributes:
        clock: virtual; waiting on it advances the joints.
        servos: the wire.
        line: the firmware behind it.
        faults: `sim.firmware.servo_hooks.ServoHooks` of its servos.
        joints, motors: in the order of `ids`.
        supply_v: may be changed at any time.
    """

    def __init__(self, options: ClawOptions | None = None) -> None:
        options = options or ClawOptions()
        self.ids = (*FINGER_IDS, VALVE_ID)
        self.supply_v = options.supply_v
        self.clock = VirtualClock(self._step, DT)
        self.motors = ServoMotors([MOTORS[options.model]] * len(self.ids))
        self.joints = PlainJoints([*[options.finger] * len(FINGER_IDS), options.valve])
        self.joints.position[:] = (*_NEUTRAL * 3, _VALVE_AT)
        specs = [ServoSpec(id, options.model, baud_rate=BAUD_1M) for id in self.ids]
        self.line = DynamixelLine(specs, self.clock.now, options.line, self.joints.position)
        self.faults = DynamixelHooks(self.line)
        self.servos = TwinWire(self.line, self.clock)
        self._sense()

    def _step(self) -> None:
        """One step of firmware, motors and joints."""
        joints, supply = self.joints, min(self.supply_v, self.line.sag_v)
        drive = self.line.control(joints.position, joints.velocity, supply, DT)
        torque = self.motors.step(drive, joints.velocity, supply, DT)
        joints.step(torque, DT)
        self._sense()

    def _sense(self) -> None:
        motors = self.motors
        self.line.sense(motors.current_a, motors.share, motors.temperature_c, self.supply_v)
