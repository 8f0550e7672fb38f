"""Supply and warmth by themselves: what is counted, for how long, and what is told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from robosac.hal import Fault, JointState
from robosac.reasons import Reason
from robosac.watch_settings import WatchSettings
from robosac.watch_supply import OVER_TEMPERATURE, SupplyMemory, judge_supply, lasting
from robosac.watch_verdict import Reaction, Verdict
from tests.robosac.fake_robot import make_limits

JOINTS = 2
LIMITS = make_limits(JOINTS)
SETTINGS = WatchSettings()
"""9 to 48 V for 1 s, 8 to 50 V for 40 ms; told at 70 degrees C, cut at 78."""


def joints(volts: float = 16.0, heat: float = 30.0) -> JointState:
    """Joint 0 is well; joint 1 is at `volts` (V) and `heat` (degrees C)."""
    zero, yes = np.zeros(JOINTS), np.ones(JOINTS, dtype=np.bool_)
    return JointState(
        *(zero, yes, zero, zero, zero, np.array([30.0, heat]), np.array([16.0, volts]), zero, yes)
    )


class Supply:
    """Looks one after another, from time 0 on."""

    def __init__(self, settings: WatchSettings = SETTINGS) -> None:
        self.settings, self.memory, self.now = settings, SupplyMemory.fresh(JOINTS), 0.0

    def look(self, volts: float = 16.0, heat: float = 30.0, dt: float = 0.01) -> Verdict:
        self.now += dt
        verdict = Verdict()
        state = joints(volts, heat)
        self.memory = judge_supply(state, self.now, self.memory, LIMITS, self.settings, verdict)
        return verdict

    def until_cut(self, volts: float, dt: float = 0.01, most: int = 300) -> tuple[int, Fault]:
        """How many looks pass until torque is cut, and why."""
        for count in range(1, most + 1):
            if latching := self.look(volts, dt=dt).latching:
                (fault,) = latching
                return count, fault
        raise AssertionError("never")


def test_a_healthy_supply_is_quiet() -> None:
    supply = Supply()
    assert supply.memory.quiet
    for volts in (9.0, 16.0, 48.0):
        assert supply.look(volts).faults == []
        assert supply.memory.quiet is True
        assert supply.memory.time == -math.inf, "nothing is counted"


@pytest.mark.parametrize(
    ("volts", "name"),
    [
        (8.99, "under_voltage"),
        (48.01, "over_voltage"),
        (8.0, "under_voltage"),
        (50.0, "over_voltage"),
    ],
)
def test_a_little_outside_for_a_second(volts: float, name: str) -> None:
    """The first look begins the count; a hundred more of 10 ms fill the second."""
    count, fault = Supply().until_cut(volts)
    assert count == 101
    assert (fault.name, fault.source) == (name, "joint_1")
    assert fault.detail == (
        f"{volts:.1f} V; valid is 9.0 to 48.0 V, for 0.04 s down to 8.0 and up to 50.0 V"
    )


@pytest.mark.parametrize("volts", [7.99, 50.01, 0.0, math.nan])
def test_far_outside_for_forty_milliseconds(volts: float) -> None:
    count, fault = Supply().until_cut(volts)
    assert count == 5
    assert fault.name == ("over_voltage" if volts > 40.0 else "under_voltage")


def test_of_a_long_silence_a_fifth_of_a_second_counts() -> None:
    supply = Supply()
    supply.look(8.5)
    for _ in range(4):
        assert supply.look(8.5, dt=3.0).faults == []
    assert supply.memory.off_range.tolist() == pytest.approx([0.0, 0.8])
    assert [fault.name for fault in supply.look(8.5, dt=3.0).latching] == ["under_voltage"]


def test_time_that_runs_back_counts_nothing() -> None:
    supply = Supply()
    supply.look(8.5)
    supply.look(8.5, dt=0.5)
    supply.look(8.5, dt=-0.4)
    assert supply.memory.off_range[1] == pytest.approx(0.2)


def test_time_outside_leaks_and_peaks_are_forgotten() -> None:
    supply = Supply()
    supply.look(7.0)
    for _ in range(3):
        assert supply.look(7.0).faults == []
    assert supply.memory.peak.tolist() == pytest.approx([0.0, 0.03])
    assert supply.memory.off_range.tolist() == pytest.approx([0.0, 0.03])
    supply.look(16.0)
    assert supply.memory.peak.tolist() == [0.0, 0.0]
    assert supply.memory.off_range.tolist() == pytest.approx([0.0, 0.02])
    assert supply.memory.quiet is False
    supply.look(16.0, dt=0.05)
    assert supply.memory.off_range.tolist() == [0.0, 0.0]
    assert supply.memory.quiet is True


def test_a_supply_that_dips_again_and_again_is_found_out() -> None:
    supply, seen = Supply(), []
    for _ in range(400):
        seen += supply.look(8.5).latching
        seen += supply.look(8.5).latching
        seen += supply.look(16.0).latching
    assert {fault.name for fault in seen} == {"under_voltage"}


def test_a_cut_is_a_fault_that_latches() -> None:
    supply = Supply()
    supply.look(7.0)
    verdict = supply.look(7.0, dt=0.04)
    assert verdict.reaction is Reaction.FAULT
    assert verdict.reasons == Reason.FAULT


def remembered(peak: float = 0.0, off_range: float = 0.0) -> Supply:
    """Joint 1 has been outside for so long, s, up to now."""
    supply = Supply()
    supply.memory = replace(
        supply.memory,
        time=0.0,
        quiet=False,
        peak=np.array([0.0, peak]),
        off_range=np.array([0.0, off_range]),
    )
    return supply


def test_times_are_told_to_a_millionth_of_a_second() -> None:
    for less, cut in ((1e-6, True), (1.1e-6, False)):
        assert bool(remembered(peak=0.04 - less).look(7.0, dt=0.0).latching) is cut
        assert bool(remembered(off_range=1.0 - less).look(8.5, dt=0.0).latching) is cut


@pytest.mark.parametrize(
    ("volts", "name"), [(28.5, "under_voltage"), (28.6, "over_voltage"), (28.4, "under_voltage")]
)
def test_a_supply_that_came_back_too_late_is_told_by_its_side(volts: float, name: str) -> None:
    (fault,) = remembered(off_range=1.5).look(volts).latching
    assert fault.name == name


def test_the_range_need_not_lie_about_the_middle() -> None:
    """The hand's: 9.5 to 16 V; its middle is 12.75 V."""
    narrow = replace(
        SETTINGS, voltage_sag=9.0, voltage_min=9.5, voltage_max=16.0, voltage_surge=17.0
    )
    for volts, quiet in ((9.5, True), (16.0, True), (9.49, False), (16.01, False)):
        supply = Supply(narrow)
        supply.look(volts)
        assert supply.memory.quiet is quiet
    assert Supply(narrow).until_cut(12.0 + 4.5)[1].name == "over_voltage"
    assert Supply(narrow).until_cut(9.2)[1].name == "under_voltage"


