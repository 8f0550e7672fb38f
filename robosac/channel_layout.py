"""The fixed layout of the memory that executor and actor share, from joint count and picture size.

Every field is little endian and of fixed size, so nothing that is read is interpreted as anything
but numbers and UTF-8 text.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from robosac.lateness import BINS
from robosac.reasons import Reason
from robosac.seqlock import OVERHEAD
from robosac.states import SafetyState

MAGIC: Final = b"ROBOSAC1"
LAYOUT_VERSION: Final = 1
TICKS: Final = 256
"""Tick records that are kept: more than a second of the quadruped."""
PICTURES: Final = 16
FAULTS: Final = 24
"""Faults that one tick record has room for."""
NAME_BYTES: Final = 48
DETAIL_BYTES: Final = 192
TEXT_BYTES: Final = 512
DOCUMENT_BYTES: Final = 16384
_ALIGNMENT: Final = 64
_CUT: Final = "…".encode()

HEADER: Final = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("fingerprint", "<u4"),
        ("joints", "<u4"),
        ("height", "<u4"),
        ("width", "<u4"),
        ("size", "<u8"),
    ]
)
BEAT: Final = np.dtype([("time", "<f8"), ("number", "<u8"), ("safety", "u1"), ("tripped", "u1")])
LATENESS: Final = np.dtype([("counts", "<u8", (BINS,)), ("longest", "<f8"), ("overruns", "<u8")])
ANSWER: Final = np.dtype([("id", "<u8"), ("kind", "u1"), ("text", f"S{DOCUMENT_BYTES}")])
END: Final = np.dtype([("confirmed", "u1"), ("text", f"S{DOCUMENT_BYTES}")])
FAULT: Final = np.dtype(
    [
        ("time", "<f8"),
        ("where", "u1"),
        ("name", f"S{NAME_BYTES}"),
        ("source", f"S{NAME_BYTES}"),
        ("detail", f"S{DETAIL_BYTES}"),
    ]
)


@functools.cache
def request_dtype(joints: int) -> np.dtype[Any]:
    """The newest goal."""
    return np.dtype([("made", "<f8"), ("ramp", "<f8"), ("goal", "<f8", (joints,)), ("kind", "u1")])


@functools.cache
def command_dtype(joints: int) -> np.dtype[Any]:
    """A command that is answered."""
    return np.dtype(
        [("id", "<u8"), ("code", "u1"), ("mask", "u1", (joints,)), ("text", f"S{TEXT_BYTES}")]
    )


@functools.cache
def tick_dtype(joints: int) -> np.dtype[Any]:
    """One tick: what was asked, let through and measured."""
    vector = (joints,)
    floats = ("requested", "target", "executed", "velocity", "commanded", "heard", "position")
    floats += ("joint_velocity", "torque", "temperature", "voltage", "power")
    return np.dtype(
        [(name, "<u8") for name in ("number", "request", "command", "frame_number")]
        + [("frame_sequence", "<i8")]
        + [(name, "<f8") for name in ("time", "lateness", "state_time", "imu_time", "frame_time")]
        + [(name, "<f8", vector) for name in floats]
        + [("orientation", "<f8", (4,)), ("angular_velocity", "<f8", (3,))]
        + [("acceleration", "<f8", (3,)), ("tracker", "<f8", (5,))]
        + [("reasons", "<u4"), ("faults", "<u4")]
        + [(name, "u1", vector) for name in ("valid", "driving")]
        + [(name, "u1") for name in ("safety", "requested_kind", "target_kind")]
        + [(name, "u1") for name in ("has_imu", "has_tracker", "has_camera", "has_frame")]
        + [("camera_fault", f"S{NAME_BYTES}"), ("fault", FAULT, (FAULTS,))]
    )


@dataclass(frozen=True)
class Layout:
    """Where everything lies for a robot of so many joints.

    Raises:
        ValueError: a size that cannot be.
    """

    joints: int
    picture: tuple[int, int] | None = None
    """(height, width) of RGB pictures, px; None: no camera."""

    def __post_init__(self) -> None:
        if not 1 <= self.joints <= 64:
            raise ValueError(f"a channel is for 1 to 64 joints, got {self.joints}")
        if self.picture is not None and not all(1 <= side <= 4096 for side in self.picture):
            raise ValueError(f"a channel's pictures are 1 to 4096 px a side, got {self.picture}")

    @property
    def picture_bytes(self) -> int:
        """Of one picture."""
        return 0 if self.picture is None else self.picture[0] * self.picture[1] * 3

    def sizes(self) -> dict[str, tuple[int, int]]:
        """How many slots of how many bytes each part has."""
        sizes = {
            "beat": (1, BEAT.itemsize),
            "request": (1, request_dtype(self.joints).itemsize),
            "command": (1, command_dtype(self.joints).itemsize),
            "answer": (1, ANSWER.itemsize),
            "end": (1, END.itemsize),
            "trip": (1, TEXT_BYTES),
            "lateness": (1, LATENESS.itemsize),
            "tick": (TICKS, tick_dtype(self.joints).itemsize),
        }
        if self.picture is not None:
            sizes["picture"] = (PICTURES, self.picture_bytes)
        return sizes

    def places(self) -> tuple[dict[str, tuple[tuple[int, int], ...]], int]:
        """Begin and end of every slot, bytes, and the size of all."""
        # The byte that trips the e-stop lies behind the header, by itself.
        at = _aligned(HEADER.itemsize + 4) + _ALIGNMENT
        places: dict[str, tuple[tuple[int, int], ...]] = {}
        for name, (count, size) in self.sizes().items():
            slots: list[tuple[int, int]] = []
            for _ in range(count):
                slots.append((at, at + size + OVERHEAD))
                at = _aligned(at + size + OVERHEAD)
            places[name] = tuple(slots)
        return places, at

    def header(self) -> bytes:
        """What stands at the beginning, its CRC-32 behind it."""
        height, width = self.picture or (0, 0)
        value = (MAGIC, LAYOUT_VERSION, self.fingerprint(), self.joints, height, width)
        raw = np.array((*value, self.places()[1]), dtype=HEADER).tobytes()
        return raw + zlib.crc32(raw).to_bytes(4, "little")

    def fingerprint(self) -> int:
        """Changes when a field, a safety state or a reason does."""
        parts = (
            tick_dtype(self.joints).descr,
            command_dtype(self.joints).descr,
            request_dtype(self.joints).descr,
            [ANSWER.descr, BEAT.descr, END.descr, LATENESS.descr],
            [state.value for state in SafetyState],
            [(reason.name, reason.value) for reason in Reason],
        )
        return zlib.crc32(repr(parts).encode())


TRIP_BYTE: Final = (HEADER.itemsize + 4 + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
"""Where the byte is that, once it is not zero, trips the e-stop gate."""


def read_header(raw: bytes) -> Layout:
    """The layout that memory which begins with `raw` has.

    Raises:
        ValueError: it is no channel, or one of another version; says what was found.
    """
    head, crc = raw[: HEADER.itemsize], raw[HEADER.itemsize : HEADER.itemsize + 4]
    if len(crc) != 4 or head[:8] != MAGIC:
        raise ValueError(f"no channel: it begins with {raw[:8]!r}; valid is {MAGIC!r}")
    if zlib.crc32(head) != int.from_bytes(crc, "little"):
        raise ValueError("no channel: its header is damaged")
    found = np.frombuffer(head, dtype=HEADER)[0]
    height, width = int(found["height"]), int(found["width"])
    layout = Layout(int(found["joints"]), (height, width) if height else None)
    if head + crc != layout.header():
        raise ValueError(
            f"the channel has layout version {found['version']}, fingerprint"
            f" {found['fingerprint']:08x}; valid are {LAYOUT_VERSION}, {layout.fingerprint():08x}:"
            " both processes must be the same robosac"
        )
    return layout


def fixed_text(text: str, size: int) -> bytes:
    """`text` in at most `size` bytes of UTF-8; what was cut ends with an ellipsis."""
    raw = text.replace("\0", "\ufffd").encode("utf-8", errors="replace")
    if len(raw) <= size:
        return raw
    kept = raw[: size - len(_CUT)].decode("utf-8", errors="ignore")
    return kept.encode() + _CUT


def _aligned(at: int) -> int:
    return (at + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
