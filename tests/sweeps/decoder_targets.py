"""Every decoder of the product that reads bytes from a network or a file, and what it may raise.

Device buses have `make fuzz`. A checksum would keep nearly every damaged input from the code behind
it, so half of the inputs get a right one after they were damaged.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from calibration.file import load as load_calibration
from robosac import checkpoint, config, metrics
from robosac.actor_state import parse_state
from robosac.channel_layout import read_header
from robosac.demonstrations_file import read as read_demonstrations
from robosac.envelope import unseal
from robosac.error_traces import ErrorTraces
from robosac.errors import (
    ConfigError,
    FlightFileError,
    PolicyRefused,
    ProtocolError,
    RunFolderError,
)
from robosac.estop import EStopGate
from robosac.fault_journal import read_journal
from robosac.flight.reading import load as load_flight
from robosac.generators import restore_generator
from robosac.keepalive import Beat, Challenge, EndpointWatch, opened
from robosac.lag import LagHistogram
from robosac.learner_host import parse_schema
from robosac.link.addresses import parse_address
from robosac.link.envelope import Opener
from robosac.link.key_folder import parse_certificate, parse_key, peer_of
from robosac.link.peers import parse_uri
from robosac.messages import (
    decode_experience,
    decode_to_actor,
    decode_to_learner,
    transition_of,
)
from robosac.owner import read_owner
from robosac.policies import parse_policy
from robosac.robots.claw_file import ClawFile
from robosac.robots.loading import read_robot_file
from robosac.robots.robot_file import RobotFile
from robosac.seqlock import Slot
from robosac.stop_socket import parse_answer, parse_order
from robosac.tick_codec import decode as decode_tick
from robosac.trace import Trace
from tests.robosac.learner_rig import pendulum_schema
from tests.sweeps import decoder_seeds as seeds
from tests.sweeps.decoder_seeds import JOINTS, KEY

Decode = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """One decoder."""

    decode: Decode
    raises: tuple[type[Exception], ...]
    """What its documentation allows; nothing: it takes everything."""
    seeds: tuple[bytes, ...]
    share: float = 1.0
    """Of all inputs, in parts; files take longer than messages."""
    reseal: Callable[[bytes], bytes] | None = None
    """Makes the checksum right."""


@functools.cache
def _folder() -> Path:
    """Of this process's files; in memory where the system has such a place."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="decoder-fuzz-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, folder, True)
    return Path(folder)


class InFile:
    """A decoder of files, given bytes."""

    def __init__(self, name: str, decode: Callable[[Path], object]) -> None:
        self.path, self._decode = _folder() / name, decode

    def __call__(self, data: bytes) -> None:
        # In place: readers may map the file, but none of them keeps it.
        with self.path.open("wb") as file:
            file.write(data)
        self._decode(self.path)


def _experience(data: bytes) -> None:
    transition_of(decode_experience(data))


def _lag(data: bytes) -> None:
    LagHistogram.from_dict(msgspec.json.decode(data))


def _generator(data: bytes) -> None:
    try:
        restore_generator(np.random.default_rng(0), np.frombuffer(data, np.uint8))
    except ValueError as error:
        raise ProtocolError(str(error)) from error


_WATCH = EndpointWatch(["desk"], KEY, EStopGate(), lambda: 0.0, 0.1)


def _beat(data: bytes) -> None:
    opened(data, Beat, KEY)
    opened(data, Challenge, KEY)
    _WATCH.hear(data)


def _text(parse: Callable[[str], object]) -> Decode:
    return lambda data: parse(data.decode("latin-1"))


def _utf8(parse: Callable[[str], object]) -> Decode:
    return lambda data: parse(data.decode("utf-8", errors="replace"))


_SOURCE: Final = Path("certificate")


def _certificate(data: bytes) -> None:
    peer_of(parse_certificate(data, _SOURCE), _SOURCE)


def _slot(data: bytes) -> None:
    if len(data) > 25:
        Slot(memoryview(bytearray(data))).read()


def _seal_policy(data: bytes) -> bytes:
    body = data[: -hashlib.sha256().digest_size]
    return body + hashlib.sha256(body).digest()


def _seal_envelope(data: bytes) -> bytes:
    rest = bytes(4) + data[8:]
    return struct.pack("<I", zlib.crc32(rest)) + rest


def _seal_beat(data: bytes) -> bytes:
    return seeds.sealed_beat(data[32:])


def _seal_header(data: bytes) -> bytes:
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little") if len(data) > 4 else data


def _seal_slot(data: bytes) -> bytes:
    if len(data) <= 25:
        return data
    word, contents = data[:8], data[16:-8]
    crc = struct.pack("<I4x", zlib.crc32(contents, zlib.crc32(word)))
    return word + crc + contents + word


