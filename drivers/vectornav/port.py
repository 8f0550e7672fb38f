"""A VN-100 on its own wire: configured once, then polled for its newest frame."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from drivers.errors import BusTimeout, DeviceError
from drivers.imu import ImuFault, ImuIdentity, ImuReading, ImuStatistics, plausible
from drivers.imu_stream import StreamMonitor
from drivers.vectornav.codec import IMU_RATE_HZ, BinaryFrame, Check, StreamParser
from drivers.vectornav.layout import STANDARD, Layout
from drivers.vectornav.link import AsciiLink, OpenAt
from drivers.vectornav.registers import BAUD, Register, Value
from drivers.vectornav.setup import identify, set_output
from drivers.wire import Wire

DRAIN_READS: Final = 64
"""Most reads in one poll: what has piled up longer ago is taken by the next one."""
FLASH_TIMEOUT_S: Final = 2.0
"""Writing the settings into flash takes about 0.5 s, and only then is it answered (UM001), s."""
RESTART_TIMEOUT_S: Final = 5.0
"""How long a reset sensor may take until it answers again, s."""


class VectorNavPort:
    """The sensor on `wire`.

    Args:
        wire: at the baud that the sensor is set to.
        now: the clock of the wire's deadlines, monotonic seconds.
        open_at: how to open the same wire at another baud; without it a wrong baud is an error and
            the sensor's stays as it is. The wire in use is closed first.
        serial: the serial number that the sensor must have; None: any.
        layout: what a binary frame carries; more than motion arrives in `ImuReading.extra`.
        check: how commands and their replies are guarded.
    """

    sampling_rate_hz = IMU_RATE_HZ

    def __init__(
        self,
        wire: Wire,
        now: Callable[[], float],
        open_at: OpenAt | None = None,
        *,
        serial: str | None = None,
        layout: Layout = STANDARD,
        check: Check = Check.XOR8,
    ) -> None:
        self._now = now
        self._serial, self._layout, self._check = serial, layout, check
        self._parser = StreamParser(layout)
        self._link = AsciiLink(wire, self._parser, now, open_at)
        self._monitor = StreamMonitor()

    @property
    def statistics(self) -> ImuStatistics:
        """A snapshot of the counters."""
        return self._monitor.statistics(self._parser.skipped)

    @property
    def fault(self) -> ImuFault | None:
        """What is wrong now, worst first; None if nothing is."""
        return self._monitor.fault(self._now())

    def configure(self, divisor: int, attempts: int = 3, baud: int | None = None) -> ImuIdentity:
        """Check that this is our VN-100 and make it send our frame at 800 Hz / `divisor`.

        Args:
            divisor: 1 to 65535.
            attempts: how often each command is tried.
            baud: set the sensor and the wire to it first, bit/s; None: leave it.

        Raises:
            ValueError: a divisor or baud that the sensor does not have.
            BusTimeout: the sensor does not answer, at no baud if the wire can be reopened.
            DeviceError: it refuses, does not keep a setting, is another device, or its baud is too
                low for these frames.
            WireClosed: the port is gone.
        """
        if not 1 <= divisor <= 0xFFFF:
            raise ValueError(f"the divisor must be 1 to 65535, got {divisor}")
        self._link.connect(attempts)
        if self._link.check is not self._check:
            self._link.set_check(self._check, attempts)
        identity = identify(self._link, self._serial, attempts)
        if baud is not None:
            self._link.set_baud(baud, attempts)
        set_output(self._link, self._layout, divisor, attempts)
        self._link.command("VNASY,1", attempts)
        self._monitor.begin(divisor * 1_000_000_000 // IMU_RATE_HZ, self._now())
        return identity

    def poll(self) -> ImuReading | None:
        """The newest whole, plausible and new frame that arrived since the last call, or None.

        Raises:
            WireClosed: the port is gone.
        """
        newest: BinaryFrame | None = None
        drain, feed, monitor = self._link.wire.drain, self._parser.feed, self._monitor
        now = self._now()
        for _ in range(DRAIN_READS):
            data = drain()
            if not data:
                break
            frames, _ = feed(data)
            monitor.frames += len(frames)
            for frame in frames:
                quaternion, rate, acceleration = motion = frame[1:4]
                if not plausible(quaternion, rate, acceleration):
                    monitor.implausible += 1
                elif monitor.accept(frame.startup_ns, motion, now):
                    newest = frame
        if newest is None:
            return None
        startup_ns, quaternion, rate, acceleration, extra = newest
        measured = monitor.measured(startup_ns, now)
        return ImuReading(now, startup_ns, quaternion, rate, acceleration, measured, extra)

    def read_register(self, register: Register, attempts: int = 3) -> tuple[Value, ...]:
        """What is in a register.

        Raises:
            BusTimeout, DeviceError, WireClosed: as `configure`.
        """
        return self._link.read(register, attempts)

    def write_register(
        self, register: Register, values: tuple[Value, ...], attempts: int = 3
    ) -> None:
        """Write a register and read it back. The baud is `configure`'s.

        Raises:
            ValueError: values that the register does not take.
            BusTimeout, DeviceError, WireClosed: as `configure`.
        """
        if register is BAUD:
            raise ValueError("the wire must follow the sensor's baud: give it to configure")
        self._link.write(register, values, attempts)

    def tare(self, attempts: int = 3) -> None:
        """Make the present attitude the zero. Raises as `read_register`."""
        self._link.command("VNTAR", attempts)

    def set_gyro_bias(self, attempts: int = 3) -> None:
        """Keep the filter's present gyro bias for the next start (register 74; save it to stay).

        Raises as `read_register`.
        """
        self._link.command("VNSGB", attempts)

    def save_settings(self) -> None:
        """Write all registers into flash; the sensor must stand still. Raises as `read_register`.

        It does not measure meanwhile, and flash wears out: never do this at every start.
        """
        self._link.command("VNWNV", attempts=1, timeout_s=FLASH_TIMEOUT_S)

    def restore_factory(self) -> None:
        """Put all registers back to the factory's, the baud too, and restart; configure anew.

        Raises as `read_register`.
        """
        self._restart("VNRFS")

    def reset(self) -> None:
        """Restart the sensor with its saved settings; configure it anew.

        Raises as `read_register`.
        """
        self._restart("VNRST")

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        self._link.wire.close()

    def _restart(self, command: str) -> None:
        """Send a command that restarts the sensor, and wait until it answers again.

        It comes up with its saved baud, which may be another one than now.
        """
        self._link.command(command, attempts=1)
        self._monitor.begin(0, self._now())
        deadline = self._now() + RESTART_TIMEOUT_S
        while self._now() < deadline:
            with contextlib.suppress(BusTimeout, DeviceError):
                self._link.pause(attempts=1)
                return
        self._link.connect(attempts=2)
