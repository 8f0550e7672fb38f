"""A verdict collects every cause, and the strongest reaction wins."""

from __future__ import annotations

from robosac.hal import Fault
from robosac.reasons import Reason
from robosac.watch_verdict import Reaction, Verdict

HOT, STALE, TILTED = Fault("hot", "j", "90"), Fault("stale", "j", "1 s"), Fault("tilt", "b", "2")


def test_the_stop_ladder_goes_up() -> None:
    ladder = ["NONE", "HOLD", "DAMP", "STOP", "FAULT"]
    assert [reaction.name for reaction in sorted(Reaction)] == ladder
    assert [int(reaction) for reaction in sorted(Reaction)] == [0, 1, 2, 3, 4]


def test_nothing_is_found_until_something_is() -> None:
    verdict = Verdict()
    assert (verdict.reaction, verdict.reasons) == (Reaction.NONE, Reason.NONE)
    assert (verdict.faults, verdict.latching) == ([], [])


def test_every_cause_is_told_and_those_of_a_fault_latch() -> None:
    verdict = Verdict()
    verdict.add(Reaction.DAMP, Reason.TILT, TILTED)
    assert verdict.reaction is Reaction.DAMP
    verdict.add(Reaction.HOLD, Reason.STALE, STALE)
    assert verdict.reaction is Reaction.DAMP, "a gentler cause takes nothing back"
    assert verdict.latching == []
    verdict.add(Reaction.FAULT, Reason.FAULT, HOT)
    verdict.add(Reaction.NONE, Reason.NONE, STALE)
    assert verdict.reaction is Reaction.FAULT
    assert verdict.reasons == Reason.TILT | Reason.STALE | Reason.FAULT
    assert verdict.faults == [TILTED, STALE, HOT, STALE]
    assert verdict.latching == [HOT]
    assert Verdict().faults == []