def _seal_manifest(data: bytes) -> bytes:
    try:
        document = json.loads(data)
        content = {key: document.get(key) for key in ("tensors", "document")}
        text = json.dumps(content, sort_keys=True)
        document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps(document).encode()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return data


def targets() -> dict[str, Target]:
    """By name."""
    return _messages() | _files()


def _messages() -> dict[str, Target]:
    """What is decoded from memory."""
    return {
        "link envelope": Target(
            lambda data: Opener().open(data), (ProtocolError,), seeds.ENVELOPES, 40, _seal_envelope
        ),
        "messages to the learner": Target(
            decode_to_learner, (ProtocolError,), seeds.TO_LEARNER, 40
        ),
        "messages to the actor": Target(decode_to_actor, (ProtocolError,), seeds.TO_ACTOR, 30),
        "transition": Target(_experience, (ProtocolError,), seeds.EXPERIENCES, 30),
        "sealed policy": Target(
            lambda data: unseal(data, pendulum_schema()),
            (PolicyRefused,),
            seeds.SEALED_POLICIES,
            6,
            _seal_policy,
        ),
        "actor state": Target(parse_state, (RunFolderError,), seeds.ACTOR_STATES, 6),
        "schema": Target(parse_schema, (RunFolderError,), seeds.SCHEMAS, 1),
        "lag histogram": Target(_lag, (ValueError,), seeds.LAGS, 2),
        "generator state": Target(_generator, (ProtocolError,), seeds.GENERATORS, 4),
        "policy": Target(
            lambda data: parse_policy(data, "fuzz"), (PolicyRefused,), seeds.POLICIES, 12
        ),
        "keep-alive": Target(_beat, (), seeds.BEATS, 6, _seal_beat),
        "stop socket, order": Target(parse_order, (ProtocolError,), seeds.ORDERS, 20),
        "stop socket, answer": Target(parse_answer, (ValueError,), seeds.ANSWERS, 20),
        "link address": Target(_text(parse_address), (ConfigError,), seeds.ADDRESSES, 8),
        "certificate URI": Target(_text(parse_uri), (ConfigError,), seeds.URIS, 8),
        "certificate": Target(_certificate, (ConfigError,), seeds.CERTIFICATES, 2),
        "private key": Target(lambda data: parse_key(data, _SOURCE), (ConfigError,), seeds.KEYS, 1),
        "channel header": Target(read_header, (ValueError,), seeds.HEADERS, 4, _seal_header),
        "channel tick": Target(
            lambda data: decode_tick(data, JOINTS, lambda _: None), (ValueError,), seeds.TICKS, 2
        ),
        "channel slot": Target(_slot, (), seeds.SLOTS, 20, _seal_slot),
        "settings": Target(
            _utf8(lambda text: config.parse(text, "fuzz")), (ConfigError,), seeds.SETTINGS, 0.1
        ),
    }


def _files() -> dict[str, Target]:
    """What is read from a file."""
    manifest = InFile(checkpoint.DOCUMENT, lambda path: checkpoint.read_document(path.parent))
    minitaur = InFile("m.yaml", lambda path: read_robot_file(path, "minitaur", RobotFile))
    claw = InFile("c.yaml", lambda path: read_robot_file(path, "claw", ClawFile))
    return {
        "robot file, minitaur": Target(minitaur, (ConfigError,), seeds.MINITAUR, 0.02),
        "robot file, claw": Target(claw, (ConfigError,), seeds.CLAW, 0.02),
        "calibration": Target(
            InFile("calibration.yaml", load_calibration), (ValueError,), seeds.CALIBRATIONS, 0.1
        ),
        "metrics rows": Target(
            InFile("m.jsonl", metrics.read_rows), (RunFolderError,), seeds.ROWS, 1
        ),
        "fault journal": Target(InFile("r.faults.jsonl", read_journal), (), seeds.JOURNALS, 1),
        "owner record": Target(InFile("owner", read_owner), (), seeds.OWNERS, 1),
        "checkpoint manifest": Target(
            manifest, (RunFolderError,), seeds.MANIFESTS, 0.6, _seal_manifest
        ),
        "trace": Target(InFile("trace.npz", Trace.load), (RunFolderError,), seeds.TRACES, 0.1),
        "error traces": Target(
            InFile("errors.npz", ErrorTraces.load), (RunFolderError,), seeds.ERROR_TRACES, 0.1
        ),
        "demonstrations": Target(
            InFile("d.safetensors", read_demonstrations), (ConfigError,), seeds.DEMONSTRATIONS, 0.3
        ),
        "flight recording": Target(
            InFile("f.mcap", load_flight), (FlightFileError,), seeds.FLIGHTS, 0.1
        ),
    }
