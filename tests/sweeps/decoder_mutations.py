"""Makes many damaged inputs at once out of good ones; the same for the same generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

GROUP: Final = 250
"""Most inputs that are made of one good one in one way."""
FEWEST: Final = 10
"""Ways that are tried at least, where there are inputs for it."""
_NUMBERS: Final = tuple(
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 10 << 30, 2**63)
    if value < 1 << 8 * size
    for order in ("little", "big")
)
"""Lengths and counts that a decoder may believe; ten gibibytes among them."""
_WORDS: Final = r"""{ } [ ] " : , null true NaN 1e999 -0 \ \u0000 \ud800
    & * !!x !!bool !!timestamp !!int !!omap - # %"""
_TOKENS: Final = (
    *_WORDS.encode().split(),
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"\xc1",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"[" * 40,
)


def mutants(rng: np.random.Generator, seeds: Sequence[bytes], count: int) -> list[bytes]:
    """`count` inputs: changed, cut, put together, and some that are nothing but chance."""
    group = max(1, min(GROUP, count // FEWEST))
    found: list[bytes] = []
    while len(found) < count:
        seed = seeds[int(rng.integers(len(seeds)))]
        way = _WAYS[int(rng.integers(len(_WAYS)))]
        found += way(rng, seed, seeds, group)
    return found[:count]


def _bytes_changed(
    rng: np.random.Generator, seed: bytes, _: Sequence[bytes], group: int
) -> list[bytes]:
    """One to eight bytes are others."""
    return _rows(rng, seed, lambda shape: rng.integers(0, 256, shape, np.uint8), group, False)


def _bits_flipped(
    rng: np.random.Generator, seed: bytes, _: Sequence[bytes], group: int
) -> list[bytes]:
    """One to eight bits are others."""
    return _rows(
        rng, seed, lambda shape: np.uint8(1) << rng.integers(0, 8, shape, np.uint8), group, True
    )


def _rows(
    rng: np.random.Generator,
    seed: bytes,
    values: Callable[[tuple[int, int]], np.ndarray],
    group: int,
    exclusive: bool,
) -> list[bytes]:
    if not seed:
        return [seed]
    size, places = len(seed), int(rng.integers(1, 9))
    rows = np.tile(np.frombuffer(seed, np.uint8), (group, 1))
    line = np.arange(group)[:, None]
    # Heads decide how the rest is read: every other place is near the beginning.
    at = rng.integers(0, size if rng.random() < 0.5 else min(size, 64), (group, places))
    new = values((group, places))
    rows[line, at] = rows[line, at] ^ new if exclusive else new
    whole = rows.tobytes()
    return [whole[begin : begin + size] for begin in range(0, size * group, size)]


def _numbers_put(
    rng: np.random.Generator, seed: bytes, _: Sequence[bytes], group: int
) -> list[bytes]:
    """A length that is a lie, over or between what is there."""
    over = rng.integers(0, 2, group).tolist()
    which = rng.integers(0, len(_NUMBERS), group).tolist()
    at = rng.integers(0, len(seed) + 1, group).tolist()
    return [
        seed[:a] + _NUMBERS[w] + seed[a + o * len(_NUMBERS[w]) :]
        for a, w, o in zip(at, which, over, strict=True)
    ]


def _tokens_put(
    rng: np.random.Generator, seed: bytes, _: Sequence[bytes], group: int
) -> list[bytes]:
    """What has a meaning in JSON, YAML or MessagePack, in the wrong place."""
    which = rng.integers(0, len(_TOKENS), group).tolist()
    gone = rng.integers(0, 4, group).tolist()
    at = rng.integers(0, len(seed) + 1, group).tolist()
    return [seed[:a] + _TOKENS[w] + seed[a + g :] for a, w, g in zip(at, which, gone, strict=True)]


def _cut(rng: np.random.Generator, seed: bytes, _: Sequence[bytes], group: int) -> list[bytes]:
    """The rest is missing."""
    return [seed[:end] for end in rng.integers(0, len(seed) + 1, group).tolist()]


def _part_gone(
    rng: np.random.Generator, seed: bytes, _: Sequence[bytes], group: int
) -> list[bytes]:
    """A part in the middle is missing, or is there twice."""
    ends = np.sort(rng.integers(0, len(seed) + 1, (group, 2)), axis=1).tolist()
    return [seed[:a] + seed[b:] if n % 2 else seed[:b] + seed[a:] for n, (a, b) in enumerate(ends)]


def _joined(
    rng: np.random.Generator, seed: bytes, seeds: Sequence[bytes], group: int
) -> list[bytes]:
    """The head of one and the tail of another."""
    other = seeds[int(rng.integers(len(seeds)))]
    at = rng.integers(0, len(seed) + 1, group).tolist()
    begin = rng.integers(0, len(other) + 1, group).tolist()
    return [seed[:a] + other[b:] for a, b in zip(at, begin, strict=True)]


def _chance(rng: np.random.Generator, seed: bytes, _: Sequence[bytes], group: int) -> list[bytes]:
    """Nothing but chance, of any length up to the good one's."""
    sizes = rng.integers(0, min(len(seed), 300) + 1, group).tolist()
    noise, found, at = rng.bytes(sum(sizes)), list[bytes](), 0
    for size in sizes:
        found.append(noise[at : at + size])
        at += size
    return found


_WAYS = (
    _bytes_changed,
    _bytes_changed,
    _bits_flipped,
    _bits_flipped,
    _numbers_put,
    _tokens_put,
    _cut,
    _part_gone,
    _joined,
    _chance,
)
