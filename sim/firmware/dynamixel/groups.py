"""The parameters of sync and bulk instructions. Pure; what makes no sense is as good as empty.

Source: ROBOTIS e-manual, Protocol 2.0, Sync Read to Fast Bulk Read. Bulk and sync packets are not
answered where their own form is wrong, for they are addressed to nobody in particular.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

SPAN = struct.Struct("<HH")
"""Address and length."""
_BULK = struct.Struct("<BHH")


class GroupRead(NamedTuple):
    """One servo's share of a group read."""

    id: int
    address: int
    length: int


def sync_reads(parameters: bytes) -> list[GroupRead]:
    """What each servo of a sync or fast sync read sends; nothing if it makes no sense."""
    if len(parameters) <= SPAN.size:
        return []
    address, length = SPAN.unpack_from(parameters)
    return [GroupRead(id, address, length) for id in dict.fromkeys(parameters[SPAN.size :])]


def bulk_reads(parameters: bytes) -> list[GroupRead]:
    if len(parameters) % _BULK.size:
        return []
    reads: dict[int, GroupRead] = {}
    for fields in _BULK.iter_unpack(parameters):
        reads.setdefault(fields[0], GroupRead(*fields))
    return list(reads.values())


def sync_writes(parameters: bytes) -> dict[int, tuple[int, bytes]]:
    """Address and data by id; nothing if the parameters do not come out even."""
    if len(parameters) <= SPAN.size:
        return {}
    address, length = SPAN.unpack_from(parameters)
    body = parameters[SPAN.size :]
    if length == 0 or len(body) % (length + 1):
        return {}
    chunks = range(0, len(body), length + 1)
    return {body[at]: (address, body[at + 1 : at + 1 + length]) for at in reversed(chunks)}


def bulk_writes(parameters: bytes) -> dict[int, tuple[int, bytes]]:
    writes: dict[int, tuple[int, bytes]] = {}
    for id, address, data in _bulk_chunks(parameters):
        if data is None:
            return {}
        writes.setdefault(id, (address, data))
    return writes


def _bulk_chunks(parameters: bytes) -> Iterator[tuple[int, int, bytes | None]]:
    """Id, address and data of each servo; data None: the parameters end too early."""
    at = 0
    while at < len(parameters):
        if len(parameters) - at < _BULK.size:
            yield 0, 0, None
            return
        id, address, length = _BULK.unpack_from(parameters, at)
        at += _BULK.size
        data = parameters[at : at + length]
        at += length
        yield id, address, data if len(data) == length else None
