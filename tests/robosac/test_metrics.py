"""Metrics rows on disk and in TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from robosac.errors import RunFolderError
from robosac.metrics import (
    AnyRow,
    EpisodeResult,
    EpisodeRow,
    EvaluationRow,
    MetricsWriter,
    read_rows,
    scalars,
    summarise,
    truncate_after,
)
from robosac.tasks.ends import EpisodeEnd


def episode(number: int) -> EpisodeRow:
    return EpisodeRow(
        step=10 * number, wall_s=0.5 * number, robot_s=0.2 * number, episode=number, length=10,
        return_=float(number), end=EpisodeEnd.TRUNCATED, terms={"forward": 2.0 * number},
    )  # fmt: skip


def write(folder: Path, rows: list[EpisodeRow], resumed_at: int | None = None) -> Path:
    path = folder / "metrics.jsonl"
    with MetricsWriter(path, folder / "tb", epoch_s=1000.0, resumed_at=resumed_at) as writer:
        for row in rows:
            writer.write(row)
    return path


def test_rows_come_back(tmp_path: Path) -> None:
    rows: list[AnyRow] = [episode(number) for number in range(1, 4)]
    rows.append(
        summarise(
            [
                EpisodeResult(length=5, return_=1.0, end=EpisodeEnd.TERMINATED, speed_m_s=0.2),
                EpisodeResult(length=9, return_=3.0, end=EpisodeEnd.TRUNCATED, speed_m_s=0.4),
            ],
            step=30, wall_s=1.0, robot_s=2.0,
        )
    )  # fmt: skip
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path, tmp_path / "tb", epoch_s=0.0) as writer:
        for row in rows:
            writer.write(row)
            assert read_rows(path)[-1] == row
    assert read_rows(path) == rows


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    line = json.loads(write(tmp_path, [episode(3)]).read_text())
    assert line["kind"] == "episode"
    assert line["return"] == 3.0
    assert line["end"] == "truncated"
    assert {"step", "wall_s", "robot_s"} <= line.keys()


def test_summary_of_an_evaluation() -> None:
    results = [
        EpisodeResult(
            length=5, return_=1.0, end=EpisodeEnd.TERMINATED, speed_m_s=0.2, power_w=30.0,
            seconds_above_continuous_torque=0.1, overheats=1,
        ),
        EpisodeResult(
            length=9, return_=3.0, end=EpisodeEnd.TRUNCATED, speed_m_s=0.4, power_w=50.0,
            seconds_above_continuous_torque=0.3, overheats=2,
        ),
    ]  # fmt: skip
    row = summarise(results, step=1, wall_s=2.0, robot_s=3.0)
    assert (row.return_mean, row.return_std) == (2.0, 1.0)
    assert row.speed_m_s == pytest.approx(0.3)
    assert (row.speed_min_m_s, row.falls, row.power_w, row.overheats) == (0.2, 1, 40.0, 3)
    assert row.seconds_above_continuous_torque == 0.3


def test_not_a_number_becomes_null(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    bad = EpisodeRow(step=1, wall_s=0, robot_s=0, episode=0, length=1,
                     return_=float("nan"), end=EpisodeEnd.TERMINATED)  # fmt: skip
    write(tmp_path, [bad])
    (row,) = read_rows(path)
    assert isinstance(row, EpisodeRow)
    assert row.return_ is None


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_torn_last_line_is_left_out_and_repaired(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path, [episode(1), episode(2)])
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_rows(path) == [episode(1)]
    write(tmp_path, [episode(7)])
    assert read_rows(path) == [episode(1), episode(7)]


def test_damage_inside_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, [episode(1), episode(2), episode(3)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{}\n" + lines[2])
    with pytest.raises(RunFolderError, match="line 2"):
        read_rows(path)


def test_truncate_after_a_checkpoint(tmp_path: Path) -> None:
    path = write(tmp_path, [episode(number) for number in range(1, 6)])
    assert truncate_after(path, 30) == 2
    assert [row.step for row in read_rows(path)] == [10, 20, 30]
    assert truncate_after(tmp_path / "none.jsonl", 30) == 0


def test_scalars_name_nested_numbers() -> None:
    found = scalars(episode(3))
    assert found["episode/terms/forward"] == 6.0
    assert found["episode/return"] == 3.0
    assert "episode/end" not in found
    assert "episode/speed_m_s" not in found


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    write(tmp_path, [episode(3)], resumed_at=20)
    (file,) = (tmp_path / "tb").iterdir()
    events = [event for event in EventFileLoader(str(file)).Load() if event.step]
    assert [event.step for event in events] == [21, 30]
    assert events[0].HasField("session_log")
    assert events[1].wall_time == 1001.5
    assert "episode/return" in [value.tag for value in events[1].summary.value]


OLD_LINES = (
    '{"kind":"episode","step":500,"wall_s":1.0,"robot_s":10.0,"episode":0,"length":500,'
    '"return":3.5,"end":"truncated","speed_m_s":0.1,"terms":{"pitch":-1.0},"limited":{},'
    '"smoothness":0.2}',
    '{"kind":"evaluation","step":500,"wall_s":1.0,"robot_s":10.0,"episodes":3,"return_mean":1.0,'
    '"return_std":0.0,"speed_m_s":0.3,"speed_min_m_s":0.2,"falls":1,"power_w":30.0,'
    '"mechanical_power_w":null,"seconds_above_continuous_torque":0.1,"overheats":0}',
)


def test_rows_of_older_runs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f"{line}\n" for line in OLD_LINES))
    first, second = read_rows(path)
    assert isinstance(first, EpisodeRow)
    assert isinstance(second, EvaluationRow)
    assert (first.angle_error_rad, first.success, second.within_0_1_rad) == (None, None, None)
    assert second.ends == {}


def turned(error: float | None, end: EpisodeEnd = EpisodeEnd.TRUNCATED) -> EpisodeResult:
    return EpisodeResult(
        length=40, return_=0.0, end=end, start_error_rad=2.0, angle_error_rad=error,
        angle_error_median_rad=None if error is None else 2 * error,
        success=error is not None and error < 0.1,
        frame_age_mean_s=0.03, frame_age_max_s=0.05 if error is None else error,
    )  # fmt: skip


def test_summary_of_a_turning_task() -> None:
    results = [turned(0.05), turned(0.15), turned(0.35), turned(0.01, EpisodeEnd.CAMERA_FROZEN)]
    row = summarise([*results, turned(None, EpisodeEnd.VALVE_LOST)], step=1, wall_s=2, robot_s=3)
    # What was cut short has not reached the goal, wherever it was then.
    assert (row.within_0_1_rad, row.within_0_2_rad, row.success) == (0.2, 0.4, 0.2)
    assert row.angle_error_rad == pytest.approx(0.1)
    assert row.angle_error_p90_rad == pytest.approx(0.15 + 0.7 * 0.2)
    assert row.angle_error_median_rad == pytest.approx(0.2)
    assert row.start_error_rad == 2.0
    assert (row.frame_age_mean_s, row.frame_age_max_s) == (pytest.approx(0.03), 0.35)
    assert row.ends == {"truncated": 3, "camera_frozen": 1, "valve_lost": 1}
    assert (row.falls, row.speed_m_s) == (0, None)


def test_only_a_walker_falls() -> None:
    ended = EpisodeResult(length=9, return_=0.0, end=EpisodeEnd.TERMINATED)
    row = summarise([ended], step=1, wall_s=0, robot_s=0)
    assert (row.falls, row.within_0_1_rad, row.success) == (0, None, None)


@given(st.lists(st.floats(0, 3.2), min_size=1, max_size=30))
def test_the_summary_takes_numpys_quantiles(errors: list[float]) -> None:
    row = summarise([turned(error) for error in errors], step=1, wall_s=0, robot_s=0)
    assert row.angle_error_rad == pytest.approx(np.quantile(errors, 0.5))
    assert row.angle_error_p90_rad == pytest.approx(np.quantile(errors, 0.9))


def test_scalars_hold_success_and_ends() -> None:
    row = summarise([turned(0.05), turned(0.3)], step=1, wall_s=0, robot_s=0)
    found = scalars(row)
    assert found["evaluation/success"] == 0.5
    assert found["evaluation/ends/truncated"] == 2.0
    assert "evaluation/speed_m_s" not in found
