"""One page that tells how a run went: curves, gait, limiter, timing, video, settings."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from string import Template

from matplotlib.figure import Figure

from robosac import config as configuration
from robosac import gait_plot, plots
from robosac.files import write_whole
from robosac.metrics import EvaluationRow, Number
from robosac.plot_style import LIGHT, THEMES, Theme, render
from robosac.plots import Rows
from robosac.published import PUBLISHED
from robosac.runs import RunFolder
from robosac.settings import RobotConfig
from robosac.trace import Trace

VIDEOS = ("walk.webm", "walk.webp")
DASH = "–"


def write_report(run: RunFolder) -> Path:
    """Write report.html and its plots (PNG) into the run folder; return the page's path.

    The page embeds its plots for light and for dark displays, refers to the video by a relative
    path, and loads nothing from elsewhere. What the run does not have yet is said in words.

    Raises:
        RunFolderError: the metrics or a trace are damaged.
        OSError: the disk refuses.
    """
    rows = Rows(run.rows())
    sections = [
        _learning(run, rows),
        _evaluations(rows),
        *_recording(run),
        _temperature(run, rows),
        _limiter(run, rows),
        _timing(run, rows),
    ]
    template = resources.files("robosac") / "report.html"
    page = Template(template.read_text(encoding="utf-8")).substitute(
        title=html.escape(run.path.name),
        lead=html.escape(_lead(run)),
        tiles=_tiles(rows),
        sections="\n".join(sections),
        config=html.escape(configuration.dump(run.config)),
        versions=_versions(run),
        footer=f"Run of {run.created:%Y-%m-%d %H:%M} UTC, written by robosac.",
    )
    path = run.path / "report.html"
    write_whole(path, page.encode())
    return path


def _lead(run: RunFolder) -> str:
    config = run.config
    parts = [f"Preset {config.preset}", f"recipe {config.recipe}", f"seed {config.seed}"]
    if isinstance(config, RobotConfig):
        parts.append(f"robot at {config.robot.address}")
    return ", ".join(parts) + "."


def _tiles(rows: Rows) -> str:
    steps = max((row.step for row in [*rows.episodes, *rows.learner]), default=0)
    tiles = [(f"{steps:,}", "environment steps"), (str(len(rows.episodes)), "episodes")]
    if rows.has_robot:
        minutes = max(row.robot_s for row in [*rows.episodes, *rows.evaluations]) / 60
        tiles.append((f"{minutes:.1f} min", "robot time"))
    if rows.evaluations:
        last = rows.evaluations[-1]
        tiles.append((_number(last.return_mean, ".1f"), "return, last evaluation"))
        if last.speed_m_s is not None:
            tiles.append((f"{last.speed_m_s:.2f} m/s", "speed, last evaluation"))
            tiles.append((f"{last.falls} of {last.episodes}", "falls, last evaluation"))
    return "\n".join(f"<li><b>{value}</b><span>{label}</span></li>" for value, label in tiles)


def _learning(run: RunFolder, rows: Rows) -> str:
    if not rows.episodes:
        return _section("Learning", _missing("No episode has ended yet."))
    picture = _plot(run, "learning_curve", partial(plots.learning_curve, rows), "learning curve")
    return _section(
        "Learning",
        _note("Each dot is one training episode; evaluations act by the policy's mean."),
        picture,
    )


def _evaluations(rows: Rows) -> str:
    if not rows.evaluations:
        return _section("Evaluation", _missing("This run has not been evaluated yet."))
    if not rows.has_speed:
        return _section("Evaluation", _return_table(rows.evaluations))
    return _section(
        "Evaluation beside the published machine",
        _speed_table(rows.evaluations),
        _note(
            "Published: policies trained in simulation on the real Minitaur, Tan et al. 2018"
            " (arXiv 1804.10332). Overload is the longest time any motor spent above its"
            " continuous torque without a pause. Mechanical power is the mean of |torque *"
            " velocity|, which is how we read the published figures; electrical power is what the"
            " controllers report, copper losses included."
        ),
    )


def _chosen(evaluations: list[EvaluationRow]) -> dict[str, EvaluationRow]:
    """The last evaluation, and the best one where it is another."""
    best = max(evaluations, key=lambda row: -1e300 if row.return_mean is None else row.return_mean)
    chosen = {f"last, at step {evaluations[-1].step:,}": evaluations[-1]}
    if best is not evaluations[-1]:
        chosen[f"best return, at step {best.step:,}"] = best
    return chosen


def _return_table(evaluations: list[EvaluationRow]) -> str:
    body = [
        (name, str(row.episodes), _number(row.return_mean, ".1f"), _number(row.return_std, ".1f"))
        for name, row in _chosen(evaluations).items()
    ]
    return _table(("", "episodes", "mean return", "spread (std)"), body)


def _speed_table(evaluations: list[EvaluationRow]) -> str:
    head = (
        "",
        "speed",
        "slowest",
        "electrical power",
        "mechanical power",
        "mechanical work per metre",
        "falls",
        "overload",
        "return",
    )
    body = [
        (
            name,
            _number(row.speed_m_s, ".2f", " m/s"),
            _number(row.speed_min_m_s, ".2f", " m/s"),
            _number(row.power_w, ".0f", " W"),
            _number(row.mechanical_power_w, ".0f", " W"),
            _energy(row.mechanical_power_w, row.speed_m_s),
            f"{row.falls} of {row.episodes}",
            _number(row.seconds_above_continuous_torque, ".2f", " s"),
            f"{_number(row.return_mean, '.1f')} ± {_number(row.return_std, '.1f')}",
        )
        for name, row in _chosen(evaluations).items()
    ]
    published = [
        (
            f"published {machine.gait}",
            f"{machine.speed_m_s:.2f} m/s",
            DASH,
            DASH,
            f"{machine.power_w:.0f} W",
            _energy(machine.power_w, machine.speed_m_s),
            *(DASH,) * 3,
        )
        for machine in PUBLISHED
    ]
    return _table(head, body, published)


def _energy(power_w: Number, speed_m_s: Number) -> str:
    """Energy per metre; not told for a robot that hardly moves forward."""
    if power_w is None or speed_m_s is None or speed_m_s < 0.02:
        return DASH
    return f"{power_w / speed_m_s:.0f} J/m"


def _recording(run: RunFolder) -> list[str]:
    """Video and gait of the newest evaluation that has a trace or a video."""
    for step in reversed(run.evaluation_steps()):
        folder = run.path / "evaluation" / str(step)
        video = next((folder / name for name in VIDEOS if (folder / name).exists()), None)
        trace_path = folder / "trace.npz"
        trace = Trace.load(trace_path) if trace_path.exists() else None
        if video or (trace is not None and len(trace.time_s) > 1):
            return [_video(run, video, step), _gait(run, trace, step)]
    missing = _missing("No evaluation has been recorded yet: `robosac evaluate` makes one.")
    return [_section("Gait", missing)]


def _video(run: RunFolder, video: Path | None, step: int) -> str:
    title = f"Video, step {step:,}"
    if video is None:
        return _section(title, _missing("This evaluation has no video."))
    source = html.escape(video.relative_to(run.path).as_posix())
    if video.suffix == ".webp":
        return _section(title, f'<img class="film" src="{source}" alt="video of the evaluation">')
    player = f'<video src="{source}" controls loop muted autoplay playsinline></video>'
    return _section(title, player)


def _gait(run: RunFolder, trace: Trace | None, step: int) -> str:
    title = f"Gait, step {step:,}"
    if trace is None:
        return _section(title, _missing("This evaluation has no recording of the joints."))
    return _section(
        title,
        _plot(run, "gait", partial(gait_plot.gait, trace), "joint angles and steps"),
        _plot(run, "episode", partial(gait_plot.episode, trace), "speed, tilt and power"),
    )


def _temperature(run: RunFolder, rows: Rows) -> str:
    title = "Temperature and entropy"
    if not rows.learner:
        return _section(title, _missing("The learner has made no update yet."))
    draw = partial(plots.temperature, rows)
    return _section(title, _plot(run, "temperature", draw, "temperature and entropy"))


def _limiter(run: RunFolder, rows: Rows) -> str:
    title = "Limiter"
    if not rows.has_robot:
        return _section(title, _missing("No robot, so nothing to limit."))
    if not any(share > 0 for row in rows.episodes for share in row.limited.values()):
        return _section(title, _missing("The limiter let every command through unchanged."))
    draw = partial(plots.limiter_activity, rows)
    return _section(title, _plot(run, "limiter", draw, "limiter activity"))


def _timing(run: RunFolder, rows: Rows) -> str:
    title = "Loop timing"
    if not rows.timing:
        return _section(title, _missing("No timing was recorded."))
    config = run.config
    period = config.executor.period_s if isinstance(config, RobotConfig) else None
    ticks = sum(row.ticks for row in rows.timing)
    skipped = sum(row.skipped for row in rows.timing)
    return _section(
        title,
        _note(f"{ticks:,} ticks, {skipped:,} missed."),
        _plot(run, "timing", partial(plots.loop_timing, rows, period), "loop timing"),
    )


def _versions(run: RunFolder) -> str:
    return "\n".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(version or 'not installed')}</td></tr>"
        for name, version in run.versions().items()
    )


def _plot(run: RunFolder, name: str, draw: Callable[[Theme], Figure], text: str) -> str:
    """Write <name>.png (light) and return both themes as one embedded picture."""
    pictures = {theme.name: render(draw, theme) for theme in THEMES}
    write_whole(run.path / f"{name}.png", pictures[LIGHT.name])
    light, dark = (_data(pictures[theme.name]) for theme in THEMES)
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{html.escape(text)}"></picture>'
    )


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _section(title: str, *content: str) -> str:
    return "\n".join(("<section>", f"<h2>{title}</h2>", *content, "</section>"))


def _note(text: str) -> str:
    return f'<p class="note">{html.escape(text)}</p>'


def _missing(text: str) -> str:
    return f'<p class="missing">{html.escape(text)}</p>'


def _table(
    head: tuple[str, ...],
    body: list[tuple[str, ...]],
    published: list[tuple[str, ...]] | None = None,
) -> str:
    def row(cells: tuple[str, ...], kind: str = "") -> str:
        return f"<tr{kind}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"

    lines = [row(cells) for cells in body]
    lines += [row(cells, ' class="published"') for cells in published or []]
    heads = "".join(f"<th>{cell}</th>" for cell in head)
    rows = "\n".join(lines)
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _number(value: Number, form: str, unit: str = "") -> str:
    return DASH if value is None else f"{value:{form}}{unit}"
