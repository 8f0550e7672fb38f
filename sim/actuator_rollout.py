"""The twins without wires and noise: from commanded positions and actuators to the motion.

For identification (`calibration.actuators`), which asks for many such runs. The parts are the
twins' own: the controllers' law, motors, MuJoCo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import Mode
from sim.claw import DT as CLAW_DT
from sim.claw import MODEL, SPREAD_RAD
from sim.claw_plant import SHAFT_OFFSET_RAD, ClawPlant
from sim.claw_randomisation import ClawDraw
from sim.claw_servo import XH430, ServoPreset
from sim.firmware.dynamixel.control import COUNTS_PER_RAD, ServoControl
from sim.firmware.dynamixel.law import FULL_PWM, Law
from sim.firmware.moteus.config import ServoCommand
from sim.joint_dynamics import JointDynamics
from sim.minitaur import DT, JOINTS, RADIANS_PER_TURN, MinitaurTwin, TwinOptions
from sim.servo_joint import ServoMotors

FloatArray = NDArray[np.float64]

LEGS: Final = ((0, 1), (2, 3), (4, 5), (6, 7))
"""Joints of the quadruped that move one another, while its body is held."""
FINGERS: Final = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9,))
"""The same of the hand; the valve is alone."""
ARMATURE: Final = 0.00021765
"""Of the quadruped's motors, kg m^2 (`models/minitaur.xml`)."""
SETTLE_S: Final = 0.15
_LONG_S: Final = 1e9


class MinitaurRollout:
    """The quadruped, hung up by its body.

    Args:
        options: its supply, gains and latency of the motors' own loop.
        max_torque_nm: what each motor may use.
    """

    step_s = DT
    groups = LEGS

    def __init__(self, options: TwinOptions, max_torque_nm: float) -> None:
        self._options, self._torque = options, max_torque_nm
        self._twin = MinitaurTwin(options)
        self._signs = np.repeat([-1.0, 1.0], JOINTS // 2) / RADIANS_PER_TURN

    @property
    def nominal(self) -> FloatArray:
        """`JointDynamics.table` of the drawings, shape (8, 4)."""
        return np.tile([1.0, 0.0, 0.0, ARMATURE], (JOINTS, 1))

    def trajectory(
        self, table: FloatArray, time_s: FloatArray, commanded_rad: FloatArray
    ) -> FloatArray:
        """See `calibration.actuators.Twin`. The legs begin extended by 2 rad, as hung up.

        Raises:
            ValueError: actuators that cannot be.
        """
        twin = self._twin
        twin.hang(0)
        twin.use(JointDynamics.of(table))
        command = ServoCommand(
            Mode.POSITION, maximum_torque=self._torque, timeout=_LONG_S, accel_limit=-1.0
        )

        def send(goal: FloatArray) -> None:
            for index, turns in enumerate((goal * self._signs).tolist()):
                twin.bank.command(index, command._replace(position=turns))

        def step() -> FloatArray:
            twin.drive()
            return twin.plant.joint_position

        first = commanded_rad[0]
        twin.plant.reset(
            extension=(first[0::2] + first[1::2]) / 2, swing=(first[1::2] - first[0::2]) / 2
        )
        twin.plant.tip(0.0, 0.0, 0.8)
        twin.plant.hold_base(True)
        return _run(send, step, twin.plant.joint_position, time_s, commanded_rad, DT)


class _FineControl(ServoControl):
    """Servos with encoders as fine as one likes: one's own counts would make slopes of noise."""

    def observe(self, position_rad: FloatArray, velocity_rad_s: FloatArray) -> None:
        super().observe(position_rad, velocity_rad_s)
        np.multiply(position_rad, COUNTS_PER_RAD, self.x)


class ClawRollout:
    """The hand, its fingers spread.

    Args:
        preset: the servos, as drawn.
        p_gain: register 84 of every servo.
        supply_v: at the servos.
        max_torque_nm: what each may use, shape (10,), as the host believes in the nominal constant.
        model: number of the servos' model.
    """

    step_s = CLAW_DT
    groups = FINGERS

    def __init__(
        self,
        p_gain: int,
        max_torque_nm: FloatArray,
        preset: ServoPreset = XH430,
        supply_v: float = 24.0,
        model: int = MODEL,
    ) -> None:
        self._plant = ClawPlant(CLAW_DT, preset, model)
        self.nominal = self._plant.dynamics
        motor = preset.motor(model)
        self._motors = ServoMotors([motor] * len(SHAFT_OFFSET_RAD))
        self._p_gain, self._supply = p_gain, supply_v
        self._amps = np.asarray(max_torque_nm, float) / motor.torque_constant_nm_a

    def trajectory(
        self, table: FloatArray, time_s: FloatArray, commanded_rad: FloatArray
    ) -> FloatArray:
        """See `calibration.actuators.Twin`.

        Raises:
            ValueError: actuators that cannot be.
        """
        plant, motors = self._plant, self._motors
        actuators = JointDynamics.of(table)
        plant.set_joints(actuators)
        plant.apply(ClawDraw())
        first = commanded_rad[0]
        plant.reset(first[: len(SPREAD_RAD)], float(first[-1]))
        motors.configure(np.array(actuators.torque_gain))
        motors.reset()
        count = len(SHAFT_OFFSET_RAD)
        control, every = _FineControl(count), np.ones(count, dtype=np.bool_)
        control.observe(plant.position, plant.velocity)
        for index, amps in enumerate(self._amps.tolist()):
            control.switch(index, True)
            law = Law(kp=self._p_gain / 128.0, limit=FULL_PWM)
            control.set_law(index, law._replace(current_low=-amps, current_high=amps))

        def send(goal: FloatArray) -> None:
            counts = np.rint((goal + SHAFT_OFFSET_RAD) * COUNTS_PER_RAD)
            control.step_to(every, counts.astype(np.int64))

        def step() -> FloatArray:
            drive = control.step(plant.position, plant.velocity, CLAW_DT)
            torque = motors.step(drive, plant.velocity, self._supply, CLAW_DT)
            plant.step(torque, CLAW_DT)
            return plant.joint_position

        return _run(send, step, plant.joint_position, time_s, commanded_rad, CLAW_DT)


def _run(
    send: Callable[[FloatArray], None],
    step: Callable[[], FloatArray],
    begin: FloatArray,
    time_s: FloatArray,
    commanded_rad: FloatArray,
    dt: float,
) -> FloatArray:
    """Positions from the first command on, `dt` (s) apart, until a tick after the last."""
    due = np.rint((time_s - time_s[0]) / dt).astype(int)
    tail = int(due[-1] - due[-2]) if len(due) > 1 else 1
    commands = _zipped(due, commanded_rad)
    at, goal = next(commands)
    # The robot has rested at the first goal for a while: its weight has been taken up.
    send(goal)
    for _ in range(round(SETTLE_S / dt)):
        step()
    rows = [begin.copy()]
    for number in range(int(due[-1]) + tail):
        while number >= at:
            send(goal)
            at, goal = next(commands, (np.iinfo(np.int64).max, goal))
        rows.append(step().copy())
    return np.array(rows)


def _zipped(due: NDArray[np.int_], commanded_rad: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    return zip(due.tolist(), commanded_rad, strict=True)
