"""The report page, its plots and the video."""

from __future__ import annotations

import html.parser
import io
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from PIL import Image

from robosac import gait_plot, plots, turn_plots
from robosac.config import load_preset
from robosac.error_traces import ErrorTraces
from robosac.evaluation_files import ERRORS
from robosac.metrics import EpisodeResult, EpisodeRow, LearnerRow
from robosac.plot_style import DARK, LIGHT, render
from robosac.report import write_report
from robosac.rows import Rows, running_mean, running_median
from robosac.runs import RunFolder
from robosac.tasks.ends import EpisodeEnd
from robosac.video import Frame, count_frames, write_video, write_webp
from tests.robosac.synthetic_run import NOON, drawn_only, trot, write_run
from tests.robosac.synthetic_turn import turn, write_turn_run

VOID = {"meta", "img", "source", "br", "link", "input"}


class Balanced(html.parser.HTMLParser):
    """Fails on tags that do not nest, and collects what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [value or "" for key, value in attrs if key in ("src", "srcset", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page_of(run: RunFolder) -> tuple[str, Balanced]:
    text = write_report(run).read_text(encoding="utf-8")
    checked = Balanced()
    checked.feed(text)
    assert not checked.open
    return text, checked


def test_full_report(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", episodes=24)
    last = run.evaluation_steps()[-1]
    write_video(run.evaluation_folder(last) / "episode", film(5), 25.0)
    text, checked = page_of(run)
    for name in ("learning_curve", "gait", "episode", "temperature", "limiter", "timing"):
        with Image.open(run.path / f"{name}.png") as image:
            assert image.width > 1000
    assert "72 W" in text
    assert "1.18 m/s" in text
    assert "batch_size: 256" in text
    assert 'class="missing"' not in text
    others = [load for load in checked.loads if not load.startswith("data:image/png;base64,")]
    assert others == [f"evaluation/{last}/episode.webm"]
    assert not list(run.path.glob("**/.*.part*"))


def test_report_of_a_turning_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robosac.report_html.render", drawn_only)
    run = write_turn_run(tmp_path / "run", episodes=80)
    last = run.evaluation_steps()[-1]
    write_video(run.evaluation_folder(last) / "episode", film(5), 10.0)
    text, _ = page_of(run)
    for name in ("turn_curve", "last_episodes", "error_traces", "gait", "episode", "ages"):
        assert (run.path / f"{name}.png").read_bytes() == b"light"
    for words in (
        "below 0.2 rad, last evaluation", "final |error|, 90 %, rad", "1 camera late",
        f"Episodes of the evaluation at step {last:,}", "Joints, step", "camera frozen",
    ):  # fmt: skip
        assert words in text
    assert "Forward" not in text
    assert "falls" not in text.split("<details>")[0]
    assert 'class="missing"' not in text


@pytest.mark.parametrize("name", ["turn_curve", "last_episodes", "error_traces", "ages"])
def test_plots_of_a_turning_task(tmp_path: Path, name: str) -> None:
    run = write_turn_run(tmp_path / "run", episodes=16)
    rows, step = Rows(run.rows()), run.evaluation_steps()[-1]
    errors = ErrorTraces.load(run.evaluation_folder(step) / ERRORS)
    draw = {
        "turn_curve": partial(turn_plots.turn_curve, rows),
        "last_episodes": partial(turn_plots.last_episodes, run.episodes(step)),
        "error_traces": partial(turn_plots.error_traces, errors),
        "ages": partial(plots.ages, rows),
    }[name]
    with Image.open(io.BytesIO(render(draw, DARK))) as image:
        assert image.width > 1000


def test_the_video_of_an_older_run_is_shown(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", load_preset("minitaur"), NOON)
    write_video(run.evaluation_folder(40) / "walk", film(2), 25.0)
    _, checked = page_of(run)
    assert checked.loads == ["evaluation/40/walk.webm"]


def test_equal_runs_give_equal_pictures(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, 6) for name in ("a", "b")]
    pictures = [render(partial(plots.temperature, Rows(run.rows())), DARK) for run in runs]
    assert pictures[0] == pictures[1]


def test_themes_leave_no_trace() -> None:
    before = dict(matplotlib.rcParams)
    render(partial(gait_plot.episode, trot(1.0)), DARK)
    assert dict(matplotlib.rcParams) == before


def test_empty_run_says_what_is_missing(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "<new>", load_preset("minitaur"), NOON)
    text, _ = page_of(run)
    assert len(re.findall('class="missing"', text)) == 6
    assert "&lt;new&gt;" in text
    assert "<new>" not in text


def test_gym_run_has_returns_but_no_robot(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "gym", load_preset("gym:Pendulum-v1"), NOON)
    base = {"step": 200, "wall_s": 1.0, "robot_s": 0.0}
    with run.metrics_writer() as metrics:
        metrics.write(
            EpisodeRow(**base, episode=0, length=200, return_=-900.0, end=EpisodeEnd.TRUNCATED)
        )
        metrics.write(
            LearnerRow(
                **base,
                updates=1,
                critic_loss=None,
                actor_loss=None,
                alpha=None,
                entropy=None,
                target_entropy=None,
                q_mean=None,
                updates_per_s=None,
            )
        )
    text, _ = page_of(run)
    assert "published" not in text.split("<main>")[1]
    assert "No robot" in text


def test_running_mean_leaves_gaps_out() -> None:
    values = np.array([1.0, np.nan, 3.0, 5.0])
    np.testing.assert_allclose(running_mean(values, 2), [1.0, 1.0, 3.0, 4.0])
    assert np.isnan(running_mean(np.array([np.nan]), 2)).all()


def test_running_median_leaves_gaps_out() -> None:
    values = np.array([np.nan, 1.0, 9.0, np.nan, 2.0])
    np.testing.assert_allclose(running_median(values, 3), [np.nan, 1.0, 5.0, 5.0, 5.5])


def test_an_episode_without_known_errors_is_still_drawn() -> None:
    lost = EpisodeResult(length=1, return_=0.0, end=EpisodeEnd.VALVE_LOST, start_error_rad=1.0)
    assert render(partial(turn_plots.last_episodes, [lost]), LIGHT)


def test_a_robot_that_tells_no_power_has_no_such_panel() -> None:
    quiet = replace(turn(), power_w=np.full(40, np.nan))
    figures = [gait_plot.episode(trace, LIGHT) for trace in (turn(), quiet)]
    titles = [[axes.get_title() or axes.get_title(loc="left") for axes in f.axes] for f in figures]
    assert titles[0] == [*titles[1], "Electrical power [W]"]
    assert "Forward speed [m/s]" not in titles[0]
    assert "Angle error [rad]" in titles[0]


def test_window_is_the_middle_two_seconds() -> None:
    trace = trot(6.0)
    part = gait_plot.window(trace)
    seconds = trace.time_s[part]
    assert seconds[0] == pytest.approx(2.0, abs=0.02)
    assert seconds[-1] == pytest.approx(3.98, abs=0.02)
    assert gait_plot.window(trot(1.0)) == slice(0, 50)


def film(count: int, height: int = 90, width: int = 160) -> list[Frame]:
    """A red square that moves right over grey."""
    frames: list[Frame] = []
    for index in range(count):
        frame = np.full((height, width, 3), 128, np.uint8)
        frame[30:60, 10 * index : 10 * index + 30] = (220, 30, 30)
        frames.append(frame)
    return frames


def test_video_decodes_to_the_same_pictures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / "walk", film(8, 91, 161), 25.0)
    assert path.name == "walk.webm"
    assert capfd.readouterr().err == ""
    assert count_frames(path) == 8
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(25.0)
    _, picture = capture.read()
    capture.release()
    assert picture.shape == (90, 160, 3)
    blue, _, red = (int(value) for value in picture[45, 15])
    assert red > 180 > 90 > blue
    assert [entry.name for entry in tmp_path.iterdir()] == ["walk.webm"]


def test_webp_stands_in_for_a_missing_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robosac.video._CODECS", ("????",))
    path = write_video(tmp_path / "walk", film(6), 25.0)
    assert path.name == "walk.webp"
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == 6


def test_video_refuses_what_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        write_video(tmp_path / "walk", [], 25.0)
    with pytest.raises(ValueError, match="valid is one shape"):
        write_webp(tmp_path / "walk", [*film(1), *film(1, height=80)], 25.0)
    with pytest.raises(ValueError, match="frames_per_s"):
        write_video(tmp_path / "walk", film(1), 0.0)
