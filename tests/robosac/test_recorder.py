"""What one episode adds up to, from the transitions and the task's own `info`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from robosac.metrics import EpisodeRow
from robosac.reasons import Reason
from robosac.recorder import EpisodeRecorder
from robosac.tasks.ends import EpisodeEnd
from robosac.ticks import Tick
from robosac.trace_recorder import REASONS, TraceRecorder
from robosac.transition import Transition
from tests.robosac.executor_rig import Rig


def step(
    end: EpisodeEnd | None = None, reward: float = 1.0, action: tuple[float, ...] = (0.5,)
) -> Transition:
    return Transition(
        actor_id="test", episode=0, step=0, sequence=0, policy_version=0,
        observation=np.zeros(2, np.float32), requested_action=np.array(action, np.float32),
        executed_action=np.array(action, np.float32), reasons=0, reward=reward, rewarded=True,
        terms={"reward": reward}, next_observation=np.zeros(2, np.float32), end=end,
        observed_at=0.0, commanded_at=0.0,
    )  # fmt: skip


def turned(error: float, age: float = 0.03) -> dict[str, Any]:
    return {
        "ticks": [],
        "angle_error": error,
        "success": abs(error) < 0.1,
        "frame_age_s": age,
        "joint_age_s": age / 10,
    }


def row_of(recorder: EpisodeRecorder) -> EpisodeRow:
    return recorder.row(step=7, wall_s=1.0, robot_s=2.0, episode=3, operator_calls=4)


def test_a_turning_episode() -> None:
    recorder = EpisodeRecorder()
    recorder.begin({"angle_error": -2.5})
    for error, age in ((-2.0, 0.03), (0.5, 0.07), (math.nan, 0.02)):
        recorder.add(step(), turned(error, age))
    recorder.add(step(EpisodeEnd.TRUNCATED), turned(-0.05, 0.04))
    for row in (row_of(recorder), recorder.result(seed=11)):
        assert (row.start_error_rad, row.angle_error_rad) == (2.5, 0.05)
        assert row.angle_error_median_rad == 0.5
        assert row.success is True
        assert row.frame_age_mean_s == pytest.approx(0.04)
        assert row.frame_age_max_s == 0.07
        assert (row.length, row.return_, row.speed_m_s) == (4, 4.0, None)
    assert recorder.result(seed=11).seed == 11
    row = row_of(recorder)
    assert (row.step, row.episode, row.operator_calls) == (7, 3, 4)
    assert row.joint_age_max_s == pytest.approx(0.007)
    assert row.terms == {"reward": 4.0}


def test_an_error_unknown_at_the_end_is_not_an_older_one() -> None:
    recorder = EpisodeRecorder()
    recorder.add(step(), turned(0.01))
    recorder.add(step(EpisodeEnd.VALVE_LOST), turned(math.nan))
    result = recorder.result()
    assert result.angle_error_rad is None
    assert result.success is False
    assert result.angle_error_median_rad == 0.01
    assert not result.ran_its_course


def test_what_the_task_does_not_tell_is_none() -> None:
    recorder = EpisodeRecorder()
    recorder.begin({})
    recorder.add(step(EpisodeEnd.TERMINATED), {"ticks": []})
    row = row_of(recorder)
    assert row.start_error_rad is row.angle_error_rad is row.angle_error_median_rad is None
    assert row.success is row.frame_age_mean_s is row.frame_age_max_s is row.joint_age_max_s is None
    assert not recorder.fell


@pytest.mark.parametrize(
    ("end", "fell"), [(EpisodeEnd.TERMINATED, True), (EpisodeEnd.TRUNCATED, False)]
)
def test_a_walker_falls(end: EpisodeEnd, fell: bool) -> None:
    recorder = EpisodeRecorder()
    recorder.add(step(), {"ticks": [], "forward_velocity": 0.2})
    recorder.add(step(end), {"ticks": [], "forward_velocity": math.nan})
    assert recorder.speed == 0.2
    assert recorder.fell is fell


def tick() -> Tick:
    return Rig().armed().run(1)


def test_power_that_the_motors_do_not_tell_is_none() -> None:
    told = tick()
    told.state.joints.power[0] = math.nan
    recorder = EpisodeRecorder()
    recorder.add(step(EpisodeEnd.TRUNCATED), {"ticks": [told]})
    assert recorder.power is None
    assert recorder.mechanical_power == 0.0


def test_every_number_of_the_task_becomes_a_signal() -> None:
    rig = Rig().armed()
    tracer = TraceRecorder(rig.robot.joint_names)
    for error in (0.3, 0.2, 0.1):
        info = {**turned(error), "ticks": [rig.run(1)], "reasons": Reason.VELOCITY, "end": None}
        tracer.add(step(action=(0.1, 0.2, 0.3)), info)
    trace = tracer.trace()
    assert trace.joint_position.shape == (3, 8)
    assert trace.action_requested.shape == (3, 3)
    np.testing.assert_allclose(trace.signals["angle_error"], [0.3, 0.2, 0.1])
    assert {"angle_error", "frame_age_s", "joint_age_s", "roll", "pitch"} == set(trace.signals)
    np.testing.assert_allclose(trace.time_s, [0.0, 0.005, 0.01])
    assert trace.reasons.tolist() == 3 * [1 << REASONS.index(Reason.VELOCITY)]


def test_a_goal_of_another_shape_and_a_signal_that_comes_late_are_unknown() -> None:
    rig = Rig().armed()
    tracer = TraceRecorder(rig.robot.joint_names)
    rig.executor.request(np.zeros(3))
    base = {"reasons": Reason.SHAPE}
    tracer.add(step(), {**base, "ticks": [rig.executor.tick()]})
    rig.executor.request(np.full(8, 0.01))
    tracer.add(step(), {**base, "ticks": [rig.executor.tick()], "angle_error": 0.5})
    trace = tracer.trace()
    assert np.isnan(trace.requested[0]).all()
    np.testing.assert_allclose(trace.requested[1], 0.01)
    np.testing.assert_array_equal(trace.signals["angle_error"], [math.nan, 0.5])
