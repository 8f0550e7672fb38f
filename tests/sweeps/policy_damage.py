"""Every way in which an envelope is spoilt: by a line, by a disk, by a mistake, by a liar.

A damage takes a specimen and random numbers and gives bytes that no actor may take. Those of the
second half make every checksum right again, as no accident does.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import load, save

from robosac.envelope import Header, golden_seed, pack, unpack
from robosac.schema import Schema
from tests.sweeps.policy_specimens import Specimen

Damage = Callable[[Specimen, np.random.Generator], bytes]
PREFIX = struct.Struct("<8sIII")
SUM = 32


def flipped_bits(specimen: Specimen, rng: np.random.Generator) -> bytes:
    data = bytearray(_good(specimen, rng))
    for place in {int(x) for x in rng.integers(0, 8 * len(data), int(rng.integers(1, 9)))}:
        data[place // 8] ^= 1 << place % 8
    return bytes(data)


def cut_or_longer(specimen: Specimen, rng: np.random.Generator) -> bytes:
    data = _good(specimen, rng)
    if rng.random() < 0.2:
        return data + rng.bytes(int(rng.integers(1, 5000)))
    return data[: int(rng.integers(len(data)))]


def swapped_bytes(specimen: Specimen, rng: np.random.Generator) -> bytes:
    data = bytearray(_good(specimen, rng))
    size = min(int(rng.choice([1, 2, 4, 512, 4096])), len(data) // 4)
    while True:
        a, b = sorted(int(x) for x in rng.integers(0, len(data) - size, 2))
        if b - a >= size and data[a : a + size] != data[b : b + size]:
            data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
            return bytes(data)


def spliced(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """The beginning of one and the end of another, at one place."""
    one, other = _two(specimen, rng)
    while True:
        place = int(rng.integers(1, min(len(one), len(other)) - SUM))
        data = one[:place] + other[place:]
        # They begin alike: a splice before the first difference is the other one, undamaged.
        if data not in (one, other):
            return data


def zeroed(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """A stretch that never reached the disk."""
    data = bytearray(_good(specimen, rng))
    size = int(rng.choice([512, 4096, 65536]))
    while True:
        place = int(rng.integers(0, len(data))) // 512 * 512
        if any(data[place : place + size]):
            end = min(place + size, len(data))
            data[place:end] = bytes(end - place)
            return bytes(data)


def lying_prefix(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """Another magic, format or length, under a right checksum."""
    data = _good(specimen, rng)
    fields = list(PREFIX.unpack_from(data))
    which = int(rng.integers(4))
    if which == 0:
        fields[0] = rng.bytes(8)
    else:
        fields[which] = (int(fields[which]) + int(rng.integers(1, 1 << 32))) % (1 << 32)
    content = PREFIX.pack(*fields) + data[PREFIX.size : -SUM]
    return content + hashlib.sha256(content).digest()


def another_header(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """The header of one policy before the arrays of another."""
    one, other = _two(specimen, rng)
    header, tensors = unpack(one)[0], unpack(other)[1]
    return _packed(header, tensors, rng)


def another_version(specimen: Specimen, rng: np.random.Generator) -> bytes:
    header, tensors, _ = unpack(_good(specimen, rng))
    version = header.version + int(rng.choice([-1, 1, 1000]))
    return _packed(msgspec.structs.replace(header, version=version), tensors, rng)


def lying_header(specimen: Specimen, rng: np.random.Generator) -> bytes:
    header, tensors, _ = unpack(_good(specimen, rng))
    name = str(rng.choice(["learned", "schema", "digest", "sum", "shapes", "action", "log_std"]))
    return _packed(_lie(header, name, rng), tensors, rng)


def spoilt_numbers(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """NaN, infinite or huge weights."""
    header, tensors, _ = unpack(_good(specimen, rng))
    weights = {name: value.copy() for name, value in load(tensors).items()}
    name = str(rng.choice(sorted(n for n, value in weights.items() if value.dtype == np.float32)))
    flat = weights[name].reshape(-1)
    worst = float(rng.choice([np.nan, np.inf, -np.inf]))
    flat[rng.integers(0, flat.size, int(rng.integers(1, 9)))] = worst
    return _honest_arrays(header, weights, rng)


def spoilt_arrays(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """Bytes of the arrays' part replaced, or its own header, with sums made anew."""
    header, tensors, _ = unpack(_good(specimen, rng))
    data = bytearray(tensors)
    whole = int.from_bytes(data[:8], "little") + 8
    end = whole if rng.random() < 0.7 else len(data)
    while bytes(data) == tensors:
        for place in rng.integers(0, end, int(rng.integers(1, 5))):
            data[int(place)] = int(rng.integers(256))
    digest = hashlib.sha256(data).hexdigest()
    return _packed(msgspec.structs.replace(header, tensors_sha256=digest), bytes(data), rng)


