"""An open-loop trot on the bare plant: voltage law, motors, 3 ms encoder latency, no firmware."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import leg_geometry
from sim.actuator import DcMotor
from sim.latency import DelayLine
from sim.plant import MinitaurPlant

SUPPLY_V = 16.0
KP_PER_RAD, KD_S_PER_RAD = 1.0, 0.015
ENCODER_LATENCY_STEPS = 3
COMMAND_STEPS = 20
_PHASES = np.array([0.0, np.pi, np.pi, 0.0])  # diagonal legs together


@dataclass(frozen=True, slots=True)
class Gait:
    """Extension e0 + Ae cos, swing s0 - As sin: the foot comes forward while the leg is short."""

    hz: float
    extension_amplitude: float
    swing_amplitude: float
    extension: float
    swing: float = -0.1
    """The toe lies 16 mm before the ankle's line, so the legs must lean back for it to land under
    the hip."""

    def motors(self, time: float) -> NDArray[np.float64]:
        """Motor angles (rad) at `time` (s); the amplitudes grow over the first second."""
        angle, share = 2 * np.pi * self.hz * time + _PHASES, min(1.0, time)
        return leg_geometry.motor_angles(
            self.extension + share * self.extension_amplitude * np.cos(angle),
            self.swing - share * self.swing_amplitude * np.sin(angle),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed; means leave out the first 2 s."""

    speed: float
    """m/s along x"""
    tilt: float
    """Largest, rad."""
    lowest: float
    """Lowest body height, m."""
    loop_error: float
    """Largest, m."""
    electrical_w: float
    mechanical_w: float
    hot_share: float
    """Share of motor time above the cut-off torque."""
    overheated: bool
    state: bytes
    """The final qpos and qvel, to the bit."""


def trot(gait: Gait, seconds: float, plant: MinitaurPlant | None = None) -> Outcome:
    """Walk and measure."""
    plant = plant or MinitaurPlant()
    motor, encoders = DcMotor(8), DelayLine(16, 8)
    plant.reset(gait.extension, gait.swing)
    sample = np.concatenate([plant.joint_position, plant.joint_velocity])
    encoders.fill(sample)
    driving, goal = np.ones(8, dtype=np.bool_), gait.motors(0.0)
    tilts, heights, gaps, powers = [], [], [], []
    start = 0.0
    for step in range(round(seconds * 1000)):
        if step == 2000:
            start = float(plant.base_position[0])
        if step % COMMAND_STEPS == 0:
            goal = gait.motors(step * 1e-3)
            tilts.append(plant.tilt)
            heights.append(float(plant.base_position[2]))
            gaps.append(plant.loop_error())
        seen = encoders.read(ENCODER_LATENCY_STEPS)
        pwm = np.clip(KP_PER_RAD * (goal - seen[:8]) - KD_S_PER_RAD * seen[8:], -1.0, 1.0)
        torque = motor.step(SUPPLY_V * pwm, plant.joint_velocity, driving, 1e-3)
        if step >= 2000:
            hot = np.abs(motor.motor_torque_nm) > 2.45
            mechanical = np.abs(torque * plant.joint_velocity).sum()
            powers.append((motor.power_w.sum(), mechanical, hot.mean()))
        plant.step(torque)
        sample[:8], sample[8:] = plant.joint_position, plant.joint_velocity
        encoders.push(sample)
    electrical, mechanical, hot = np.mean(powers, axis=0)
    return Outcome(
        speed=(float(plant.base_position[0]) - start) / (seconds - 2.0),
        tilt=max(tilts),
        lowest=min(heights),
        loop_error=max(gaps),
        electrical_w=float(electrical),
        mechanical_w=float(mechanical),
        hot_share=float(hot),
        overheated=bool(motor.overheated.any()),
        state=plant.data.qpos.tobytes() + plant.data.qvel.tobytes(),
    )
