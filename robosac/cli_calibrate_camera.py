"""`robosac calibrate board`, `camera` and `tracker`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robosac.cli_guard import OVERRIDES, JsonFlag, guarded, overrides_of

if TYPE_CHECKING:
    from calibration.board import BoardSpec

Columns = Annotated[int, typer.Option(help="Squares across.")]
Rows = Annotated[int, typer.Option(help="Squares up.")]
Square = Annotated[float, typer.Option(help="Side of a square, as measured on the print, mm.")]
Out = Annotated[Path, typer.Option("--out", help="The calibration file; its other parts are kept.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="The same routine on the twin, in virtual time: opens no port, writes no calibration.",
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option(help="With --dry-run: folder of its pictures and pages; else a new one."),
]
Place = Annotated[
    Path, typer.Option("--fixture", help="YAML: where the board lies; see docs/calibration.md.")
]
Keep = Annotated[
    bool, typer.Option("--keep-controls", help="Exposure and white balance stay as they are.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to `robosac calibrate`."""
    app.command()(board)
    app.command(context_settings=OVERRIDES)(camera)
    app.command(context_settings=OVERRIDES)(tracker)


def board(
    out: Annotated[Path, typer.Option("--out", help="A name that ends in .pdf or .png.")],
    columns: Columns = 9,
    rows: Rows = 6,
    square_mm: Square = 27.0,
    json_: JsonFlag = False,
) -> None:
    """Print the board that cameras are calibrated with, to scale: 27 mm squares fit A4, 80 mm A1.

    Example: `robosac calibrate board --out board.pdf`
    """
    from robosac import board_sheet

    def act() -> None:
        spec = _spec(columns, rows, square_mm)
        plan = board_sheet.write_board(out, spec)
        width, height = (1e3 * side for side in spec.size_m)
        if json_:
            told = {"file": str(out), "paper": plan.paper, "width_mm": width, "height_mm": height}
            typer.echo(json.dumps(told | {"square_mm": square_mm}))
            return
        typer.echo(
            f"{out}: {plan.paper}, {columns} by {rows} squares of {square_mm:g} mm, {width:g} by"
            f" {height:g} mm in all. Print at 100 %, measure the line of 100 mm, glue it to"
            " something flat, and tell the side of a square as it came out (--square-mm)"
        )

    guarded(act)


def camera(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="claw or claw-pixels; on serial ports.")],
    out: Out,
    fixture: Place,
    columns: Columns = 9,
    rows: Rows = 6,
    square_mm: Square = 27.0,
    keep_controls: Keep = False,
    json_: JsonFlag = False,
    dry_run: DryRun = False,
    pictures: Pictures = None,
) -> None:
    """Lens, place, exposure and colours of the hand's camera, by a printed board held before it.

    Opens the camera alone. With --dry-run the twin's own hands hold the board before its camera,
    and what was found is told beside what is. Any setting is a flag, by its dotted name.

    Example: `robosac calibrate camera claw --robot.address serial --robot.file my_hand.yaml
    --fixture board.yaml --out my_calibration.yaml`
    """
    board_ = columns, rows, square_mm
    target = out, dry_run, pictures
    _calibrate(context, "hand", preset, target, fixture, board_, keep_controls, json_)


def tracker(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="minitaur; on serial ports.")],
    out: Out,
    fixture: Place,
    columns: Columns = 9,
    rows: Rows = 6,
    square_mm: Square = 80.0,
    keep_controls: Keep = False,
    json_: JsonFlag = False,
    dry_run: DryRun = False,
    pictures: Pictures = None,
) -> None:
    """Lens, exposure and place above the floor of the overhead camera, by a board held and laid.

    Opens the camera alone. With --dry-run the twin's own hands hold the board before its camera,
    and what was found is told beside what is. Any setting is a flag, by its dotted name.

    Example: `robosac calibrate tracker minitaur --robot.address serial --robot.file my_robot.yaml
    --fixture floor.yaml --out my_calibration.yaml`
    """
    board_ = columns, rows, square_mm
    target = out, dry_run, pictures
    _calibrate(context, "tracker", preset, target, fixture, board_, keep_controls, json_)


def _calibrate(
    context: typer.Context,
    name: str,
    preset: str,
    target_: tuple[Path, bool, Path | None],
    fixture: Path,
    board_: tuple[int, int, float],
    keep_controls: bool,
    json_: bool,
) -> None:
    from robosac import calibrate_camera
    from robosac.calibrate_target import target_of
    from robosac.camera_job import Asked

    overrides = list(overrides_of(context.args))

    def act() -> None:
        spec, target = _spec(*board_), target_of(*target_)
        asked = Asked(preset, overrides, target, fixture, spec, keep_controls)
        told = calibrate_camera.calibrate(asked, name)
        if json_:
            typer.echo(json.dumps(told))

    guarded(act)


def _spec(columns: int, rows: int, square_mm: float) -> BoardSpec:
    """The board that the command line tells of."""
    from calibration.board import BoardSpec
    from robosac.errors import ConfigError

    try:
        return BoardSpec(columns, rows, square_mm / 1e3)
    except ValueError as error:
        raise ConfigError(str(error)) from error