@pytest.mark.parametrize(
    ("heat", "reaction", "name"),
    [
        (69.9, Reaction.NONE, None),
        (70.0, Reaction.NONE, "motor_warm"),
        (77.9, Reaction.NONE, "motor_warm"),
        (78.0, Reaction.FAULT, "over_temperature"),
        (math.nan, Reaction.FAULT, "over_temperature"),
    ],
)
def test_warmth_is_told_and_heat_cuts(heat: float, reaction: Reaction, name: str | None) -> None:
    verdict = Supply().look(heat=heat)
    assert verdict.reaction is reaction
    assert verdict.reasons == (Reason.FAULT if reaction else Reason.NONE)
    assert [fault.name for fault in verdict.faults] == ([] if name is None else [name])
    assert all(fault.source == "joint_1" for fault in verdict.faults)


def test_what_is_told_of_warmth() -> None:
    supply = Supply()
    (warm,) = supply.look(heat=70.0).faults
    assert warm.detail == "70.0 degrees C, +0.0 in a second; torque goes at 78"
    (warm,) = supply.look(heat=74.0, dt=2.0).faults
    assert warm.detail == "74.0 degrees C, +2.0 in a second; torque goes at 78"
    (hot,) = supply.look(heat=79.0, dt=1.0).faults
    assert hot.detail == (
        "79.0 degrees C, +5.0 in a second; valid: below 78, and warming by less than 5.0"
    )


