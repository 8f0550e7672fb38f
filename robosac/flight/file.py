"""Writes a recording as MCAP with JSON messages, which public viewers open."""

from __future__ import annotations

import base64
import contextlib
import heapq
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from mcap.writer import CompressionType, Writer

from robosac.errors import FlightFileError
from robosac.files import write_whole
from robosac.flight import channels
from robosac.flight.log import FlightLog, Note
from robosac.flight.ring import Chunk
from robosac.hal import Frame

PROFILE: Final = "robosac"
METADATA: Final = "robosac"
BUS, CAMERA, FAULTS, EVENTS, LOG = "/bus/", "/camera", "/faults", "/events", "/log"
CHUNK_BYTES: Final = 1 << 20
_LEVELS: Final = {"entered": 2, "malformed": 3, "reported": 3, "found": 3, "latched": 4}
"""Levels of foxglove.Log: 2 info, 3 warning, 4 error."""
_TIME: Final = {
    "type": "object",
    "title": "time",
    "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
}
_TEXT: Final = {"type": "string"}
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "robosac.Note": {
        "sequence": {"type": "integer"},
        "time": {"type": "number", "description": "s, monotonic"},
        **dict.fromkeys(("kind", "name", "source", "detail"), _TEXT),
    },
    "robosac.BusBytes": {
        "time": {"type": "number", "description": "s, monotonic"},
        "to_device": {"type": "boolean"},
        "hex": _TEXT,
    },
    # https://github.com/foxglove/foxglove-sdk, schemas/jsonschema
    "foxglove.CompressedImage": {
        "timestamp": _TIME,
        "frame_id": _TEXT,
        "data": {"type": "string", "contentEncoding": "base64"},
        "format": _TEXT,
    },
    "foxglove.Log": {
        "timestamp": _TIME,
        "level": {"type": "integer"},
        **dict.fromkeys(("message", "name", "file"), _TEXT),
        "line": {"type": "integer"},
    },
}

_Message = tuple[float, str, Any]
"""(time s, topic, JSON value)"""


def save(log: FlightLog, path: Path) -> None:
    """Write `log` to `path`, whole or not at all.

    Raises:
        FlightFileError: the disk refuses; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encode(log))
    except OSError as error:
        with contextlib.suppress(OSError):
            path.with_name(f".{path.name}.part").unlink(missing_ok=True)
        raise FlightFileError(f"{path} cannot be written: {error.strerror or error}") from error


def encode(log: FlightLog) -> bytes:
    """`log` as an MCAP file."""
    buffer = io.BytesIO()
    writer = Writer(buffer, CHUNK_BYTES, CompressionType.ZSTD, enable_data_crcs=True)
    header = log.header
    writer.start(PROFILE, f"robosac {header.robosac}")
    shown = ("robosac", "robot", "calibration", "reason", "created")
    writer.add_metadata(
        METADATA,
        {
            "header": msgspec.json.encode(header).decode(),
            **{name: str(getattr(header, name)) for name in shown},
        },
    )
    topics = _Topics(writer, log)
    merged = heapq.merge(
        _of_rows(log), _of_bus(log), _of_notes(log), _of_frames(log), key=lambda item: item[0]
    )
    for count, (time, topic, value) in enumerate(merged):
        stamp = header.epoch_ns + round(time * 1e9)
        writer.add_message(topics[topic], stamp, msgspec.json.encode(value), stamp, count)
    writer.finish()
    return buffer.getvalue()


class _Topics(dict[str, int]):
    """The channel of each topic, registered when it is first used."""

    def __init__(self, writer: Writer, log: FlightLog) -> None:
        super().__init__()
        self._writer, self._log = writer, log
        self._schemas: dict[str, int] = {}

    def __missing__(self, topic: str) -> int:
        name, properties = self._schema(topic)
        if name not in self._schemas:
            document = {"title": name, "type": "object", "properties": properties}
            self._schemas[name] = self._writer.register_schema(
                name, "jsonschema", msgspec.json.encode(document)
            )
        self[topic] = self._writer.register_channel(topic, "json", self._schemas[name])
        return self[topic]

    def _schema(self, topic: str) -> tuple[str, dict[str, Any]]:
        channel = topic[1:]
        if channel in channels.CHANNELS:
            columns = channels.columns_of(self._log.rows.dtype, channel)
            return f"robosac.{channel.title()}", channels.schema_of(columns)["properties"]
        name = {CAMERA: "foxglove.CompressedImage", LOG: "foxglove.Log"}.get(topic, "robosac.Note")
        if topic.startswith(BUS):
            name = "robosac.BusBytes"
        return name, _SCHEMAS[name]


def _of_rows(log: FlightLog) -> Iterator[_Message]:
    """One message a channel and exchange."""
    parts = [channels.messages(log.rows, channel) for channel in channels.CHANNELS]
    topics = ["/" + channel for channel in channels.CHANNELS]
    for time, *values in zip(log.rows["timing.time"].tolist(), *parts, strict=True):
        for topic, value in zip(topics, values, strict=True):
            if value is not None:
                yield time, topic, value


def _of_bus(log: FlightLog) -> Iterator[_Message]:
    chunk: Chunk
    for chunk in log.bus.chunks():
        value = {"time": chunk.time, "to_device": chunk.to_device, "hex": chunk.data.hex()}
        yield chunk.time, BUS + chunk.port, value


def _of_notes(log: FlightLog) -> Iterator[_Message]:
    """Each for replaying, and those a person should read also for the viewers' log panel."""
    for note in log.notes:
        told = note.kind in ("entered", "malformed")
        yield note.time, EVENTS if told else FAULTS, note
        if note.kind in ("entered", "latched"):
            yield note.time, LOG, _log(log, note)


def _log(log: FlightLog, note: Note) -> dict[str, Any]:
    message = note.name if note.kind == "entered" else str(note.fault)
    return {
        "timestamp": _stamp(log, note.time),
        "level": _LEVELS[note.kind],
        "message": f"{note.kind} {message}",
        "name": log.header.robot,
        "file": "",
        "line": 0,
    }


def _of_frames(log: FlightLog) -> Iterator[_Message]:
    if not log.frames:
        return
    # Only here, for it takes long to import.
    import cv2

    frame: Frame
    for frame in log.frames:
        done, data = cv2.imencode(".png", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        if not done:
            raise FlightFileError(f"picture {frame.sequence} cannot be written as PNG")
        value = {
            "timestamp": _stamp(log, frame.time),
            "frame_id": "camera",
            "data": base64.b64encode(data.tobytes()).decode(),
            "format": "png",
        }
        yield frame.time, CAMERA, value


def _stamp(log: FlightLog, time: float) -> dict[str, int]:
    seconds, nanoseconds = divmod(log.header.epoch_ns + round(time * 1e9), 1_000_000_000)
    return {"sec": seconds, "nsec": nanoseconds}
