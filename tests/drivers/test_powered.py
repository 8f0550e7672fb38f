"""However the block is left, the motors are off, and nobody can break in while that is done."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest

from drivers.errors import DeviceError, WireClosed
from drivers.powered import powered


class FakeBus:
    """Counts how it is stopped; `during` happens in the middle of that."""

    ids = (1, 2, 3)

    def __init__(self, during: Callable[[], object] = lambda: None) -> None:
        self.during = during
        self.unconfirmed: list[int] = []
        self.gone = self.gone_for_good = False
        self.driving = False
        self.attempts: list[int] = []

    def stop_all(self, attempts: int) -> list[int]:
        self.attempts.append(attempts)
        if self.gone:
            raise WireClosed("unplugged")
        self.during()
        self.driving = bool(self.unconfirmed)
        return self.unconfirmed

    def reopen(self) -> None:
        if self.gone_for_good:
            raise WireClosed("not back")
        self.gone = False

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed to stop")


@pytest.fixture(autouse=True)
def _terminate_raises() -> Iterator[None]:
    """What a caller does who wants SIGTERM to be an orderly end."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    yield
    assert signal.getsignal(signal.SIGTERM) is end
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGTERM, before)


def test_a_normal_end() -> None:
    bus = FakeBus()
    with powered(bus, attempts=7) as inside:
        assert inside is bus
        bus.driving = True
    assert not bus.driving
    assert bus.attempts == [7]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_goes_on_once_the_motors_are_off(error: BaseException) -> None:
    bus = FakeBus()
    caught: BaseException | None = None
    try:
        with powered(bus):
            bus.driving = True
            raise error
    except (ValueError, SystemExit, KeyboardInterrupt) as raised:
        caught = raised
    assert caught is error
    assert not bus.driving


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_block(number: int) -> None:
    bus = FakeBus()
    bus.driving = True
    with pytest.raises(KeyboardInterrupt), powered(bus):
        signal.raise_signal(number)
    assert not bus.driving


def test_motors_that_were_not_confirmed_are_named_with_what_came_before() -> None:
    bus = FakeBus()
    bus.unconfirmed = [2, 3]
    first = RuntimeError("first")
    with pytest.raises(DeviceError, match=r"\[2, 3\] .* in 20 tries") as caught, powered(bus):
        raise first
    assert caught.value.__cause__ is first
    with pytest.raises(DeviceError) as caught, powered(bus):
        pass
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_stopping_waits_until_that_is_done(number: int) -> None:
    done: list[str] = []

    def twice() -> None:
        signal.raise_signal(number)
        signal.raise_signal(number)
        done.append("to the end")

    bus = FakeBus(twice)
    with pytest.raises(KeyboardInterrupt), powered(bus):
        bus.driving = True
    assert done == ["to the end"]
    assert not bus.driving


def test_a_second_interrupt_changes_nothing_about_the_first() -> None:
    bus = FakeBus(lambda: signal.raise_signal(signal.SIGINT))
    first = KeyboardInterrupt("first")
    with pytest.raises(KeyboardInterrupt) as caught, powered(bus):
        raise first
    assert caught.value is first
    assert not bus.driving


def test_an_interrupt_that_waited_keeps_the_error_before_it() -> None:
    bus = FakeBus(lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught, powered(bus):
        raise ValueError("before")
    assert isinstance(caught.value.__context__, ValueError)


def test_a_signal_at_the_first_instruction_of_the_end() -> None:
    bus = FakeBus()

    def trace(frame: FrameType, event: str, _: object) -> None:
        if frame.f_code.co_qualname == "_Powered.__exit__":
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)

    before = sys.gettrace()
    bus.driving = True
    try:
        with pytest.raises(KeyboardInterrupt), powered(bus):
            sys.settrace(trace)
    finally:
        sys.settrace(before)
    assert bus.attempts == [20]
    assert not bus.driving


def test_signals_at_any_moment() -> None:
    main = threading.main_thread().ident
    assert main is not None
    rng = np.random.default_rng(1)
    for _ in range(300):
        bus, delay = FakeBus(lambda: time.sleep(0)), float(rng.uniform(0, 2e-4))
        ready = threading.Event()

        def interrupt(delay: float = delay, ready: threading.Event = ready) -> None:
            ready.wait()
            until = time.perf_counter() + delay
            while time.perf_counter() < until:
                continue
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            ready.set()
            with powered(bus):
                bus.driving = True
            time.sleep(30)
            pytest.fail("the signal never came")
        except KeyboardInterrupt:
            assert not bus.driving
        thread.join()


def test_blocks_in_blocks() -> None:
    inner, outer = FakeBus(lambda: signal.raise_signal(signal.SIGINT)), FakeBus()
    with pytest.raises(KeyboardInterrupt), powered(outer), powered(inner):
        inner.driving = outer.driving = True
    assert not inner.driving
    assert not outer.driving


def test_a_wire_that_comes_back_is_used() -> None:
    bus = FakeBus()
    with powered(bus):
        bus.driving = bus.gone = True
    assert not bus.driving


def test_a_wire_that_is_gone_leaves_every_motor_unconfirmed() -> None:
    bus = FakeBus()
    with pytest.raises(DeviceError, match=r"motors \[1, 2, 3\]") as caught, powered(bus):
        bus.gone = bus.gone_for_good = True
    assert isinstance(caught.value.__cause__, WireClosed)


def test_in_another_thread_signals_are_none_of_its_business() -> None:
    bus = FakeBus()

    def work() -> None:
        with powered(bus):
            bus.driving = True
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert bus.attempts == [20]
    assert not bus.driving


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with powered(FakeBus()):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_attempt_is_none() -> None:
    with pytest.raises(ValueError, match="at least one attempt"):
        powered(FakeBus(), attempts=0)
