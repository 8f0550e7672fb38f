"""The calibration board as a sheet to print: PDF or PNG, to scale, on the smallest paper it fits.

The PDF holds one picture with a pixel for each cell, stretched to its true size, so that a printer
decides where black ends (ISO 32000-1, sections 7 and 8). The PNG tells its pixels' size (its
chunk pHYs, in whole pixels a metre: within 0.01 %). A line of 100 mm shows whether the printer
scaled it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import CELLS, PATCH, PATCH_SRGB, BoardSpec
from robosac.errors import ConfigError
from robosac.files import write_whole

PAPERS: Final = {
    "A4": (297.0, 210.0),
    "A3": (420.0, 297.0),
    "A2": (594.0, 420.0),
    "A1": (841.0, 594.0),
    "A0": (1189.0, 841.0),
}
"""Width and height, lying, mm (ISO 216)."""
BORDER_MM: Final = 8.0
"""White at the paper's edge, which most printers cannot reach."""
STRIP_SQUARES: Final = 1.0
"""Below the chessboard, for the grey patch, the line and the words."""
POINT_MM: Final = 25.4 / 72.0
DOT_MM: Final = 25.4 / 300.0
"""About the size of a PNG's pixel."""
LINE_MM: Final = 100.0
LINE_SQUARES: Final = 4.6
"""From the left edge to where line and words begin: clear of the patch and the paper beside it."""
LETTERS_MM: Final = 3.0


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """Where everything lies on the paper; mm from its lower left corner."""

    paper: str
    width: float
    height: float
    left: float
    """Of the chessboard's lower left corner, as well as the next."""
    bottom: float
    square: float


def plan_sheet(spec: BoardSpec) -> SheetPlan:
    """The smallest paper for a board, and where it lies there.

    Raises:
        ConfigError: no paper is large enough.
    """
    square = 1e3 * spec.square_m
    width, height = (1e3 * side for side in spec.size_m)
    for name, (across, up) in PAPERS.items():
        needed = height + STRIP_SQUARES * square
        wide = max(width, LINE_SQUARES * square + LINE_MM)
        if wide + 2.0 * BORDER_MM <= across and needed + 2.0 * BORDER_MM <= up:
            bottom = (up - needed) / 2.0 + STRIP_SQUARES * square
            return SheetPlan(name, across, up, (across - wide) / 2.0, bottom, square)
    raise ConfigError(
        f"a board of {width:.0f} by {height:.0f} mm fits on no paper up to A0; take smaller squares"
    )


def words(spec: BoardSpec) -> str:
    """What the sheet says of itself."""
    width, height = (1e3 * side for side in spec.size_m)
    return (
        f"robosac board {spec.columns}x{spec.rows}, squares {1e3 * spec.square_m:g} mm,"
        f" {width:g} x {height:g} mm in all. Print at 100 %. Line: {LINE_MM:g} mm."
    )


def write_board(path: Path, spec: BoardSpec) -> SheetPlan:
    """Write the sheet as the name's ending says, .pdf or .png.

    Raises:
        ConfigError: another ending, no paper is large enough, or it cannot be written.
    """
    makers = {".pdf": board_pdf, ".png": board_png}
    make = makers.get(path.suffix.lower())
    if make is None:
        raise ConfigError(f"{path} is no board's name; valid endings are .pdf and .png")
    plan = plan_sheet(spec)
    try:
        write_whole(path, make(spec, plan))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    return plan


