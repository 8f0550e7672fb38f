"""What a report page tells of evaluations, and of how episodes end."""

from __future__ import annotations

import html
from collections import Counter
from functools import partial

from robosac import turn_plots
from robosac.error_traces import ErrorTraces
from robosac.evaluation_files import ERRORS
from robosac.evaluation_table import DASH, measures, number, words
from robosac.metrics import EvaluationRow, Number
from robosac.published import PUBLISHED
from robosac.report_html import missing, note, plot, section, table
from robosac.rows import Rows
from robosac.runs import RunFolder


def evaluations(rows: Rows) -> str:
    """What the last and the best evaluation measured; a walker's beside the published machine."""
    if not rows.evaluations:
        return section("Evaluation", missing("This run has not been evaluated yet."))
    if not rows.has_speed:
        return section("Evaluation", _measures(rows.evaluations))
    return section(
        "Evaluation beside the published machine",
        _speed_table(rows.evaluations),
        note(
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


def _measures(evaluations: list[EvaluationRow]) -> str:
    """One line a measure, one column an evaluation."""
    chosen = {
        f"{name}, {row.episodes} episodes": dict(measures(row))
        for name, row in _chosen(evaluations).items()
    }
    names = dict.fromkeys(name for column in chosen.values() for name in column)
    body = [
        (html.escape(name), *(html.escape(column.get(name, DASH)) for column in chosen.values()))
        for name in names
    ]
    return table(("", *chosen), body)


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
            _unit(row.speed_m_s, ".2f", " m/s"),
            _unit(row.speed_min_m_s, ".2f", " m/s"),
            _unit(row.power_w, ".0f", " W"),
            _unit(row.mechanical_power_w, ".0f", " W"),
            _energy(row.mechanical_power_w, row.speed_m_s),
            f"{row.falls} of {row.episodes}",
            _unit(row.seconds_above_continuous_torque, ".2f", " s"),
            f"{number(row.return_mean)} ± {number(row.return_std)}",
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
    return table(head, body, published)


def _energy(power_w: Number, speed_m_s: Number) -> str:
    """Energy per metre; not told for a robot that hardly moves forward."""
    if power_w is None or speed_m_s is None or speed_m_s < 0.02:
        return DASH
    return f"{power_w / speed_m_s:.0f} J/m"


def _unit(value: Number, form: str, unit: str) -> str:
    return DASH if value is None else f"{value:{form}}{unit}"


def last_episodes(run: RunFolder, rows: Rows) -> list[str]:
    """How the episodes of the newest evaluation of a turning task ended, and how they got there."""
    turned = [row for row in rows.evaluations if row.within_0_1_rad is not None]
    if not turned:
        return []
    step = turned[-1].step
    episodes = run.episodes(step)
    pictures = [
        plot(run, "last_episodes", partial(turn_plots.last_episodes, episodes), "final errors")
    ]
    file = run.path / "evaluation" / str(step) / ERRORS
    if file.exists():
        draw = partial(turn_plots.error_traces, ErrorTraces.load(file))
        pictures.append(plot(run, "error_traces", draw, "angle errors over time"))
    return [section(f"Episodes of the evaluation at step {step:,}", *pictures)]


def ends(rows: Rows) -> list[str]:
    """How episodes ended: in training, and in the last evaluation."""
    if not rows.episodes:
        return []
    trained = Counter(str(row.end) for row in rows.episodes)
    judged = rows.evaluations[-1].ends if rows.evaluations else {}
    total = len(rows.episodes)
    body = [
        (words(end), f"{count:,}", f"{100 * count / total:.1f} %", str(judged.get(end, 0)))
        for end, count in trained.most_common()
    ]
    body += [(words(end), "0", DASH, str(n)) for end, n in judged.items() if end not in trained]
    if not judged:
        body = [(*cells[:3], DASH) for cells in body]
    last = rows.episodes[-1]
    calls, rises = last.operator_calls, last.get_ups
    remark = [] if calls is None else [note(f"A person was called for {calls} times.")]
    if rises is not None:
        remark.append(note(f"The robot got up by itself {rises} times."))
    head = ("", "training episodes", "share", "last evaluation")
    return [section("How episodes ended", table(head, body), *remark)]
