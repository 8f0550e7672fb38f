"""An evaluation in words: a phrase for the progress line, a table for the terminal."""

from __future__ import annotations

from rich.table import Table

from robosac.metrics import EvaluationRow, Number
from robosac.published import PUBLISHED
from robosac.tasks.ends import EpisodeEnd

DASH = "–"
Measures = list[tuple[str, str]]
"""Names and values of what was measured, in the order they are read in."""


def measures(row: EvaluationRow) -> Measures:
    """Everything that the task of this evaluation measures, and nothing else."""
    found: Measures = [("return", f"{number(row.return_mean)} ± {number(row.return_std)}")]
    if row.speed_m_s is not None:
        found += [
            ("speed, m/s", number(row.speed_m_s, ".2f")),
            ("slowest episode, m/s", number(row.speed_min_m_s, ".2f")),
            ("falls", str(row.falls)),
        ]
    if row.within_0_1_rad is not None:
        found += [
            ("success", percent(row.success)),
            ("final error below 0.1 rad", percent(row.within_0_1_rad)),
            ("final error below 0.2 rad", percent(row.within_0_2_rad)),
            ("final |error|, median, rad", number(row.angle_error_rad, ".3f")),
            ("final |error|, 90 %, rad", number(row.angle_error_p90_rad, ".3f")),
            ("|error| over a rollout, median, rad", number(row.angle_error_median_rad, ".3f")),
            ("|error| at the start, median, rad", number(row.start_error_rad, ".2f")),
        ]
    if row.frame_age_mean_s is not None:
        ages = [number(age, ".0f", 1e3) for age in (row.frame_age_mean_s, row.frame_age_max_s)]
        found.append(("age of the picture, mean (most), ms", f"{ages[0]} ({ages[1]})"))
    if row.power_w is not None:
        found.append(("electrical power, W", number(row.power_w, ".0f")))
    if row.mechanical_power_w is not None:
        form = ".0f" if row.speed_m_s is not None else ".2f"
        found.append(("mechanical power, W", number(row.mechanical_power_w, form)))
    if row.seconds_above_continuous_torque is not None:
        overload = number(row.seconds_above_continuous_torque, ".2f")
        found.append(("longest above continuous torque, s", overload))
        found.append(("thermal cut-offs", str(row.overheats)))
    if row.ends:
        found.append(("cut short", cut_short(row)))
    return found


def cut_short(row: EvaluationRow) -> str:
    """The episodes that did not run their course, by their end."""
    usual = (EpisodeEnd.TRUNCATED, EpisodeEnd.TERMINATED)
    odd = [f"{count} {words(end)}" for end, count in row.ends.items() if end not in usual]
    return ", ".join(odd) or "none"


def words(end: str) -> str:
    """An episode's end without underscores."""
    return end.replace("_", " ")


def evaluation_table(row: EvaluationRow, title: str) -> Table:
    """One line a measure; a walker's beside the published machine."""
    table = Table(title=f"{title}, step {row.step:,}, {row.episodes} episodes")
    table.add_column("")
    table.add_column("this policy", justify="right")
    machines = () if row.speed_m_s is None else PUBLISHED
    for machine in machines:
        table.add_column(f"published {machine.gait}", justify="right")
    published = {
        "speed, m/s": [f"{machine.speed_m_s:.2f}" for machine in machines],
        "mechanical power, W": [f"{machine.power_w:.0f}" for machine in machines],
    }
    for name, value in measures(row):
        table.add_row(name, value, *published.get(name, []))
    return table


def describe(row: EvaluationRow) -> str:
    """An evaluation in one phrase."""
    parts = [*_walk(row), *_turn(row)]
    parts.append(f"return {number(row.return_mean)} ± {number(row.return_std)} over {row.episodes}")
    if cut_short(row) != "none":
        parts.append(f"cut short: {cut_short(row)}")
    return ", ".join(parts)


def _walk(row: EvaluationRow) -> list[str]:
    if row.speed_m_s is None or row.power_w is None:
        return []
    trot = PUBLISHED[0]
    return [
        f"{row.speed_m_s:.2f} m/s (published {trot.gait} {trot.speed_m_s:.2f})",
        f"{row.falls} falls",
        f"{row.power_w:.0f} W electrical",
        f"{row.mechanical_power_w or 0:.0f} W mechanical (published {trot.power_w:.0f})",
        f"longest overload {row.seconds_above_continuous_torque or 0:.2f} s",
    ]


def _turn(row: EvaluationRow) -> list[str]:
    if row.within_0_1_rad is None:
        return []
    return [
        f"final error {number(row.angle_error_rad, '.2f')} rad (90 %"
        f" {number(row.angle_error_p90_rad, '.2f')})",
        f"below 0.1 rad {percent(row.within_0_1_rad)}, below 0.2 rad {percent(row.within_0_2_rad)}",
        f"over a rollout {number(row.angle_error_median_rad, '.2f')} rad",
    ]


def number(value: Number, form: str = ".1f", scale: float = 1.0) -> str:
    """A number as text, a dash where it is unknown."""
    return DASH if value is None else f"{value * scale:{form}}"


def percent(share: Number) -> str:
    """A share as text."""
    return DASH if share is None else f"{share:.0%}".replace("%", " %")
