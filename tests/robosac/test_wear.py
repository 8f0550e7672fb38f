"""Whether a robot that has changed is told from one that has not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.metrics import EpisodeRow
from robosac.report import write_report
from robosac.report_wear import verdict
from robosac.rows import Rows
from robosac.states import SafetyState
from robosac.tasks.ends import EpisodeEnd
from robosac.tracking import Lag, standing
from robosac.wear import FIRST, NEWEST, STANDING_RAD, by_its_likes, standing_drift
from tests.robosac.executor_rig import Rig
from tests.robosac.synthetic_run import write_run

NAMES = ("a", "b", "c")
RNG = np.random.default_rng(5)


def stances(count: int, change: float, noise: float = 0.001) -> list[dict[str, float | None]]:
    """Episodes whose second half stands otherwise by `change`, rad, in joint b."""
    told: list[dict[str, float | None]] = []
    for number in range(count):
        a, b, c = (noise * RNG.standard_normal(3)).tolist()
        told.append({"a": a, "b": b + (change if number >= count // 2 else 0.0), "c": c})
    return told


def test_a_joint_that_stands_otherwise_is_named_and_no_other() -> None:
    drifts = {drift.name: drift for drift in standing_drift(stances(80, 0.04))}
    assert [name for name, drift in drifts.items() if drift.drifted] == ["b"]
    assert drifts["b"].change == pytest.approx(0.04, abs=0.003)


def test_noise_alone_drifts_nowhere_however_large_it_is() -> None:
    for noise in (0.0, 0.001, 0.05, 0.5):
        assert not any(drift.drifted for drift in standing_drift(stances(80, 0.0, noise)))


@given(st.floats(-0.009, 0.009))
def test_less_than_what_chance_does_is_not_told(change: float) -> None:
    told = [{"b": 0.0 if number < FIRST else change} for number in range(FIRST + NEWEST)]
    (drift,) = standing_drift(told)
    assert not drift.drifted
    assert drift.bound == STANDING_RAD


def test_a_joint_is_told_by_its_likes() -> None:
    told = {"front_left_rear": 0.3, "front_right_rear": 0.1, "back_left_rear": 0.5, "roll": 0.02}
    found = by_its_likes({**told, "pitch": None})
    assert found == pytest.approx({**told, "front_left_rear": 0.2, "front_right_rear": -0.2})
    fingers = by_its_likes({"base_0": 0.3, "base_1": 0.0, "base_2": 0.0, "valve": 0.1})
    assert fingers == pytest.approx({"base_0": 0.3, "base_1": -0.15, "base_2": -0.15, "valve": 0.1})


def test_what_changes_both_sides_alike_hides_nothing_of_one() -> None:
    together = RNG.normal(0.1, 0.06, 90)
    told = [
        {"knee_left": float(both), "knee_right": float(both) + (0.03 if number >= 45 else 0.0)}
        for number, both in enumerate(together)
    ]
    assert [drift.drifted for drift in standing_drift(told)] == [True, True]


def test_too_few_episodes_tell_nothing_and_unknown_ones_do_not_count() -> None:
    assert standing_drift(stances(FIRST + NEWEST - 1, 0.0)) == ()
    unknown: list[dict[str, float | None]] = [{"b": None}, {}]
    told = [*unknown, *({"b": 0.1} for _ in range(FIRST + NEWEST))]
    (drift,) = standing_drift(told)
    assert (drift.usual, drift.now, drift.drifted) == (0.1, 0.1, False)


def test_what_is_no_number_counts_as_drifted() -> None:
    told = [{"b": 0.0}] * FIRST + [{"b": math.nan}] * NEWEST
    (drift,) = standing_drift(told)
    assert drift.drifted


def test_the_verdict_names_what_drifted() -> None:
    assert "no longer stands as it did: b." in verdict(standing_drift(stances(80, 0.04)))
    assert verdict(standing_drift(stances(80, 0.0))) == "The robot stands as when this run began."


def test_where_the_robot_stands_is_its_goal_less_its_reading() -> None:
    rig = Rig().armed()
    tick = rig.run(1)
    names = rig.executor.limits.names
    off = replace(tick.state.joints, position=tick.executed - 0.01 * np.arange(1, len(names) + 1))
    told = standing(replace(tick, state=replace(tick.state, joints=off)), names)
    assert [told[name] for name in names] == pytest.approx(
        [0.01 * (i + 1) for i in range(len(names))]
    )
    assert {"roll", "pitch"} <= set(told)
    lost = replace(off, valid=np.arange(len(names)) > 0)
    assert names[0] not in standing(replace(tick, state=replace(tick.state, joints=lost)), names)


def lagged(lag_s: float, safety: SafetyState = SafetyState.ACTIVE) -> dict[str, float]:
    """The lag told of joints that follow a sine so much late; the last joint is sent nowhere."""
    sample, period = Rig().armed().run(1), 0.005
    count = len(sample.executed)
    names = tuple(f"joint {index}" for index in range(count))
    moved = np.arange(count) < count - 1
    lag = Lag(period)
    for number in range(400):
        at = number * period
        goal = np.where(moved, math.sin(6.0 * at), 0.2)
        place = np.where(moved, math.sin(6.0 * (at - lag_s)), 0.2)
        joints = replace(sample.state.joints, position=place)
        tick = replace(
            sample, executed=goal, state=replace(sample.state, joints=joints), safety=safety
        )
        lag.add(tick)
    return lag.seconds(names)


@pytest.mark.parametrize("late", [0.01, 0.03])
def test_a_joint_that_follows_late_has_that_lag(late: float) -> None:
    told = lagged(late)
    assert len(told) == len(lagged(0.01)) >= 1
    assert list(told.values()) == pytest.approx([late] * len(told), rel=0.03)


def test_nothing_is_told_of_a_robot_that_does_not_follow() -> None:
    assert lagged(0.02, SafetyState.DAMPED) == {}
    assert Lag(0.005).seconds(NAMES) == {}


def test_the_report_shows_a_run_whose_robot_has_changed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", episodes=12)
    with run.metrics_writer() as metrics:
        for number, told in enumerate(stances(60, 0.05), start=100):
            row = EpisodeRow(
                step=1_000_000 + number, wall_s=1e4, robot_s=1e5, episode=number, length=500,
                return_=1.0, end=EpisodeEnd.TRUNCATED, standing_rad=told,
                lag_s=dict.fromkeys(NAMES, 0.02),
            )  # fmt: skip
            metrics.write(row)
    text = write_report(run).read_text(encoding="utf-8")
    assert "The robot no longer stands as it did: b." in text
    assert (run.path / "wear.png").exists()
    assert len(Rows(run.rows()).episodes) == 72
