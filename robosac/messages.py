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

from robosac.errors import LinkError
from robosac.observation import Observation
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition

VERSION = 1
"""Of this protocol; both ends must have the same."""
MAX_AXES, MAX_LENGTH = 4, 1 << 16
_DTYPES = {"float32": np.dtype("<f4"), "uint8": np.dtype("u1")}
Count = Annotated[int, Meta(ge=0)]
Shape = Annotated[tuple[Annotated[int, Meta(ge=0, le=MAX_LENGTH)], ...], Meta(max_length=MAX_AXES)]


class ArrayMessage(msgspec.Struct, frozen=True, array_like=True):
    """A numpy array."""

    dtype: Literal["float32", "uint8"]
    shape: Shape
    data: bytes
    """Little-endian, in C order."""


ObservationMessage = ArrayMessage | dict[str, ArrayMessage]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """Base of every message; its class name travels with it."""


class Begin(Message, frozen=True):
    """Actor, first: what the environment shows and takes, as shapes."""

    version: int
    observation: Shape | dict[str, Shape]
    action: Shape


class Experience(Message, frozen=True):
    """Actor: one transition; see `robosac.transition.Transition`."""

    actor_id: str
    episode: Count
    step: Count
    sequence: Count
    policy_version: Count
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


class EpisodeEnded(Message, frozen=True):
    """Actor: an episode is over, and a newer policy could be used."""

    episode: Count
    end: EpisodeEnd


class Counters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the actor stands; part of a checkpoint."""

    step: Count
    """Environment steps; transitions below this sequence number are in the replay."""
    episode: Count
    robot_s: float
    wall_s: float
    falls: Count
    clock_steps: int | None
    """Of the twin's virtual clock; None: there is none."""


class Save(Message, frozen=True):
    """Actor: write a checkpoint of everything sent so far."""

    counters: Counters
    exploration: bytes
    """State of the actor's random generator."""


class Stop(Message, frozen=True):
    """Actor: leave."""


class Ready(Message, frozen=True):
    """Learner, first: what it begins with."""

    sequence: Annotated[int, Meta(ge=-1)]
    """The last transition in its replay; -1: none."""
    exploration: bytes
    """The actor's random generator as its checkpoint holds it; empty: there is no checkpoint."""


class Acknowledged(Message, frozen=True):
    """Learner, also as its heartbeat: how far it is."""

    sequence: Annotated[int, Meta(ge=-1)]
    """The last transition in its replay."""
    updates: Count
    owed: float
    """Updates that the ratio still asks for."""
    replay_bytes: Count


class Busy(Message, frozen=True):
    """Learner: it will be silent for a while."""

    doing: str
    seconds: Annotated[float, Meta(gt=0)]
    """At most."""


class Published(Message, frozen=True):
    """Learner: a policy lies in the run folder."""

    file: str
    """Name within the run's folder of policies."""
    version: Count
    """Updates it has seen."""
    sha256: str
    """Of the file, hexadecimal."""
    shapes: dict[str, Shape]
    """Of its arrays."""
    golden_action: tuple[float, ...]
    """What it does by its mean at `robosac.policy_feed.golden_observation`."""


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


class Saved(Message, frozen=True):
    """Learner: a checkpoint with every transition up to `sequence` is on the disk."""

    sequence: Annotated[int, Meta(ge=-1)]


class Failed(Message, frozen=True):
    """Learner, last: it cannot go on, and starting it again would not help."""

    message: str


ToLearner = Begin | Experience | EpisodeEnded | Save | Stop
ToActor = Ready | Acknowledged | Busy | Published | LearnerMeans | Saved | Failed
_ENCODER = msgspec.msgpack.Encoder()
_TO_LEARNER = msgspec.msgpack.Decoder(ToLearner)
_TO_ACTOR = msgspec.msgpack.Decoder(ToActor)


def encode(message: ToLearner | ToActor) -> bytes:
    """A message as MessagePack."""
    return _ENCODER.encode(message)


def decode_to_learner(payload: bytes) -> ToLearner:
    """A message of the actor. Raises LinkError: it is none."""
    return _decode(_TO_LEARNER, payload)


def decode_to_actor(payload: bytes) -> ToActor:
    """A message of the learner. Raises LinkError: it is none."""
    return _decode(_TO_ACTOR, payload)


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
        LinkError: an array's bytes do not fill its shape.
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
    """The array, read-only. Raises LinkError: its bytes do not fill its shape."""
    dtype = _DTYPES[message.dtype]
    expected = math.prod(message.shape) * dtype.itemsize
    if len(message.data) != expected:
        raise LinkError(
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
        raise LinkError(f"a message of {len(payload)} bytes cannot be read: {error}") from error
