"""A quadruped's twin that is bolted together some other way, and the hands that guide it.

The hands are springs on MuJoCo's joints, and a grip on the body; readings come back through the
drivers, as bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.imu import Rest, Turn
from calibration.joints import DrawnJoint, GuidedJoint
from calibration.latency import Step, dither
from calibration.record import DeviceTag
from drivers.imu import ImuReading
from drivers.moteus import MoteusBus, PositionCommand, Stop
from drivers.vectornav.port import VectorNavPort
from robosac.robots.condition import serial_text
from sim.leg_geometry import MOTOR_NAMES
from sim.minitaur import MinitaurTwin, TwinOptions
from sim.randomisation import Randomisation
from tests.sweeps.bolted_twin import (
    JIG_RAD,
    LOWER_RAD,
    TURN,
    UPPER_RAD,
    Hidden,
    HiddenBank,
    HiddenVn100,
    bolt,
    product,
)

FloatArray = NDArray[np.float64]

PERIOD_S = 0.005
SETTLE_S, QUARTER_S = 0.02, 0.8
GUIDED_S = 0.01
"""Between two readings of joints that rest or are guided; the hands' goal moves on as often."""
STANCE_RAD = 2.0
ATTITUDE_ERROR_RAD, AXIS_ERROR_RAD = math.radians(0.2), math.radians(1.0)
"""How exactly a person holds and turns the body: standard deviations."""
ATTITUDES = {
    "level": (0.0, 0.0),
    "nose down": (0.0, math.pi / 2),
    "nose up": (0.0, -math.pi / 2),
    "right side down": (math.pi / 2, 0.0),
    "left side down": (-math.pi / 2, 0.0),
    "on its back": (math.pi, 0.0),
}
"""Roll and pitch, rad."""
AXES = {"roll": (1.0, 0.0, 0.0), "pitch": (0.0, 1.0, 0.0), "yaw": (0.0, 0.0, 1.0)}
STIFFNESS, DAMPING, LEARNING = 60.0, 0.6, 1200.0
"""Of the hands at a joint: N m/rad, N m s/rad, N m/(rad s)."""


class GuidedTwin(MinitaurTwin):
    """A twin that hands act on before each step of its physics."""

    hands: Callable[[], None] | None = None

    def _step(self) -> None:
        if self.hands is not None:
            self.hands()
        super()._step()


