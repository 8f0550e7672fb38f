"""The quadruped's twin: physics, motors and firmware wired together behind two byte wires.

One physics step (1 ms) runs, in order: the controllers' law on encoder readings that are 3 ms old,
the DC motors, MuJoCo, and the sensors' delay lines. Bytes on the wires see the sensors as they were
`sensor_latency_s` ago; with the executor's own 5 ms tick the loop's latency is the 15 to 20 ms that
Tan et al. 2018 measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import STREAM_FLOW_POLL, STREAM_POLL, STREAM_WRITE
from sim.actuator import DcMotor
from sim.bolts import Bolts
from sim.camera_capture import RenderedCamera
from sim.clock import VirtualClock
from sim.delays import Delays
from sim.fallen import fall
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig
from sim.firmware.vectornav.sensor import Vn100
from sim.joint_dynamics import JointDynamics
from sim.latency import DelayLine
from sim.leg_capsules import LegCapsules
from sim.overhead_camera import OverheadView, overhead_camera
from sim.plant import MinitaurPlant
from sim.randomisation import Draw, Randomisation
from sim.tracker import OverheadTracker, TrackerSettings
from sim.view import RayView
from sim.wire import TwinWire

FloatArray = NDArray[np.float64]

JOINTS = 8
DT = 0.001
IMU_PERIOD_STEPS = 5
OVERTEMPERATURE_FAULT = 38
RADIANS_PER_TURN = 2.0 * math.pi
AMBIENT_C = 25.0
MAX_SENSOR_DELAY_STEPS = 101
DRAWN = (*(-1.0,) * 4, *(1.0,) * 4)
"""Directions of the motors: those on the left turn the other way round."""
STRETCHED_RAD = 2.35
"""Leg extension at which the feet of a robot on its stand reach the floor."""

_POSITION, _VELOCITY, _TORQUE, _POWER = (slice(8 * i, 8 * i + 8) for i in range(4))
_QUATERNION, _GYRO, _FORCE = slice(32, 36), slice(36, 39), slice(39, 42)
_MOTOR_OUTPUT, _INERTIAL = slice(16, 32), slice(32, 42)
_CHANNELS = 42
_CONSOLE = frozenset(bytes([head]) for head in (STREAM_WRITE, STREAM_POLL, STREAM_FLOW_POLL))
"""What a frame for a controller's text console begins with."""


@dataclass(frozen=True)
class SensorNoise:
    """Standard deviations of the sensors' white noise; zero is a perfect sensor."""

    joint_position_rad: float = 0.001
    joint_velocity_rad_s: float = 0.05
    attitude_rad: float = 0.005
    angular_velocity_rad_s: float = 0.01
    acceleration_m_s2: float = 0.1


@dataclass(frozen=True)
class TwinOptions:
    """Everything about the twin that is not the robot's own design."""

    supply_v: float = 16.0
    pd_latency_s: float = 0.003
    """Age of the encoder reading that the controllers act on."""
    sensor_latency_s: float = 0.015
    """Age of the values that reach the host."""
    noise: SensorNoise = field(default_factory=SensorNoise)
    randomisation: Randomisation = field(default_factory=Randomisation.off)
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    gains: tuple[float, float] = (8.206, 0.1231)
    """The controllers' stiffness (N m/rad) and damping (N m s/rad)."""
    watchdog_s: float = 0.08
    """The controllers' servo.default_timeout_s."""
    actuators: JointDynamics | None = None
    """As identified on one robot; None: nominal ones. What is drawn comes on top of them."""
    delays: Delays | None = None
    """From command to motion seen, as measured on one robot: in place of `sensor_latency_s`."""
    bolts: Bolts | None = None
    """How it is bolted together, as measured on one robot; None: as drawn."""


