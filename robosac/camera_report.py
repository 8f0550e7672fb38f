"""What was measured of a camera, for a person: one picture and one page beside the calibration."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calibration.camera import MOST_RMS_PX, CameraResult
from calibration.camera_pose import CameraPose
from calibration.camera_record import MeasuredCamera
from calibration.coverage import TILTS
from calibration.record import Evidence
from calibration.tracker import TrackerResult
from calibration.valve_colour import MarkResult
from robosac.calibration_page import page, table
from robosac.plot_style import Theme, new_figure, reference_line

ARROWS: Final = 100.0
"""Residuals are drawn so many times as long as they are."""


@dataclass(frozen=True)
class CameraFindings:
    """Everything that was found of one camera."""

    lens: CameraResult
    pose: CameraPose
    floor: TrackerResult | None
    """Of a tracker."""
    marks: tuple[MarkResult, ...]
    """Of the hand's camera: in its own pictures and in the policy's."""


def write_report(
    out: Path,
    name: str,
    findings: CameraFindings,
    camera: MeasuredCamera,
    evidence: Evidence,
    known: Sequence[tuple[str, object]] = (),
) -> Path:
    """Write the page and its picture beside the calibration file `out`; the page's path.

    Args:
        out: the calibration file.
        name: hand or tracker.
        findings, camera, evidence: what was measured.
        known: what else stands in its table, beside what was measured.

    Raises:
        ConfigError: they cannot be written.
    """
    text = _text(findings, camera, evidence, known)
    return page(out, name, f"Camera {name}", partial(draw, findings), text)


def draw(findings: CameraFindings, theme: Theme) -> Figure:
    """Coverage, error of each view, residuals; for a tracker also the floor."""
    figure = new_figure(8.0)
    axes = figure.subplots(2, 2)
    _coverage(axes[0, 0], findings.lens, theme)
    _views(axes[0, 1], findings.lens, theme)
    lens = findings.lens
    _arrows(axes[1, 0], lens, theme)
    if findings.floor is not None:
        _floor(axes[1, 1], findings.floor, theme)
    else:
        _tilts(axes[1, 1], lens, theme)
    return figure


def _coverage(axes: Axes, lens: CameraResult, theme: Theme) -> None:
    found = lens.coverage
    width, height = found.size
    axes.imshow(found.cells, cmap=theme.ramp, extent=(0, width, height, 0), vmin=0, aspect="equal")
    for (row, column), count in np.ndenumerate(found.cells):
        at = (
            (column + 0.5) / found.cells.shape[1] * width,
            (row + 0.5) / found.cells.shape[0] * height,
        )
        axes.text(*at, str(int(count)), ha="center", va="center", color=theme.orange)
    axes.plot(*lens.pixels.T, ".", color=theme.ink, ms=1.0, alpha=0.4)
    axes.grid(visible=False)
    axes.set_title("Views with a corner in each part")


def _views(axes: Axes, lens: CameraResult, theme: Theme) -> None:
    axes.bar(np.arange(1, len(lens.view_rms_px) + 1), lens.view_rms_px, color=theme.blue)
    reference_line(axes, MOST_RMS_PX, "bound of all together", theme)
    axes.set_xlabel("view")
    axes.set_title("Reprojection error of each view, rms [px]")


def _arrows(axes: Axes, lens: CameraResult, theme: Theme) -> None:
    width, height = lens.coverage.size
    u, v = lens.pixels.T
    du, dv = lens.residuals_px.T
    axes.quiver(
        u,
        v,
        du,
        dv,
        angles="xy",
        scale_units="xy",
        scale=1.0 / ARROWS,
        width=0.002,
        color=theme.blue,
    )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    axes.set_title(f"Residuals, {ARROWS:.0f} times as long")


def _tilts(axes: Axes, lens: CameraResult, theme: Theme) -> None:
    axes.barh(np.arange(len(TILTS)), lens.coverage.tilts, color=theme.green)
    axes.set_yticks(np.arange(len(TILTS)), TILTS)
    axes.set_title("Views tilted each way")


def _floor(axes: Axes, floor: TrackerResult, theme: Theme) -> None:
    x, y = floor.middles_m.T
    drawn = axes.scatter(x, y, c=1e3 * np.array(floor.shape_m), cmap="viridis", s=90)
    axes.figure.colorbar(drawn, ax=axes, label="error [mm]")
    axes.plot(*floor.pose.position_m[:2], "+", color=theme.red, ms=12)
    axes.set_aspect("equal")
    axes.set_xlabel("x [m]")
    axes.set_ylabel("y [m]")
    axes.margins(0.15)
    axes.set_title("The board's shape")


def _text(
    findings: CameraFindings,
    camera: MeasuredCamera,
    evidence: Evidence,
    known: Sequence[tuple[str, object]],
) -> str:
    lens, pose = findings.lens, findings.pose
    summary = (
        f"{len(lens.view_rms_px)} views, reprojection {lens.rms_px:.3f} px rms. The camera's place"
        f" is known to {1e3 * pose.uncertain_m:.2f} mm and"
        f" {math.degrees(pose.uncertain_rad):.3f} degrees (standard errors)."
    )
    numbers: list[tuple[str, object]] = [
        ("date", camera.date),
        ("camera", f"{camera.device.model}, serial number {camera.device.serial or 'none'}"),
        ("size, px", camera.size),
        ("focal length, px", camera.focal_px),
        ("middle, px", camera.centre_px),
        ("distortion k1 k2 p1 p2 k3", camera.distortion),
        ("position, m", camera.position_m),
        ("attitude w x y z", camera.attitude),
        ("exposure, s", camera.exposure_s),
        ("white balance, K", camera.white_balance_k),
        ("focus", camera.focus),
    ]
    numbers += list(evidence.residuals.items())
    numbers += [
        (
            f"coloured end in {mark.size[0]} by {mark.size[1]} px",
            f"stands out {mark.margin:.1f} times",
        )
        for mark in findings.marks
    ]
    numbers += known
    rows = [(html.escape(what), html.escape(str(value))) for what, value in numbers]
    return f"<p>{summary}</p>{table(('number', 'value'), rows)}"
