"""Metrics rows on disk and in TensorBoard, and the live display."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from robosac.errors import RunFolderError
from robosac.metrics import (
    AnyRow,
    EpisodeResult,
    EpisodeRow,
    MetricsWriter,
    read_rows,
    scalars,
    summarise,
    truncate_after,
)
from robosac.progress import LINE_PERIOD_S, Progress
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


class Hands:
    """A clock turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def plain(clock: Hands) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=80)
    return Progress(1000, "minitaur, paper", "runs/x", console=console, clock=clock), out


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    clock = Hands()
    progress, out = plain(clock)
    progress.start()
    assert out.getvalue() == "minitaur, paper: 1,000 steps, run runs/x\n"
    for step in range(1, 101):
        clock.now = step * 0.1
        progress.update(step=step, alpha=0.25)
    lines = out.getvalue().splitlines()[1:]
    assert len(lines) == int(10.0 / LINE_PERIOD_S)
    assert "step 50/1,000 (5%)" in lines[0]
    assert "left 1:35" in lines[0]
    assert "10 steps/s" in lines[0]
    assert "alpha 0.25" in lines[0]


def test_progress_counts_each_return_once() -> None:
    progress, _ = plain(Hands())
    progress.start()
    for value in range(20):
        progress.update(episode_return=float(value))
        progress.update(step=value)
    assert progress.mean_return == sum(range(10, 20)) / 10


def test_progress_after_resume_rates_only_new_steps() -> None:
    clock = Hands()
    progress, _ = plain(clock)
    progress.start(step=900)
    clock.now = 10.0
    progress.update(step=910)
    assert progress.steps_per_s == 1.0
    assert progress.seconds_left == 90.0


def test_progress_past_the_last_step_has_no_time_left() -> None:
    clock = Hands()
    progress, _ = plain(clock)
    progress.start(step=900)
    clock.now = 10.0
    progress.update(step=1100)
    assert progress.seconds_left == 0.0
    assert "(100%) | left 0:00" in progress.line()


def test_progress_refuses_unknown_fields() -> None:
    progress, _ = plain(Hands())
    with pytest.raises(TypeError, match="nonsense"):
        progress.update(nonsense=1)  # pyright: ignore[reportCallIssue]


def test_panel_shows_the_state_and_stops_clean() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with Progress(1000, "minitaur [paper]", "runs/x", console=console, clock=Hands()) as progress:
        progress.update(step=250, speed_m_s=0.31, evaluation="0.30 m/s at step 200")
    progress.stop()
    shown = out.getvalue()
    for text in ("minitaur [paper]", "250 / 1,000", "0.31 m/s", "0.30 m/s at step 200", "runs/x"):
        assert text in shown
