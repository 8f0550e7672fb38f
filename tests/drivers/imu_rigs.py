"""Both inertial sensors' firmware on a clock, moved as a test likes. Poses are FRD in NED."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drivers.hipnuc.port import HipnucPort
from drivers.imu import Imu
from drivers.vectornav.port import VectorNavPort
from drivers.wire import Wire
from sim.firmware.hipnuc import Hi91
from sim.firmware.uart import Uart
from sim.firmware.vectornav.sensor import Vn100
from sim.wire import TwinWire

Matrix = NDArray[np.float64]

STEP_S = 0.001
SWAP = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""Front-right-down from right-front-up, and north-east-down from east-north-up."""
GRAVITY_NED = np.array([0.0, 0.0, 9.8])


def rotation(yaw: float, pitch: float, roll: float) -> Matrix:
    """Body to world, turned about z, then y, then x, rad."""
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return about_z @ about_y @ about_x


def quaternion_wxyz(matrix: Matrix) -> Matrix:
    """A rotation matrix as a quaternion: the eigenvector of the symmetric form (Bar-Itzhack)."""
    m = matrix
    form = np.array(
        [
            [m.trace(), m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [0, m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [0, 0, m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [0, 0, 0, m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    _, vectors = np.linalg.eigh(form, UPLO="U")
    return vectors[:, 3] * (1.0 if vectors[0, 3] >= 0 else -1.0)


class Rig:
    """A sensor, the wire to it and the clock that makes it measure.

    Attributes:
        attitude: body to world.
        rate, noise: true angular velocity (3,), rad/s; size of the noise on all values.
        every: measures at each so many-th step of 1 ms; 0: not at all.
    """

    divisor = 0

    def __init__(self) -> None:
        self.steps = 0
        self.attitude: Matrix = np.eye(3)
        self.rate: Matrix = np.zeros(3)
        self.noise = 1e-4
        self.every = 5
        self.rng = np.random.default_rng(1)
        self.wire: TwinWire
        self.imu: Imu
        self.uart: Uart

    def now(self) -> float:
        return self.steps * STEP_S

    def wait_until(self, deadline: float) -> None:
        while self.now() < deadline - 1e-9:
            self.steps += 1
            if self.every and self.steps % self.every == 0:
                noise = self.noise * self.rng.standard_normal((2, 3))
                force = -self.attitude.T @ GRAVITY_NED
                self.measure(self.steps * 1_000_000, self.rate + noise[0], force + noise[1])

    def wait(self, seconds: float) -> None:
        self.wait_until(self.now() + seconds)

    def open_at(self, baud: int) -> Wire:
        self.uart.host_baud = baud
        self.wire = TwinWire(self.device(), self)
        return self.wire

    def device(self) -> Vn100 | Hi91:
        raise NotImplementedError

    def measure(self, time_ns: int, rate: Matrix, force: Matrix) -> None:
        raise NotImplementedError

    def restart(self) -> None:
        """The sensor restarts by itself, and comes up with the settings that it had."""
        raise NotImplementedError

    def change_baud(self, baud: int) -> None:
        """Somebody set the sensor to another baud."""
        raise NotImplementedError

    def another(self) -> Imu:
        """The same port on a line where something else answers."""
        raise NotImplementedError


class VectorNavRig(Rig):
    divisor = 4

    def __init__(
        self, sensor: Vn100 | None = None, wrap: Callable[[Wire], Wire] = lambda wire: wire
    ) -> None:
        super().__init__()
        self.sensor = sensor or Vn100()
        self.uart = self.sensor.uart
        self.wire = TwinWire(self.sensor, self)
        self.port = self.imu = VectorNavPort(wrap(self.wire), self.now, self.open_at)

    def device(self) -> Vn100:
        return self.sensor

    def measure(self, time_ns: int, rate: Matrix, force: Matrix) -> None:
        w, *xyz = quaternion_wxyz(self.attitude)
        self.sensor.sample(time_ns, (*xyz, w), tuple(rate), tuple(force))

    def restart(self) -> None:
        self.sensor.receive(b"$VNWNV*57\r\n$VNRST*4D\r\n")

    def change_baud(self, baud: int) -> None:
        self.sensor.receive(b"$VNWRG,05,%d*XX\r\n" % baud)

    def another(self) -> Imu:
        return VectorNavPort(TwinWire(Hi91(), self), self.now)


class HipnucRig(Rig):
    divisor = 5

    def __init__(self, sensor: Hi91 | None = None) -> None:
        super().__init__()
        self.sensor = sensor or Hi91()
        self.uart = self.sensor.uart
        self.wire = TwinWire(self.sensor, self)
        # 200 Hz of 82 bytes do not fit the factory's 115200 bit/s.
        self.change_baud(460800)
        self.wire.drain()
        self.port = self.imu = HipnucPort(self.wire, self.now, 460800, self.open_at)

    def device(self) -> Hi91:
        return self.sensor

    def measure(self, time_ns: int, rate: Matrix, force: Matrix) -> None:
        attitude = quaternion_wxyz(SWAP @ self.attitude @ SWAP)
        self.sensor.sample(time_ns, tuple(attitude), tuple(SWAP @ rate), tuple(SWAP @ force))

    def restart(self) -> None:
        self.sensor.receive(b"SAVECONFIG\r\nREBOOT\r\n")

    def change_baud(self, baud: int) -> None:
        self.sensor.receive(b"SERIALCONFIG %d\r\n" % baud)

    def another(self) -> Imu:
        return HipnucPort(TwinWire(Vn100(), self), self.now)


RIGS: dict[str, Callable[[], Rig]] = {"vectornav": VectorNavRig, "hipnuc": HipnucRig}