def board_pdf(spec: BoardSpec, plan: SheetPlan) -> bytes:
    """The sheet as a PDF of one page."""
    cells = spec.cells()
    packed = zlib.compress(np.packbits(cells > 0, axis=1).tobytes(), 9)
    board = spec.columns * plan.square, spec.rows * plan.square
    left, low, right, high = (edge * plan.square for edge in PATCH)
    line_x, line_y = plan.left + LINE_SQUARES * plan.square, plan.bottom - 0.55 * plan.square
    grey = PATCH_SRGB / 255.0
    letters = LETTERS_MM / POINT_MM
    drawing = (
        f"{1 / POINT_MM:.8f} 0 0 {1 / POINT_MM:.8f} 0 0 cm\n"
        f"q {board[0]:.4f} 0 0 {board[1]:.4f} {plan.left:.4f} {plan.bottom:.4f} cm /Board Do Q\n"
        f"{grey:.4f} g {plan.left + left:.4f} {plan.bottom + low:.4f} {right - left:.4f}"
        f" {high - low:.4f} re f\n"
        f"0 G 0.3 w {line_x:.4f} {line_y:.4f} m {line_x + LINE_MM:.4f} {line_y:.4f} l S\n"
        + "".join(
            f"{line_x + at:.4f} {line_y - 1.5:.4f} m {line_x + at:.4f} {line_y + 1.5:.4f} l S\n"
            for at in (0.0, LINE_MM)
        )
        + f"BT 0 g /F1 {letters * POINT_MM:.4f} Tf {line_x:.4f}"
        f" {plan.bottom - 0.85 * plan.square:.4f} Td ({words(spec)}) Tj ET\n"
    ).encode("ascii")
    page = f"0 0 {plan.width / POINT_MM:.4f} {plan.height / POINT_MM:.4f}".encode()
    rows, columns = cells.shape
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [%b] /Contents 4 0 R /Resources << /XObject"
        b" << /Board 5 0 R >> /Font << /F1 6 0 R >> >> >>" % page,
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing),
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray"
        b" /BitsPerComponent 1 /Interpolate false /Filter /FlateDecode /Length %d >>\nstream\n%b"
        b"\nendstream" % (columns, rows, len(packed), packed),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    return _pdf(objects)


def board_png(spec: BoardSpec, plan: SheetPlan) -> bytes:
    """The sheet as a PNG whose pixels tell their size; a cell is a whole number of pixels."""
    cell_px = max(1, round(plan.square / CELLS / DOT_MM))
    pixel_mm = plan.square / CELLS / cell_px
    sheet = np.full((round(plan.height / pixel_mm), round(plan.width / pixel_mm)), 255, np.uint8)
    board = np.kron(spec.cells(), np.ones((cell_px, cell_px), np.uint8))
    left, low = round(plan.left / pixel_mm), sheet.shape[0] - round(plan.bottom / pixel_mm)
    sheet[low - board.shape[0] : low, left : left + board.shape[1]] = board
    edges = [round(edge * CELLS * cell_px) for edge in PATCH]
    sheet[low - edges[3] : low - edges[1], left + edges[0] : left + edges[2]] = PATCH_SRGB
    x, y = left + round(LINE_SQUARES * CELLS * cell_px), low + round(0.55 * CELLS * cell_px)
    end = x + round(LINE_MM / pixel_mm)
    tick = round(1.5 / pixel_mm)
    for start, stop in (((x, y), (end, y)), ((x, y - tick), (x, y + tick)),
                        ((end, y - tick), (end, y + tick))):  # fmt: skip
        cv2.line(sheet, start, stop, 0, max(1, round(0.3 / pixel_mm)))
    place = x, low + round(0.85 * CELLS * cell_px)
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(0.7 * LETTERS_MM / pixel_mm))
    cv2.putText(sheet, words(spec), place, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 2, cv2.LINE_AA)
    return _png(sheet, pixel_mm)


def _png(sheet: NDArray[np.uint8], pixel_mm: float) -> bytes:
    good, coded = cv2.imencode(".png", sheet)
    if not good:
        raise ConfigError("the board cannot be drawn as a PNG")
    data = coded.tobytes()
    per_metre = round(1e3 / pixel_mm)
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    # Behind the signature and IHDR, which is always first and 25 bytes long.
    return data[:33] + chunk + data[33:]


def _pdf(objects: list[bytes]) -> bytes:
    """Objects 1, 2, ... as a file."""
    text = b"%PDF-1.4\n"
    starts: list[int] = []
    for number, content in enumerate(objects, 1):
        starts.append(len(text))
        text += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    count = len(objects) + 1
    return text + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n"
        b"%%%%EOF\n" % (count, table, count, len(text))
    )
