"""What a report page shows of one recorded episode: the video and the joints."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path

from robosac import gait_plot
from robosac.evaluation_files import TRACE, VIDEOS
from robosac.report_html import missing, plot, section
from robosac.runs import RunFolder
from robosac.trace import Trace


def recording(run: RunFolder) -> list[str]:
    """Video and joints of the newest evaluation that has a trace or a video."""
    for step in reversed(run.evaluation_steps()):
        folder = run.path / "evaluation" / str(step)
        video = next((folder / name for name in VIDEOS if (folder / name).exists()), None)
        trace_path = folder / TRACE
        trace = Trace.load(trace_path) if trace_path.exists() else None
        if video or (trace is not None and len(trace.time_s) > 1):
            return [_video(run, video, step), _joints(run, trace, step)]
    words = "No evaluation has been recorded yet: `robosac evaluate` makes one."
    return [section("Recording", missing(words))]


def _video(run: RunFolder, video: Path | None, step: int) -> str:
    title = f"Video, step {step:,}"
    if video is None:
        return section(title, missing("This evaluation has no video."))
    source = html.escape(video.relative_to(run.path).as_posix())
    if video.suffix == ".webp":
        return section(title, f'<img class="film" src="{source}" alt="video of the evaluation">')
    player = f'<video src="{source}" controls loop muted autoplay playsinline></video>'
    return section(title, player)


def _joints(run: RunFolder, trace: Trace | None, step: int) -> str:
    if trace is None:
        title = f"Joints, step {step:,}"
        return section(title, missing("This evaluation has no recording of the joints."))
    name = "Gait" if gait_plot.is_quadruped(trace) else "Joints"
    return section(
        f"{name}, step {step:,}",
        plot(run, "gait", partial(gait_plot.gait, trace), "joint angles"),
        plot(run, "episode", partial(gait_plot.episode, trace), "the episode over time"),
    )
