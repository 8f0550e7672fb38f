"""The safety machine by itself: its ways, its latch, torque off with read back, the gate."""

from __future__ import annotations

import itertools

import pytest

from robosac.errors import NotArmedError, RobotError
from robosac.estop import Demand, EStopGate, Stop
from robosac.hal import Fault
from robosac.latch import LatchedFault
from robosac.machine import NOT_DURABLE, SafetyMachine
from robosac.states import SafetyState, allowed
from tests.robosac.test_latch import FALL, HOT_LEFT, Paper

PATHS = {
    "disarmed": (),
    "arming": ("arming",),
    "active": ("arming", "active"),
    "hold": ("arming", "active", "hold"),
    "damped": ("arming", "active", "damped"),
}
"""From disarmed to each state; FAULT needs a fault."""


class Bench:
    """A machine, whose robot may not stop, and whatever it tells."""

    def __init__(self, journal: Paper | None = None) -> None:
        self.time, self.stops, self.stop_calls = 5.0, True, 0
        self.lasting: set[str] = set()
        self.error: Exception | None = None
        self.told: list[object] = []
        self.gate = EStopGate()
        self.machine = SafetyMachine(
            *(self, lambda: self.time, self.gate, journal, self.told.append),
            lambda fault, time: self.told.append((fault.name, time)),
            self.refuse,
        )

    def stop(self) -> bool:
        self.stop_calls += 1
        if self.error is not None:
            raise self.error
        return self.stops

    def refuse(self, name: str) -> None:
        if name in self.lasting:
            raise NotArmedError(f"{name} lasts")

    def to(self, state: str) -> SafetyMachine:
        for name in PATHS[state]:
            self.machine.enter(SafetyState(name))
        return self.machine

    def guard(self, demand: Demand) -> None:
        class Guard:
            def demand(self) -> Demand:
                return demand

        self.gate.add(Guard())


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(("one", "other"), list(itertools.product(PATHS, SafetyState)))
def test_it_goes_the_ways_of_the_table_and_tells_each(one: str, other: SafetyState) -> None:
    bench = Bench()
    machine = bench.to(one)
    bench.told.clear()
    if not allowed(machine.state, other):
        with pytest.raises(RuntimeError, match=f"from {one} to {other.value}"):
            machine.enter(other)
        assert machine.state.value == one
    else:
        machine.enter(other)
        assert machine.state is other
    entered = allowed(SafetyState(one), other) and other.value != one
    assert bench.told == ([other] if entered else [])


def test_torque_is_off_from_the_read_back_to_the_next_arming(bench: Bench) -> None:
    machine = bench.machine
    assert machine.torque_off_since is None
    assert machine.cut()
    assert machine.torque_off_since == 5.0
    machine.enter(SafetyState.ARMING)
    assert machine.torque_off_since is None


@pytest.mark.parametrize("state", PATHS)
def test_a_cut_disarms_where_nothing_is_latched(bench: Bench, state: str) -> None:
    assert bench.to(state).cut()
    assert bench.machine.state is SafetyState.DISARMED
    assert bench.stop_calls == 1


def test_a_stop_that_is_not_confirmed_is_a_fault(bench: Bench) -> None:
    machine = bench.to("active")
    machine.cut()
    machine.enter(SafetyState.ARMING)
    bench.stops = False
    assert machine.cut() is False
    assert machine.state is SafetyState.FAULT
    assert machine.torque_off_since is None
    (entry,) = machine.faults.entries
    assert (entry.fault.name, entry.fault.source, entry.time) == ("stop_unconfirmed", "robot", 5.0)
    assert bench.told[-2:] == [SafetyState.FAULT, ("stop_unconfirmed", 5.0)]


def test_a_stop_that_fails_leaves_no_old_confirmation(bench: Bench) -> None:
    machine = bench.machine
    machine.cut()
    bench.error = OSError("port gone")
    with pytest.raises(OSError, match="port gone"):
        machine.cut()
    assert machine.torque_off_since is None


