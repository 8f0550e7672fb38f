"""What a report page tells of wear: how the robot stands and follows, now and as the run began."""

from __future__ import annotations

import html
from functools import partial

from robosac import plots_wear
from robosac.report_html import missing, note, plot, section, table
from robosac.rows import Rows
from robosac.runs import RunFolder
from robosac.wear import FIRST, NEWEST, Drift, standing_drift

TITLE = "Wear"
SHOWN = 5
"""Rows of the table."""


def wear(run: RunFolder, rows: Rows) -> list[str]:
    """The trends, and what has drifted; nothing for a run without a robot."""
    told = [row for row in rows.episodes if row.standing_rad or row.lag_s]
    if not told:
        return []
    stance = standing_drift([row.standing_rad for row in told])
    if not stance:
        few = f"{len(told)} episodes; at least {FIRST + NEWEST} tell whether the robot has changed."
        return [section(TITLE, missing(few))]
    return [
        section(
            TITLE,
            note(verdict(stance)),
            table(("", "usual", "now", "change", "may differ by", ""), _body(stance)),
            plot(run, "wear", partial(plots_wear.wear, rows), "how the robot stands and follows"),
            note(
                f"Medians of the first {FIRST} and the newest {NEWEST} episodes of this run: goal"
                " minus reading of each joint, less its likes' (the other side's, the other"
                " fingers'), and the body's roll and pitch, before the policy acts. The lag at the"
                " right is not judged, for a new gait changes it too."
            ),
        )
    ]


def verdict(stance: tuple[Drift, ...]) -> str:
    """What follows, in a sentence or two."""
    moved = [drift.name for drift in stance if drift.drifted]
    if not moved:
        return "The robot stands as when this run began."
    return (
        f"The robot no longer stands as it did: {', '.join(moved)}. Look for a slipped horn, a weak"
        " motor or a joint that sticks, then calibrate anew before learning goes on."
    )


def _body(stance: tuple[Drift, ...]) -> list[tuple[str, ...]]:
    """The numbers that changed most, by what they may differ."""
    ranked = sorted(stance, key=lambda drift: -abs(drift.change) / drift.bound)[:SHOWN]
    return [
        (
            html.escape(drift.name),
            *(f"{1e3 * x:.1f} mrad" for x in (drift.usual, drift.now, drift.change, drift.bound)),
            "<b>drifted</b>" if drift.drifted else "",
        )
        for drift in ranked
    ]