class HiddenRobot:
    """One hidden quadruped and its drivers.

    Args:
        hidden: how it is bolted together.
        rng: the person's hands, and the rest of the robot.
        options: the twin's; None: any build, as late as is hidden.
    """

    def __init__(
        self, hidden: Hidden, rng: np.random.Generator, options: TwinOptions | None = None
    ) -> None:
        self.hidden, self._rng = hidden, rng
        build = replace(Randomisation.tan_2018(), latency_s=None)
        usual = TwinOptions(sensor_latency_s=hidden.latency_s, randomisation=build)
        self.twin = GuidedTwin(options or usual, bank_type=HiddenBank, imu_type=HiddenVn100)
        self.twin.place(int(rng.integers(2**31)))
        bolt(self.twin, hidden)
        now = self.twin.clock.now
        self._bus = MoteusBus(self.twin.legs, tuple(range(1, 9)), now)
        self._imu = VectorNavPort(self.twin.imu, now)
        self._goal, self._sum = np.zeros(8), np.zeros(8)
        self.lift(0.0, 0.0)

    def lift(self, roll: float, pitch: float) -> None:
        """Hold the body in the air in an attitude, the legs limp."""
        plant = self.twin.plant
        plant.reset()
        plant.tip(roll, pitch, 0.8)
        plant.hold_base(True)

    def drawn_joints(self, jig: bool) -> dict[str, DrawnJoint]:
        """What the drawings say."""
        drawn = DrawnJoint(LOWER_RAD, UPPER_RAD, -math.pi, JIG_RAD if jig else None)
        return dict.fromkeys(MOTOR_NAMES, drawn)

    def guided(self) -> list[GuidedJoint]:
        """All joints guided at a time, torque off, read by the bus."""
        error = self.hidden.stop_error_rad
        low, high, jig = LOWER_RAD + error[0], UPPER_RAD + error[1], JIG_RAD + error[2]
        self._goal = self.twin.plant.joint_position.copy()
        self._sum = np.zeros(8)
        self.twin.hands = self._guide
        self._move(low, 0.4)
        self._move(low, 0.4)
        lower = self._told(low, 0.2)
        upward = self._told(high, 0.8)
        self._move(high, 0.4)
        upper = self._told(high, 0.2)
        pushes: list[FloatArray] = []
        for begin in (2.2, 1.6):
            self._move(np.full(8, begin), 0.3)
            self._move(np.full(8, begin), 0.2)
            pushes.append(self._told(np.full(8, begin + 0.4), 0.3))
        self._move(jig, 0.2)
        self._move(jig, 0.4)
        held = self._told(jig, 0.2)
        self.twin.hands = None
        self.twin.plant.data.qfrc_applied[:] = 0.0
        return [
            GuidedJoint(
                name,
                lower[:, index],
                upward[:, index],
                upper[:, index],
                tuple(push[:, index] for push in pushes),
                held[:, index],
            )
            for index, name in enumerate(MOTOR_NAMES)
        ]

    def _guide(self) -> None:
        """The hands' torque: toward the goal, and learning what holds the joint there."""
        plant, data = self.twin.plant, self.twin.plant.data
        wrong = self._goal - plant.joint_position
        self._sum = np.clip(self._sum + LEARNING * self.twin.clock.dt * wrong, -5.0, 5.0)
        data.qfrc_applied[6::2] = STIFFNESS * wrong - DAMPING * plant.joint_velocity + self._sum

    def _move(self, goal: FloatArray, seconds: float) -> None:
        """Guide every joint to `goal` (rad)."""
        for _ in self._way(goal, seconds):
            pass

    def _told(self, goal: FloatArray, seconds: float) -> FloatArray:
        """Guide every joint to `goal` (rad); what the controllers told, rad, shape (n, 8)."""
        told: list[FloatArray] = []
        for now in self._way(goal, seconds):
            readings = self._bus.exchange(Stop(), now + PERIOD_S)
            assert readings.valid.all()
            told.append(readings.position_rev * TURN)
        return np.array(told)

    def _way(self, goal: FloatArray, seconds: float) -> Iterator[float]:
        """The times on the straight way to `goal`, s."""
        start, count, clock = self._goal.copy(), round(seconds / GUIDED_S), self.twin.clock
        for step in range(1, count + 1):
            self._goal = start + (goal - start) * step / count
            clock.wait_until(clock.now() + GUIDED_S)
            yield clock.now()

    def sensor_tag(self) -> DeviceTag:
        """Who the inertial sensor says it is."""
        told = self._imu.configure(4)
        return DeviceTag(model=told.model, serial=told.serial or None)

    def motor_tags(self) -> list[DeviceTag]:
        """Who the controllers say they are, in joint order."""
        told = self._bus.probe()
        return [
            DeviceTag(model=str(told[id].model), serial=serial_text(told[id].serial))
            for id in self._bus.ids
        ]

    def inertial(self) -> tuple[list[Rest], list[Turn]]:
        """Rests and turns in a person's hands, read by the sensor's driver."""
        self._imu.configure(4)
        rests: list[Rest] = []
        for name, (roll, pitch) in ATTITUDES.items():
            wrong = ATTITUDE_ERROR_RAD * self._rng.standard_normal(2)
            self.lift(roll + wrong[0], pitch + wrong[1])
            self._listen(0.15)
            heard = self._listen(0.6)
            rests.append(
                Rest(
                    name,
                    up(roll, pitch),
                    np.array([reading.angular_velocity for reading in heard]),
                    np.array([reading.acceleration for reading in heard]),
                )
            )
        return rests, [self._turned(name, axis) for name, axis in AXES.items()]

    def begin_turn(self, axis: tuple[float, float, float], lead_s: float) -> None:
        """Let hands turn a level body about `axis` (FRD) by a quarter, beginning after `lead_s`."""
        self.lift(0.0, 0.0)
        data = self.twin.plant.data
        start, begin = data.mocap_quat[0].copy(), self.twin.clock.now() + lead_s
        true = np.array(axis) + AXIS_ERROR_RAD * self._rng.standard_normal(3)
        # MuJoCo's body is FLU.
        true = true / np.linalg.norm(true) * (1.0, -1.0, -1.0)

        def turn() -> None:
            share = min(1.0, max(0.0, self.twin.clock.now() - begin) / QUARTER_S)
            half = (math.pi / 2) * 0.5 * (1.0 - math.cos(math.pi * share)) / 2
            data.mocap_quat[0] = product(
                start, np.array([math.cos(half), *(math.sin(half) * true)])
            )

        self.twin.hands = turn

    def _turned(self, name: str, axis: tuple[float, float, float]) -> Turn:
        self.begin_turn(axis, lead_s=0.15)
        self._listen(0.15)
        heard = self._listen(QUARTER_S + 0.1)
        self.twin.hands = None
        return Turn(
            name,
            axis,
            np.array([reading.measured for reading in heard]),
            np.array([reading.angular_velocity for reading in heard]),
        )

    def _listen(self, seconds: float) -> list[ImuReading]:
        heard: list[ImuReading] = []
        clock = self.twin.clock
        for _ in range(round(seconds / PERIOD_S)):
            clock.wait_until(clock.now() + PERIOD_S)
            reading = self._imu.poll()
            if reading is not None:
                heard.append(reading)
        return heard

    def steps(self, count: int, size_rad: float = 0.2) -> list[Step]:
        """Steps of the first joint's goal, each read at changing times after its command."""
        self.lift(0.0, 0.0)
        clock = self.twin.clock
        # By then the joints are calibrated, so that a stance can be asked for.
        hidden = self.hidden
        goal = hidden.sign * (STANCE_RAD + hidden.zero_rad) / TURN + hidden.turns
        self._hold(goal, _times(60, PERIOD_S))
        steps: list[Step] = []
        for number in range(count):
            size = size_rad if number % 2 == 0 else -size_rad
            self._hold(goal, _times(8, SETTLE_S))
            before = self._hold(goal, _times(6, PERIOD_S))
            goal[0] += size / TURN
            begin = clock.now()
            at = self._hold(goal, np.array([0.0]))
            after = self._hold(goal, dither(self._rng, 26, PERIOD_S))
            time, place = (np.concatenate([before[i], at[i], after[i]]) for i in range(2))
            fresh = np.concatenate(([True], np.diff(time) > 0.0))
            steps.append(Step(begin, time[fresh], place[fresh], size))
        return steps

    def _hold(self, goal: FloatArray, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Command `goal` (rev) at `times` (s from now); when joint 0 told what, s and rad."""
        clock = self.twin.clock
        begin, none = clock.now(), np.full(8, math.nan)
        heard: list[tuple[float, float]] = []
        for time in times.tolist():
            clock.wait_until(begin + time)
            command = PositionCommand(
                position_rev=goal,
                velocity_rev_s=np.zeros(8),
                feedforward_torque_nm=np.zeros(8),
                kp_scale=np.ones(8),
                kd_scale=np.ones(8),
                maximum_torque_nm=np.full(8, 3.5),
                stop_position_rev=none,
                watchdog_timeout_s=np.full(8, 0.08),
                velocity_limit=none,
                accel_limit=np.full(8, -1.0),
            )
            readings = self._bus.exchange(command, clock.now() + PERIOD_S)
            assert readings.valid.all()
            heard.append((float(readings.time[0]), float(readings.position_rev[0]) * TURN))
        told = np.array(heard)
        return told[:, 0], told[:, 1]


def _times(count: int, period_s: float) -> FloatArray:
    """The ends of `count` periods from now, s."""
    return np.linspace(period_s, count * period_s, count)


def up(roll: float, pitch: float) -> tuple[float, float, float]:
    """The upward direction in the body's axes (FRD)."""
    return (
        -math.sin(pitch),
        -math.sin(roll) * math.cos(pitch),
        -math.cos(roll) * math.cos(pitch),
    )