class MinitaurTwin:
    """A quadruped that exists only in MuJoCo, but answers the same bytes.

    Attributes:
        clock: virtual; waiting on it advances the physics.
        legs, imu: the wires.
        tracker: the overhead tracker; it looks at no pictures.
        overhead: the overhead camera, once `look` has hung one up.
        draw: what this episode's robot is like.
        adapter, bank, vn100: the firmware behind the wires.
        hands: called before each step of physics; None: nobody has hands on it.

    Args:
        options: everything that is not the robot's own design.
        ids: the controllers' CAN ids, in the order of the motors.
        bank_type: makes the controllers, such as ones that can be made to fail.
        imu_type: makes the inertial sensor.

    Raises:
        ValueError: a latency is longer than the twin remembers.
    """

    def __init__(
        self,
        options: TwinOptions,
        ids: tuple[int, ...] = tuple(range(1, 9)),
        bank_type: type[MoteusBank] = MoteusBank,
        imu_type: type[Vn100] = Vn100,
    ) -> None:
        self.options = options
        self.plant = MinitaurPlant(DT)
        self.clock = VirtualClock(self._step, DT)
        stiffness, damping = options.gains
        self.bank = bank_type(
            ids,
            MoteusConfig(
                kp_nm_per_rev=stiffness * RADIANS_PER_TURN,
                kd_nm_s_per_rev=damping * RADIANS_PER_TURN,
                default_timeout_s=options.watchdog_s,
                fault_temperature_c=math.inf,
            ),
        )
        self._motor = DcMotor(JOINTS)
        bolts = options.bolts or Bolts(DRAWN, (0.0,) * JOINTS)
        self._bolts = None if bolts.square else bolts
        self._direction = np.array(bolts.direction)
        self._shift_turns = bolts.shift_rad / RADIANS_PER_TURN
        self._to_turns = self._direction / RADIANS_PER_TURN
        self._to_turns_twice = np.tile(self._to_turns, 2)
        self.vn100 = imu_type()
        legs = _Legs(self)
        self.adapter = legs.adapter
        self.legs = TwinWire(legs, self.clock)
        self.imu = TwinWire(self.vn100, self.clock)
        tracker = options.tracker
        if tracker.delays is not None:
            tracker = replace(tracker, delays=tracker.delays.later(self.reading_lag_s))
        self.tracker = OverheadTracker(self.plant.planar_pose, tracker)
        self.overhead: RenderedCamera | None = None
        self._encoders = DelayLine(2 * JOINTS, round(options.pd_latency_s / DT) + 1)
        self._sensors = DelayLine(_CHANNELS, MAX_SENSOR_DELAY_STEPS)
        self._row = np.zeros(_CHANNELS)
        self._encoder_row = self._row[: 2 * JOINTS]
        self._temperature = np.full(JOINTS, AMBIENT_C)
        self._view: RayView | None = None
        self.hands: Callable[[], None] | None = None
        self.place(0)

    @property
    def reading_lag_s(self) -> float:
        """How old the joints' angles are when the controllers tell them, on the average, s."""
        delays = self.options.delays
        return self.options.sensor_latency_s if delays is None else delays.mean_s + 0.5 * DT

    def look(self, view: OverheadView) -> RenderedCamera:
        """Hang a camera above the floor, in the place of any other."""
        if view.delays is not None:
            # Timed against the joints' readings, so that both are as far apart as they were.
            view = replace(view, delays=view.delays.later(self.reading_lag_s))
        legs = LegCapsules(self.plant.model, self.plant.data)
        clock, rng = self.clock, np.random.default_rng(0)
        pose = self.plant.planar_pose
        self.overhead = overhead_camera(pose, legs, view, clock.now, clock.wait_until, rng)
        return self.overhead

    def place(self, seed: int, faults: tuple[str, ...] = ()) -> None:
        """Set a rested robot on its feet at the start line and hold its body; all from `seed`.

        Stands in for the operator, who would also see to the causes of `faults`: here they are gone
        with the old episode.
        """
        del faults
        self._make(seed)
        extension, swing = self._rng.uniform((1.9, -0.1), (2.1, 0.1))
        self.plant.reset(extension=extension, swing=swing)
        self.plant.hold_base(True)
        self._switch_on()

    def begin(self, seed: int, kind: str | None = None) -> None:
        """Become the robot that some earlier episode has left behind, told by `seed`.

        It lies where it fell, its legs limp; `kind` as in `sim.fallen.fall`.
        """
        self._make(seed)
        fall(self.plant, self._rng, kind)
        self._switch_on()

    def hang(self, seed: int) -> None:
        """Put a rested robot on a stand, its stretched legs on the floor; all from `seed`.

        Once they are drawn up to 2.25 rad they are in the air.
        """
        self._make(seed)
        self.plant.reset(extension=STRETCHED_RAD)
        self.plant.hold_base(True)
        self._switch_on()

    def _make(self, seed: int) -> None:
        """Draw this episode's robot."""
        self._rng = np.random.default_rng(seed)
        options = self.options
        self.draw: Draw = options.randomisation.draw(self._rng)
        self.plant.apply(self.draw)
        actuators = options.actuators
        if actuators is None:
            self._motor.configure(self.draw.motor_strength, self.draw.viscous_friction)
        else:
            self.use(actuators)
        self._motor.reset()
        self.bank.power_cycle()
        self._supply = options.supply_v if self.draw.supply_v is None else self.draw.supply_v
        latency = options.sensor_latency_s if self.draw.latency_s is None else self.draw.latency_s
        self._sensor_delay = latency / DT
        self._pd_delay = options.pd_latency_s / DT

    def use(self, actuators: JointDynamics) -> None:
        """Have these actuators until the next episode; what was drawn comes on top of them."""
        self.plant.set_joints(actuators.dry_friction_nm, actuators.armature_kg_m2)
        self._motor.configure(
            np.multiply(self.draw.motor_strength, actuators.torque_gain),
            np.add(self.draw.viscous_friction, actuators.viscous_nm_s_rad),
        )

    def _switch_on(self) -> None:
        """Everything that senses begins with where the body is."""
        self.tracker.reset(np.random.default_rng(self._rng.integers(2**63)), self.clock.now())
        self._imu_countdown = IMU_PERIOD_STEPS
        self._gather()
        self._sensors.fill(self._row)
        self._encoders.fill(self._encoder_row)

    def released(self) -> bool:
        """Let go of the body; True at once, for the twin's operator never hesitates."""
        self.plant.hold_base(False)
        return True

    def render(self, width: int, height: int) -> NDArray[np.uint8]:
        """A picture of the robot from the side, uint8 (height, width, 3), without OpenGL."""
        if self._view is None:
            self._view = RayView(self.plant.model)
        return self._view.render(self.plant.data, width, height)

    def sense(self, told: bool = True) -> None:
        """Give the controllers the readings that a reply sent now would carry.

        Without noise, and without drawing any, if nothing will be `told` of them.
        """
        row, noise = self._sensors.read(self._age()), self.options.noise
        errors = self._rng.standard_normal(2 * JOINTS) if told else np.zeros(2 * JOINTS)
        position = row[_POSITION] + noise.joint_position_rad * errors[:JOINTS]
        velocity = row[_VELOCITY] + noise.joint_velocity_rad_s * errors[JOINTS:]
        self.bank.sense(
            position * self._to_turns + self._shift_turns,
            velocity * self._to_turns,
            row[_TORQUE] * self._direction,
            row[_POWER],
            self._temperature,
            self._supply,
        )

    def drive(self) -> None:
        """One physics step of controllers, motors and body; nobody is told of it."""
        plant, motor, bank = self.plant, self._motor, self.bank
        delayed = self._encoders.read(self._pd_delay)
        delayed *= self._to_turns_twice
        delayed[:JOINTS] += self._shift_turns
        voltage = bank.control(delayed[:JOINTS], delayed[JOINTS:], self._supply, DT)
        torque = motor.step(voltage * self._direction, plant.joint_velocity, bank.driving, DT)
        if motor.any_overheated:
            self._cut_off()
        plant.step(torque)
        self._gather()
        self._encoders.push(self._encoder_row)

    def _step(self) -> None:
        """One physics step, and what is sensed of it."""
        if self.hands is not None:
            self.hands()
        self.drive()
        self._sensors.push(self._row)
        self.tracker.step(self.clock.now())
        if self.overhead is not None:
            self.overhead.expose_due(self.clock.now())
        self._imu_countdown -= 1
        if self._imu_countdown == 0:
            self._imu_countdown = IMU_PERIOD_STEPS
            self._send_imu()

    def _age(self) -> float:
        """How old what reaches the host now is, in steps."""
        delays = self.options.delays
        if delays is None:
            return self._sensor_delay
        # A step's motion is all there at its end: on the average half a step too early.
        return min(delays.draw(self._rng) / DT + 0.5, MAX_SENSOR_DELAY_STEPS)

    def _gather(self) -> None:
        """The sensors' true values now."""
        row, plant = self._row, self.plant
        row[_POSITION] = plant.joint_position
        row[_VELOCITY] = plant.joint_velocity
        row[_MOTOR_OUTPUT] = self._motor.output
        row[_INERTIAL] = plant.inertial

    def _cut_off(self) -> None:
        """An overheated motor is switched off by its controller, which latches the fault."""
        for index in np.flatnonzero(self._motor.overheated & self.bank.driving):
            self.bank.trip(int(index), OVERTEMPERATURE_FAULT)

    def _send_imu(self) -> None:
        """One sample in the sensor's axes: FRD in NED, scalar last."""
        row, noise = self._sensors.read(self._age()), self.options.noise
        errors = self._rng.standard_normal(9)
        attitude = (
            noise.attitude_rad if self.draw.imu_noise_rad is None else self.draw.imu_noise_rad
        )
        tilt = attitude * errors[:3]
        tilt[:2] += self.draw.imu_bias_rad
        w, x, y, z = _turned(row[_QUATERNION], tilt).tolist()
        gyro = (row[_GYRO] + noise.angular_velocity_rad_s * errors[3:6]).tolist()
        force = (row[_FORCE] + noise.acceleration_m_s2 * errors[6:]).tolist()
        told = (
            (x, -y, -z, w),
            (gyro[0], -gyro[1], -gyro[2]),
            (force[0], -force[1], -force[2]),
        )
        if self._bolts is not None:
            told = self._bolts.sensed(*told)
        self.vn100.sample(round(self.clock.now() * 1e9), *told)


