"""The envelope in which a policy travels and is kept: everything that is claimed of it, and it.

    magic | format u32 | header length u32 | tensors length u32 | header | tensors | SHA-256 of all

Little-endian. The header is MessagePack in its one canonical form, the tensors are safetensors.
Whoever opens an envelope believes nothing of it: a claimed length is only compared with what is
there, the seed of the known input is drawn from the claims themselves, and shapes are those of the
reader's own schema. It reveals damage and mistakes. It does not stop a forger, who can seal a
policy of his own: keeping him out is the link's part.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from robosac.errors import PolicyRefused
from robosac.golden import Golden, agree, golden_of, is_finite
from robosac.observation import IMAGE, STATE
from robosac.sac import PixelPolicy, Policy, policy_from_weights
from robosac.sac.pixel_policy import IMAGE_SHAPE
from robosac.sac.policy import OBSERVATION_MEAN, OBSERVATION_SCALE
from robosac.schema import VECTOR, Schema, differences
from robosac.shapes import Shape

MAGIC: Final = b"rsPOLICY"
FORMAT: Final = 1
MAX_BYTES: Final = 64 << 20
MAX_HEADER_BYTES: Final = 1 << 20
MAX_ARRAYS: Final = 128
MAX_UNITS: Final = 4096
"""Outputs of the widest layer that is taken: what acting costs in memory grows with them."""
MAX_STREAMS: Final = 1024
MAX_NAMED: Final = 8
"""Differences that an error names; it tells how many more there are."""
_PREFIX: Final = struct.Struct("<8sIII")
_SUM: Final = hashlib.sha256().digest_size
_NORMALISER: Final = (OBSERVATION_MEAN, OBSERVATION_SCALE)
_ROWS: Final = ("bias", IMAGE_SHAPE, *_NORMALISER)
_AXES: Final = {"weight": (2, 4)} | dict.fromkeys(_ROWS, (1,))
"""Of a policy's arrays, by the last part of their names without its number."""
_DTYPES: Final = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8")}

