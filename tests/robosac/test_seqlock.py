"""A slot is read whole or not at all: whatever order its bytes arrive in, whoever dies writing."""

import os
import subprocess
import sys
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.seqlock import OVERHEAD, Slot
from robosac.shared_memory import SharedMemory

SIZE = 40
WRITER = """
import sys
from robosac.seqlock import Slot
from robosac.shared_memory import SharedMemory
slot = Slot(SharedMemory(int(sys.argv[1])).view)
version = 0
while True:
    version += 1
    slot.write(version.to_bytes(8, "little") * (slot.size // 8), version)
"""


def images(*contents: bytes) -> list[bytes]:
    """What the memory looks like after each of them was written."""
    memory = bytearray(SIZE + OVERHEAD)
    slot, seen = Slot(memoryview(memory)), [bytes(memory)]
    for version, each in enumerate(contents, 1):
        slot.write(each, version)
        seen.append(bytes(memory))
    return seen


@settings(deadline=None)
@given(st.binary(min_size=SIZE, max_size=SIZE), st.integers(min_value=1, max_value=2**62))
def test_what_was_written_is_read(contents: bytes, version: int) -> None:
    slot = Slot(memoryview(bytearray(SIZE + OVERHEAD)))
    assert slot.read() is None
    slot.write(contents, version)
    assert slot.read() == (version, contents)


@settings(deadline=None)
@given(
    st.binary(min_size=SIZE, max_size=SIZE),
    st.binary(min_size=SIZE, max_size=SIZE),
    st.binary(min_size=SIZE + OVERHEAD, max_size=SIZE + OVERHEAD),
)
def test_no_mixture_of_two_versions_is_believed(old: bytes, new: bytes, mask: bytes) -> None:
    _, first, second = images(old, new)
    mixed = bytes(b if m & 1 else a for a, b, m in zip(first, second, mask, strict=True))
    found = Slot(memoryview(bytearray(mixed))).read()
    assert found in (None, (1, old), (2, new))
    if mixed not in (first, second):
        assert found is None or mixed[16:-8] in (old, new)


@settings(deadline=None)
@given(
    st.binary(min_size=SIZE, max_size=SIZE),
    st.integers(min_value=0, max_value=(SIZE + OVERHEAD) * 8 - 1),
)
def test_a_flipped_bit_is_never_believed(contents: bytes, bit: int) -> None:
    memory = bytearray(images(contents)[1])
    memory[bit // 8] ^= 1 << bit % 8
    found = Slot(memoryview(memory)).read()
    unused = 12 <= bit // 8 < 16
    assert found == ((1, contents) if unused else None)


def test_a_writer_that_stops_midway_is_not_believed() -> None:
    memory = bytearray(images(bytes(SIZE))[1])
    memory[:8] = (3).to_bytes(8, "little")
    slot = Slot(memoryview(memory))
    assert slot.read() is None


def test_the_layout_of_a_slot() -> None:
    contents = bytes(range(SIZE))
    mark = (6).to_bytes(8, "little")
    crc = zlib.crc32(mark + contents).to_bytes(4, "little")
    memory = bytearray(SIZE + OVERHEAD)
    Slot(memoryview(memory)).write(contents, 3)
    assert bytes(memory) == mark + crc + bytes(4) + contents + mark


class Watched(bytearray):
    """Memory that keeps a picture of itself after each store."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.pictures: list[bytes] = []

    def __setitem__(self, place: Any, value: Any) -> None:
        super().__setitem__(place, value)
        self.pictures.append(bytes(self))


def test_a_slot_is_marked_before_it_is_changed_and_until_it_is_whole() -> None:
    memory: Any = Watched(SIZE + OVERHEAD)
    slot = Slot(memory)
    slot.write(b"a" * SIZE, 1)
    memory.pictures.clear()
    slot.write(b"b" * SIZE, 2)
    *halves, whole = memory.pictures
    assert len(halves) == 4
    for half in halves:
        assert int.from_bytes(half[:8], "little") == 3
        assert Slot(memoryview(bytearray(half))).read() is None
    assert Slot(memoryview(bytearray(whole))).read() == (2, b"b" * SIZE)


class Overtaken(bytearray):
    """Memory that is written anew between the copy and the second look."""

    def __bytes__(self) -> bytes:
        copy = bytes(memoryview(self))
        Slot(memoryview(self)).write(b"b" * SIZE, 2)
        return copy


def test_what_was_overtaken_while_it_was_read_is_not_the_newest() -> None:
    memory: Any = Overtaken(SIZE + OVERHEAD)
    slot = Slot(memory)
    slot.write(b"a" * SIZE, 1)
    assert slot.read() is None
    assert slot.read() == (2, b"b" * SIZE)


def test_the_least_slot_holds_a_byte() -> None:
    slot = Slot(memoryview(bytearray(OVERHEAD + 1)))
    slot.write(b"x", 1)
    assert (slot.size, slot.read()) == (1, (1, b"x"))


@pytest.mark.parametrize(("mark", "found"), [(0, False), (3, False), (4, True)])
def test_a_right_checksum_does_not_make_an_unfinished_slot_whole(mark: int, found: bool) -> None:
    head, contents = mark.to_bytes(8, "little"), bytes(SIZE)
    crc = zlib.crc32(head + contents).to_bytes(4, "little")
    slot = Slot(memoryview(bytearray(head + crc + bytes(4) + contents + head)))
    assert slot.read() == ((2, contents) if found else None)


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="needs more than"):
        Slot(memoryview(bytearray(OVERHEAD)))
    with pytest.raises(ValueError, match=f"holds {SIZE} bytes, got 3"):
        Slot(memoryview(bytearray(SIZE + OVERHEAD))).write(b"abc", 1)


def test_a_reader_beside_a_hammering_writer_sees_only_whole_records() -> None:
    memory = SharedMemory.create(OVERHEAD + 8192)
    # 8 KiB, as a tick record: long enough that many reads meet a write.
    slot = Slot(memory.view)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(memory.descriptor)], pass_fds=(memory.descriptor,)
    )
    try:
        whole = newest = 0
        while whole < 5000:
            found = slot.read()
            if found is None:
                continue
            version, contents = found
            assert contents == version.to_bytes(8, "little") * (slot.size // 8)
            assert version >= newest
            whole, newest = whole + 1, version
        assert newest > 1
    finally:
        writer.kill()
        writer.wait()
        memory.close()


def test_memory_is_gone_with_its_owner() -> None:
    before = len(os.listdir("/proc/self/fd"))
    memory = SharedMemory.create(4096)
    assert bytes(memory.view) == bytes(4096)
    memory.close()
    memory.close()
    assert len(os.listdir("/proc/self/fd")) == before
