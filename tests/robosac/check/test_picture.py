"""A camera's pictures beside the reference that was kept."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.check.cameras import CameraFacts, CameraWish, camera_rows, camera_unknown
from robosac.check.examination import examine, keep_picture
from robosac.check.picture import (
    AMBER,
    BINS,
    RED,
    ROW,
    PictureReference,
    compare,
    histogram,
    keep,
    load,
    picture_row,
)
from robosac.check.row import Level
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.settings import RobotConfig
from tests.robosac.check.facts import by_name

RNG = np.random.default_rng(3)
SCENE = RNG.integers(40, 180, (32, 32, 3)).astype(np.uint8)


def reference(picture: np.ndarray = SCENE) -> PictureReference:
    red, green, blue = (tuple(row) for row in histogram([picture]).tolist())
    return PictureReference(format=1, robot="claw", red=red, green=green, blue=blue)


def level_of(picture: np.ndarray) -> Level:
    return picture_row(histogram([picture]), reference()).level


def test_a_picture_is_like_itself_and_like_the_same_scene_rearranged() -> None:
    assert compare(histogram([SCENE]), histogram([SCENE])).worst == 0.0
    assert level_of(RNG.permutation(SCENE.reshape(-1, 3)).reshape(SCENE.shape)) is Level.GREEN


@given(st.integers(0, 75))
def test_all_values_moved_alike_are_told_by_how_far_they_moved(by: int) -> None:
    moved = (SCENE + np.uint8(by)).astype(np.uint8)
    shift = compare(histogram([moved]), histogram([SCENE]))
    assert shift.worst == pytest.approx(by / 256, abs=0.5 / BINS)
    assert shift.mean == pytest.approx((by / 256,) * 3, abs=0.5 / BINS)


@pytest.mark.parametrize(
    ("by", "expected"), [(0.0, Level.GREEN), (AMBER + 0.03, Level.AMBER), (RED + 0.03, Level.RED)]
)
def test_brighter_pictures_go_from_green_to_red(by: float, expected: Level) -> None:
    assert level_of((SCENE + round(255 * by)).astype(np.uint8)) is expected


def test_a_tint_is_told_by_its_colour_at_the_same_brightness() -> None:
    tinted = SCENE.astype(int)
    tinted[..., 0] += 40
    tinted[..., 2] -= 40
    row = picture_row(histogram([tinted.astype(np.uint8)]), reference())
    assert row.level is Level.RED
    assert "red +15.6%, green +0.0%, blue -15.6%" in row.found


def test_what_a_finger_does_to_a_tenth_of_the_picture_is_no_shift() -> None:
    moved = SCENE.copy()
    moved[:10, :10] = 200
    assert level_of(moved) is Level.GREEN


def test_no_picture_is_red_and_no_reference_is_told() -> None:
    assert picture_row(None, reference()).level is Level.RED
    row = picture_row(histogram([SCENE]), None)
    assert row.level is Level.AMBER
    assert "--keep-picture" in row.remedy
    assert picture_row(histogram([SCENE]), None, twin=True).level is Level.TWIN
    assert picture_row(None, None, twin=True).level is Level.RED


def test_the_row_stands_only_where_pictures_are_learned_from() -> None:
    facts = CameraFacts(frames=30, fps=30.0, age_s=0.05, brightness=0.5)
    plain = CameraWish(fps=30.0, age_s=0.2, exposure_s=0.01)
    learned = CameraWish(fps=30.0, age_s=0.2, exposure_s=0.01, learned=True, reference=reference())
    assert ROW not in by_name(camera_rows(facts, plain))
    assert by_name(camera_rows(facts, learned))[ROW].level is Level.RED
    assert by_name(camera_unknown("away", learned=True))[ROW].level is Level.RED


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)],
)
def test_what_is_no_colour_picture_has_no_histogram(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        histogram([picture])
    with pytest.raises(ValueError, match="no picture"):
        histogram([])


def test_a_reference_survives_its_file_and_another_robots_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.json"
    kept = keep(path, "claw", histogram([SCENE]))
    assert load(path, "claw") == kept
    with pytest.raises(ConfigError, match="is of 'claw', not of 'other'"):
        load(path, "other")
    with pytest.raises(ConfigError, match="cannot be written"):
        keep(tmp_path / "nowhere" / "picture.json", "claw", histogram([SCENE]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "format 2; valid is 1"),
        ({"red": [1.0] * BINS}, "add up to"),
        ({"green": [1.0] * (BINS - 1)}, "length"),
        ({"blue": [2.0, -1.0] + [0.0] * (BINS - 2)}, "shares must be 0 to 1"),
        ({"more": 1}, "unknown field"),
        ({"robot": 3}, "str"),
    ],
)
def test_a_damaged_reference_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    document = msgspec.to_builtins(reference()) | change
    path = tmp_path / "picture.json"
    path.write_bytes(msgspec.json.encode(document))
    with pytest.raises(ConfigError, match=says) as caught:
        load(path, "claw")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff\xfe", b"{" * 2000, b" " * 200_000])
def test_what_is_no_reference_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "picture.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="picture reference"):
        load(path, "claw")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.json", "claw")


def twin(*overrides: str) -> RobotConfig:
    config = load_preset("claw-pixels", list(overrides))
    assert isinstance(config, RobotConfig)
    return config


def test_the_twins_camera_is_like_its_reference_until_its_exposure_changes(tmp_path: Path) -> None:
    path = tmp_path / "picture.json"
    keep_picture(twin(), path)
    usual = by_name(examine(twin(f"robot.picture={path}")).rows)[ROW]
    assert usual.level is Level.GREEN, usual.found
    dark = by_name(examine(twin(f"robot.picture={path}", "twin.camera.exposure=0.3")).rows)[ROW]
    assert dark.level is Level.RED, dark.found


def test_a_preset_that_sees_nothing_keeps_no_picture(tmp_path: Path) -> None:
    plain = load_preset("claw", [])
    assert isinstance(plain, RobotConfig)
    with pytest.raises(ConfigError, match="learns from no picture"):
        keep_picture(plain, tmp_path / "picture.json")
