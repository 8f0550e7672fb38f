"""A calibration file is written whole, and can be taken back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from calibration.file import load
from robosac.calibration_file import save, undo
from tests.calibration.specimens import MEASURED


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "calibration.yaml"
    save(file, MEASURED)
    assert load(file) == MEASURED
    assert file.read_bytes().startswith(b"sha256: ")
    assert b"date: '2026-01-01'" in file.read_bytes()


def test_a_calibration_without_evidence_cannot_be_written(tmp_path: Path) -> None:
    bare = msgspec.structs.replace(MEASURED, evidence={})
    with pytest.raises(ValueError, match="cannot be written"):
        save(tmp_path / "calibration.yaml", bare)
    assert not list(tmp_path.iterdir())


def test_undo_takes_the_last_save_back_and_then_redoes_it(tmp_path: Path) -> None:
    file = tmp_path / "calibration.yaml"
    later = msgspec.structs.replace(MEASURED, date="2026-02-02")
    save(file, MEASURED)
    with pytest.raises(FileNotFoundError):
        undo(file)
    save(file, later)
    assert undo(file) == MEASURED
    assert load(file) == MEASURED
    assert undo(file) == later
    assert load(file) == later


def test_undo_of_a_damaged_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "calibration.yaml"
    save(file, MEASURED)
    save(file, msgspec.structs.replace(MEASURED, date="2026-02-02"))
    (tmp_path / "calibration.yaml.previous").write_bytes(b"broken")
    before = file.read_bytes()
    with pytest.raises(ValueError, match="previous"):
        undo(file)
    assert file.read_bytes() == before
