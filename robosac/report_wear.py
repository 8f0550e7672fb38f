"""What a report page tells of wear: how the robot stands and follows, now and as the run began."""

from __future__ import annotations

import html
from functools import partial

from robosac import plots_wear
from robosac.report_html import missing, note, plot, section, table
from robosac.rows import Rows
from robosac.runs import RunFolder
from robosac.wear import FIRST, NEWEST, Drift, lag_drift, standing_drift

TITLE = "Wear"


def wear(run: RunFolder, rows: Rows) -> list[str]:
    """The trends, and what has drifted; nothing for a run without a robot."""
    told = [row for row in rows.episodes if row.standing_rad or row.lag_s]
    if not told:
        return []
    stance = standing_drift([row.standing_rad for row in told])
    lag = lag_drift([row.lag_s for row in told])
    if not stance and not lag:
        few = f"{len(told)} episodes; at least {FIRST + NEWEST} tell whether the robot has changed."
        return [section(TITLE, missing(few))]
    return [
        section(
            TITLE,
            note(verdict(stance, lag)),
            table(("", "usual", "now", "change", "may differ by", ""), _body(stance, lag)),
            plot(run, "wear", partial(plots_wear.wear, rows), "how the robot stands and follows"),
            note(
                f"Medians of the first {FIRST} and the newest {NEWEST} episodes of this run. The"
                " stance is goal minus reading of each joint, and the body's attitude, before the"
                " policy acts. The lag is a joint's by the middle joint's, in the same episode; a"
                " new gait may shift it between legs or fingers, so that only the stance tells a"
                " worn robot from a changed policy."
            ),
        )
    ]


def verdict(stance: tuple[Drift, ...], lag: tuple[Drift, ...]) -> str:
    """What follows, in a sentence or two."""
    moved = [drift.name for drift in stance if drift.drifted]
    slow = [drift.name for drift in lag if drift.drifted]
    said: list[str] = []
    if moved:
        said.append(
            f"The robot no longer stands as it did: {', '.join(moved)}. Look for a slipped horn,"
            " backlash or a weak motor, then calibrate anew before learning goes on."
        )
    if slow:
        said.append(f"These joints follow otherwise than the rest, by now: {', '.join(slow)}.")
    return " ".join(said) or "The robot stands and follows as when this run began."


def _body(stance: tuple[Drift, ...], lag: tuple[Drift, ...]) -> list[tuple[str, ...]]:
    """The three numbers of each kind that changed most, by what they may differ."""
    rows: list[tuple[str, ...]] = []
    for kind, drifts, scale, unit in (("stance", stance, 1e3, " mrad"), ("lag", lag, 1.0, "")):
        ranked = sorted(drifts, key=lambda drift: -abs(drift.change) / drift.bound)
        for drift in ranked[:3]:
            cells = (drift.usual, drift.now, drift.change, drift.bound)
            form = ".1f" if scale > 1.0 else ".2f"
            rows.append(
                (
                    f"{kind} of {html.escape(drift.name)}",
                    *(f"{scale * cell:{form}}{unit}" for cell in cells),
                    "<b>drifted</b>" if drift.drifted else "",
                )
            )
    return rows
