"""The file: open to public readers, whole or absent, and refused when it is damaged."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import struct
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.records import Chunk
from mcap.writer import CompressionType, Writer

from robosac.errors import FlightFileError
from robosac.flight import file, reading
from robosac.flight.log import FlightLog
from robosac.flight.recorder import RecorderSettings
from robosac.flight.writer import save_aside
from tests.robosac.flight_rig import EPOCH_NS, FlightRig, Keeping, wander


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> FlightLog:
    """A short session with everything in it."""
    keeping = Keeping()
    recorder = RecorderSettings(seconds=20.0, tail_s=1e6)
    rig = FlightRig(tmp_path_factory.mktemp("flight"), recorder, save=keeping).armed()
    rig.eye.look()
    for number in range(6):
        rig.bus.add(rig.clock.now(), ("legs", "imu")[number % 2], number % 3 == 0, bytes([number]))
    wander(rig, 6, 25)
    rig.recorder.write("asked")
    rig.recorder.close()
    return keeping.logs[-1]


@pytest.fixture(scope="module")
def data(log: FlightLog) -> bytes:
    return file.encode(log)


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(FlightFileError) as caught:
        reading.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_what_is_read_is_what_was_written_to_the_bit(
    log: FlightLog, data: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "flight.mcap"
    path.write_bytes(data)
    back = reading.load(path)
    assert back.header == log.header
    assert back.notes == log.notes
    again = tmp_path / "again.mcap"
    file.save(FlightLog(back.header, back.rows, back.notes, log.bus, log.frames), again)
    assert again.read_bytes() == data


def test_public_readers_find_every_channel_with_its_schema(log: FlightLog, data: bytes) -> None:
    reader = make_reader(io.BytesIO(data), validate_crcs=True)
    summary = reader.get_summary()
    assert summary is not None
    assert summary.statistics is not None
    found = {
        channel.topic: summary.schemas[channel.schema_id].name
        for channel in summary.channels.values()
    }
    assert found == {
        "/timing": "robosac.Timing",
        "/safety": "robosac.Safety",
        "/joints": "robosac.Joints",
        "/imu": "robosac.Imu",
        "/command": "robosac.Command",
        "/limiter": "robosac.Limiter",
        "/monitor": "robosac.Monitor",
        "/faults": "robosac.Note",
        "/events": "robosac.Note",
        "/log": "foxglove.Log",
        "/camera": "foxglove.CompressedImage",
        "/bus/legs": "robosac.BusBytes",
        "/bus/imu": "robosac.BusBytes",
    }
    for schema in summary.schemas.values():
        assert schema.encoding == "jsonschema"
        assert json.loads(schema.data)["type"] == "object"
    assert {channel.message_encoding for channel in summary.channels.values()} == {"json"}
    (metadata,) = reader.iter_metadata()
    assert metadata.name == "robosac"
    assert metadata.metadata["robot"] == "fake"
    assert json.loads(metadata.metadata["header"])["limits"]["tilt"] == 0.8
    times: list[int] = []
    for _, channel, message in reader.iter_messages():
        value = json.loads(message.data, parse_constant=pytest.fail)
        times.append(message.log_time)
        if channel.topic in ("/timing", "/joints"):
            assert message.log_time == EPOCH_NS + round(value["time"] * 1e9)
    assert times == sorted(times)
    assert len(times) == summary.statistics.message_count


def test_messages_fit_their_schemas(data: bytes) -> None:
    """Names and kinds; numbers that JSON does not have are strings, and null: does not apply."""
    kinds = {"number": float | int, "integer": int, "boolean": bool, "string": str, "array": list}
    for schema, _, message in make_reader(io.BytesIO(data)).iter_messages():
        assert schema is not None
        properties = json.loads(schema.data)["properties"]
        value = json.loads(message.data)
        assert value.keys() == properties.keys()
        for name, told in value.items():
            if told is None or told in ("NaN", "Infinity", "-Infinity"):
                continue
            assert isinstance(told, kinds.get(properties[name]["type"], dict))


def test_pictures_and_bytes_are_those_that_were_recorded(log: FlightLog, data: bytes) -> None:
    reader = make_reader(io.BytesIO(data))
    pictures = [json.loads(m.data) for _, _, m in reader.iter_messages(topics=["/camera"])]
    assert len(pictures) == len(log.frames) > 0
    for told, frame in zip(pictures, log.frames, strict=True):
        image = cv2.imdecode(
            np.frombuffer(base64.b64decode(told["data"]), np.uint8), cv2.IMREAD_COLOR
        )
        assert image is not None
        assert (cv2.cvtColor(image, cv2.COLOR_BGR2RGB) == frame.image).all()
        assert told["format"] == "png"
        stamp = told["timestamp"]["sec"] * 10**9 + told["timestamp"]["nsec"]
        assert stamp == EPOCH_NS + round(frame.time * 1e9)
    sent = [
        json.loads(m.data)["hex"]
        for topic in ("/bus/legs", "/bus/imu")
        for _, _, m in reader.iter_messages(topics=[topic])
    ]
    assert sent == ["00", "02", "04", "01", "03", "05"]


def test_another_process_writes_the_same_file(log: FlightLog, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "flight.mcap"
    save_aside(log, path)
    assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_another_process_that_cannot_write_says_why(log: FlightLog, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(FlightFileError, match=r"taken.*cannot be written: .*(directory|exists)"):
        save_aside(log, tmp_path / "taken" / "flight.mcap")


def test_a_full_disk_leaves_nothing_behind(log: FlightLog, tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    path = tmp_path / "flight.mcap"
    (tmp_path / ".flight.mcap.part").symlink_to(full)
    with pytest.raises(FlightFileError, match="No space left on device"):
        file.save(log, path)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_cut_off_are_refused(data: bytes, tmp_path: Path) -> None:
    for length in (0, 3, 8, 40, len(data) // 3, len(data) // 2, len(data) * 9 // 10):
        message = refused(tmp_path / "cut.mcap", data[:length])
        assert "not a whole flight recording" in message


def test_something_else_is_refused(tmp_path: Path) -> None:
    assert "not a whole" in refused(tmp_path / "text.mcap", b"hello, robot\n" * 100)
    with pytest.raises(FlightFileError, match="No such file"):
        reading.load(tmp_path / "absent.mcap")
    with pytest.raises(FlightFileError, match="Is a directory"):
        reading.load(tmp_path)


def test_no_length_inside_a_record_is_believed(data: bytes, tmp_path: Path) -> None:
    """A chunk says how long its data are; a changed bit there once asked for all memory."""
    place = data.index(b"zstd") + len(b"zstd")
    for bit in range(24, 64):
        damaged = bytearray(data)
        damaged[place + bit // 8] ^= 1 << bit % 8
        assert "not a whole" in refused(tmp_path / "length.mcap", bytes(damaged))


@settings(max_examples=40, deadline=None)
@given(place=st.floats(min_value=0, max_value=1), flip=st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_refused_or_harmless(
    log: FlightLog, data: bytes, tmp_path_factory: pytest.TempPathFactory, place: float, flip: int
) -> None:
    """Harmless: in the summary at the end, which is not read, or in a message's own times."""
    damaged = bytearray(data)
    damaged[min(int(place * len(data)), len(data) - 1)] ^= flip
    path = tmp_path_factory.mktemp("flip") / "flight.mcap"
    path.write_bytes(bytes(damaged))
    try:
        back = reading.load(path)
    except FlightFileError:
        return
    assert (back.header, back.notes) == (log.header, log.notes)
    assert back.rows["timing.time"].tobytes() == log.rows["timing.time"].tobytes()


