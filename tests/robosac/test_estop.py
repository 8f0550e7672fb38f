"""The e-stop gate: latches, keeps its first reason, and listens to signals."""

from __future__ import annotations

import signal
import threading

import pytest

from robosac.estop import EStopGate


def test_it_latches_until_reset() -> None:
    gate = EStopGate()
    assert (gate.tripped, gate.reason) == (False, "")
    gate.trip("button")
    gate.trip("second")
    assert (gate.tripped, gate.reason) == (True, "button")
    gate.reset()
    assert not gate.tripped


def test_a_trip_without_a_reason_still_trips() -> None:
    gate = EStopGate()
    gate.trip("")
    assert gate.tripped


def test_any_thread_may_trip() -> None:
    gate = EStopGate()
    thread = threading.Thread(target=gate.trip, args=("other thread",))
    thread.start()
    thread.join()
    assert gate.reason == "other thread"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_trips_and_the_handlers_come_back(number: signal.Signals) -> None:
    gate, before = EStopGate(), signal.getsignal(number)
    with gate.trip_on_signals() as same:
        assert same is gate
        signal.raise_signal(number)
        assert gate.reason == f"signal {number.name}"
    assert signal.getsignal(number) is before


def test_a_second_signal_goes_to_the_handler_that_was_there() -> None:
    gate = EStopGate()
    with gate.trip_on_signals([signal.SIGINT]):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
