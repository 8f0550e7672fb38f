"""Damage on the wire: where messages end, each kind of damage, and a cable that takes its time."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.fault_spec import BYTE_FAULTS, Kind
from sim.faulty_line import FaultyLine
from sim.wire import Direction, TwinWire
from sim.wire_faults import FaultRates, RandomFaults, damage
from sim.wire_framing import LINES, PACKETS, STREAM, Framing

LINE = b"rcv 0100 2100002F01 E B F r x-1\r\n"
CHECKED = b"rcv 0100 0A20 E B F r x-1 *"
PING_1 = bytes.fromhex("FFFFFD00 01 0700 55 00 0604 26 655D")
PING_2 = bytes.fromhex("FFFFFD00 02 0700 55 00 0604 26 6F6D")
"""Replies to a ping from servos 1 and 2 of one model, from the e-manual."""


class Echo:
    """Answers every message with itself, at once; remembers what it heard."""

    def __init__(self) -> None:
        self.heard = b""
        self._out = b""

    def receive(self, data: bytes) -> None:
        self.heard += data
        self._out += data

    def transmit(self) -> bytes:
        out, self._out = self._out, b""
        return out


class Cable:
    """A faulty line around an echo, with a clock to turn by hand."""

    def __init__(self, seed: int = 0, framing: Framing = LINES) -> None:
        self.time = 0.0
        self.echo = Echo()
        self.line = FaultyLine(self.echo, framing, lambda: self.time, np.random.default_rng(seed))

    def say(self, data: bytes) -> bytes:
        self.line.receive(data)
        return self.line.transmit()

    def after(self, seconds: float) -> bytes:
        self.time += seconds
        return self.line.transmit()


@given(st.lists(st.sampled_from([b"\xff\xff\xfd\x00", b"\n", b"a", b"\xff", b"\x00"])))
def test_cutting_loses_nothing(pieces: Sequence[bytes]) -> None:
    data = b"".join(pieces)
    for framing in (LINES, PACKETS, STREAM):
        assert b"".join(framing.cut(data)) == data
        assert all(framing.cut(data))


def test_messages_are_cut_where_they_end() -> None:
    assert LINES.cut(b"OK\r\n" + LINE + b"rc") == [b"OK\r\n", LINE, b"rc"]
    assert PACKETS.cut(PING_1 + PING_2) == [PING_1, PING_2]
    assert PACKETS.cut(b"\x01" + PING_1) == [b"\x01", PING_1]


def test_a_wrong_id_has_a_right_check() -> None:
    assert LINES.relabel(LINE) == b"rcv 0200 2100002F01 E B F r x-1\r\n"
    assert LINES.relabel(LINE.replace(b"0100", b"7E00")).startswith(b"rcv 0100 ")
    # The check value of 123456789 is 0x94; of these lines it was worked out by hand.
    relabelled = LINES.relabel(CHECKED + b"00\r\n")
    assert relabelled.startswith(b"rcv 0200 0A20 E B F r x-1 *")
    assert relabelled[-4:-2] == b"%02X" % slow_crc8(relabelled[:-5])
    assert PACKETS.relabel(PING_1) == PING_2


@pytest.mark.parametrize("message", [b"OK\r\n", b"can send 8001 00\n", b"rcv zz 00 E\r\n", b""])
def test_only_replies_have_an_id(message: bytes) -> None:
    assert LINES.relabel(message) == message
    assert PACKETS.relabel(PING_1.replace(b"\x55", b"\x01")) == PING_1.replace(b"\x55", b"\x01")


def slow_crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        for bit in range(7, -1, -1):
            top = crc >> 7 ^ byte >> bit & 1
            crc = (crc << 1 & 0xFF) ^ (0x97 if top else 0)
    return crc


@pytest.mark.parametrize(
    ("kind", "looks_right"),
    [
        (Kind.DROP, lambda out: out == b""),
        (
            Kind.FLIP,
            lambda out: sum((a ^ b).bit_count() for a, b in zip(out, LINE, strict=True)) == 1,
        ),
        (Kind.TRUNCATE, lambda out: len(out) < len(LINE) and LINE.startswith(out)),
        (Kind.DUPLICATE, lambda out: out == LINE + LINE),
        (Kind.WRONG_ID, lambda out: out.startswith(b"rcv 0200 ")),
    ],
)
def test_each_kind_of_damage(kind: Kind, looks_right: Callable[[bytes], bool]) -> None:
    for seed in range(20):
        out = damage(LINE, [kind], LINES, np.random.default_rng(seed))
        assert looks_right(out), out


@pytest.mark.parametrize("kind", ["drop", "flip", "truncate", "duplicate", "wrong_id"])
def test_rates_are_kept(kind: str) -> None:
    faults = RandomFaults(FaultRates(**{kind: 0.1}), np.random.default_rng(3))
    for _ in range(2000):
        faults.mangle(LINE, Direction.TO_HOST)
    # Five standard deviations of 2000 draws.
    assert abs(faults.damaged - 200) < 67


def test_a_good_cable_changes_nothing() -> None:
    cable = Cable()
    assert cable.say(LINE * 3) == LINE * 3
    assert not cable.line.counts


@pytest.mark.parametrize("kind", BYTE_FAULTS)
def test_once_is_once_and_in_its_direction(kind: Kind) -> None:
    cable = Cable()
    cable.line.arm(kind, Direction.TO_HOST, 0.01)
    first = cable.say(LINE)
    assert cable.echo.heard == LINE
    assert first != LINE
    assert cable.line.counts == {kind: 1}
    cable.after(1.0)
    assert cable.say(LINE) == LINE


def test_a_late_message_is_whole_and_overtaken() -> None:
    cable = Cable()
    cable.line.arm(Kind.LATE, Direction.TO_HOST, 0.02)
    assert cable.say(b"one\n") == b""
    assert cable.say(b"two\n") == b"two\n"
    assert cable.after(0.0199) == b""
    assert cable.after(0.0002) == b"one\n"


def test_a_split_message_holds_up_what_follows() -> None:
    cable = Cable()
    cable.line.arm(Kind.SPLIT, Direction.TO_HOST, 0.002)
    head = cable.say(b"first\n")
    assert 0 < len(head) < 6
    assert cable.say(b"second\n") == b""
    assert head + cable.after(0.003) == b"first\nsecond\n"


def test_requests_suffer_too() -> None:
    cable = Cable()
    cable.line.arm(Kind.LATE, Direction.TO_DEVICE, 0.01)
    assert cable.say(LINE) == b""
    assert cable.echo.heard == b""
    assert cable.after(0.011) == LINE
    cable.line.set_rate(Kind.DROP, Direction.TO_DEVICE, 1.0)
    assert cable.say(LINE) == b""
    cable.line.set_rate(Kind.DROP, Direction.TO_DEVICE, 0.0)
    assert cable.say(LINE) == LINE


@given(st.integers(0, 2**32), st.lists(st.sampled_from(sorted(BYTE_FAULTS, key=str)), max_size=4))
def test_the_same_seed_is_the_same_run(seed: int, kinds: list[Kind]) -> None:
    def run() -> list[bytes]:
        cable = Cable(seed)
        for kind in kinds:
            for way in Direction:
                cable.line.set_rate(kind, way, 0.3, 0.004)
        out = []
        for index in range(20):
            out.append(cable.say(b"message %d\n" % index))
            out.append(cable.after(0.003))
        return out

    assert run() == run()


@given(st.integers(0, 2**32))
def test_time_alone_loses_no_byte(seed: int) -> None:
    """Late and split messages arrive whole in the end, each exactly once."""
    cable = Cable(seed)
    for kind in (Kind.LATE, Kind.SPLIT):
        cable.line.set_rate(kind, Direction.TO_HOST, 0.4, 0.005)
    out = b""
    for index in range(30):
        out += cable.say(b"<%02d>\n" % index)
        out += cable.after(0.001)
    out += cable.after(1.0) + cable.after(1.0)
    assert sorted(out.splitlines()) == [b"<%02d>" % index for index in range(30)]


def test_a_twins_wire_carries_a_bad_cable_in_virtual_time() -> None:
    cable = Cable()

    class Clock:
        def now(self) -> float:
            return cable.time

        def wait_until(self, deadline: float) -> None:
            cable.time = deadline

    wire = TwinWire(cable.line, Clock())
    cable.line.arm(Kind.LATE, Direction.TO_HOST, 0.0055)
    wire.write(LINE)
    assert wire.read(0.005) == b""
    assert wire.read(0.010) == LINE
    assert cable.time == pytest.approx(0.006)


def test_only_faults_of_messages_befall_messages() -> None:
    with pytest.raises(ValueError, match="valid are drop, flip"):
        Cable().line.set_rate(Kind.OFF, Direction.TO_HOST, 0.1)