def test_a_bomb_is_refused_before_it_unpacks(data: bytes, tmp_path: Path) -> None:
    """A chunk that says it is small and unpacks to a gigabyte."""
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 28))
    chunk = Chunk(
        compression="zstd",
        data=bomb,
        message_end_time=0,
        message_start_time=0,
        uncompressed_crc=1,
        uncompressed_size=1000,
    )
    with pytest.raises(ValueError, match="not the size"):
        reading._unpacked(chunk)
    chunk.uncompressed_size = 1 << 40
    with pytest.raises(ValueError, match="a chunk of"):
        reading._unpacked(chunk)
    chunk.uncompressed_size, chunk.compression = 1000, "lz4"
    with pytest.raises(ValueError, match="compression"):
        reading._unpacked(chunk)


def test_a_long_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "long.mcap"
    with path.open("wb") as handle:
        os.truncate(handle.fileno(), reading.LONGEST_FILE + 1)
    with pytest.raises(FlightFileError, match="valid is up to"):
        reading.load(path)


def test_a_record_that_claims_to_be_long_is_refused(data: bytes, tmp_path: Path) -> None:
    forged = data[:8] + b"\x01" + struct.pack("<Q", 1 << 60) + data[17:]
    assert "exceeds limit" in refused(tmp_path / "long.mcap", forged)


