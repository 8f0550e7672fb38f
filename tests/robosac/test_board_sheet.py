"""The board's sheet: to scale, on paper that it fits, as PDF and as PNG."""

import json
import re
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.board import BoardFinder, BoardSpec
from robosac.board_sheet import board_pdf, board_png, plan_sheet, write_board
from robosac.cli import app
from robosac.errors import ConfigError

SPEC = BoardSpec()


@pytest.mark.parametrize(
    ("spec", "paper"),
    [(SPEC, "A4"), (BoardSpec(square_m=0.038), "A3"), (BoardSpec(square_m=0.08), "A1")],
)
def test_the_smallest_paper_is_taken(spec: BoardSpec, paper: str) -> None:
    assert plan_sheet(spec).paper == paper


def test_a_board_for_which_there_is_no_paper() -> None:
    with pytest.raises(ConfigError, match="smaller squares"):
        plan_sheet(BoardSpec(square_m=0.2))


def test_the_png_is_to_scale_and_its_corners_lie_where_they_are_told() -> None:
    plan = plan_sheet(SPEC)
    data = board_png(SPEC, plan)
    kind, per_metre, _, unit = struct.unpack(">4sIIB", data[37:50])
    assert (kind, unit) == (b"pHYs", 1)
    (checksum,) = struct.unpack(">I", data[50:54])
    assert checksum == zlib.crc32(data[37:50])
    sheet = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    assert sheet.shape[1] / per_metre == pytest.approx(0.297, abs=1e-4)
    view = BoardFinder(SPEC).find(np.asarray(sheet, np.uint8))
    assert view is not None
    assert len(view.ids) == SPEC.corners
    metres = (view.pixels - view.pixels[0]) / per_metre
    points = SPEC.points(view.ids)
    expected = (points - points[0])[:, :2] * (1.0, -1.0)
    np.testing.assert_allclose(metres, expected, atol=5e-5)


def test_the_pdf_holds_the_board_at_its_true_size() -> None:
    plan = plan_sheet(SPEC)
    data = board_pdf(SPEC, plan)
    assert data.startswith(b"%PDF-1.4")
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)
    assert box is not None
    assert [float(side) * 25.4 / 72.0 for side in box.groups()] == pytest.approx([297.0, 210.0])
    placed = re.search(rb"q ([\d.]+) 0 0 ([\d.]+) ([\d.]+) ([\d.]+) cm /Board Do", data)
    assert placed is not None
    assert [float(part) for part in placed.groups()][:2] == pytest.approx([243.0, 162.0])
    start = data.index(b"/FlateDecode")
    packed = zlib.decompress(data[data.index(b"stream\n", start) + 7 :][:4096])
    rows, columns = SPEC.cells().shape
    bits = np.unpackbits(np.frombuffer(packed, np.uint8).reshape(rows, -1), axis=1)[:, :columns]
    np.testing.assert_array_equal(bits * 255, SPEC.cells())
    # Every object lies where the table says.
    table = int(data[data.rindex(b"startxref") :].split()[1])
    assert data[table:].startswith(b"xref\n0 7\n")
    for number, entry in enumerate(data[table:].splitlines()[3:9], 1):
        assert data[int(entry[:10]) :].startswith(b"%d 0 obj" % number)


def test_on_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "board.pdf"
    told = CliRunner().invoke(app, ["calibrate", "board", "--out", str(out)])
    assert told.exit_code == 0
    assert "243 by 162 mm" in told.output
    assert out.read_bytes() == board_pdf(SPEC, plan_sheet(SPEC))
    told = CliRunner().invoke(
        app, ["calibrate", "board", "--out", str(out), "--square-mm", "20", "--json"]
    )
    assert json.loads(told.output)["width_mm"] == pytest.approx(180.0)
    with pytest.raises(ConfigError, match=r"\.pdf and \.png"):
        write_board(tmp_path / "board.svg", SPEC)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_board(tmp_path / "no" / "board.png", SPEC)