def test_an_error_is_latched_with_its_kind_and_text(bench: Bench) -> None:
    machine = bench.to("active")
    machine.fail(ValueError("odd"))
    machine.fail(KeyError())
    assert machine.state is SafetyState.FAULT
    assert bench.stop_calls == 2
    assert machine.faults.faults == (
        Fault("exception", "ValueError", "odd"),
        Fault("exception", "KeyError", "no text"),
    )


def test_faults_are_written_after_torque_is_off() -> None:
    paper = Paper()
    bench = Bench(paper)
    machine = bench.to("active")
    machine.latch(FALL)
    assert paper.written == []
    machine.cut()
    assert paper.written == [list(machine.faults.entries)]
    assert machine.state is SafetyState.FAULT
    assert machine.torque_off_since == 5.0


def test_faults_are_written_even_when_the_stop_fails() -> None:
    paper = Paper()
    bench = Bench(paper)
    bench.to("active").latch(FALL)
    bench.error = OSError("port gone")
    with pytest.raises(OSError, match="port gone"):
        bench.machine.cut()
    assert paper.written == [list(bench.machine.faults.entries)]


def test_a_journal_that_refuses_is_a_fault_of_its_own() -> None:
    paper = Paper()
    bench = Bench(paper)
    bench.to("active").latch(FALL)
    paper.refuses = True
    assert bench.machine.cut()
    first, second = bench.machine.faults.faults
    assert first == FALL
    assert NOT_DURABLE == "fault_not_durable"
    assert second == Fault(NOT_DURABLE, "journal", "full; free or mend the disk")


def test_it_begins_in_fault_where_one_was_kept(bench: Bench) -> None:
    assert bench.machine.state is SafetyState.DISARMED
    kept = Bench(Paper(LatchedFault(FALL, 1.0, 4), newest_id=4)).machine
    assert kept.state is SafetyState.FAULT
    kept.clear("fell")
    assert kept.state is SafetyState.DISARMED


def test_a_tripped_gate_is_latched_and_cut_once(bench: Bench) -> None:
    machine = bench.to("active")
    machine.check_gate()
    assert machine.state is SafetyState.ACTIVE
    bench.gate.trip("button")
    machine.check_gate()
    machine.check_gate()
    assert bench.stop_calls == 1
    assert machine.faults.faults == (Fault("estop", "gate", "button"),)
    assert machine.torque_off_since == 5.0


def test_a_tripped_gate_stops_until_the_stop_is_read_back(bench: Bench) -> None:
    machine = bench.to("active")
    bench.gate.trip("button")
    bench.stops = False
    machine.check_gate()
    machine.check_gate()
    assert bench.stop_calls == 2
    bench.stops = True
    machine.check_gate()
    machine.check_gate()
    assert bench.stop_calls == 3


def test_a_second_trip_is_latched_though_torque_is_off(bench: Bench) -> None:
    machine = bench.machine
    machine.cut()
    bench.gate.trip("button")
    machine.check_gate()
    assert "estop" in machine.faults


@pytest.mark.parametrize("state", PATHS)
def test_settling_trips_only_where_nothing_is_to_be_damped(bench: Bench, state: str) -> None:
    machine = bench.to(state)
    bench.guard(Demand(Stop.SETTLE, "endpoint lost"))
    machine.check_gate()
    powered = state in {"active", "hold", "damped"}
    assert bench.gate.tripped is not powered
    assert machine.state.value == (state if powered else "fault")
    assert bench.gate.reason == ("" if powered else "endpoint lost")


def test_settling_does_not_trip_a_gate_anew(bench: Bench) -> None:
    bench.guard(Demand(Stop.SETTLE, "endpoint lost"))
    bench.gate.trip("button")
    bench.machine.check_gate()
    assert bench.machine.faults.faults == (Fault("estop", "gate", "button"),)


