"""What is asked of a VN-100 and set in it before it may stream.

Source: VN-100 user manual UM001, section 5.2.
"""

from __future__ import annotations

from typing import Final

from drivers.errors import DeviceError
from drivers.imu import ImuIdentity
from drivers.vectornav.codec import IMU_RATE_HZ
from drivers.vectornav.layout import Layout
from drivers.vectornav.link import AsciiLink, same_settings
from drivers.vectornav.registers import (
    ASYNC_TYPE,
    BAUD,
    BINARY_OUTPUTS,
    FIRMWARE,
    HARDWARE,
    MODEL,
    SERIAL,
)

OLDEST_FIRMWARE: Final = (2, 0)
"""Binary outputs as in UM001 for firmware 2; older ones have others."""
BITS_PER_BYTE: Final = 10
"""Start bit, 8 data bits, stop bit."""


def identify(link: AsciiLink, serial: str | None, attempts: int) -> ImuIdentity:
    """Who answers; `serial` is the number it must have, or None for any.

    Raises:
        DeviceError: it is not a VN-100 that we know how to drive, or not the one with `serial`.
        BusTimeout, WireClosed: as `AsciiLink.command`.
    """
    model = str(link.read(MODEL, attempts)[0])
    if not model.startswith("VN-100"):
        raise DeviceError(f"expected a VN-100, found {model or 'no name'!r}")
    firmware = str(link.read(FIRMWARE, attempts)[0])
    if _version(firmware) < OLDEST_FIRMWARE:
        oldest = ".".join(map(str, OLDEST_FIRMWARE))
        raise DeviceError(f"firmware {firmware!r} is too old; valid is {oldest} or newer")
    found = str(link.read(SERIAL, attempts)[0])
    if serial is not None and found.lstrip("0") != serial.lstrip("0"):
        raise DeviceError(f"expected the VN-100 with serial {serial}, found {found}")
    return ImuIdentity(model, firmware, found, str(link.read(HARDWARE, attempts)[0]))


def set_output(link: AsciiLink, layout: Layout, divisor: int, attempts: int) -> None:
    """Frames of `layout` at 800 Hz / `divisor` on the first binary output, nothing on any other.

    Raises:
        DeviceError: the sensor refuses, does not keep it, or its baud is too low for these frames.
        BusTimeout, WireClosed: as `AsciiLink.command`.
    """
    baud = link.read(BAUD, attempts)[0]
    # More than the line can carry would come ever later, and be lost in the end.
    needed = layout.size * BITS_PER_BYTE * IMU_RATE_HZ / divisor
    if not isinstance(baud, int) or needed > baud:
        raise DeviceError(
            f"{layout.size} bytes at {IMU_RATE_HZ} Hz / {divisor} need {needed:.0f} bit/s, the"
            f" sensor runs at {baud}; raise its baud or the divisor"
        )
    link.command(f"VNWRG,{ASYNC_TYPE.id:02d},0", attempts)
    ours, *others = BINARY_OUTPUTS
    for register in others:
        kept = link.command(f"VNRRG,{register}", attempts)[2:]
        if not same_settings(kept[:1], ["0"]):
            link.command(f"VNWRG,{register},{','.join(['0', *kept[1:]])}", attempts)
    output = f"{ours},1,{divisor},{layout.setting()}"
    link.command(f"VNWRG,{output}", attempts)
    kept = link.command(f"VNRRG,{ours}", attempts)[1:]
    if not same_settings(kept, output.split(",")):
        raise DeviceError(f"the sensor keeps output {','.join(kept)}, asked for {output}")


def _version(text: str) -> tuple[int, ...]:
    """A firmware version as numbers; what is no version is older than any."""
    try:
        return tuple(int(part) for part in text.strip().split("."))
    except ValueError:
        return ()
