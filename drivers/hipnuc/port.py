"""A HiPNUC sensor on its own wire: told once what to send, then polled for its newest frame.

Its command channel is documented in public only in part: what is used here is in the vendor's own
Python client (LOG VERSION, LOG HI91 ONTIME, LOG ENABLE, SERIALCONFIG, SAVECONFIG). No public source
tells how to read the output rate back, so a rate that is not kept shows as the fault OFF_RATE.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from drivers.errors import BusTimeout, DeviceError
from drivers.hipnuc.codec import (
    BAUDS,
    DIVISORS,
    FRAME_SIZE,
    SAMPLING_RATE_HZ,
    TICK_NS,
    TICKS,
    Hi91Frame,
    Status,
    StreamParser,
    attitude_to_ned,
    encode_command,
    parse_identity,
    vector_to_frd,
)
from drivers.imu import ImuFault, ImuIdentity, ImuReading, ImuStatistics, plausible
from drivers.imu_stream import StreamMonitor
from drivers.wire import Wire

REPLY_TIMEOUT_S: Final = 0.3
"""How long one try waits for the reply to a command, s."""
SECOND_OK_S: Final = 0.012
"""Older firmware says OK again up to 5 ms later: it must not confirm the next command, s."""
DRAIN_READS: Final = 64
"""Most reads in one poll: what has piled up longer ago is taken by the next one."""
BITS_PER_BYTE: Final = 10

OpenAt = Callable[[int], Wire]
"""Opens the sensor's wire at a baud, bit/s; raises WireClosed if it cannot."""


