"""The calibration file is read strictly."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.file import dump, load, nominal, parse
from calibration.record import NOMINAL, Calibration
from tests.calibration.specimens import MEASURED

TEXT = dump(MEASURED)


def sealed(body: bytes) -> bytes:
    """`body` under its right sum, as a careless tool would write it."""
    return b"sha256: %b\n%b" % (hashlib.sha256(body).hexdigest().encode(), body)


def body() -> bytes:
    return TEXT.split(b"\n", 1)[1]


def test_the_sum_is_over_everything_below_it() -> None:
    first, rest = TEXT.split(b"\n", 1)
    assert first == b"sha256: " + hashlib.sha256(rest).hexdigest().encode()


@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_no_byte_can_change_unnoticed(place: int, change: int) -> None:
    damaged = bytearray(TEXT)
    damaged[place] ^= change
    with pytest.raises(ValueError, match=r"calibration\.yaml"):
        parse(bytes(damaged), "calibration.yaml")


@given(st.integers(0, len(TEXT) - 1))
def test_a_file_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"calibration\.yaml"):
        parse(TEXT[:length], "calibration.yaml")


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"calibration\.yaml") as caught:
        parse(text, "calibration.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"format: 2\n", b"", "format is missing"),
        (b"format: 2\n", b"format: 3\n", r"format"),
        (b"robot: minitaur\n", b"", "robot"),
        (b"robot: minitaur\n", b"robot: minitaur\nrobot: claw\n", "'robot' stands there twice"),
        (b"robot: minitaur\n", b"robot: minitaur\ncolour: red\n", "colour"),
        (b"robot: minitaur\n", b"robot: !!str minitaur\n", "tags are not accepted"),
        (b"robot: minitaur\n", b"robot: &a minitaur\nname: *a\n", "aliases"),
        (b"motor_id: 3\n", b"motor_id: 3\n    motor_id: 4\n", "twice"),
        (b"sign: -1\n", b"sign: 0\n", "sign"),
        (b"sign: -1\n", b"sign: '1'\n", "sign"),
        (b"count: 1000\n", b"count: 0\n", "count"),
        (b"p99_s: 0.002\n", b"p99_s: 0.0002\n", "p99_s"),
        (b"samples: 4000\n", b"samples: 4000.5\n", "samples"),
    ],
)
def test_a_wrong_key_is_named_even_under_a_right_sum(old: bytes, new: bytes, says: str) -> None:
    text = body()
    assert old in text
    with pytest.raises(ValueError, match=says):
        parse(sealed(text.replace(old, new, 1)), "calibration.yaml")


def test_a_measured_file_without_a_sum_is_refused() -> None:
    with pytest.raises(ValueError, match="first line is no `sha256: `"):
        parse(body(), "calibration.yaml")


def test_a_nominal_file_may_not_hold_what_was_measured() -> None:
    text = body().replace(b"date: '2026-01-01'", b"date: nominal")
    with pytest.raises(ValueError, match="measured numbers"):
        parse(text, "calibration.yaml")


def test_a_file_of_version_1_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text("robot: minitaur\ndate: '2026-01-01'\njoints:\n  a: {motor_id: 1}\n")
    with pytest.raises(ValueError, match=r"old\.yaml.*format is missing.*calibrate anew"):
        load(file)


def test_nominal_files_survive_their_own_writer() -> None:
    for robot in ("minitaur", "claw"):
        found: Calibration = nominal(robot)
        assert found.date == NOMINAL
        assert parse(dump(found), robot) == found
