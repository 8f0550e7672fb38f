"""What actor and learner tell each other: typed, in MessagePack, arrays as raw little-endian bytes.

Nothing received is executed; whatever is not exactly one of these messages is refused.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from robosac.errors import LinkError, ProtocolError
from robosac.observation import Observation
from robosac.sac.settings import Core
from robosac.schema import Schema
from robosac.shapes import MAX_AXES, Count, Shape
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition

VERSION = 3
"""Of this protocol; both ends must have the same."""
_DTYPES = {"float32": np.dtype("<f4"), "uint8": np.dtype("u1")}


class ArrayMessage(msgspec.Struct, frozen=True, array_like=True):
    """A numpy array."""

    dtype: Literal["float32", "uint8"]
    shape: Shape
    data: bytes
    """Little-endian, in C order."""


ObservationMessage = ArrayMessage | dict[str, ArrayMessage]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """Base of every message; its class name travels with it."""


class Hello(Message, frozen=True):
    """Actor, first: who speaks, and what its transitions and policies depend on."""

    version: int
    actor_id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
    stream: Annotated[bytes, Meta(min_length=16, max_length=16)]
    """Made in the actor's store: another store is another stream."""
    schema: Schema


class Experience(Message, frozen=True):
    """One transition, as it is stored; see `robosac.transition.Transition`."""

    actor_id: str
    episode: Count
    step: Count
    sequence: Count
    policy_version: Count
    policy_lag: Count
    policy_age_s: float
    observation: ObservationMessage
    requested_action: ArrayMessage
    executed_action: ArrayMessage
    reasons: Count
    reward: float
    rewarded: bool
    terms: dict[str, float]
    next_observation: ObservationMessage
    end: EpisodeEnd | None
    observed_at: float
    commanded_at: float


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A transition as the actor stored it: the bytes of an `Experience`."""

    crc: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
    """CRC-32 of the data, made when it was stored."""
    data: bytes


class Rows(Message, frozen=True):
    """Actor: transitions that its own disk holds, in order and without gaps."""

    first: Count
    """Sequence number of the first one."""
    rows: Annotated[tuple[Row, ...], Meta(min_length=1, max_length=4096)]


class Save(Message, frozen=True):
    """Actor: write a checkpoint once everything up to `sequence` is learned from."""

    sequence: Annotated[int, Meta(ge=-1)]


class Leave(Message, frozen=True):
    """Actor, last: it goes, and does not mean to come back at once."""


class Welcome(Message, frozen=True):
    """Learner, first: where it stands with this stream."""

    run: str
    """Names the learner's run: another run has learned from nothing here."""
    stored: Annotated[int, Meta(ge=-1)]
    """The last transition of the stream that is on its disk; -1: none."""
    lockstep: bool
    """Whether an episode begins only once all updates are made."""


class Acknowledged(Message, frozen=True):
    """Learner, also as its heartbeat: how far it is with this stream."""

    stored: Annotated[int, Meta(ge=-1)]
    """The last transition that is on its disk."""
    learned: Annotated[int, Meta(ge=-1)]
    """The last transition that is in its replay."""
    saved: Annotated[int, Meta(ge=-1)]
    """The last transition that a checkpoint holds, so that the actor need not keep it."""
    updates: Count
    owed: float
    """Updates that the ratio still asks for."""
    replay_bytes: Count


class Busy(Message, frozen=True):
    """Learner: it will learn nothing for a while."""

    doing: str
    seconds: Annotated[float, Meta(gt=0)]
    """At most."""


class Offer(Message, frozen=True):
    """Learner: a policy, which the actor takes at an episode's edge or not at all."""

    envelope: bytes
    """See `robosac.envelope`."""


