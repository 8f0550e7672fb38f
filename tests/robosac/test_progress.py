"""The live display of a run."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from robosac.progress import LINE_PERIOD_S, Progress


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


def test_a_line_leaves_out_what_is_unknown() -> None:
    progress, _ = plain(Hands())
    progress.start()
    progress.update(step=10)
    assert progress.line() == "step 10/1,000 (1%) | left –"
    progress.update(robot_s=60.0, episode_return=-3.0, falls=2, speed_m_s=0.5)
    assert progress.line().endswith(
        "robot 1.0 min | return -3.0 (mean -3.0) | speed 0.50 m/s | falls 2"
    )


def test_a_line_tells_where_updates_are_made() -> None:
    progress = Progress(10, "test", console=Console(width=200), clock=lambda: 0.0)
    progress.update(learner_device="cuda")
    assert "cuda" not in progress.line()
    progress.update(updates_per_s=2100.0)
    assert "2100 updates/s on cuda" in progress.line()
    progress.update(learner_device="cpu", learner_core="native")
    assert "2100 updates/s on cpu, native" in progress.line()


def test_a_line_tells_how_turning_goes() -> None:
    progress, _ = plain(Hands())
    progress.start()
    for success in (False, *(8 * [True]), False, True):
        progress.update(angle_error_rad=0.123, angle_error_median_rad=0.3, success=success)
        progress.update(step=5)
    assert progress.success_share == 0.9
    progress.update(replay_bytes=1_230_000_000, operator_calls=2)
    line = progress.line()
    for part in (
        "error 0.12 rad (median 0.30 rad)", "success 90%", "replay 1.2 GB", "calls 2 for help",
    ):  # fmt: skip
        assert f"| {part}" in line
    assert "speed" not in line
    assert "falls" not in line


def test_an_error_that_was_not_measured_at_the_end_is_said_so() -> None:
    progress, _ = plain(Hands())
    progress.update(angle_error_rad=None, angle_error_median_rad=0.5)
    assert "error – (median 0.50 rad)" in progress.line()


def test_a_wait_is_told_at_once_and_once() -> None:
    progress, out = plain(Hands())
    progress.start()
    progress.update(wait="operator: free the valve")
    progress.update(wait="operator: free the valve")
    progress.update(wait="")
    assert out.getvalue().count("waiting: operator: free the valve") == 1
    assert "waiting" not in progress.line()


def test_panel_of_a_turning_task() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with Progress(1000, "claw", console=console, clock=Hands()) as progress:
        progress.update(angle_error_rad=0.1, angle_error_median_rad=0.2, success=True)
        progress.update(replay_bytes=400_000_000, wait="the motors to cool")
    shown = out.getvalue()
    for text in ("0.10 rad", "0.20 rad", "100%", "400 MB", "the motors to cool"):
        assert text in shown
    assert "falls" not in shown