def test_only_what_is_latched_can_be_cleared(bench: Bench) -> None:
    machine = bench.machine
    with pytest.raises(NotArmedError, match="no fault 'fell' is latched; latched are: none"):
        machine.clear("fell")
    machine.latch(FALL)
    machine.latch(HOT_LEFT)
    with pytest.raises(NotArmedError, match="'x' is latched; latched are: fell, hot"):
        machine.clear("x")


def test_the_last_cleared_fault_leads_to_disarmed(bench: Bench) -> None:
    machine = bench.to("active")
    machine.latch(FALL)
    machine.latch(HOT_LEFT)
    machine.clear("fell")
    assert machine.state is SafetyState.FAULT
    machine.clear("hot")
    assert machine.state is SafetyState.DISARMED


def test_a_lasting_cause_keeps_its_fault(bench: Bench) -> None:
    bench.lasting = {"hot"}
    bench.machine.latch(HOT_LEFT)
    bench.machine.latch(FALL)
    with pytest.raises(NotArmedError, match="hot lasts"):
        bench.machine.clear("hot")
    bench.machine.clear("fell")
    assert bench.machine.faults.names == ("hot",)


def test_clearing_an_estop_takes_a_reset_and_nothing_else_does(bench: Bench) -> None:
    machine = bench.machine
    machine.latch(FALL)
    bench.gate.trip("button")
    machine.check_gate()
    calls = bench.stop_calls
    machine.clear("fell")
    with pytest.raises(NotArmedError, match="reset the gate"):
        machine.clear("estop")
    bench.gate.reset()
    machine.clear("estop")
    assert machine.state is SafetyState.DISARMED
    assert bench.stop_calls == calls, "only an unconfirmed stop is tried again"


def test_an_unconfirmed_stop_is_tried_again_before_it_is_cleared(bench: Bench) -> None:
    bench.stops = False
    bench.machine.cut()
    with pytest.raises(NotArmedError, match="not read back as off"):
        bench.machine.clear("stop_unconfirmed")
    bench.stops = True
    bench.machine.clear("stop_unconfirmed")
    assert bench.stop_calls == 3


def test_what_cannot_be_written_down_stays_latched() -> None:
    paper = Paper(LatchedFault(FALL, 1.0, 4), newest_id=4)
    machine = Bench(paper).machine
    paper.refuses = True
    with pytest.raises(RobotError, match=r"'fell' stays latched: .* \(full\)"):
        machine.clear("fell")
    assert machine.state is SafetyState.FAULT


def test_orders_are_carried_out_in_turn_and_none_stops_the_next(bench: Bench) -> None:
    machine = bench.machine
    machine.latch(FALL)
    machine.latch(HOT_LEFT)
    for name in ("unknown", "fell", "hot"):
        machine.order_clear(name)
    assert machine.faults.names == ("fell", "hot"), "orders wait for the loop"
    machine.carry_out_orders()
    assert machine.state is SafetyState.DISARMED
    machine.carry_out_orders()


def test_an_order_that_cannot_be_written_down_changes_nothing() -> None:
    paper = Paper(LatchedFault(FALL, 1.0, 4), newest_id=4)
    machine = Bench(paper).machine
    paper.refuses = True
    machine.order_clear("fell")
    machine.carry_out_orders()
    assert machine.state is SafetyState.FAULT


def test_clearing_does_not_forget_that_torque_is_off(bench: Bench) -> None:
    bench.machine.latch(FALL)
    bench.machine.cut()
    bench.machine.clear("fell")
    assert bench.machine.state is SafetyState.DISARMED
    assert bench.machine.torque_off_since == 5.0


def test_by_itself_it_looks_for_no_lasting_cause() -> None:
    bench = Bench()
    machine = SafetyMachine(bench, lambda: 0.0, EStopGate(), None, print, lambda *_: None)
    machine.latch(FALL)
    machine.clear("fell")
    assert machine.state is SafetyState.DISARMED