class LearnerMeans(Message, frozen=True):
    """Learner: what its newest updates saw."""

    step: Count
    """Environment steps it has received."""
    updates: Count
    critic_loss: float
    actor_loss: float
    alpha: float
    entropy: float
    """nats"""
    target_entropy: float
    """nats"""
    q_mean: float
    updates_per_s: float
    update_us: float | None
    """Mean time of one update, us."""
    core: Core = "torch"
    """What makes the updates; see `learner_core` of the settings."""


class Failed(Message, frozen=True):
    """Learner, last: it cannot go on, and starting it again would not help."""

    message: str


ToLearner = Hello | Rows | Save | Leave
ToActor = Welcome | Acknowledged | Busy | Offer | LearnerMeans | Failed
_ENCODER = msgspec.msgpack.Encoder()
_TO_LEARNER = msgspec.msgpack.Decoder(ToLearner)
_TO_ACTOR = msgspec.msgpack.Decoder(ToActor)
_EXPERIENCE = msgspec.msgpack.Decoder(Experience)


def encode(message: ToLearner | ToActor | Experience) -> bytes:
    """A message as MessagePack."""
    return _ENCODER.encode(message)


def decode_to_learner(payload: bytes) -> ToLearner:
    """A message of the actor. Raises ProtocolError: it is none."""
    return _decode(_TO_LEARNER, payload)


def decode_to_actor(payload: bytes) -> ToActor:
    """A message of the learner. Raises ProtocolError: it is none."""
    return _decode(_TO_ACTOR, payload)


def decode_experience(data: bytes) -> Experience:
    """A stored transition. Raises LinkError: it is none."""
    return _decode(_EXPERIENCE, data)


def experience_of(transition: Transition) -> Experience:
    """A transition as it travels.

    Raises:
        LinkError: an array is of a type that does not travel.
    """
    fields = {name: getattr(transition, name) for name in Experience.__struct_fields__}
    for name in ("requested_action", "executed_action"):
        fields[name] = pack(fields[name])
    for name in ("observation", "next_observation"):
        fields[name] = _packed(fields[name])
    return Experience(**fields)


def transition_of(message: Experience) -> Transition:
    """A transition as it was; its arrays are read-only views of the message.

    Raises:
        ProtocolError: an array's bytes do not fill its shape.
    """
    fields: dict[str, Any] = {name: getattr(message, name) for name in message.__struct_fields__}
    for name in ("requested_action", "executed_action"):
        fields[name] = unpack(fields[name])
    for name in ("observation", "next_observation"):
        value = fields[name]
        parts = isinstance(value, dict)
        fields[name] = {k: unpack(v) for k, v in value.items()} if parts else unpack(value)
    return Transition(**fields)


def pack(array: NDArray[Any]) -> ArrayMessage:
    """An array as it travels. Raises LinkError: of a type that does not."""
    name = array.dtype.name
    if name not in _DTYPES or array.ndim > MAX_AXES:
        raise LinkError(
            f"array {array.dtype}{array.shape} does not travel; valid are {', '.join(_DTYPES)}"
            f" with at most {MAX_AXES} axes"
        )
    little = np.ascontiguousarray(array, _DTYPES[name])
    return ArrayMessage(name, array.shape, little.tobytes())  # type: ignore[arg-type]


def unpack(message: ArrayMessage) -> NDArray[Any]:
    """The array, read-only. Raises ProtocolError: its bytes do not fill its shape."""
    dtype = _DTYPES[message.dtype]
    expected = math.prod(message.shape) * dtype.itemsize
    if len(message.data) != expected:
        raise ProtocolError(
            f"array {message.dtype}{message.shape} came with {len(message.data)} bytes;"
            f" expected {expected}"
        )
    array = np.frombuffer(message.data, dtype).reshape(message.shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _packed(observation: Observation) -> ObservationMessage:
    if isinstance(observation, dict):
        return {name: pack(value) for name, value in observation.items()}
    return pack(observation)


def _decode(decoder: msgspec.msgpack.Decoder[Any], payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a message of {len(payload)} bytes cannot be read: {error}") from error