class _Legs:
    """The adapter on the motors' bus; readings are taken when a frame asks for them.

    Once for everything that comes in one piece, at the first frame of it that can ask. The text
    console tells nothing measured, so it draws no noise: what is asked there, and how often, leaves
    the rest of an episode as it would have been. It may still set a position from where it is.
    """

    def __init__(self, twin: MinitaurTwin) -> None:
        self._twin = twin
        self._fresh = False
        self.adapter = Fdcanusb(self._handle)

    def receive(self, data: bytes) -> None:
        self._fresh = False
        self.adapter.receive(data)

    def transmit(self) -> bytes:
        return self.adapter.transmit()

    def _handle(self, arbitration_id: int, data: bytes) -> Sequence[tuple[int, bytes]]:
        """One frame for the controllers, and their replies."""
        if not self._fresh:
            self._fresh = data[:1] not in _CONSOLE
            self._twin.sense(told=self._fresh)
        return self._twin.bank.handle_frame(arbitration_id, data)


def _turned(quaternion: FloatArray, small: FloatArray) -> FloatArray:
    """An attitude (w, x, y, z) turned by a small body-frame rotation vector, rad; normalised."""
    w, x, y, z = quaternion.tolist()
    a, b, c = (small / 2.0).tolist()
    turned = np.array(
        [
            w - x * a - y * b - z * c,
            x + w * a + y * c - z * b,
            y + w * b + z * a - x * c,
            z + w * c + x * b - y * a,
        ]
    )
    return turned / math.sqrt(float(turned @ turned))