@pytest.mark.parametrize(("heat", "cut"), [(74.9, False), (75.0, True), (75.1, True)])
def test_five_degrees_in_a_second_cut_once_it_is_warm(heat: float, cut: bool) -> None:
    supply = Supply()
    supply.look(heat=70.0)
    assert supply.look(heat=heat, dt=0.99).latching == [], "the second is not over"
    assert bool(supply.look(heat=heat, dt=0.01).latching) is cut
    assert supply.look(heat=60.0, dt=5.0).faults == [], "cold again"
    assert supply.look(heat=69.0, dt=1.0).faults == [], "fast, but not warm enough to be told"


def test_warming_is_told_over_whole_seconds() -> None:
    supply = Supply()
    supply.look(heat=70.0)
    assert supply.memory.since == 0.01
    assert supply.memory.rate.tolist() == [0.0, 0.0], "nothing to compare with"
    supply.look(heat=72.0, dt=0.5)
    assert supply.memory.warmth.tolist() == [30.0, 70.0]
    supply.look(heat=73.0, dt=0.5)
    assert supply.memory.since == 1.01
    assert supply.memory.rate.tolist() == pytest.approx([0.0, 3.0])
    assert supply.memory.warmth.tolist() == [30.0, 73.0]
    supply.look(heat=69.0, dt=2.0)
    assert supply.memory.rate.tolist() == pytest.approx([0.0, -2.0])


def test_what_is_counted_of_the_supply_outlives_a_second_of_warmth() -> None:
    supply = Supply()
    supply.look(8.5)
    supply.look(8.5, dt=0.2)
    since, warmth = supply.memory.since, supply.memory.warmth.tolist()
    supply.look(8.5, dt=0.2)
    assert (supply.memory.since, supply.memory.warmth.tolist()) == (since, warmth)
    before = supply.memory
    supply.look(8.5, heat=40.0, dt=1.0)
    assert supply.memory.since == supply.now
    assert supply.memory.time == supply.now
    assert supply.memory.off_range[1] == pytest.approx(before.off_range[1] + 0.2)
    assert supply.memory.peak.tolist() == [0.0, 0.0]
    assert supply.memory.quiet is False
    supply.look(7.0, dt=0.03)
    supply.look(7.0, dt=0.002)
    assert supply.memory.rate[1] == pytest.approx(10.0, rel=0.3)


@pytest.mark.parametrize(("heat", "lasts"), [(69.9, False), (70.0, True), (math.nan, True)])
def test_heat_is_cleared_only_once_it_has_gone(heat: float, lasts: bool) -> None:
    told = lasting(OVER_TEMPERATURE, joints(heat=heat), LIMITS, SETTINGS)
    assert (told != "") is lasts
    assert lasting("under_voltage", joints(heat=heat), LIMITS, SETTINGS) == ""
    assert OVER_TEMPERATURE == "over_temperature"


def test_the_hottest_joint_is_named() -> None:
    state = replace(joints(), temperature=np.array([75.0, 72.0]))
    assert lasting(OVER_TEMPERATURE, state, LIMITS, SETTINGS) == (
        "joint_0 is at 75.0 degrees C; valid is below 70; let it cool"
    )
    state = replace(joints(), temperature=np.array([65.0, 72.0]))
    assert lasting(OVER_TEMPERATURE, state, LIMITS, SETTINGS).startswith("joint_1 is at 72.0")
