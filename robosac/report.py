"""One page that tells how a run went: curves, episodes, limiter, timing, video, settings."""

from __future__ import annotations

import html
from functools import partial
from importlib import resources
from pathlib import Path
from string import Template

from robosac import config as configuration
from robosac import plots, turn_plots
from robosac.evaluation_table import number, percent
from robosac.files import write_whole
from robosac.report_evaluation import ends, evaluations, last_episodes
from robosac.report_html import missing, note, plot, section
from robosac.report_recording import recording
from robosac.report_wear import wear
from robosac.rows import Rows
from robosac.runs import RunFolder
from robosac.settings import RobotConfig


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
        evaluations(rows),
        *last_episodes(run, rows),
        *recording(run),
        *ends(rows),
        _temperature(run, rows),
        _limiter(run, rows),
        _timing(run, rows),
        *_ages(run, rows),
        *_policy_lag(run),
        *wear(run, rows),
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
        tiles.append((number(last.return_mean), "return, last evaluation"))
        if last.speed_m_s is not None:
            tiles.append((f"{last.speed_m_s:.2f} m/s", "speed, last evaluation"))
            tiles.append((f"{last.falls} of {last.episodes}", "falls, last evaluation"))
        if last.within_0_1_rad is not None:
            tiles.append((percent(last.within_0_1_rad), "below 0.1 rad, last evaluation"))
            tiles.append((percent(last.within_0_2_rad), "below 0.2 rad, last evaluation"))
    return "\n".join(f"<li><b>{value}</b><span>{label}</span></li>" for value, label in tiles)


def _learning(run: RunFolder, rows: Rows) -> str:
    if not rows.episodes:
        return section("Learning", missing("No episode has ended yet."))
    pictures = [plot(run, "learning_curve", partial(plots.learning_curve, rows), "learning curve")]
    if rows.has_angle:
        draw = partial(turn_plots.turn_curve, rows)
        pictures.append(plot(run, "turn_curve", draw, "angle errors over training"))
    return section(
        "Learning",
        note("Each dot is one training episode; evaluations act by the policy's mean."),
        *pictures,
    )


def _temperature(run: RunFolder, rows: Rows) -> str:
    title = "Temperature and entropy"
    if not rows.learner:
        return section(title, missing("The learner has made no update yet."))
    draw = partial(plots.temperature, rows)
    return section(title, plot(run, "temperature", draw, "temperature and entropy"))


def _limiter(run: RunFolder, rows: Rows) -> str:
    title = "Limiter"
    if not rows.has_robot:
        return section(title, missing("No robot, so nothing to limit."))
    if not any(share > 0 for row in rows.episodes for share in row.limited.values()):
        return section(title, missing("The limiter let every command through unchanged."))
    draw = partial(plots.limiter_activity, rows)
    return section(title, plot(run, "limiter", draw, "limiter activity"))


def _timing(run: RunFolder, rows: Rows) -> str:
    title = "Loop timing"
    if not rows.timing:
        return section(title, missing("No timing was recorded."))
    config = run.config
    period = config.executor.period_s if isinstance(config, RobotConfig) else None
    ticks = sum(row.ticks for row in rows.timing)
    skipped = sum(row.skipped for row in rows.timing)
    return section(
        title,
        note(f"{ticks:,} ticks, {skipped:,} missed."),
        plot(run, "timing", partial(plots.loop_timing, rows, period), "loop timing"),
    )


def _ages(run: RunFolder, rows: Rows) -> list[str]:
    """How old what the policy saw was; only for a task that tells."""
    if not rows.has_ages:
        return []
    picture = plot(run, "ages", partial(plots.ages, rows), "ages of pictures and joint values")
    return [section("What the policy saw, and how old it was", picture)]


def _policy_lag(run: RunFolder) -> list[str]:
    """How old the policy was that acted; only where the learner is a process of its own."""
    lag = run.policy_lag()
    return [section("Policy that acted, and how old it was", note(lag.text()))] if lag.total else []


def _versions(run: RunFolder) -> str:
    return "\n".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(version or 'not installed')}</td></tr>"
        for name, version in run.versions().items()
    )