def rewritten(log: FlightLog, change: dict[str, object], topic: str) -> bytes:
    """The file with one message of `topic` changed, all checksums right."""
    source = make_reader(io.BytesIO(file.encode(log)))
    buffer = io.BytesIO()
    writer = Writer(buffer, compression=CompressionType.NONE, enable_data_crcs=True)
    writer.start()
    for metadata in source.iter_metadata():
        writer.add_metadata(metadata.name, metadata.metadata)
    channels: dict[str, int] = {}
    changed = False
    for _, channel, message in source.iter_messages(log_time_order=False):
        if channel.topic not in channels:
            channels[channel.topic] = writer.register_channel(channel.topic, "json", 0)
        value = message.data
        if channel.topic == topic and not changed:
            changed = True
            value = msgspec.json.encode({**json.loads(value), **change})
        writer.add_message(channels[channel.topic], message.log_time, value, message.log_time)
    writer.finish()
    assert changed
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("topic", "change", "why"),
    [
        ("/joints", {"position": [0.0] * 7}, "position must be a list of 8"),
        ("/joints", {"position": "NaN"}, "position must be a list of 8"),
        ("/joints", {"position": [[0.0]] * 8}, "position must be a number"),
        ("/joints", {"valid": [1] * 8}, "valid must be true or false"),
        ("/joints", {"torque": [10**400] * 8}, "a number|whole"),
        ("/joints", {"sequence": 123456789}, "is not one more exchange"),
        ("/joints", {"sequence": [0]}, "is not one more exchange"),
        ("/timing", {"time": None}, "time must be a number"),
        ("/timing", {"sequence": 2**70}, "sequence must be a"),
        ("/timing", {"sequence": 1 << 40}, "do not rise"),
        ("/safety", {"before": "asleep"}, "before must be one of disarmed, arming"),
        ("/safety", {"reasons": ["mood"]}, "reasons must list reasons"),
        ("/safety", {"reasons": [["mood"]]}, "reasons must list reasons"),
        ("/limiter", {"codes": [["estop"]] * 8}, "codes must be a limiter's reasons"),
        ("/command", {"drive": {"a": 1}}, "drive must be one of"),
        ("/monitor", {"reaction": ["stop"]}, "reaction must be one of"),
        (
            "/monitor",
            {"watch_counters_misses": [2**40] * 8},
            "counters_misses must be a int32",
        ),
        ("/faults", {"kind": "rumour"}, "Invalid enum value"),
        ("/events", {"sequence": "one"}, "Expected `int`"),
    ],
)
def test_a_message_that_is_none_is_refused_by_name(
    log: FlightLog, tmp_path: Path, topic: str, change: dict[str, object], why: str
) -> None:
    message = refused(tmp_path / "flight.mcap", rewritten(log, change, topic))
    assert re.search(why, message), message


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "format 2; this version of robosac reads 1"),
        ({"joints": []}, "0 joints; valid is 1 to 64"),
        ({"joints": ["j"] * 1000}, "1000 joints"),
        ({"surprise": 1}, "unknown field"),
        ({"robot": 7}, "Expected `str`"),
    ],
)
def test_a_header_that_is_none_is_refused(
    log: FlightLog, tmp_path: Path, change: dict[str, object], why: str
) -> None:
    document = {**json.loads(msgspec.json.encode(log.header)), **change}
    buffer = io.BytesIO()
    writer = Writer(buffer, enable_data_crcs=True)
    writer.start()
    writer.add_metadata("robosac", {"header": json.dumps(document)})
    writer.finish()
    assert why in refused(tmp_path / "flight.mcap", buffer.getvalue())


def test_a_file_from_before_a_counter_was_counted_is_read(log: FlightLog, tmp_path: Path) -> None:
    """What the monitor did not remember yet is as at the start."""
    short = FlightLog(log.header, log.rows[:3].copy(), ())
    kept = [
        name for name in short.rows.dtype.names or () if name != "monitor.watch_counters_misses"
    ]
    older = np.zeros(3, dtype=[(name, short.rows.dtype[name]) for name in kept])
    for name in kept:
        older[name] = short.rows[name]
    path = tmp_path / "older.mcap"
    file.save(FlightLog(log.header, older, ()), path)
    assert not reading.load(path).rows["monitor.watch_counters_misses"].any()