class HipnucPort:
    """The sensor on `wire`; its readings are turned from its own axes into FRD and NED.

    Args:
        wire: at the baud that the sensor is set to.
        now: the clock of the wire's deadlines, monotonic seconds.
        baud: of the wire, bit/s.
        open_at: how to open the same wire at another baud; without it the baud stays as it is. The
            wire in use is closed first.
        serial: the serial number (UUID) that the sensor must have; None: any.
    """

    sampling_rate_hz = SAMPLING_RATE_HZ

    def __init__(
        self,
        wire: Wire,
        now: Callable[[], float],
        baud: int = BAUDS[0],
        open_at: OpenAt | None = None,
        *,
        serial: str | None = None,
    ) -> None:
        self._wire, self._now, self._baud, self._open_at = wire, now, baud, open_at
        self._serial = serial
        self._parser = StreamParser()
        self._monitor = StreamMonitor()
        self._ticks: int | None = None
        self._status = 0

    @property
    def statistics(self) -> ImuStatistics:
        """A snapshot of the counters."""
        return self._monitor.statistics(self._parser.skipped)

    @property
    def fault(self) -> ImuFault | None:
        """What is wrong now, worst first; None if nothing is."""
        fault = self._monitor.fault(self._now())
        if fault is None and self._status & Status.ATTITUDE_NOT_CONVERGED:
            return ImuFault.UNSETTLED
        return fault

    def configure(self, divisor: int, attempts: int = 3, baud: int | None = None) -> ImuIdentity:
        """Check that this is our HiPNUC sensor and make it send HI91 at 1000 Hz / `divisor`.

        Args:
            divisor: one of DIVISORS.
            attempts: how often each command is tried.
            baud: set the sensor and the wire to it first, bit/s; None: leave it.

        Raises:
            ValueError: a divisor or baud that the sensor does not have.
            BusTimeout: the sensor does not answer, at no baud if the wire can be reopened.
            DeviceError: it refuses, is another device, or its baud is too low for these frames.
            WireClosed: the port is gone.
        """
        if divisor not in DIVISORS:
            raise ValueError(f"the divisor must be one of {DIVISORS}, got {divisor}")
        needed = FRAME_SIZE * BITS_PER_BYTE * SAMPLING_RATE_HZ / divisor
        identity = self._connect(attempts)
        if baud is not None and baud != self._baud:
            self._set_baud(baud, identity, attempts)
        if needed > self._baud:
            raise DeviceError(
                f"{FRAME_SIZE} bytes at {SAMPLING_RATE_HZ} Hz / {divisor} need {needed:.0f} bit/s,"
                f" the wire runs at {self._baud}; raise the baud or the divisor"
            )
        self._command(f"LOG HI91 ONTIME {divisor / SAMPLING_RATE_HZ:.3f}", attempts)
        self._command("LOG ENABLE", attempts)
        self._ticks, self._status = None, 0
        self._monitor.begin(divisor * 1_000_000_000 // SAMPLING_RATE_HZ, self._now())
        return identity

    def poll(self) -> ImuReading | None:
        """The newest whole, plausible and new frame that arrived since the last call, or None.

        Raises:
            WireClosed: the port is gone.
        """
        newest: ImuReading | None = None
        monitor, now = self._monitor, self._now()
        for _ in range(DRAIN_READS):
            data = self._wire.drain()
            if not data:
                break
            frames, _ = self._parser.feed(data)
            monitor.frames += len(frames)
            for frame in frames:
                newest = self._judged(frame, now) or newest
        return newest

    def save_settings(self) -> None:
        """Keep the settings over a power cycle. Raises BusTimeout, DeviceError or WireClosed."""
        self._command("SAVECONFIG", attempts=1)

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        self._wire.close()

    def _judged(self, frame: Hi91Frame, now: float) -> ImuReading | None:
        """A frame as a reading, in the axes that all readings have; None if it is not to be had."""
        quaternion = attitude_to_ned(frame.quaternion_wxyz)
        rate = vector_to_frd(frame.angular_velocity)
        acceleration = vector_to_frd(frame.acceleration)
        if not plausible(quaternion, rate, acceleration):
            self._monitor.implausible += 1
            return None
        ticks = self._unwrapped(frame.time_ms)
        startup_ns = ticks * TICK_NS
        if not self._monitor.accept(startup_ns, (quaternion, rate, acceleration), now):
            return None
        self._ticks, self._status = ticks, frame.status
        measured = self._monitor.measured(startup_ns, now)
        extra = {
            "status": (frame.status,),
            "temperature_c": (frame.temperature_c,),
            "pressure_pa": (frame.pressure_pa,),
            "magnetic_field_t": vector_to_frd(frame.magnetic_field_t),
        }
        return ImuReading(now, startup_ns, quaternion, rate, acceleration, measured, extra)

    def _unwrapped(self, time_ms: int) -> int:
        """The device's counter, followed over its end."""
        if self._ticks is None:
            return time_ms
        step = (time_ms - self._ticks) % TICKS
        return self._ticks + (step if step < TICKS // 2 else step - TICKS)

    def _connect(self, attempts: int) -> ImuIdentity:
        """Reach the sensor, at any baud if the wire can be reopened."""
        try:
            return self._identify(attempts)
        except BusTimeout:
            if self._open_at is None:
                raise
        for baud in BAUDS:
            self._reopen(self._open_at, baud)
            # What came at the wrong baud may wait in its buffer: a line end makes it drop that.
            self._wire.write(b"\r\n")
            with contextlib.suppress(BusTimeout):
                return self._identify(attempts=2)
        raise BusTimeout(f"no HiPNUC sensor answers at any of {sorted(BAUDS)} bit/s")

    def _identify(self, attempts: int) -> ImuIdentity:
        """Who answers; raises DeviceError if it is not ours."""
        found = parse_identity(self._command("LOG VERSION", attempts))
        model, firmware = found.get("PNAME", ""), found.get("APP_VER", found.get("SW_VERSION", ""))
        serial = found.get("UUID", found.get("SN", ""))
        if not model or not (firmware or serial):
            raise DeviceError(f"expected a HiPNUC sensor, it says of itself only {found}")
        if self._serial is not None and serial != self._serial:
            raise DeviceError(f"expected the sensor with UUID {self._serial}, found {serial}")
        return ImuIdentity(model, firmware, serial)

    def _set_baud(self, baud: int, identity: ImuIdentity, attempts: int) -> None:
        """Set the sensor to `baud` (bit/s), follow it, and make sure that it is still the same."""
        if baud not in BAUDS:
            raise ValueError(f"the sensor has no {baud} bit/s; valid are {sorted(BAUDS)}")
        if self._open_at is None:
            raise ValueError("the baud can be set only on a wire that can be reopened")
        # Some firmware is at the new baud before its answer has left.
        with contextlib.suppress(BusTimeout):
            self._command(f"SERIALCONFIG {baud}", attempts=1)
        self._reopen(self._open_at, baud)
        found = self._identify(attempts)
        if found != identity:
            raise DeviceError(f"{found.serial} answers at {baud} bit/s, not {identity.serial}")

    def _reopen(self, open_at: OpenAt, baud: int) -> None:
        self._wire.close()
        self._parser.clear()
        self._wire, self._baud = open_at(baud), baud

    def _command(self, body: str, attempts: int) -> list[str]:
        """Send a command until OK comes back; the lines before that.

        A refusal counts only if it is the last word: noise on the line provokes them too.
        """
        refusal: str | None = None
        self._collect(self._now())
        for _ in range(attempts):
            self._wire.write(encode_command(body))
            lines = self._collect(self._now() + REPLY_TIMEOUT_S)
            refusal = next((line for line in lines if _refuses(line)), None)
            if refusal is None and "OK" in lines:
                self._collect(self._now() + SECOND_OK_S, until=None)
                return lines[: lines.index("OK")]
        if refusal is not None:
            raise DeviceError(f"the sensor refuses {body!r}: {refusal}")
        raise BusTimeout(f"no OK to {body!r} in {attempts} tries; check the sensor's port and baud")

    def _collect(self, deadline: float, until: str | None = "OK") -> list[str]:
        """Text lines that come before `deadline`, at most up to a refusal or the line `until`."""
        collected: list[str] = []
        while data := self._wire.read(deadline):
            _, lines = self._parser.feed(data)
            for line in map(str.strip, lines):
                collected.append(line)
                if until is not None and (line == until or _refuses(line)):
                    return collected
            if self._now() >= deadline:
                break
        return collected


def _refuses(line: str) -> bool:
    """Whether a line is an error's: its first word says so, whatever else is in it."""
    return line.upper().replace(":", " ").split()[:1] in (["ERR"], ["ERROR"], ["FAIL"])
