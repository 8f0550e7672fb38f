"""The hand's twin: MuJoCo, servo motors and their firmware on one line, in virtual time.

Ids, model and baud rate: ROBEL's D'Claw (Ahn et al. 2019, arXiv 1909.11639). One physics step
(2 ms) runs, in order: the servos' law on their encoders, the motors, MuJoCo, and whoever has asked
to be told (`ClawTwin.on_step`), such as a camera.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sim.bolts import Bolts
from sim.claw_camera import ClawCamera, ClawCameraOptions
from sim.claw_plant import HOME_RAD, VALVE, ClawPlant
from sim.claw_randomisation import ClawDraw, ClawRandomisation
from sim.claw_servo import XH430, ServoPreset
from sim.clock import VirtualClock
from sim.delays import Delays
from sim.firmware.dynamixel.hooks import DynamixelHooks
from sim.firmware.dynamixel.line import DynamixelLine, LineOptions
from sim.firmware.dynamixel.servo import ServoSpec
from sim.joint_dynamics import JointDynamics
from sim.latency import DelayLine
from sim.servo_joint import ServoMotors
from sim.view import Camera, RayView
from sim.wire import TwinWire

DT = 0.002
MOST_DELAY_STEPS = 100
FINGER_IDS = (10, 11, 12, 20, 21, 22, 30, 31, 32)
VALVE_ID = 50
MODEL = 1050
"""XH430-V210; XM430-W350 is 1020, XM430-W210 is 1030."""
BAUD_1M = 3
"""Value of register 8."""
POSES_TRIED = 20
LEFT_WITHIN_RAD = np.tile([0.4, 0.9, 1.3], 3)
"""Joint angles, either way, within which an episode leaves the fingers."""
SPREAD_RAD = (0.0, -0.8, -0.2) * 3
"""Fingers away from the valve and from one another, so that each joint may move by itself."""
VIEW = Camera(
    offset_m=(0.60, 0.16, 0.46),
    look_at_m=(0.0, 0.0, 0.18),
    light_m=(0.9, -0.5, 1.6),
    vertical_angle_rad=0.58,
)
"""Where the outside pictures are taken from."""


@dataclass(frozen=True)
class ClawOptions:
    """Everything about the twin that is not the hand's own design.

    Attributes:
        supply_v: at the servos; None: what their model is rated for.
        model: the servos' model number.
        preset: how the joints move; the stiffness takes `preset.position_p_gain(model)` in the
            servos, which the host writes.
        camera: what looks at the hand; None: nothing does.
        actuators: as identified on one hand; None: the preset's. What is drawn comes on top.
        delays: from command to motion seen, as measured on one hand; None: none but the line's.
        bolts: how its servos sit, as measured on one hand; None: as drawn.
    """

    supply_v: float | None = None
    model: int = MODEL
    preset: ServoPreset = XH430
    randomisation: ClawRandomisation = field(default_factory=ClawRandomisation.off)
    line: LineOptions = field(default_factory=LineOptions)
    camera: ClawCameraOptions | None = None
    actuators: JointDynamics | None = None
    delays: Delays | None = None
    bolts: Bolts | None = None


class ClawTwin:
    """A hand that exists only in MuJoCo, but answers its servos' bytes.

    Attributes:
        clock: virtual; waiting on it advances the physics.
        servos: the wire.
        line: the firmware behind it.
        faults: `sim.firmware.servo_hooks.ServoHooks` of its servos.
        plant, motors: in the order of `ids`.
        draw: what this episode's hand is like.
        camera: what looks at it, if the options have one.
        supply_v: may be changed at any time.
        on_step: called after each physics step with the time, s.
        hands: called before each of them; None: nobody has hands on it.

    Args:
        options: everything that is not the hand's own design.
        ids: of the servos, the valve's last.
    """

    def __init__(
        self,
        options: ClawOptions | None = None,
        ids: tuple[int, ...] = (*FINGER_IDS, VALVE_ID),
    ) -> None:
        self.options = options = options or ClawOptions()
        motor = options.preset.motor(options.model)
        self.ids = ids
        self.supply_v = motor.rated_v if options.supply_v is None else options.supply_v
        self.clock = VirtualClock(self._step, DT)
        self.on_step: list[Callable[[float], None]] = []
        self.hands: Callable[[], None] | None = None
        self.motors = ServoMotors([motor] * len(self.ids))
        self.plant = ClawPlant(DT, options.preset, options.model)
        if options.bolts is not None:
            self.plant.bolt(options.bolts.direction, options.bolts.zero_rad)
            self.plant.reset()
        self._past = DelayLine(2 * len(self.ids), MOST_DELAY_STEPS)
        self._actuators: JointDynamics | None = None
        if options.actuators is not None:
            self.use(options.actuators)
        specs = [ServoSpec(id, options.model, baud_rate=BAUD_1M) for id in self.ids]
        self.line = DynamixelLine(specs, self.clock.now, options.line, self.plant.position)
        self.faults = DynamixelHooks(self.line)
        self.servos = TwinWire(self.line, self.clock)
        self._view: RayView | None = None
        self.camera: ClawCamera | None = None
        if options.camera is not None:
            self.look(options.camera)
        self.place(0)

    @property
    def reading_lag_s(self) -> float:
        """How old the joints' angles are when the servos tell them, on the average, s."""
        delays = self.options.delays
        told = 0.0 if delays is None else max(0.0, delays.mean_s - 0.5 * DT)
        return DT + told

    def look(self, options: ClawCameraOptions) -> ClawCamera:
        """Let a camera look at the hand, in the place of any other."""
        if self.camera is not None:
            self.on_step.remove(self.camera.device.expose_due)
        if options.delays is not None:
            # Timed against the joints' readings, so that both are as far apart as they were.
            options = replace(options, delays=options.delays.later(self.reading_lag_s))
        model, data, clock = self.plant.model, self.plant.data, self.clock
        rng = np.random.default_rng(0)
        self.camera = ClawCamera(model, data, clock.now, clock.wait_until, options, rng)
        self.on_step.append(self.camera.device.expose_due)
        return self.camera

    def place(self, seed: int, faults: tuple[str, ...] = ()) -> None:
        """Switch the servos off and on, the fingers at home, the valve anywhere; all from `seed`.

        Stands in for the operator, who would also see to the causes of `faults`: here they are gone
        with the old episode. What was asked for on purpose (hooks, a jammed valve) stays.
        """
        del faults
        self._rng = rng = np.random.default_rng(seed)
        self._make(rng)
        self.plant.reset(HOME_RAD, float(rng.uniform(-math.pi, math.pi)))
        self._switch_on()

    def begin(self, seed: int) -> None:
        """Become the hand that some earlier episode has left behind, told by `seed`.

        The valve stands anywhere, the fingers in some pose that touches nothing.
        """
        self._rng = rng = np.random.default_rng(seed)
        self._make(rng)
        valve = float(rng.uniform(-math.pi, math.pi))
        for _ in range(POSES_TRIED):
            self.plant.reset(rng.uniform(-1.0, 1.0, VALVE) * LEFT_WITHIN_RAD, valve)
            if not self.plant.contacts:
                break
        else:
            self.plant.reset(HOME_RAD, valve)
        self._switch_on()

    def _make(self, rng: np.random.Generator) -> None:
        """Draw this episode's hand."""
        self.draw: ClawDraw = self.options.randomisation.draw(rng)
        self.plant.apply(self.draw)
        if self.camera is not None:
            self.camera.place(np.random.default_rng(rng.integers(2**63)))

    def _switch_on(self) -> None:
        """Cold motors, and servos as power comes on."""
        gain = 1.0 if self._actuators is None else np.array(self._actuators.torque_gain)
        self.motors.configure(self.draw.motor_strength * gain)
        self.motors.reset()
        self.line.power_cycle(self.plant.position)
        self._past.fill(self.line.uncounted(self.plant.position).ravel())
        self._sense()

    def hang(self, seed: int) -> None:
        """Spread the fingers where they touch nothing, the valve at 0; all from `seed`."""
        self._rng = np.random.default_rng(seed)
        self._make(self._rng)
        self.plant.reset(SPREAD_RAD, 0.0)
        self._switch_on()

    def use(self, actuators: JointDynamics) -> None:
        """Have these actuators from the next episode on."""
        self._actuators = actuators
        self.plant.set_joints(actuators)

    def released(self) -> bool:
        """True at once: nobody holds a hand that is bolted to its stand."""
        return True

    def jam_valve(self, jammed: bool) -> None:
        """Let the valve be stuck, or free it again."""
        self.plant.jam_valve(jammed)

    def render(self, width: int, height: int) -> NDArray[np.uint8]:
        """A picture of the hand from outside, uint8 (height, width, 3), without OpenGL."""
        if self._view is None:
            self._view = RayView(self.plant.model, "mount", VIEW)
        return self._view.render(self.plant.data, width, height)

    def journal(self) -> Mapping[str, object]:
        """What the twin knows and no wire tells."""
        servos = self.line.servos
        return {
            "torque": {servo.id: servo.motion.torque for servo in servos},
            "last_frame_s": {servo.id: servo.heard_at for servo in servos},
            "shaft_rad": {
                servo.id: at for servo, at in zip(servos, self.plant.position.tolist(), strict=True)
            },
            "valve_angle_rad": self.plant.valve_angle,
        }

    def _step(self) -> None:
        """One step of firmware, motors and physics."""
        plant, supply = self.plant, min(self.supply_v, self.line.sag_v)
        if self.hands is not None:
            self.hands()
        drive = self.line.control(plant.position, plant.velocity, supply, DT)
        if self.options.delays is not None:
            self._past.push(self.line.uncounted(plant.position).ravel())
        torque = self.motors.step(drive, plant.velocity, supply, DT)
        plant.step(torque, DT)
        self._sense()
        if self.on_step:
            now = self.clock.now()
            for told in self.on_step:
                told(now)

    def _sense(self) -> None:
        motors, delays = self.motors, self.options.delays
        if delays is not None:
            # The servos have looked before this step's motion, so they tell it a step late; and it
            # is all there at the step's end, on the average half a step too early.
            age = min(max(0.0, delays.draw(self._rng) / DT - 0.5), MOST_DELAY_STEPS)
            late = self._past.read(age)
            self.line.tell(late.reshape(2, -1))
        self.line.sense(motors.current_a, motors.share, motors.temperature_c, self.supply_v)