def wrong_shapes(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """A row less or more, another type, an array missing or too many; all sums made anew."""
    header, tensors, _ = unpack(_good(specimen, rng))
    weights: dict[str, Any] = dict(load(tensors))
    name = str(rng.choice(sorted(weights)))
    value = weights[name]
    which = int(rng.integers(6))
    if which == 0:
        weights[name] = value[:-1]
    elif which == 1:
        weights[name] = np.concatenate([value, value[:1]])
    elif which == 2:
        weights[name] = value.reshape(-1) if value.ndim > 1 else value.reshape(1, -1)
    elif which == 3:
        weights[name] = value.astype(np.float64 if value.dtype == np.float32 else np.float32)
    elif which == 4:
        del weights[name]
    else:
        weights[f"{name}0"] = value
    return _honest_arrays(header, weights, rng)


def misfit(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """A whole policy of other shapes or of the other kind, under this schema and right sums."""
    header = unpack(_good(specimen, rng))[0]
    weights = specimen.misfits[int(rng.integers(len(specimen.misfits)))]
    return _honest_arrays(header, weights, rng)


def foreign(specimen: Specimen, rng: np.random.Generator) -> bytes:
    """Honest, but for other settings, another robot or the other kind."""
    data = specimen.foreign[int(rng.integers(len(specimen.foreign)))]
    if rng.random() < 0.5:
        return data
    # A sender that counts on: the same under another version, sums and known input anew.
    header, tensors, _ = unpack(data)
    version = int(rng.integers(1, 1 << 40))
    return _packed(msgspec.structs.replace(header, version=version), tensors, rng)


DAMAGES: Mapping[str, Damage] = {
    "flipped bits": flipped_bits,
    "cut or longer": cut_or_longer,
    "swapped bytes": swapped_bytes,
    "spliced halves": spliced,
    "zeroed stretch": zeroed,
    "prefix lies*": lying_prefix,
    "another's header*": another_header,
    "another version*": another_version,
    "header lies*": lying_header,
    "NaN, infinite*": spoilt_numbers,
    "spoilt arrays*": spoilt_arrays,
    "wrong shapes*": wrong_shapes,
    "misfit, other kind*": misfit,
    "other schema*": foreign,
}
"""By name; * has right checksums."""


def _good(specimen: Specimen, rng: np.random.Generator) -> bytes:
    return specimen.envelopes[int(rng.integers(len(specimen.envelopes)))]


def _two(specimen: Specimen, rng: np.random.Generator) -> tuple[bytes, bytes]:
    one, other = rng.choice(len(specimen.envelopes), 2, replace=False)
    return specimen.envelopes[int(one)], specimen.envelopes[int(other)]


def _packed(header: Header, tensors: bytes, rng: np.random.Generator) -> bytes:
    """With a right checksum and, half of the time, the seed that fits the claims."""
    if rng.random() < 0.5:
        golden = msgspec.structs.replace(header.golden, seed=golden_seed(header))
        header = msgspec.structs.replace(header, golden=golden)
    return pack(header, tensors)


def _honest_arrays(header: Header, weights: Mapping[str, Any], rng: np.random.Generator) -> bytes:
    tensors = save({name: np.ascontiguousarray(value) for name, value in weights.items()})
    claims = {
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "shapes": {name: value.shape for name, value in weights.items()},
    }
    return _packed(msgspec.structs.replace(header, **claims), tensors, rng)


def _lie(header: Header, name: str, rng: np.random.Generator) -> Header:
    replace, golden = msgspec.structs.replace, header.golden
    if name == "learned":
        return replace(header, learned={"robot": int(rng.integers(1 << 40)) + (1 << 20)})
    if name == "schema":
        other: Schema = replace(header.schema, robot=f"robot {rng.integers(1 << 40)}")
        digest = other.digest if rng.random() < 0.5 else header.schema_digest
        return replace(header, schema=other, schema_digest=digest)
    if name == "digest":
        return replace(header, schema_digest=rng.bytes(32).hex())
    if name == "sum":
        return replace(header, tensors_sha256=rng.bytes(32).hex())
    if name == "shapes":
        first = min(header.shapes)
        return replace(header, shapes={**header.shapes, first: (int(rng.integers(1, 1000)), 1)})
    # Farther off than two computers' arithmetic may be.
    values = list(getattr(golden, name))
    values[int(rng.integers(len(values)))] += float(rng.choice([-1, 1]) * rng.uniform(0.01, 1.0))
    return replace(header, golden=replace(golden, **{name: tuple(values)}))
