"""The e-stop gate: latches, keeps its first reason, and listens to signals."""

from __future__ import annotations

import signal
import threading

import pytest

from robosac.errors import ArmingError
from robosac.estop import NO_DEMAND, Demand, EStopGate, Stop
from tests.robosac.executor_rig import Rig


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


class Objector:
    """A guard that demands what it is told to."""

    def __init__(self, demand: Demand | Exception) -> None:
        self.answer = demand

    def demand(self) -> Demand:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_sigusr1_only_ever_trips() -> None:
    gate = EStopGate()
    with gate.trip_on_signals():
        for _ in range(3):
            signal.raise_signal(signal.SIGUSR1)
        assert gate.reason == "signal SIGUSR1"


def test_a_guard_trips_and_objects_again_after_a_reset() -> None:
    gate, guard = EStopGate(), Objector(Demand(Stop.CUT, "button"))
    gate.add(Objector(NO_DEMAND))
    gate.add(guard)
    assert gate.look()
    assert gate.reason == "button"
    gate.reset()
    assert gate.look()
    guard.answer = NO_DEMAND
    assert gate.look()
    gate.reset()
    assert not gate.look()


def test_a_guard_that_fails_is_no_consent() -> None:
    gate = EStopGate()
    gate.add(Objector(ZeroDivisionError("bug")))
    assert gate.look()
    assert "guard Objector failed" in gate.reason


def test_settling_latches_without_tripping() -> None:
    gate, guard = EStopGate(), Objector(Demand(Stop.SETTLE, "endpoint lost"))
    gate.add(guard)
    assert not gate.look()
    guard.answer = NO_DEMAND
    gate.look()
    assert gate.settling == "endpoint lost"
    guard.answer = Demand(Stop.SETTLE, "second")
    gate.look()
    assert gate.settling == "endpoint lost", "the first reason is kept"
    gate.reset()
    assert gate.settling == ""


def test_consent_neither_trips_nor_settles() -> None:
    gate = EStopGate()
    gate.add(Objector(NO_DEMAND))
    assert not gate.look()
    assert (gate.settling, NO_DEMAND.reason) == ("", "")


def test_demands_grow_from_consent_to_the_cut() -> None:
    assert (Stop.NONE, Stop.SETTLE, Stop.CUT) == (0, 1, 2)


def test_no_arming_while_settling() -> None:
    rig = Rig()
    rig.gate.add(Objector(Demand(Stop.SETTLE, "endpoint lost")))
    with pytest.raises(ArmingError, match="endpoint lost"):
        rig.executor.arm()
    assert rig.robot.configured == 0
