"""Good inputs that damaged ones are made of: short, and at least one of every kind."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from safetensors.numpy import save as save_tensors

from robosac import checkpoint, config
from robosac.actor_state import ActorState, state_bytes
from robosac.channel_layout import Layout
from robosac.demonstrations_file import write as write_demonstrations
from robosac.envelope import seal
from robosac.error_traces import ErrorTraces
from robosac.fault_journal import ClearLine, LatchLine
from robosac.flight import file as flight_file
from robosac.generators import generator_state
from robosac.keepalive import Beat, Challenge, sealed
from robosac.lag import LagHistogram
from robosac.link.envelope import Sealer
from robosac.link.keys import issue, make_authority
from robosac.link.peers import Peer, Role
from robosac.messages import (
    VERSION,
    Acknowledged,
    ArrayMessage,
    Busy,
    Experience,
    Failed,
    Hello,
    LearnerMeans,
    Leave,
    Offer,
    Row,
    Rows,
    Save,
    ToActor,
    ToLearner,
    Welcome,
    encode,
)
from robosac.metrics import AnyRow
from robosac.seqlock import OVERHEAD, Slot
from robosac.tasks.ends import EpisodeEnd
from robosac.tick_codec import encode as encode_tick
from robosac.trace import Trace
from tests.robosac.demonstration_rig import VECTORS, shown
from tests.robosac.flight_rig import CALM, FlightRig, Keeping, wander
from tests.robosac.learner_rig import CountingLearner, pendulum_schema

JOINTS: Final = 3
KEY: Final = bytes(32)
"""Of the keep-alive messages here."""


def sealed_beat(body: bytes) -> bytes:
    """A datagram with the right HMAC for any body."""
    tag = hmac.digest(KEY, Beat.__name__.encode() + b"\0" + body, hashlib.sha256)
    return tag + body


def _seal(*payloads: bytes) -> bytes:
    return Sealer().seal(payloads)


_ARRAY = ArrayMessage("float32", (3,), np.arange(3, dtype="<f4").tobytes())
_PICTURE = ArrayMessage("uint8", (2, 2, 3), bytes(range(12)))


def _experience(**changes: Any) -> Experience:
    fields: dict[str, Any] = {
        "actor_id": "actor",
        "episode": 1,
        "step": 2,
        "sequence": 3,
        "policy_version": 4,
        "observation": _ARRAY,
        "requested_action": _ARRAY,
        "executed_action": _ARRAY,
        "reasons": 5,
        "reward": 0.5,
        "rewarded": True,
        "terms": {"forward": 1.0},
        "next_observation": _ARRAY,
        "end": None,
        "observed_at": 1.0,
        "commanded_at": 1.25,
        "policy_lag": 3,
        "policy_age_s": 0.5,
    }
    return Experience(**{**fields, **changes})


_GENERATOR = generator_state(np.random.default_rng(3)).tobytes()
_SIGHT = {"image": _PICTURE, "state": _ARRAY}
EXPERIENCES = tuple(
    map(
        encode,
        (
            _experience(),
            _experience(observation=_SIGHT, next_observation=_SIGHT, end=EpisodeEnd.TERMINATED),
        ),
    )
)
_UP: tuple[ToLearner, ...] = (
    Hello(version=VERSION, actor_id="actor", stream=bytes(16), schema=pendulum_schema()),
    Rows(first=3, rows=(Row(7, EXPERIENCES[0]), Row(8, b""))),
    Save(sequence=3),
    Leave(),
)
ACTOR_STATES = (state_bytes(ActorState()), state_bytes(ActorState(step=7, clock_steps=70)))
SCHEMAS = (msgspec.json.encode(pendulum_schema()),)
_LAG = LagHistogram()
_LAG.add(3, 0.5)
_LAG.add(300, 0.0)
LAGS = (msgspec.json.encode(_LAG.to_dict()), msgspec.json.encode(LagHistogram().to_dict()))
_POLICY = CountingLearner(3, 1).policy()
SEALED_POLICIES = (
    seal(_POLICY, 7, {bytes(16).hex(): 3}, pendulum_schema()),
    seal(_POLICY, 0, {}, pendulum_schema()),
)
_DOWN: tuple[ToActor, ...] = (
    Welcome(run="run", stored=-1, lockstep=False),
    Acknowledged(stored=5, learned=4, saved=-1, updates=3, owed=1.5, replay_bytes=100),
    Busy(doing="saving", seconds=3.0),
    Offer(envelope=b"policy"),
    LearnerMeans(
        step=1,
        updates=1,
        critic_loss=1.0,
        actor_loss=1.0,
        alpha=0.1,
        entropy=1.0,
        target_entropy=-2.0,
        q_mean=0.0,
        updates_per_s=10.0,
        update_us=None,
    ),
    Failed(message="no space"),
)
TO_LEARNER = tuple(map(encode, _UP))
TO_ACTOR = tuple(map(encode, _DOWN))
ENVELOPES = (_seal(b""), _seal(b"abc"), _seal(TO_LEARNER[0], TO_LEARNER[1], b""))
GENERATORS = (_GENERATOR,)


def _dense(rng: np.random.Generator, *sizes: int) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        named[f"weight{index}"] = rng.standard_normal((inputs, outputs)).astype(np.float32)
        named[f"bias{index}"] = np.zeros(outputs, np.float32)
    return named


def _policies() -> tuple[bytes, ...]:
    rng = np.random.default_rng(0)
    small = save_tensors(_dense(rng, 3, 4, 4))
    odd = [np.zeros((), np.float32), np.zeros((0, 2), np.int64), np.zeros((2, 2), np.float16)]
    kinds = [save_tensors({"weight0": array, "bias0": array}) for array in odd]
    # Nested, and types that numpy does not have.
    headers: list[dict[str, Any]] = [
        {
            "weight0": {"dtype": kind, "shape": [2, 2], "data_offsets": [0, size]},
            "bias0": {"dtype": kind, "shape": [2], "data_offsets": [size, size + size // 2]},
        }
        for kind, size in (("BF16", 8), ("F8_E5M2", 4), ("BOOL", 4), ("F64", 32), ("U64", 32))
    ]
    for header in headers:
        text = json.dumps(header).encode()
        size = header["bias0"]["data_offsets"][1]
        kinds.append(len(text).to_bytes(8, "little") + text + bytes(size))
    return (small, *kinds)


POLICIES = _policies()
BEATS = (
    sealed(Beat("desk", "s", 1, "", 1.0), KEY),
    sealed(Beat("desk", "s", 2, "0" * 32, 0.5, True), KEY),
    sealed(Challenge("0" * 32, "s", 1, False), KEY),
)
ORDERS = (
    b'{"do":"trip","reason":"because"}',
    b'{"do":"clear","name":"estop","epoch":3}',
    b'{"do":"status"}',
)
ANSWERS = (
    b'{"epoch":3,"tripped":true,"reason":"x","torque_off":true,"safety":"fault","faults":[]}\n',
    b'{"error":"epoch 2 is old"}\n',
)
ADDRESSES = (b"127.0.0.1:47820", b"[::1]:5", b"unix:/run/x/link", b"desk.lab:65535")
URIS = (b"robosac://robot/minitaur-1", b"robosac://learner/desk", b"robosac://viewer/a")
HEADERS = (Layout(JOINTS).header(), Layout(9, (60, 80)).header())


def _slot(contents: bytes, version: int) -> bytes:
    memory = bytearray(len(contents) + OVERHEAD)
    Slot(memoryview(memory)).write(contents, version)
    return bytes(memory)


SLOTS = (_slot(b"x", 1), _slot(bytes(range(40)), 7))


@functools.cache
def _tick() -> bytes:
    from tests.robosac.test_tick_codec import record

    return encode_tick(record(), JOINTS)


TICKS = (_tick(),)
SETTINGS = (
    *(config.dump(config.load_preset(n)).encode() for n in ("minitaur", "claw", "gym:X-v0")),
    b"preset: minitaur\nsteps: 5\ntask: {reward: {pitch: 2.0}}\n",
)


def _of_package(*parts: str) -> bytes:
    return Path(__file__).parents[2].joinpath(*parts).read_bytes()


MINITAUR = (_of_package("robosac", "robots", "minitaur.yaml"),)
CLAW = (_of_package("robosac", "robots", "claw.yaml"),)
CALIBRATIONS = tuple(
    _of_package("calibration", "nominal", f"{name}.yaml") for name in ("minitaur", "claw")
)
JOURNALS = (
    b"".join(
        msgspec.json.encode(line) + b"\n"
        for line in (
            LatchLine(1, "estop", "gate", "robosac estop", "2026-01-01T00:00:00+00:00", 1.5),
            LatchLine(2, "motor_fault", "joint_1", "code 33", "2026-01-01T00:00:01+00:00", 2.5),
            ClearLine("estop", (1,), "me@here", "2026-01-01T00:00:02+00:00", 3.5),
        )
    ),
)
OWNERS = (
    b'{"robot":"minitaur","pid":4242,"born":77,"user":"me","host":"here","command":"robosac train",'
    b'"started":"2026-01-01T00:00:00+00:00","epoch":3,"motors":{"protocol":"moteus","path":"/dev/x","baud":1000000,"ids":[1,2]},"robot_file":null}',
)


@functools.cache
def _in_folder() -> dict[str, tuple[bytes, ...]]:
    """What only files can hold."""
    found: dict[str, tuple[bytes, ...]] = {}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        make_authority(folder / "laboratory")
        learner = issue(folder / "laboratory", Peer(Role.LEARNER, "desk"), ["desk.lab", "10.0.0.1"])
        robot = issue(folder / "laboratory", Peer(Role.ROBOT, "minitaur-1"))
        pems = [where / "certificate.pem" for where in (learner, robot)]
        found["certificates"] = tuple(path.read_bytes() for path in (*pems, learner / "ca.pem"))
        found["keys"] = ((learner / "private.key").read_bytes(),)
        tensors = {"a": np.arange(4, dtype=np.float32)}
        checkpoint.save(folder / "c", tensors, {"step": 3, "deep": [{"x": 1.5}]})
        found["manifests"] = ((folder / "c" / checkpoint.DOCUMENT).read_bytes(),)
        steps, two = 3, np.zeros((3, 2))
        one = np.zeros(3)
        trace = Trace(
            np.arange(3.0),
            two,
            two,
            two,
            two,
            two,
            np.zeros(3, np.int64),
            two,
            one,
            one,
            ("a", "b"),
            ("r",),
            {"roll": one},
        )
        trace.save(folder / "t.npz")
        found["traces"] = ((folder / "t.npz").read_bytes(),)
        ErrorTraces(np.arange(float(steps)), np.zeros((2, steps))).save(folder / "e.npz")
        found["errors"] = ((folder / "e.npz").read_bytes(),)
        write_demonstrations(folder / "d.safetensors", shown(VECTORS))
        found["demonstrations"] = ((folder / "d.safetensors").read_bytes(),)
        found["flights"] = (_flight(folder),)
    return found


def _flight(folder: Path) -> bytes:
    keeping = Keeping()
    rig = FlightRig(folder / "flight", CALM, save=keeping).armed()
    with contextlib.suppress(RuntimeError):
        wander(rig, 6, 4)
    rig.recorder.write("asked")
    rig.recorder.close()
    return flight_file.encode(keeping.logs[-1])


def _rows() -> bytes:
    """A line of every kind of row, made of its own types."""
    lines: list[bytes] = []
    for kind in AnyRow.__args__:
        fields: dict[str, Any] = {}
        for info in msgspec.structs.fields(kind):
            if info.required:
                fields[info.encode_name] = _value(info.type)
        tag = kind.__struct_config__.tag
        lines.append(
            json.dumps({kind.__struct_config__.tag_field or "kind": tag, **fields}).encode()
        )
    return b"\n".join(lines) + b"\n"


def _value(kind: Any) -> Any:
    """Some value of a type of a row's field."""
    for value in (1, 1.5, "truncated", {}, [], None):
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.convert(value, kind)
            return value
    raise ValueError(f"no value for {kind}")


ROWS = (_rows(),)
CERTIFICATES, KEYS = _in_folder()["certificates"], _in_folder()["keys"]
MANIFESTS, TRACES = _in_folder()["manifests"], _in_folder()["traces"]
ERROR_TRACES = _in_folder()["errors"]
DEMONSTRATIONS, FLIGHTS = _in_folder()["demonstrations"], _in_folder()["flights"]