_MOST: Final = (1 << 63) - 1
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Meta(min_length=1, max_length=120)]
Count = Annotated[int, Meta(ge=0, le=_MOST)]
Sequence = Annotated[int, Meta(ge=-1, le=_MOST)]


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an envelope claims of its policy."""

    version: Count
    """Updates it has seen."""
    learned: Annotated[dict[Text, Sequence], Meta(max_length=MAX_STREAMS)]
    """By stream, the last sequence number it was learned from."""
    schema_digest: Hash
    schema: Schema
    tensors_sha256: Hash
    shapes: Annotated[dict[Text, Shape], Meta(max_length=MAX_ARRAYS)]
    golden: Golden


@dataclass(frozen=True, slots=True)
class Sealed:
    """A policy that came out of an envelope, after every check."""

    version: int
    """Updates it has seen."""
    learned: Mapping[str, int]
    """By stream, the last sequence number it was learned from; may be empty."""
    policy: Policy | PixelPolicy
    sha256: str
    """Of the envelope, hexadecimal: tells one from every other."""


_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_DECODER = msgspec.msgpack.Decoder(Header)


def seal(
    policy: Policy | PixelPolicy, version: int, learned: Mapping[str, int], schema: Schema
) -> bytes:
    """Put a policy into an envelope, and see that it can be taken out again.

    Args:
        policy: as it is now; it may go on learning afterwards.
        version: updates it has seen, 0 or more.
        learned: by stream, the last sequence number it was learned from.
        schema: what it depends on.

    Raises:
        PolicyRefused: nobody would take it: numbers that are not finite, another schema's shapes,
            or larger than `MAX_BYTES`.
    """
    if not 0 <= version <= _MOST or not all(-1 <= last <= _MOST for last in learned.values()):
        raise PolicyRefused(
            f"version {version} or a sequence number of {dict(learned)} is out of range"
        )
    weights = policy.weights()
    # As it will be read: what is sealed is tried, not what is still being learned.
    frozen = _build(weights, "the policy to seal")
    _check_fits(frozen, schema, "the policy to seal")
    tensors = save({name: np.ascontiguousarray(value) for name, value in weights.items()})
    claims = Header(
        version=version,
        learned=dict(learned),
        schema_digest=schema.digest,
        schema=schema,
        tensors_sha256=hashlib.sha256(tensors).hexdigest(),
        shapes={name: value.shape for name, value in weights.items()},
        golden=Golden(0, (), ()),
    )
    golden = golden_of(frozen, schema, golden_seed(claims))
    data = pack(msgspec.structs.replace(claims, golden=golden), tensors)
    unseal(data, schema)
    return data


def unseal(data: bytes, schema: Schema, like: Policy | PixelPolicy | None = None) -> Sealed:
    """Take a policy out of its envelope, after every check.

    Args:
        data: what came, or was read.
        schema: the reader's own.
        like: the policy in use, of whose kind a new one must be.

    Raises:
        PolicyRefused: anything is not as it must be; the message says what.
    """
    header, tensors, digest = unpack(data)
    source = f"policy {header.version}"
    _check_schema(header, schema, source)
    if hashlib.sha256(tensors).hexdigest() != header.tensors_sha256:
        raise PolicyRefused(f"{source}: its arrays are not those that were sealed")
    weights = _weights(tensors, header.shapes, source)
    policy = _build(weights, source)
    _check_fits(policy, schema, source)
    if like is not None and type(policy) is not type(like):
        raise PolicyRefused(
            f"{source} is a {type(policy).__name__}; the one in use is a {type(like).__name__}"
        )
    _check_golden(policy, header, schema, source)
    return Sealed(header.version, dict(header.learned), policy, digest)


def pack(header: Header, tensors: bytes) -> bytes:
    """The bytes of an envelope with this content, whether or not it is true."""
    encoded = _ENCODER.encode(header)
    prefix = _PREFIX.pack(MAGIC, FORMAT, len(encoded), len(tensors))
    content = b"".join((prefix, encoded, tensors))
    return content + hashlib.sha256(content).digest()


def unpack(data: bytes) -> tuple[Header, bytes, str]:
    """Header, tensors and checksum (hexadecimal) of an undamaged envelope, not yet believed.

    Raises:
        PolicyRefused: it is damaged, or no envelope.
    """
    least = _PREFIX.size + _SUM
    if not least <= len(data) <= MAX_BYTES:
        raise PolicyRefused(
            f"a policy's envelope has {least} to {MAX_BYTES} bytes; this has {len(data)}"
        )
    magic, version, header_size, tensors_size = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise PolicyRefused(f"this is no policy's envelope: it begins with {magic!r}")
    if version != FORMAT:
        raise PolicyRefused(f"the envelope has format {version}; this version reads {FORMAT}")
    if least + header_size + tensors_size != len(data) or header_size > MAX_HEADER_BYTES:
        raise PolicyRefused(
            f"the envelope claims {header_size} + {tensors_size} bytes; it has {len(data) - least},"
            f" of which at most {MAX_HEADER_BYTES} are a header"
        )
    view = memoryview(data)
    digest = hashlib.sha256(view[:-_SUM])
    if digest.digest() != view[-_SUM:]:
        raise PolicyRefused("the envelope is damaged: its content does not match its SHA-256")
    encoded, tensors = view[_PREFIX.size : -_SUM][:header_size], view[-_SUM - tensors_size : -_SUM]
    try:
        header = _DECODER.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PolicyRefused(f"the envelope's header cannot be read: {error}") from error
    if _ENCODER.encode(header) != encoded:
        raise PolicyRefused("the envelope's header is not in its canonical form")
    return header, bytes(tensors), digest.hexdigest()


def golden_seed(header: Header) -> int:
    """The seed of the known input: another one for any other claim, so none can be swapped."""
    blank = msgspec.structs.replace(header, golden=Golden(0, (), ()))
    return int.from_bytes(hashlib.sha256(_ENCODER.encode(blank)).digest()[:8], "little") >> 1


def _check_schema(header: Header, schema: Schema, source: str) -> None:
    if header.schema.digest != header.schema_digest:
        raise PolicyRefused(f"{source}: its schema is not the one whose digest it carries")
    if header.schema_digest != schema.digest:
        found = differences(schema, header.schema)
        more = len(found) - MAX_NAMED
        rest = f"; and {more} more" if more > 0 else ""
        raise PolicyRefused(f"{source} is for something else: {'; '.join(found[:MAX_NAMED])}{rest}")


def _weights(tensors: bytes, told: Mapping[str, tuple[int, ...]], source: str) -> dict[str, Any]:
    """The arrays, of the told shapes and of types that a policy has."""
    try:
        found = deserialize(tensors)
    except SafetensorError as error:
        raise PolicyRefused(f"{source} is not a policy: {error}") from error
    shapes = {name: tuple(entry["shape"]) for name, entry in found}
    if shapes != told:
        raise PolicyRefused(f"{source} has arrays {_listed(shapes)}; told were {_listed(told)}")
    weights: dict[str, Any] = {}
    for name, entry in found:
        if entry["dtype"] not in _DTYPES:
            raise PolicyRefused(
                f"{source}: {name} is {entry['dtype']}; valid are {', '.join(_DTYPES)}"
            )
        dtype = _DTYPES[entry["dtype"]]
        weights[name] = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
    return weights


def _build(weights: Mapping[str, Any], source: str) -> Policy | PixelPolicy:
    """A policy of finite float32 arrays, none of them too wide."""
    for name, value in weights.items():
        kind = name.rpartition(".")[2].rstrip("0123456789")
        if value.ndim not in _AXES.get(kind, ()) or 0 in value.shape:
            raise PolicyRefused(f"{source} is not a policy: {name} has the shape {value.shape}")
        if value.dtype.kind != ("i" if kind == IMAGE_SHAPE else "f") or value.dtype == np.float64:
            raise PolicyRefused(f"{source} is not a policy: {name} is {value.dtype}")
        # A convolution's weight is (filters, in, 3, 3), a layer's (in, out).
        wide = value.shape[0 if value.ndim == 4 else -1]
        if wide > MAX_UNITS and kind not in _NORMALISER:
            raise PolicyRefused(f"{source}: {name} gives {wide} numbers; at most {MAX_UNITS} may")
        if kind != IMAGE_SHAPE and not np.isfinite(value).all():
            raise PolicyRefused(f"{source}: {name} holds values that are not finite")
    try:
        return policy_from_weights(weights)
    except ValueError as error:
        raise PolicyRefused(f"{source} is not a policy: {error}") from error


def _check_fits(policy: Policy | PixelPolicy, schema: Schema, source: str) -> None:
    """Before it is tried: what it takes and gives is what the reader's own schema says."""
    if isinstance(policy, PixelPolicy):
        found = {IMAGE: policy.image_shape, STATE: (policy.state_dim,)}
    else:
        found = {VECTOR: (policy.observation_dim,)}
    wanted = {name: part.shape for name, part in schema.observation.items()}
    normalises = isinstance(policy, Policy) and policy.normalises
    if normalises != (schema.normaliser is not None):
        told = "none" if schema.normaliser is None else f"one of {schema.normaliser}"
        raise PolicyRefused(
            f"{source} has {'a' if normalises else 'no'} normaliser; told is {told}"
        )
    if found != wanted or policy.action_dim != len(schema.actions):
        raise PolicyRefused(
            f"{source} sees {found} and gives {policy.action_dim} numbers; here are {wanted} and"
            f" {len(schema.actions)}"
        )


def _check_golden(
    policy: Policy | PixelPolicy, header: Header, schema: Schema, source: str
) -> None:
    told, seed = header.golden, golden_seed(header)
    if told.seed != seed:
        raise PolicyRefused(f"{source}: its known input is not the one of what it claims")
    try:
        found = golden_of(policy, schema, seed)
    except ValueError as error:
        raise PolicyRefused(f"{source} cannot act: {error}") from error
    if not is_finite(found):
        raise PolicyRefused(f"{source} gives numbers that are not finite at the known input")
    if not agree(found, told):
        raise PolicyRefused(
            f"{source} does {_short(found.action)} at the known input, with log std"
            f" {_short(found.log_std)}; told were {_short(told.action)} and {_short(told.log_std)}"
        )


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    parts = [f"{name}{shape}" for name, shape in sorted(shapes.items())]
    rest = f" and {len(parts) - MAX_NAMED} more" if len(parts) > MAX_NAMED else ""
    return ", ".join(parts[:MAX_NAMED]) + rest


def _short(values: tuple[float, ...]) -> str:
    shown = ", ".join(f"{value:.4g}" for value in values[:MAX_NAMED])
    return f"({shown}{', ...' if len(values) > MAX_NAMED else ''})"
