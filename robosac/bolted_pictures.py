"""Pictures of how a robot is put together: its joints' zeros and stops, its sensor's mounting."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from calibration.imu import ImuResult
from calibration.joints import JointResult, correction
from calibration.rotations import matrix_of
from robosac.calibration_page import page, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

    from robosac.plot_style import Theme
    from robosac.robots.wiring import Wiring

BODY_AXES: Final = ("forward", "right", "down")
"""x, y and z of the body, as the inertial sensor's attitude is told."""


def joints_page(out: Path, file: Wiring, found: Mapping[str, JointResult]) -> Path:
    """Write OUT.joints.png and .html; the page's path. Raises ConfigError: they cannot be."""
    corrections = _corrections(file, found)
    rows = [
        (
            html.escape(name),
            f"{found[name].sign:+d}",
            f"{math.degrees(corrections[name]):+.2f}",
            _stop(found[name].lower_rad),
            _stop(found[name].upper_rad),
            f"{math.degrees(found[name].misfit_rad):.2f}",
            f"{math.degrees(found[name].noise_rad):.3f}",
            f"{found[name].turns}",
        )
        for name in file.joint_names
    ]
    head = (
        "joint, degrees", "sign", "zero off the drawing", "lower stop", "upper stop",
        "stops off the drawing", "noise at rest", "turns taken out",
    )  # fmt: skip
    return page(out, "joints", "Joints", partial(joints_figure, file, found), table(head, rows))


def joints_figure(file: Wiring, found: Mapping[str, JointResult], theme: Theme) -> Figure:
    """Where each joint may be asked to go within its measured stops; zeros and misfit."""
    from robosac.plot_style import legend, new_figure

    names, corrections = file.joint_names, _corrections(file, found)
    limits = file.joint_limits()
    place = np.arange(len(names))
    figure = new_figure(1.5 + 0.42 * len(names))
    ranges, zeros, misfits = figure.subplots(1, 3, sharey=True, width_ratios=(2.2, 1.0, 1.0))
    stops = [(found[name].lower_rad, found[name].upper_rad) for name in names]
    ends = [(low, high) if math.isfinite(low + high) else (np.nan, np.nan) for low, high in stops]
    low, high = np.degrees(np.array(ends)).T
    ranges.barh(place, high - low, left=low, height=0.62, color=theme.grid, label="between stops")
    asked = np.degrees(np.array([limits.lower, limits.upper]))
    asked = np.where(np.isfinite(asked), asked, np.nan)
    ranges.barh(
        place, asked[1] - asked[0], left=asked[0], height=0.22, color=theme.blue,
        label="asked at most",
    )  # fmt: skip
    ranges.set_yticks(place, names)
    ranges.invert_yaxis()
    ranges.set_xlabel("joint angle [degrees]")
    legend(ranges)
    zeros.barh(place, [math.degrees(corrections[name]) for name in names], color=theme.orange)
    zeros.set_xlabel("zero, off the\ndrawing [degrees]")
    misfits.barh(place, [math.degrees(found[name].misfit_rad) for name in names], color=theme.green)
    misfits.set_xlabel("stops, off the\ndrawing [degrees]")
    return figure


def imu_page(out: Path, found: ImuResult) -> Path:
    """Write OUT.imu.png and .html; the page's path. Raises ConfigError: they cannot be."""
    rows = [
        (
            axis,
            f"{1e3 * bias:+.3f}",
            f"{1e3 * gyro:.3f}",
            f"{acceleration:.4f}",
        )
        for axis, bias, gyro, acceleration in zip(
            "xyz",
            found.gyro_bias_rad_s,
            found.gyro_noise_rad_s,
            found.acceleration_noise_m_s2,
            strict=True,
        )
    ]
    head = ("sensor's axis", "gyro bias, mrad/s", "gyro noise, mrad/s", "acceleration noise, m/s2")
    lies = "askew" if found.axes is None else "x, y, z along the body's " + ", ".join(found.axes)
    text = (
        f"<p>It sits {html.escape(lies)}. What was observed fits to"
        f" {math.degrees(found.rms_rad):.2f} degrees (root mean square), worst"
        f" {math.degrees(found.worst_rad):.2f} degrees: {html.escape(found.worst)}. About its least"
        f" known axis the mounting is known to {math.degrees(found.uncertain_rad):.2f} degrees"
        " (standard error).</p>"
    )
    return page(out, "imu", "Inertial sensor", partial(imu_figure, found), text + table(head, rows))


def imu_figure(found: ImuResult, theme: Theme) -> Figure:
    """The sensor's axes in the body, and what its gyro says at rest."""
    from robosac.plot_style import new_figure

    figure = new_figure(4.4)
    grid = figure.add_gridspec(1, 2, width_ratios=(1.3, 1.0))
    axes: Axes3D = figure.add_subplot(grid[0], projection="3d")
    _triad(axes, np.eye(3), BODY_AXES, (theme.muted,) * 3, 1.25)
    colours = (theme.red, theme.green, theme.blue)
    _triad(axes, matrix_of(found.mounting), ("x", "y", "z"), colours, 1.0)
    axes.set(xlim=(-1.0, 1.0), ylim=(-1.0, 1.0), zlim=(-1.0, 1.0))
    axes.set_box_aspect((1, 1, 1))
    axes.set_axis_off()
    axes.set_title("The sensor's axes in the body")
    bars = figure.add_subplot(grid[1])
    bars.bar(
        ("x", "y", "z"), 1e3 * np.array(found.gyro_bias_rad_s), color=colours,
        yerr=1e3 * np.array(found.gyro_noise_rad_s), ecolor=theme.ink, capsize=4,
    )  # fmt: skip
    bars.axhline(0.0, color=theme.muted, lw=1.0)
    bars.set_title("Gyro at rest, mrad/s")
    bars.set_xlabel("bias; the line: noise of one reading")
    return figure


def _triad(
    axes: Axes3D,
    rotation: np.ndarray,
    names: Sequence[str],
    colours: Sequence[str],
    length: float,
) -> None:
    """Three arrows from the middle; the body's y points right and its z down."""
    for column, name, colour in zip(rotation.T, names, colours, strict=True):
        x, y, z = length * column[0], -length * column[1], -length * column[2]
        axes.quiver(0.0, 0.0, 0.0, x, y, z, color=colour, arrow_length_ratio=0.12, linewidth=2.0)
        axes.text(1.12 * x, 1.12 * y, 1.12 * z, name, color=colour, ha="center", va="center")


def _corrections(file: Wiring, found: Mapping[str, JointResult]) -> dict[str, float]:
    """How far each joint's zero lies from the drawn one, rad."""
    return {name: correction(found[name], file.motors[name].offset_rad) for name in found}


def _stop(angle_rad: float) -> str:
    return f"{math.degrees(angle_rad):.2f}" if math.isfinite(angle_rad) else "none"
