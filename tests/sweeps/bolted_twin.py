"""A quadruped's twin that is bolted together some other way than drawn.

What is hidden lies below the wires: in what the controllers and the inertial sensor measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.bolts import rotation
from sim.firmware.moteus.bank import MoteusBank
from sim.firmware.vectornav.sensor import Vn100
from sim.minitaur import MinitaurTwin

FloatArray = NDArray[np.float64]

TURN = 2.0 * math.pi
LOWER_RAD, UPPER_RAD, JIG_RAD = 0.35, 3.25, 2.0
"""Drawn stops, and the angle at which the jig holds the legs' links."""
STOP_ERROR_RAD = math.radians(0.1)
"""Within which stops and jig are made."""


@dataclass(frozen=True)
class Hidden:
    """How one quadruped is bolted together."""

    sign: FloatArray
    zero_rad: FloatArray
    turns: FloatArray
    stop_error_rad: FloatArray
    """Of lower stop, upper stop and jig, shape (3, 8)."""
    mounting: FloatArray
    """Quaternion (w, x, y, z), sensor to body."""
    gyro_bias: FloatArray
    latency_s: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Hidden:
        """Any: signs, horns, turns counted, mounting, bias and latency."""
        room = math.pi - math.radians(3.0)
        mounting = rng.standard_normal(4)
        return cls(
            sign=rng.choice((-1.0, 1.0), 8),
            zero_rad=rng.uniform(-room - LOWER_RAD, room - UPPER_RAD, 8),
            turns=rng.integers(-2, 3, 8).astype(float),
            stop_error_rad=STOP_ERROR_RAD * rng.uniform(-1.0, 1.0, (3, 8)),
            mounting=mounting / np.linalg.norm(mounting),
            gyro_bias=0.01 * rng.standard_normal(3),
            latency_s=float(rng.uniform(0.002, 0.040)),
        )


class HiddenBank(MoteusBank):
    """Controllers whose motors sit and turn in their own way."""

    flip: FloatArray | None = None
    shift_rev: FloatArray

    def sense(
        self,
        position_rev: FloatArray,
        velocity_rev_s: FloatArray,
        torque_nm: FloatArray,
        power_w: FloatArray,
        temperature_c: FloatArray,
        supply_v: float,
    ) -> None:
        if self.flip is not None:
            position_rev = position_rev * self.flip + self.shift_rev
            velocity_rev_s, torque_nm = velocity_rev_s * self.flip, torque_nm * self.flip
        super().sense(position_rev, velocity_rev_s, torque_nm, power_w, temperature_c, supply_v)

    def control(
        self, position_rev: FloatArray, velocity_rev_s: FloatArray, supply_v: float, dt: float
    ) -> FloatArray:
        if self.flip is None:
            return super().control(position_rev, velocity_rev_s, supply_v, dt)
        position = position_rev * self.flip + self.shift_rev
        return self.flip * super().control(position, velocity_rev_s * self.flip, supply_v, dt)


class HiddenVn100(Vn100):
    """A sensor that sits askew."""

    mounting: FloatArray | None = None
    bias: FloatArray

    def sample(self, time_ns: int, quaternion_xyzw: Any, angular_velocity: Any, acceleration: Any):
        if self.mounting is not None:
            to_sensor = rotation(tuple(self.mounting.tolist())).T
            angular_velocity = (to_sensor @ np.array(angular_velocity) + self.bias).tolist()
            acceleration = (to_sensor @ np.array(acceleration)).tolist()
            x, y, z, w = quaternion_xyzw
            w, x, y, z = product(np.array([w, x, y, z]), self.mounting).tolist()
            quaternion_xyzw = (x, y, z, w)
        super().sample(time_ns, quaternion_xyzw, angular_velocity, acceleration)


def bolt(twin: MinitaurTwin, hidden: Hidden) -> None:
    """Put a twin together like `hidden`; its bank and sensor are a `HiddenBank`, `HiddenVn100`."""
    bank, sensor = twin.bank, twin.vn100
    assert isinstance(bank, HiddenBank)
    assert isinstance(sensor, HiddenVn100)
    drawn = np.repeat([-1.0, 1.0], 4)
    bank.flip = hidden.sign * drawn
    bank.shift_rev = hidden.sign * hidden.zero_rad / TURN + hidden.turns
    sensor.mounting, sensor.bias = hidden.mounting, hidden.gyro_bias


def product(a: FloatArray, b: FloatArray) -> FloatArray:
    """Hamilton product of quaternions (w, x, y, z)."""
    return np.array(
        [
            a[0] * b[0] - a[1:] @ b[1:],
            *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])),
        ]
    )
