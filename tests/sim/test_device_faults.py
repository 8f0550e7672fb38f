"""Whole devices that fail, in every way of the vocabulary."""

import numpy as np

from sim.device_faults import FaultyDevice


class Counter:
    """Says a new number for every request; a sensor would do so by itself."""

    def __init__(self) -> None:
        self.count = 0
        self._out = b""

    def receive(self, data: bytes) -> None:
        self.count += 1
        self._out += b"<%d>" % self.count

    def transmit(self) -> bytes:
        out, self._out = self._out, b""
        return out


class Bench:
    """A faulty device and a clock to turn by hand."""

    def __init__(self) -> None:
        self.time = 0.0
        self.good = Counter()
        self.device = FaultyDevice(self.good, lambda: self.time, np.random.default_rng(1))

    def ask(self) -> bytes:
        self.device.receive(b"?")
        return self.device.transmit()


def test_without_a_fault_nothing_changes() -> None:
    bench = Bench()
    assert [bench.ask() for _ in range(3)] == [b"<1>", b"<2>", b"<3>"]
    assert bench.device.transmit() == b""


def test_off_neither_hears_nor_speaks() -> None:
    bench = Bench()
    bench.device.off = True
    assert bench.ask() == b""
    assert bench.good.count == 0
    bench.good.receive(b"!")
    assert bench.device.transmit() == b""
    bench.device.off = False
    assert bench.ask() == b"<2>"


def test_stuck_repeats_its_last_reading() -> None:
    bench = Bench()
    bench.ask()
    bench.device.stuck = True
    assert [bench.ask() for _ in range(3)] == [b"<1>"] * 3
    bench.device.stuck = False
    assert bench.ask() == b"<5>"


def test_garbage_is_as_long_and_not_the_same() -> None:
    bench = Bench()
    bench.device.garbage = True
    said = [bench.ask() for _ in range(5)]
    assert [len(data) for data in said] == [3] * 5
    assert b"<1>" not in said
    assert len(set(said)) > 1


def test_slow_says_all_in_order_but_later() -> None:
    bench = Bench()
    bench.device.slow_s = 0.05
    assert bench.ask() == b""
    bench.time = 0.04
    assert bench.ask() == b""
    bench.time = 0.051
    assert bench.device.transmit() == b"<1>"
    bench.device.slow_s = 0.0
    assert bench.ask() == b"", "what is said must not overtake what is under way"
    bench.time = 0.1
    assert bench.device.transmit() == b"<2><3>"


def test_behind_answers_the_request_before() -> None:
    bench = Bench()
    bench.device.behind = True
    assert [bench.ask() for _ in range(3)] == [b"", b"<1>", b"<2>"]
